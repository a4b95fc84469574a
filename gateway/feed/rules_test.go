package feed

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/store"
)

func TestCursors(t *testing.T) {
	for _, c := range []struct {
		text string
		want Cursor
	}{
		{"start", Start},
		{"0", End(0)},
		{"17", End(17)},
		{"17-0-0", Cursor{Block: 17}},
		{"1027-3-12", Cursor{Block: 1027, Position: 3, N: 12}},
	} {
		got, ok := Parse(c.text)
		require.True(t, ok, c.text)
		require.Equal(t, c.want, got)
		require.Equal(t, c.text, Text(got))
	}
	for _, text := range []string{"", "now", "-1", "+1", "01", "1-", "1-2", "1-2-", "1-2-3-4", "1--2", "1-2-03", "1-2147483648-0", "99999999999999999999", " 1", "1 ", "1-2147483647-2147483647"} {
		_, ok := Parse(text)
		require.False(t, ok, text)
	}
	cursors := rapid.OneOf(rapid.Just(Start), rapid.Map(rapid.Uint64Range(0, 5), End),
		rapid.Custom(func(t *rapid.T) Cursor {
			return Cursor{Block: rapid.Uint64Range(0, 5).Draw(t, "block"), Position: rapid.IntRange(0, 3).Draw(t, "position"), N: rapid.IntRange(0, 3).Draw(t, "n")}
		}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := cursors.Draw(t, "a"), cursors.Draw(t, "b")
		again, ok := Parse(Text(a))
		require.True(t, ok)
		require.Equal(t, a, again)
		require.False(t, before(a, b) && before(b, a))
		require.Equal(t, a != b, before(a, b) || before(b, a), "there is one order")
		require.True(t, a == Start || before(Start, a))
		require.True(t, before(a, End(a.Block+1)))
	})
}

// TestWhoSeesWhat: one line a case. The change is of block 9, of subject s, names market.tax, and is of the case k.
func TestWhoSeesWhat(t *testing.T) {
	change := store.Change{Block: 9, Type: exchange.EventUseDelivered, ID: "u", Subject: "s", Agency: "market.tax", Case: "k"}
	plain := change
	plain.Subject, plain.Case = "", ""
	open := &inCase{agencies: []string{"market.regulation", "planning.housing"}, desk: "services.hall", opened: Cursor{Block: 4}}
	now := &inCase{agencies: open.agencies, desk: open.desk, opened: change.Cursor()}
	later := &inCase{agencies: open.agencies, desk: open.desk, opened: Cursor{Block: 9, N: 1}}
	both := []string{"services.police", "market.tax"}
	for _, c := range []struct {
		name   string
		viewer Viewer
		change store.Change
		of     parties
		want   bool
	}{
		{"nobody", Viewer{}, change, parties{both, open}, false},
		{"auditor", Viewer{All: true}, change, parties{}, true},
		{"the subject", Viewer{Subject: "s"}, change, parties{}, true},
		{"another subject", Viewer{Subject: "x"}, change, parties{both, open}, false},
		{"a subject, of what is of none", Viewer{Subject: "s"}, plain, parties{}, false},
		{"the agency it names", Viewer{Agency: "market.tax"}, change, parties{}, true},
		{"the record's other party", Viewer{Agency: "services.police"}, change, parties{both, nil}, true},
		{"a participant of the case", Viewer{Agency: "planning.housing"}, change, parties{both, open}, true},
		{"a participant, at the opening", Viewer{Agency: "planning.housing"}, change, parties{nil, now}, true},
		{"a participant, before the opening", Viewer{Agency: "planning.housing"}, change, parties{nil, later}, false},
		{"a participant, of a case never opened", Viewer{Agency: "planning.housing"}, change, parties{}, false},
		{"an agency of the same organisation", Viewer{Agency: "market.customs"}, change, parties{both, open}, false},
		{"an agency that only ran the desk", Viewer{Agency: "services.hall"}, change, parties{both, open}, false},
		{"the portal", Viewer{Desk: "services.hall"}, change, parties{both, open}, true},
		{"the portal, before the opening", Viewer{Desk: "services.hall"}, change, parties{both, later}, false},
		{"another portal", Viewer{Desk: "planning.hall"}, change, parties{both, open}, false},
		{"a portal, of what is of no case", Viewer{Desk: "market.tax"}, plain, parties{record: both}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, c.viewer.sees(c.change, c.of))
		})
	}
}

// TestNoLookUpIsLeftOut: what needs says is not needed changes no verdict.
func TestNoLookUpIsLeftOut(t *testing.T) {
	agencies := rapid.SampledFrom([]string{"", "a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]Viewer{{}, {All: true}, {Subject: "s"}, {Agency: "a"}, {Desk: "a"}}).Draw(t, "viewer")
		c := store.Change{Block: 1, Type: rapid.SampledFrom(known).Draw(t, "type"), Subject: rapid.SampledFrom([]string{"", "s", "x"}).Draw(t, "subject"),
			Agency: agencies.Draw(t, "agency"), Case: rapid.SampledFrom([]string{"", "k"}).Draw(t, "case")}
		all := parties{}
		if shared[nounOf(c.Type)] {
			all.record = []string{agencies.Draw(t, "owner"), agencies.Draw(t, "peer")}
		}
		if c.Case != "" && rapid.Bool().Draw(t, "opened") {
			all.in = &inCase{agencies: []string{agencies.Draw(t, "participant")}, desk: agencies.Draw(t, "desk")}
		}
		looked := parties{}
		if record, within := v.needs(c); record || within {
			if record {
				looked.record = all.record
			}
			if within {
				looked.in = all.in
			}
		}
		require.Equal(t, v.sees(c, all), v.sees(c, looked))
	})
}

// TestEveryTypeIsOfARecord: the id of a change is that of a record of the noun its type tells.
func TestEveryTypeIsOfARecord(t *testing.T) {
	nouns := map[string]bool{}
	for _, collections := range [][]state.Collection{exchange.Collections, collaboration.Collections, certificate.Collections} {
		for _, c := range collections {
			nouns[c.Name()] = true
		}
	}
	require.NotEmpty(t, known)
	for _, event := range known {
		require.True(t, nouns[nounOf(event)], event)
	}
}

func TestFilters(t *testing.T) {
	change := store.Change{Contract: certificate.Name, Type: certificate.EventIssued, Agency: "market.tax", Case: "k", Subject: "s"}
	for _, c := range []struct {
		filter Filter
		want   bool
	}{
		{Filter{}, true},
		{Filter{Contract: certificate.Name}, true},
		{Filter{Contract: exchange.Name}, false},
		{Filter{Types: []string{"certificate.issued.v1"}}, true},
		{Filter{Types: []string{"certificate.*"}}, true},
		{Filter{Types: []string{"certificate.issued.*"}}, true},
		{Filter{Types: []string{"*"}}, true},
		{Filter{Types: []string{"case.*", "certificate.issued.v1"}}, true},
		{Filter{Types: []string{"certificate.revoked.v1"}}, false},
		{Filter{Types: []string{"case.*"}}, false},
		{Filter{Agency: "market.tax", Case: "k", Subject: "s"}, true},
		{Filter{Agency: "market.tax", Case: "k", Subject: "x"}, false},
		{Filter{Agency: "market.regulation"}, false},
		{Filter{Case: "x"}, false},
	} {
		require.NoError(t, c.filter.Check("query.type"))
		require.Equal(t, c.want, c.filter.passes(change), "%+v", c.filter)
	}
	for _, types := range [][]string{{"certificate"}, {"certificate.issued"}, {"cert*"}, {"nothing.*"}, {"certificate.issued.v1", ""}, make([]string, MaxTypes+1)} {
		err := Filter{Types: types}.Check("query.type")
		f := new(fault.Fault)
		require.ErrorAs(t, err, &f)
		require.Equal(t, "query.type", f.Field)
	}
}
