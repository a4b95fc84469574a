package kernel_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// desk writes a note for each seal of the vault that it is shown.
func desk(asks func(one) kernel.Question) *kernel.Contract {
	return (&kernel.Contract{
		Name: "desk", Collections: []state.Collection{notes},
		Functions: append(kernel.Reads(notes), kernel.NewCreate(kernel.Create[one, note]{
			Name: "desk:Copy", Rule: access.Only(access.Any, access.Agency), Doc: "Copies a seal.", In: notes, Asks: asks,
			Make: func(tx *kernel.Tx, _ string, r one) (note, error) {
				var s seal
				err := tx.Ask("vault", "seal:Get", kernel.ByID{ID: r.ID}, &s)
				return note{Head: state.Head{Status: "copied"}, Text: s.Note}, err
			},
		})),
	}).Build()
}

// A batch is answered the same whether its questions are asked ahead or one by one.
func TestQuestionsAreAskedAhead(t *testing.T) {
	ahead := func(r one) kernel.Question {
		return kernel.Question{Chaincode: "vault", Function: "seal:Get", Request: kernel.ByID{ID: r.ID}}
	}
	var said [2][]string
	for i, asks := range []func(one) kernel.Question{nil, ahead} {
		l := ledgertest.New(desk(asks), vault())
		agency := l.As(tax, access.Agency)
		a, b := do(t, agency, "seal:Make", "a", one{"first"}).ID, do(t, agency, "seal:Make", "b", one{"second"}).ID
		got, err := agency.On("desk").Batch([]kernel.BatchCommand{
			command("desk:Copy", "k1", one{a}), command("desk:Copy", "k2", one{"none"}), command("desk:Copy", "k3", one{b}),
			command("desk:Copy", "k4", one{a}), command("desk:Copy", "k5", json.RawMessage(`{"id":1}`)), command("desk:Copy", "k6", one{""}),
			command("desk:Copy", "", one{a}),
		})
		require.NoError(t, err)
		for _, o := range got.Outcomes {
			said[i] = append(said[i], outcome(o))
		}
		var n note
		require.NoError(t, agency.On("desk").Query("note:Get", kernel.ByID{ID: got.Outcomes[2].Receipt.ID}, &n))
		require.Equal(t, "second", n.Text)
	}
	require.Equal(t, []string{"copied", "seal.missing", "copied", "copied", "request.invalid", "request.invalid", "request.invalid"}, said[1])
	require.Equal(t, said[0], said[1])
}

func TestManyQuestions(t *testing.T) {
	l := newLedger()
	made := do(t, l.As(tax, access.Agency), "seal:Make", "a", one{"first"}).ID
	ask := func(request any) (kernel.Answers, error) {
		var all kernel.Answers
		err := l.As(law, access.Auditor).On("vault").Query(kernel.AskFunction, request, &all)
		return all, err
	}
	ids := func(ids ...string) (all []json.RawMessage) {
		for _, id := range ids {
			raw, err := json.Marshal(kernel.ByID{ID: id})
			require.NoError(t, err)
			all = append(all, raw)
		}
		return all
	}
	all, err := ask(kernel.Questions{Function: "seal:Get", Requests: ids(made, "none", "", made)})
	require.NoError(t, err)
	require.Len(t, all.Answers, 4)
	var s seal
	require.NoError(t, json.Unmarshal(all.Answers[3].Answer, &s))
	require.Equal(t, "first", s.Note)
	require.Equal(t, "seal.missing", all.Answers[1].Fault.Reason)
	require.Equal(t, "request.invalid", all.Answers[2].Fault.Reason)

	for name, c := range map[string]struct {
		request any
		reason  string
	}{
		"none":              {kernel.Questions{Function: "seal:Get", Requests: []json.RawMessage{}}, "request.invalid"},
		"too many":          {kernel.Questions{Function: "seal:Get", Requests: ids(make([]string, kernel.MaxCommands+1)...)}, "request.invalid"},
		"a write":           {kernel.Questions{Function: "seal:Make", Requests: ids("x")}, "contract.no_such_function"},
		"an unknown one":    {kernel.Questions{Function: "seal:Break", Requests: ids("x")}, "contract.no_such_function"},
		"questions of such": {kernel.Questions{Function: kernel.AskFunction, Requests: ids("x")}, "contract.no_such_function"},
		"something else":    {one{"x"}, "request.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(c.request)
			require.Error(t, err)
			require.Equal(t, c.reason, fault.From(err).Reason)
		})
	}
}
