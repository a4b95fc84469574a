package kernel_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// The contract of these tests sells tickets for a show, which the doors let in from one time to another.

type entry struct {
	state.Head
	Late bool `json:"late"`
}

type enter struct {
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	Note  bool      `json:"note"` // that it is late is written down, where it is refused otherwise
	Away  bool      `json:"away"` // the other contract judges
}

func (enter) Validate() error { return nil }

var errLate = fault.New(fault.Refused, "show.over", "come again tomorrow")

func theatre(name, other string) *kernel.Contract {
	in := state.Map[entry]{Noun: name, Parts: []string{"id"}, Doc: "Somebody who was let in."}
	return (&kernel.Contract{Name: name, Collections: []state.Collection{in}, Events: []kernel.Event{{Type: "entry.made.v1"}}, Functions: []kernel.Function{
		kernel.NewCreate(kernel.Create[enter, entry]{
			Name: name + ":Enter", Rule: access.Everyone(), Doc: "Lets somebody in.", In: in,
			Make: func(tx *kernel.Tx, id string, r enter) (entry, error) {
				e := entry{Head: state.Head{Status: "in"}}
				if r.Away {
					r.Away = false
					return e, tx.Finally(other, other+":Enter", id, r, kernel.Change{Type: "entry.made.v1"})
				}
				e.Late = !r.Until.IsZero() && tx.Now.Over(r.Until) || !r.Last.IsZero() && tx.Now.Past(r.Last) || !r.From.IsZero() && tx.Now.Early(r.From)
				if e.Late && !r.Note {
					return e, errLate
				}
				return e, nil
			},
		}),
		kernel.NewRead(name+":Over", access.Everyone(), "Whether it is over.", func(tx *kernel.Tx, r enter) (bool, error) { return tx.Now.Over(r.Until), nil }),
	}}).Build()
}

// Whatever is claimed, nothing gets in that is over or has not begun by the claim or by any endorser's clock, and what the
// clock has decided is in no write set: what one endorser refuses the other may endorse, but never as something else.
func TestNobodyGainsByClaimingATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := ledgertest.New(theatre("stage", "annexe"), theatre("annexe", "stage"))
		offset := func(name string) time.Duration {
			return time.Duration(rapid.Int64Range(-310_000, 310_000).Draw(t, name)) * time.Millisecond
		}
		var r enter
		end := l.Now().Add(offset("moment")).Truncate(time.Millisecond)
		kind := rapid.SampledFrom([]string{"until", "last", "from"}).Draw(t, "kind")
		holds := map[string]func(time.Time) bool{
			"until": func(at time.Time) bool { return at.Before(end) },
			"last":  func(at time.Time) bool { return !at.After(end) },
			"from":  func(at time.Time) bool { return !at.Before(end) },
		}[kind]
		*map[string]*time.Time{"until": &r.Until, "last": &r.Last, "from": &r.From}[kind] = end
		r.Note, r.Away = rapid.Bool().Draw(t, "note"), rapid.Bool().Draw(t, "away")
		skew := time.Duration(rapid.Int64Range(-299_000, 299_000).Draw(t, "claim")) * time.Millisecond
		claimed, clocks := l.Now().Add(skew), []time.Time{l.Now(), l.Now().Add(ledgertest.EndorserSkew)}
		want := ""
		switch {
		case !holds(claimed) && !r.Note:
			want = errLate.Reason
		case !holds(claimed): // it is noted, by what is claimed
		case !holds(clocks[0]) || !holds(clocks[1]):
			want = kernel.ReasonOutOfTime
		}
		height, client := l.Height(), l.As(tax, access.Agency).Skewed(skew)
		command := ledgertest.Command("stage:Enter", "k", r)
		if rapid.Bool().Draw(t, "batch") {
			outcomes, err := client.Batch([]kernel.BatchCommand{ledgertest.Command("stage:Enter", "other", enter{}), command})
			if want == kernel.ReasonOutOfTime {
				require.Equal(t, want, fault.From(err).Reason, "the transaction is refused whole")
				require.Equal(t, height, l.Height(), "nothing of it is on the ledger")
				return
			}
			require.NoError(t, err)
			require.NotNil(t, outcomes.Outcomes[0].Receipt)
			require.Equal(t, want != "", outcomes.Outcomes[1].Fault != nil)
			return
		}
		_, err := client.Submit("stage:Enter", "k", r)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.Equal(t, want, fault.From(err).Reason)
			require.Equal(t, height, l.Height())
		}
	})
}

// A read is of the moment that it names: it writes nothing, and what it answers bears that time.
func TestAReadIsOfTheMomentItNames(t *testing.T) {
	l := ledgertest.New(theatre("stage", "annexe"))
	var over bool
	early := l.As(tax, access.Agency).Skewed(-4 * time.Minute)
	require.NoError(t, early.Query("stage:Over", enter{Until: l.Now().Add(-time.Minute)}, &over))
	require.False(t, over)
	require.NoError(t, early.Query("stage:Over", enter{Until: l.Now().Add(-5 * time.Minute)}, &over))
	require.True(t, over)
}
