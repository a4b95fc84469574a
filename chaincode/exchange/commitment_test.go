package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

const commitmentID = housing + "/premises/" + alice

func commits() exchange.AnchorCommitment {
	return exchange.AnchorCommitment{Dataset: housing + "/premises", Subject: alice, Fields: []string{"address", "area"}, Root: hashA}
}

func committed() exchange.Commitment {
	r := commits()
	return exchange.Commitment{Head: state.Head{ID: commitmentID, Status: exchange.Anchored}, Dataset: r.Dataset, Provider: housing, Subject: alice, Fields: r.Fields, Root: hashA}
}

type anchorWorld struct {
	by      access.Caller
	request exchange.AnchorCommitment
	dataset exchange.Dataset
	at      time.Time
}

func freshAnchor() *anchorWorld { return &anchorWorld{asHouse, commits(), premises(), now} }

// anchorGuards are those of committing for the first time and again.
func anchorGuards() []guard[anchorWorld] {
	return []guard[anchorWorld]{
		{"another agency", func(w *anchorWorld) { w.by = asTax }, "access.other_agency"},
		{"dataset withdrawn", func(w *anchorWorld) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"field not in the dataset", func(w *anchorWorld) { w.dataset.Fields = w.dataset.Fields[:1] }, "exchange.field_unknown"},
		{"its end has passed", func(w *anchorWorld) { w.request.Until = &now }, "exchange.commitment_over"},
	}
}

func TestAnchorCommitment(t *testing.T) {
	run := func(w *anchorWorld) error {
		require.NoError(t, w.request.Validate())
		c, event, err := w.request.Anchor(commitmentID, w.by, w.dataset, kernel.At(w.at))
		if err == nil {
			require.Equal(t, committed(), c)
			require.Equal(t, kernel.Change{Type: exchange.EventCommitmentAnchored, ID: commitmentID, Subject: alice, Agency: housing}, event)
		}
		return err
	}
	checkGuards(t, exchange.CommitmentAnchor, freshAnchor, run, anchorGuards())
}

func TestSupersedeCommitment(t *testing.T) {
	c, root := committed(), strings.Repeat("c", 64)
	supersedes := hashA
	run := func(w *anchorWorld) error {
		r := exchange.SupersedeCommitment{AnchorCommitment: w.request, Supersedes: supersedes}
		require.NoError(t, r.Validate())
		got, event, err := c.Supersede(r, w.by, w.dataset, kernel.At(w.at))
		if err == nil {
			require.Equal(t, root, got.Root)
			require.Equal(t, []string{hashA}, got.Past)
			require.Equal(t, kernel.Change{Type: exchange.EventCommitmentSuperseded, ID: commitmentID, Subject: alice, Agency: housing}, event)
		}
		return err
	}
	fresh := func() *anchorWorld {
		w := freshAnchor()
		w.request.Root, c, supersedes = root, committed(), hashA
		return w
	}
	checkGuards(t, exchange.CommitmentSupersede, fresh, run, append(anchorGuards(),
		guard[anchorWorld]{"superseded meanwhile", func(*anchorWorld) { supersedes = hashB }, "exchange.commitment_moved"},
		guard[anchorWorld]{"nothing new", func(w *anchorWorld) { w.request.Root = hashA }, "exchange.commitment_known"},
	))
	c = committed()
	c.Status, c.Reason = exchange.Withdrawn, "error"
	for i := range exchange.MaxPastRoots + 3 {
		r := exchange.SupersedeCommitment{AnchorCommitment: commits(), Supersedes: c.Root}
		r.Root = fmt.Sprintf("%064x", i)
		var err error
		c, _, err = c.Supersede(r, asHouse, premises(), kernel.At(now))
		require.NoError(t, err)
	}
	require.Equal(t, exchange.Anchored, c.Status, "what was withdrawn stands again")
	require.Empty(t, c.Reason)
	require.Len(t, c.Past, exchange.MaxPastRoots)
	require.NotContains(t, c.Past, hashA, "the oldest are forgotten")
	_, _, err := c.Supersede(exchange.SupersedeCommitment{AnchorCommitment: exchange.AnchorCommitment{Dataset: c.Dataset, Subject: alice, Fields: c.Fields, Root: c.Past[3]}, Supersedes: c.Root}, asHouse, premises(), kernel.At(now))
	require.Equal(t, "exchange.commitment_known", reason(err))
}

func TestWithdrawCommitment(t *testing.T) {
	type world struct {
		by access.Caller
		c  exchange.Commitment
	}
	fresh := func() *world { return &world{asHouse, committed()} }
	run := func(w *world) error {
		r := exchange.WithdrawCommitment{Dataset: housing + "/premises", Subject: alice, Reason: "error"}
		require.NoError(t, r.Validate())
		c, event, err := w.c.Withdraw(r, w.by)
		if err == nil {
			require.Equal(t, exchange.Withdrawn, c.Status)
			require.Equal(t, "error", c.Reason)
			require.Equal(t, exchange.EventCommitmentWithdrawn, event.Type)
		}
		return err
	}
	checkGuards(t, exchange.CommitmentWithdraw, fresh, run, []guard[world]{
		{"another agency", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"withdrawn before", func(w *world) { w.c.Status = exchange.Withdrawn }, "exchange.commitment_withdrawn"},
	})
}

// record is a subject's record with its salts, and what is committed to of it.
func record(t *testing.T, values map[string]any) (commitment.Document, exchange.Commitment) {
	d, err := commitment.New(values)
	require.NoError(t, err)
	c := committed()
	c.Root, err = d.Root()
	require.NoError(t, err)
	c.Fields = nil
	for _, f := range d.Fields {
		c.Fields = append(c.Fields, f.Name)
	}
	return d, c
}

func opened(t *testing.T, d commitment.Document, fields ...string) (all []exchange.Opening) {
	for _, name := range fields {
		f, proof, err := d.Show(name)
		require.NoError(t, err)
		leaf, err := f.Leaf()
		require.NoError(t, err)
		all = append(all, exchange.Opening{Leaf: leaf, Path: proof.Path})
	}
	return all
}

func TestFind(t *testing.T) {
	values := map[string]any{"address": "a", "area": 60, "owner": "o", "use": "u", "year": 1999}
	d, c := record(t, values)
	again, other := record(t, values)
	past := c
	past.Root, past.Past = other.Root, []string{hashB, c.Root}
	fields := []string{"address", "use"}
	with := func(change func(*exchange.Commitment)) exchange.Commitment {
		changed := c
		change(&changed)
		return changed
	}
	later := now.Add(time.Millisecond)
	for _, line := range []struct {
		name     string
		c        exchange.Commitment
		fields   []string
		openings []exchange.Opening
		want     string
	}{
		{"as committed", c, fields, opened(t, d, fields...), exchange.Proven},
		{"one field", c, []string{"year"}, opened(t, d, "year"), exchange.Proven},
		{"no commitment", exchange.Commitment{}, fields, opened(t, d, fields...), exchange.Absent},
		{"withdrawn", with(func(c *exchange.Commitment) { c.Status = exchange.Withdrawn }), fields, opened(t, d, fields...), exchange.Withdrawn},
		{"a field that is not committed to", with(func(c *exchange.Commitment) { c.Fields = c.Fields[:4] }), []string{"year"}, opened(t, d, "year"), exchange.Absent},
		{"nor one of two, and the other is mismatched", with(func(c *exchange.Commitment) { c.Fields = c.Fields[:4] }), []string{"address", "year"}, opened(t, d, "use", "year"), exchange.Absent},
		{"before it was superseded", past, fields, opened(t, d, fields...), exchange.Superseded},
		{"and after", past, fields, opened(t, again, fields...), exchange.Proven},
		{"the same values, other salts", c, fields, opened(t, again, fields...), exchange.Mismatched},
		{"one field of each", past, fields, append(opened(t, d, "address"), opened(t, again, "use")...), exchange.Mismatched},
		{"another field under the name", c, []string{"address"}, opened(t, d, "area"), exchange.Mismatched},
		{"fields exchanged", c, fields, opened(t, d, "use", "address"), exchange.Mismatched},
		{"no path", c, []string{"address"}, []exchange.Opening{{Leaf: opened(t, d, "address")[0].Leaf}}, exchange.Mismatched},
		{"the root as a leaf", c, []string{"address"}, []exchange.Opening{{Leaf: c.Root}}, exchange.Mismatched},
		{"its end has not come", with(func(c *exchange.Commitment) { c.Until = &later }), fields, opened(t, d, fields...), exchange.Proven},
		{"its end has come", with(func(c *exchange.Commitment) { c.Until = &now }), fields, opened(t, d, fields...), exchange.Stale},
		{"withdrawn, and of another record", with(func(c *exchange.Commitment) { c.Status = exchange.Withdrawn }), fields, opened(t, again, fields...), exchange.Withdrawn},
	} {
		t.Run(line.name, func(t *testing.T) {
			require.Equal(t, line.want, line.c.Find(line.fields, line.openings, kernel.At(now)))
		})
	}
}

func verification() exchange.VerifyUse {
	r := useRequest()
	r.Selector, r.Claims = "", hashB
	return exchange.VerifyUse{RequestUse: r, Openings: []exchange.Opening{{Leaf: hashA, Path: []string{hashB}}}, Answer: hashA}
}

func TestVerifyUse(t *testing.T) {
	d, c := record(t, map[string]any{"address": "a", "area": 60})
	r := verification()
	r.Openings = opened(t, d, "address")
	require.NoError(t, r.Validate())
	w := freshUse()
	w.Grant.Terms.Modes = []string{exchange.ModeVerify}
	u, o, _, err := r.Request(useID, w.by, w.Context, kernel.At(w.at))
	require.NoError(t, err)
	require.Equal(t, 7, u.Ordinal())
	require.Equal(t, hashB, u.Entry().Claims, "what was asked is part of the log")
	require.Equal(t, 7, o.Log.Count)

	proven, event := r.Verify(u, c, kernel.At(now))
	require.Equal(t, exchange.Proven, proven.Status)
	require.Equal(t, [2]string{c.Root, hashA}, [2]string{proven.Root, proven.Delivery})
	require.Equal(t, kernel.Change{Type: exchange.EventUseVerified, ID: useID, Subject: alice, Agency: housing, Case: caseID}, event)
	require.Equal(t, u.Entry(), proven.Entry(), "nothing of the entry changes")
	c.Status = exchange.Withdrawn
	nothing, _ := r.Verify(u, c, kernel.At(now))
	require.Equal(t, exchange.Withdrawn, nothing.Status)
	require.Empty(t, nothing.Delivery, "nothing was answered")

	for _, u := range []exchange.Use{proven, nothing} {
		require.True(t, u.Verified())
		_, _, err = u.Deliver(asHouse, exchange.DeliverUse{Use: useID, Commitment: hashB}, exchange.Basis{Dataset: premises(), Grant: granted()}, kernel.At(now))
		require.Equal(t, "exchange.already_delivered", reason(err))
		_, _, err = u.Acknowledge(asTax, exchange.AcknowledgeUse{Use: useID, Commitment: u.Delivery})
		require.Equal(t, "exchange.already_acknowledged", reason(err))
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		name   string
		modes  []string
		claims string
		want   string
	}{
		{"nothing said is to fetch", nil, "", ""},
		{"and not to verify", nil, hashB, "exchange.mode_not_granted"},
		{"to fetch", []string{"fetch"}, "", ""},
		{"to verify only", []string{"verify"}, "", "exchange.mode_not_granted"},
		{"verified", []string{"verify"}, hashB, ""},
		{"both", []string{"fetch", "verify"}, hashB, ""},
		{"both, fetched", []string{"fetch", "verify"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := freshUse()
			w.Grant.Terms.Modes, w.request.Claims = c.modes, c.claims
			require.NoError(t, w.request.Validate())
			_, _, _, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
			require.Equal(t, c.want, reason(err))
		})
	}
	g := granted()
	g.Status, g.Wanted.Modes = exchange.Requested, []string{"verify"}
	terms := g.Wanted
	for _, modes := range [][]string{{"fetch", "verify"}, {"fetch"}, nil} {
		terms.Modes = modes
		_, _, err := g.Grant(asHouse, exchange.GrantAccess{Grant: grantID, Terms: terms}, premises(), kernel.At(now))
		require.Equal(t, "exchange.terms_exceed_request", reason(err))
	}
	for _, modes := range [][]string{{"verify", "fetch"}, {"fetch", "fetch"}, {"read"}, {""}} {
		terms.Modes = modes
		require.Error(t, terms.Validate(), "%v", modes)
	}
}

func TestVerificationsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*exchange.VerifyUse)
		field  string
	}{
		{"a selector", func(r *exchange.VerifyUse) { r.Selector = hashA }, "selector"},
		{"no claims", func(r *exchange.VerifyUse) { r.Claims = "" }, "claims"},
		{"claims that are no commitment", func(r *exchange.VerifyUse) { r.Claims = "x" }, "claims"},
		{"no answer", func(r *exchange.VerifyUse) { r.Answer = "" }, "answer"},
		{"no purpose", func(r *exchange.VerifyUse) { r.Purpose = "" }, "purpose"},
		{"an opening too many", func(r *exchange.VerifyUse) { r.Openings = append(r.Openings, r.Openings[0]) }, "openings"},
		{"too many fields", func(r *exchange.VerifyUse) {
			r.Fields = nil
			for i := range 9 {
				r.Fields = append(r.Fields, fmt.Sprintf("f%d", i))
			}
		}, "fields"},
		{"no hash for a leaf", func(r *exchange.VerifyUse) { r.Openings[0].Leaf = "address" }, "openings[0].leaf"},
		{"no hash in a path", func(r *exchange.VerifyUse) { r.Openings[0].Path = []string{""} }, "openings[0].path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := verification()
			require.NoError(t, r.Validate())
			c.change(&r)
			f := fault.From(r.Validate())
			require.NotNil(t, f)
			require.Equal(t, [2]string{"request.invalid", c.field}, [2]string{f.Reason, f.Field})
		})
	}
	for name, change := range map[string]func(*exchange.AnchorCommitment){
		"dataset": func(r *exchange.AnchorCommitment) { r.Dataset = "x" }, "subject": func(r *exchange.AnchorCommitment) { r.Subject = "x" },
		"root": func(r *exchange.AnchorCommitment) { r.Root = "x" }, "fields": func(r *exchange.AnchorCommitment) { r.Fields = nil },
		"valid_until": func(r *exchange.AnchorCommitment) { r.Until = new(time.Time) },
	} {
		r := commits()
		change(&r)
		require.Equal(t, name, fault.From(r.Validate()).Field)
		require.Equal(t, name, fault.From(exchange.SupersedeCommitment{AnchorCommitment: r, Supersedes: hashB}.Validate()).Field)
	}
	require.Equal(t, "supersedes", fault.From(exchange.SupersedeCommitment{AnchorCommitment: commits()}.Validate()).Field)
}
