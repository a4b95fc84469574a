package exchange_test

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func sealDetails() exchange.Details {
	return exchange.Details{
		Consumer: tax, Dataset: housing + "/premises", Fields: []string{"address"}, Purpose: "tax.check", LegalBasis: "Tax Law 12",
		Case: "Inquiry 2026-17", Grant: grantID, Selector: hashA,
	}
}

func document(t require.TestingT, d exchange.Details) (document commitment.Document, root string) {
	document, err := commitment.New(d.Values())
	require.NoError(t, err)
	root, err = document.Root()
	require.NoError(t, err)
	return document, root
}

// sealWorld is a request for a sealed use and all it depends on.
type sealWorld struct {
	*useWorld
	seal    exchange.SealUse
	details exchange.Details
	raw     []byte // that comes along; nil: it is made of details
	none    bool   // nothing comes along
}

func freshSeal() *sealWorld {
	w := &sealWorld{useWorld: freshUse(), details: sealDetails(), seal: exchange.SealUse{Subject: alice, OpensAt: now.Add(90 * day), Ticket: 3}}
	w.Consent = nil
	w.Grant.Terms.ConsentRequired, w.Grant.Terms.DelayDays = false, 90
	return w
}

// run does as the contract does: the details are read, and judged with what the ledger says of them.
func (w *sealWorld) run(t require.TestingT) (u exchange.Use, o exchange.Outcome, event kernel.Change, err error) {
	sealed, root := document(t, w.details)
	if w.seal.Commitment == "" {
		w.seal.Commitment = root
	}
	require.NoError(t, w.seal.Validate())
	if w.raw == nil && !w.none {
		w.raw, err = canonical.Marshal(sealed)
		require.NoError(t, err)
	}
	d, err := exchange.ReadDetails(w.raw, w.seal.Commitment)
	if err != nil {
		return u, o, event, err
	}
	return w.seal.Seal(useID, w.by, d, w.Context, kernel.At(w.at))
}

func TestSeal(t *testing.T) {
	run := func(w *sealWorld) error {
		u, o, event, err := w.run(t)
		if err == nil {
			require.Equal(t, exchange.UnderSeal, u.Status)
			require.Equal(t, &exchange.Seal{Commitment: w.seal.Commitment, OpensAt: w.seal.OpensAt, Stage: exchange.Requested}, u.Seal)
			require.Equal(t, []any{7, alice, housing, tax}, []any{u.Number, u.Subject, u.Provider, u.Consumer})
			require.Empty(t, u.Dataset+u.Purpose+u.LegalBasis+u.Case+u.Grant+u.Selector+u.Consent)
			require.Empty(t, u.Fields)
			require.Equal(t, kernel.Change{Type: exchange.EventUseSealed, ID: useID, Subject: alice}, event, "it names no agency")
			require.Equal(t, 7, o.Log.Count)
			require.Nil(t, o.Tally)
		}
		return err
	}
	checkGuards(t, exchange.UseSeal, freshSeal, run, []guard[sealWorld]{
		{"no details", func(w *sealWorld) { w.none = true }, "exchange.details_missing"},
		{"other details", func(w *sealWorld) { w.seal.Commitment = hashA }, "exchange.details_mismatch"},
		{"another agency's", func(w *sealWorld) { w.by = asPolice }, "access.other_agency"},
		{"dataset withdrawn", func(w *sealWorld) { w.Dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"grant of another agency", func(w *sealWorld) { w.Grant.Consumer = police }, "access.other_agency"},
		{"grant for another dataset", func(w *sealWorld) { w.Grant.Dataset = housing + "/plans" }, "exchange.grant_mismatch"},
		{"grant not decided", func(w *sealWorld) { w.Grant.Status = exchange.Requested }, "exchange.grant_pending"},
		{"grant denied", func(w *sealWorld) { w.Grant.Status = exchange.Denied }, "exchange.grant_denied"},
		{"grant withdrawn", func(w *sealWorld) { w.Grant.Status = exchange.Withdrawn }, "exchange.grant_withdrawn"},
		{"grant suspended", func(w *sealWorld) { w.Grant.Status = exchange.Suspended }, "exchange.grant_suspended"},
		{"grant not yet valid", func(w *sealWorld) { w.Grant.Terms.ValidFrom = now.Add(time.Millisecond) }, "exchange.grant_not_yet_valid"},
		{"grant expired", func(w *sealWorld) { w.Grant.Terms.ValidUntil = now }, "exchange.grant_expired"},
		{"purpose not granted", func(w *sealWorld) { w.Grant.Terms.Purposes = []string{"business.start"} }, "exchange.purpose_not_granted"},
		{"field not granted", func(w *sealWorld) { w.Grant.Terms.Fields = []string{"area"} }, "exchange.field_not_granted"},
		{"granted to verify only", func(w *sealWorld) { w.Grant.Terms.Modes = []string{"verify"} }, "exchange.mode_not_granted"},
		{"field not in the dataset", func(w *sealWorld) { w.Dataset.Fields = w.Dataset.Fields[1:] }, "exchange.field_unknown"},
		{"opened at once", func(w *sealWorld) { w.seal.OpensAt = now }, "exchange.opening_past"},
		{"a millisecond too long", func(w *sealWorld) {
			if w.seal.OpensAt.After(now) {
				w.seal.OpensAt = now.Add(90*day + time.Millisecond)
			}
		}, "exchange.delay_not_granted"},
		{"no delay granted", func(w *sealWorld) { w.Grant.Terms.DelayDays = 0 }, "exchange.delay_not_granted"},
		{"the dataset asks for consent", func(w *sealWorld) { w.Dataset.ConsentRequired = true }, "exchange.seal_excluded"},
		{"the terms ask for consent", func(w *sealWorld) { w.Grant.Terms.ConsentRequired = true }, "exchange.seal_excluded"},
		{"the dataset asks for a preview", func(w *sealWorld) { w.Dataset.PreviewRequired = true }, "exchange.seal_excluded"},
		{"no ticket", func(w *sealWorld) { w.seal.Ticket = 0 }, "exchange.ticket_mismatch"},
		{"ticket beyond the quota", func(w *sealWorld) { w.Grant.Terms.Quota.Uses = 2 }, "exchange.quota_exhausted"},
		{"ticket taken", func(w *sealWorld) { w.Taken = true }, "exchange.ticket_taken"},
	})
}

// A leaf of a sealed use, computed from the text of the reference page.
func TestSealedLeaf(t *testing.T) {
	w := freshSeal()
	u, _, _, err := w.run(t)
	require.NoError(t, err)
	entry := `{"at":"2026-03-02T09:00:00Z","number":7,"opens_at":"2026-05-31T09:00:00Z","sealed":"` + w.seal.Commitment + `","subject":"` + alice + `","use":"` + useID + `"}`
	want := sha256.Sum256(append([]byte{0}, entry...))
	leaf, err := u.Entry().Leaf()
	require.NoError(t, err)
	require.Equal(t, want[:], leaf)
}

func sealedUse(t require.TestingT) (exchange.Use, commitment.Document) {
	w := freshSeal()
	u, _, _, err := w.run(t)
	require.NoError(t, err)
	var sealed commitment.Document
	require.NoError(t, json.Unmarshal(w.raw, &sealed))
	return u, sealed
}

func TestOpen(t *testing.T) {
	type world struct {
		by      access.Caller
		use     exchange.Use
		request exchange.OpenUse
		at      time.Time
	}
	fresh := func() *world {
		u, sealed := sealedUse(t)
		return &world{asTax, u, exchange.OpenUse{Use: useID, Details: sealed}, now.Add(time.Minute)}
	}
	run := func(w *world) error {
		require.NoError(t, w.request.Validate())
		before := w.use
		u, event, err := w.use.Open(w.by, w.request, kernel.At(w.at))
		if err == nil {
			require.Equal(t, []any{exchange.Requested, housing + "/premises", "tax.check", "Tax Law 12", "Inquiry 2026-17", grantID, hashA},
				[]any{u.Status, u.Dataset, u.Purpose, u.LegalBasis, u.Case, u.Grant, u.Selector})
			require.Equal(t, []string{"address"}, u.Fields)
			require.Equal(t, []any{w.at, tax, ""}, []any{u.Seal.OpenedAt, u.Seal.OpenedBy, u.Seal.Stage})
			require.Equal(t, before.Entry(), u.Entry(), "the log's entry stays as it was sealed")
			require.True(t, before.Seal.OpenedAt.IsZero(), "the record that was read is left alone")
			require.Equal(t, kernel.Change{Type: exchange.EventUseOpened, ID: useID, Subject: alice, Agency: tax, Case: "Inquiry 2026-17"}, event)
			disclosure, opened := u.Disclosure()
			require.True(t, opened)
			d, err := disclosure.Opens(u.Entry())
			require.NoError(t, err)
			require.Equal(t, sealDetails(), d)
		}
		return err
	}
	checkGuards(t, exchange.UseOpen, fresh, run, []guard[world]{
		{"never sealed", func(w *world) { w.use = used(7) }, "exchange.not_sealed"},
		{"opened before", func(w *world) {
			if w.use.Seal != nil {
				w.use.Status = exchange.Requested
			}
		}, "exchange.already_opened"},
		{"another agency before its date", func(w *world) { w.by = asHouse }, "access.other_agency"},
		{"other details", func(w *world) { w.request.Details, _ = document(t, sealDetails()) }, "exchange.details_mismatch"},
	})
	t.Run("another agency at its date", func(t *testing.T) {
		w := fresh()
		w.by, w.at = asHouse, w.use.Seal.OpensAt
		u, _, err := w.use.Open(w.by, w.request, kernel.At(w.at))
		require.NoError(t, err)
		require.Equal(t, housing, u.Seal.OpenedBy)
	})
}

// Whatever is changed of details that were sealed, a value, a salt, a field more or less, they open nothing.
func TestOnlyWhatWasSealedOpens(t *testing.T) {
	u, sealed := sealedUse(t)
	rapid.Check(t, func(t *rapid.T) {
		other := commitment.Document{Fields: slices.Clone(sealed.Fields)}
		i := rapid.IntRange(0, len(other.Fields)-1).Draw(t, "field")
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			other.Fields[i].Value = json.RawMessage(`"other"`)
		case 1:
			again, _ := document(t, sealDetails())
			other.Fields[i].Salt = again.Fields[i].Salt
		case 2:
			other.Fields = slices.Delete(other.Fields, i, i+1)
		case 3:
			other.Fields[i].Name += "x"
		}
		_, _, err := u.Open(asTax, exchange.OpenUse{Use: useID, Details: other}, kernel.At(now))
		require.Equal(t, "exchange.details_mismatch", reason(err))
		_, err = exchange.Disclosure{Number: 7, Details: other}.Opens(u.Entry())
		require.ErrorIs(t, err, exchange.ErrNotDisclosed)
	})
	_, err := exchange.Disclosure{Number: 6, Details: sealed}.Opens(u.Entry())
	require.ErrorIs(t, err, exchange.ErrNotDisclosed)
	_, err = exchange.Disclosure{Number: 7, Details: sealed}.Opens(used(7).Entry())
	require.ErrorIs(t, err, exchange.ErrNotDisclosed)
}

// Details that are committed to are details: nobody seals what nobody could read when it is opened.
func TestSealedDetailsHaveTheirForm(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"member left out": func(v map[string]any) { delete(v, "purpose") },
		"unknown member":  func(v map[string]any) { v["name"] = "x" },
		"no case":         func(v map[string]any) { v["case"] = "" },
		"long number":     func(v map[string]any) { v["case"] = "110101199003071234" },
		"fields unsorted": func(v map[string]any) { v["fields"] = []string{"b", "a"} },
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(sealDetails())
			require.NoError(t, err)
			var values map[string]any
			require.NoError(t, json.Unmarshal(raw, &values))
			change(values)
			sealed, err := commitment.New(values)
			require.NoError(t, err)
			root, err := sealed.Root()
			require.NoError(t, err)
			_, err = exchange.OpenDetails(sealed, root)
			require.Equal(t, "request.invalid", reason(err))
		})
	}
	_, err := exchange.ReadDetails([]byte("no"), hashA)
	require.Equal(t, "exchange.details_mismatch", reason(err))
}

// What a rule does to a use beneath its seal stays, and shows nothing more than before.
func TestBeneathTheSeal(t *testing.T) {
	u, _ := sealedUse(t)
	w := freshSeal()
	b := exchange.Basis{Dataset: w.Dataset, Grant: w.Grant}
	bare := u.Unsealed(sealDetails())
	require.True(t, bare.Secret())
	delivered, event, err := bare.Deliver(asHouse, exchange.DeliverUse{Use: useID, Commitment: hashB}, b, kernel.At(now))
	require.NoError(t, err)
	require.Equal(t, kernel.Change{Type: exchange.EventUseDelivered, ID: useID, Subject: alice}, event)
	after := delivered.Resealed()
	require.Equal(t, []any{exchange.UnderSeal, exchange.Delivered, hashB}, []any{after.Status, after.Seal.Stage, after.Delivery})
	require.Empty(t, after.Dataset+after.Purpose+after.Case)
	acknowledged, event, err := after.Lifted().Acknowledge(asTax, exchange.AcknowledgeUse{Use: useID, Commitment: hashB})
	require.NoError(t, err)
	require.Empty(t, event.Agency)
	require.Equal(t, exchange.Acknowledged, acknowledged.Resealed().Seal.Stage)

	_, _, err = u.Refuse(exchange.RefuseUse{Use: useID, JWS: sign(keys[alice], exchange.RefusalKind, exchange.Refusal{Channel: channel, Subject: alice, Use: useID})}, channel, subject(alice))
	require.Equal(t, "exchange.not_prepared", reason(err), "what is sealed is not the subject's to stop")
	_, _, err = u.Prepare(asHouse, exchange.PrepareUse{Use: useID, Commitment: hashB}, b, kernel.At(now))
	require.Equal(t, "exchange.preview_unasked", reason(err))
	require.Equal(t, "", u.Overdue(u.Seal.OpensAt.Add(-88*day)))
	require.Equal(t, exchange.OverdueDelivery, u.Overdue(now.Add(4*day)))
	require.Equal(t, exchange.OverdueOpening, u.Overdue(u.Seal.OpensAt))

	counts := exchange.Counts([]kernel.Change{{Type: exchange.EventUseSealed, ID: useID}}, now, func(string) (exchange.Use, bool) { return u, true })
	require.Equal(t, []exchange.Count{{Day: "2026-03-02", Consumer: tax, What: "sealed"}}, counts)
}

func TestDelayOfAGrant(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*exchange.Terms)
		rule   string
	}{
		{"none", func(t *exchange.Terms) { t.DelayDays = 0 }, ""},
		{"the longest", func(t *exchange.Terms) { t.DelayDays = exchange.MaxDelayDays }, ""},
		{"too long", func(t *exchange.Terms) { t.DelayDays = exchange.MaxDelayDays + 1 }, "between:1,1830"},
		{"negative", func(t *exchange.Terms) { t.DelayDays = -1 }, "between:1,1830"},
		{"with consent", func(t *exchange.Terms) { t.ConsentRequired = true }, "without:consent_required,preview_required"},
		{"with preview", func(t *exchange.Terms) { t.PreviewRequired = true }, "without:consent_required,preview_required"},
		{"to verify", func(t *exchange.Terms) { t.Modes = []string{"verify"} }, "with:fetch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			granted := terms()
			granted.ConsentRequired, granted.DelayDays = false, 90
			c.change(&granted)
			err := granted.Validate()
			if c.rule == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "delay_days")
			require.True(t, strings.Contains(err.Error(), c.rule), err)
		})
	}
	wanted := requested()
	wanted.Wanted.ConsentRequired, wanted.Wanted.DelayDays = false, 90
	longer := wanted.Wanted
	longer.DelayDays = 91
	_, _, err := wanted.Grant(asHouse, exchange.GrantAccess{Grant: grantID, Terms: longer}, premises(), kernel.At(now))
	require.Equal(t, "exchange.terms_exceed_request", reason(err))

	open := premises()
	open.Classification, open.Conditions = exchange.Open, exchange.Conditions{}
	g, event, err := exchange.RequestGrant{Dataset: open.ID, Terms: wanted.Wanted, Basis: "Tax Law 13"}.Request(grantID, asTax, open, kernel.At(now))
	require.NoError(t, err)
	require.Equal(t, []any{exchange.Requested, housing}, []any{g.Status, event.Agency}, "a delay is never granted by being asked for")
}
