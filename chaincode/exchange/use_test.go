package exchange_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

func useRequest() exchange.RequestUse {
	return exchange.RequestUse{
		Subject: alice, Dataset: housing + "/premises", Fields: []string{"address"}, Purpose: "tax.check", LegalBasis: "Tax Law 12",
		Case: caseID, Grant: grantID, Consent: otherID, Ticket: 3, Selector: hashA,
	}
}

func used(number int) exchange.Use {
	r := useRequest()
	return exchange.Use{
		Head:   state.Head{ID: useID, Status: exchange.Requested, Created: state.Stamp{At: now}},
		Number: number, Subject: r.Subject, Dataset: r.Dataset, Edition: 1, Fields: r.Fields, Provider: housing, Consumer: tax,
		Purpose: r.Purpose, LegalBasis: r.LegalBasis, Case: r.Case, Grant: r.Grant, Consent: r.Consent, Period: "2026-03", Ticket: 3, Selector: r.Selector,
		Until: now.Add(exchange.DeliveryPeriod),
	}
}

// useWorld is a request for a use and all it depends on.
type useWorld struct {
	by      access.Caller
	request exchange.RequestUse
	exchange.Context
	at time.Time
}

func freshUse() *useWorld {
	consent := given()
	return &useWorld{asTax, useRequest(), exchange.Context{
		Dataset: premises(), Grant: granted(), Consent: &consent,
		Tally:  exchange.Tally{Head: state.Head{ID: otherID, Status: exchange.Kept, First: exchange.Kept, Version: 1}, Subject: alice, Uses: 1},
		Log:    exchange.Log{Subject: alice, Count: 6, Root: hashB, Peaks: []string{hashA, hashB}, Last: otherID},
		Matter: exchange.Matter{Subject: alice, Open: true, Agencies: []string{housing, tax}},
	}, now}
}

func TestRequestUse(t *testing.T) {
	type world = useWorld
	run := func(w *world) error {
		require.NoError(t, w.request.Validate())
		u, o, event, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
		if err == nil {
			require.Equal(t, used(7), u)
			require.Equal(t, 2, o.Tally.Uses, "counted")
			require.Equal(t, given(), *w.Consent, "the consent that was read is left alone")
			leaf, err := u.Entry().Leaf()
			require.NoError(t, err)
			require.Equal(t, exchange.Log{Subject: alice, Count: 7, Root: o.Log.Root, Peaks: []string{hashA, hashB, hex.EncodeToString(leaf)}, Last: useID}, o.Log)
			require.NotEqual(t, hashB, o.Log.Root)
			require.Equal(t, kernel.Change{Type: exchange.EventUseRequested, ID: useID, Subject: alice, Agency: housing, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.UseRequest, freshUse, run, []guard[world]{
		{"dataset withdrawn", func(w *world) { w.Dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"grant of another agency", func(w *world) { w.by = asPolice }, "access.other_agency"},
		{"grant for another dataset", func(w *world) { w.Grant.Dataset = housing + "/plans" }, "exchange.grant_mismatch"},
		{"grant not decided", func(w *world) { w.Grant.Status, w.Grant.Terms = exchange.Requested, nil }, "exchange.grant_pending"},
		{"grant denied", func(w *world) { w.Grant.Status = exchange.Denied }, "exchange.grant_denied"},
		{"grant withdrawn", func(w *world) { w.Grant.Status = exchange.Withdrawn }, "exchange.grant_withdrawn"},
		{"grant suspended", func(w *world) { w.Grant.Status = exchange.Suspended }, "exchange.grant_suspended"},
		{"grant not yet valid", func(w *world) { w.Grant.Terms.ValidFrom = now.Add(time.Millisecond) }, "exchange.grant_not_yet_valid"},
		{"grant expired", func(w *world) { w.Grant.Terms.ValidUntil = now }, "exchange.grant_expired"},
		{"purpose not granted", func(w *world) { w.Grant.Terms.Purposes = []string{"business.start"} }, "exchange.purpose_not_granted"},
		{"field not granted", func(w *world) { w.Grant.Terms.Fields = []string{"area"} }, "exchange.field_not_granted"},
		{"granted to verify only", func(w *world) { w.Grant.Terms.Modes = []string{"verify"} }, "exchange.mode_not_granted"},
		{"field not in the dataset", func(w *world) { w.Dataset.Fields = w.Dataset.Fields[1:] }, "exchange.field_unknown"},
		{"case closed", func(w *world) { w.Matter.Open = false }, "exchange.case_closed"},
		{"case of another subject", func(w *world) { w.Matter.Subject = bob }, "exchange.case_mismatch"},
		{"no part in the case", func(w *world) { w.Matter.Agencies = []string{housing} }, "exchange.agency_not_in_case"},
		{"no consent", func(w *world) { w.Consent = nil }, "exchange.consent_required"},
		{"consent of another subject", func(w *world) { w.Consent.Terms.Subject = bob }, "exchange.consent_mismatch"},
		{"consent revoked", func(w *world) { w.Consent.Status = exchange.Revoked }, "exchange.consent_revoked"},
		{"consent not yet valid", func(w *world) { w.Consent.Terms.From = now.Add(time.Millisecond) }, "exchange.consent_not_yet_valid"},
		{"consent expired", func(w *world) { w.Consent.Terms.Until = now }, "exchange.consent_expired"},
		{"consent for another dataset", func(w *world) { w.Consent.Terms.Dataset = housing + "/plans" }, "exchange.consent_mismatch"},
		{"field not in the consent", func(w *world) { w.Consent.Terms.Fields = []string{"area"} }, "exchange.field_not_consented"},
		{"consent for another consumer", func(w *world) { w.Consent.Terms.Consumer = police }, "exchange.consent_mismatch"},
		{"consent for another purpose", func(w *world) { w.Consent.Terms.Purpose = "business.start" }, "exchange.consent_mismatch"},
		{"consent for another case", func(w *world) { w.Consent.Terms.Case = useID }, "exchange.consent_mismatch"},
		{"consent used up", func(w *world) { w.Tally.Uses = 2 }, "exchange.consent_exhausted"},
		{"no ticket", func(w *world) { w.request.Ticket = 0 }, "exchange.ticket_mismatch"},
		{"ticket beyond the quota", func(w *world) { w.Grant.Terms.Quota.Uses = 2 }, "exchange.quota_exhausted"},
		{"ticket taken", func(w *world) { w.Taken = true }, "exchange.ticket_taken"},
	})
}

func TestRequestUseWithoutConsent(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*useWorld)
		reason string
	}{
		{"nobody asks for consent", func(w *useWorld) { w.Grant.Terms.ConsentRequired = false }, ""},
		{"the terms ask", func(*useWorld) {}, "exchange.consent_required"},
		{"the dataset asks", func(w *useWorld) { w.Grant.Terms.ConsentRequired, w.Dataset.ConsentRequired = false, true }, "exchange.consent_required"},
		{"the dataset is restricted", func(w *useWorld) {
			w.Grant.Terms.ConsentRequired, w.Dataset.Classification = false, exchange.Restricted
		}, "exchange.consent_required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := freshUse()
			w.request.Consent, w.Consent = "", nil
			c.change(w)
			require.NoError(t, w.request.Validate())
			u, o, _, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
			require.Equal(t, c.reason, reason(err))
			if err == nil {
				require.Empty(t, u.Consent)
				require.Nil(t, o.Tally)
				require.Equal(t, 7, o.Log.Count)
			}
		})
	}
}

func TestRequestUseJudgesAConsentNobodyAsksFor(t *testing.T) {
	w := freshUse()
	w.Grant.Terms.ConsentRequired = false
	w.Consent.Status = exchange.Revoked
	_, _, _, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
	require.Equal(t, "exchange.consent_revoked", reason(err))
}

func TestDeliverUse(t *testing.T) {
	type world struct {
		by  access.Caller
		use exchange.Use
		exchange.Basis
		at time.Time
	}
	request := exchange.DeliverUse{Use: useID, Commitment: hashB}
	require.NoError(t, request.Validate())
	fresh := func() *world {
		consent := given()
		consent.Terms.Until = now.Add(4 * day) // outlives the time to deliver
		return &world{asHouse, used(1), exchange.Basis{Dataset: premises(), Grant: granted(), Consent: &consent}, now.Add(exchange.DeliveryPeriod)}
	}
	run := func(w *world) error {
		u, event, err := w.use.Deliver(w.by, request, w.Basis, kernel.At(w.at))
		if err == nil {
			require.Equal(t, exchange.Delivered, u.Status)
			require.Equal(t, hashB, u.Delivery)
			require.Equal(t, kernel.Change{Type: exchange.EventUseDelivered, ID: useID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.UseDeliver, fresh, run, []guard[world]{
		{"not the provider", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"delivered before", func(w *world) { w.use.Status = exchange.Delivered }, "exchange.already_delivered"},
		{"acknowledged before", func(w *world) { w.use.Status = exchange.Acknowledged }, "exchange.already_delivered"},
		{"refused by the subject", func(w *world) { w.use.PreviewRequired, w.use.Preview, w.use.Status = true, hashB, exchange.Refused }, "exchange.use_refused"},
		{"not released", func(w *world) { w.use.PreviewRequired, w.use.Preview, w.use.Status = true, hashB, exchange.Prepared }, "exchange.not_released"},
		{"something else than was shown", func(w *world) {
			w.use.PreviewRequired, w.use.Preview = true, hashA
			if w.use.Status == exchange.Requested {
				w.use.Status = exchange.Released
			}
		}, "exchange.preview_mismatch"},
		{"late", func(w *world) { w.at = w.use.Until.Add(time.Millisecond) }, "exchange.delivery_late"},
		{"dataset withdrawn since", func(w *world) { w.Dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"field withdrawn since", func(w *world) { w.Dataset.Fields = w.Dataset.Fields[1:] }, "exchange.field_unknown"},
		{"grant withdrawn since", func(w *world) { w.Grant.Status = exchange.Withdrawn }, "exchange.grant_withdrawn"},
		{"grant suspended since", func(w *world) { w.Grant.Status = exchange.Suspended }, "exchange.grant_suspended"},
		{"begins later since", func(w *world) { w.Grant.Terms.ValidFrom = w.at.Add(time.Millisecond) }, "exchange.grant_not_yet_valid"},
		{"grant expired since", func(w *world) { w.Grant.Terms.ValidUntil = w.at }, "exchange.grant_expired"},
		{"purpose taken out since", func(w *world) { w.Grant.Terms.Purposes = []string{"business.start"} }, "exchange.purpose_not_granted"},
		{"field taken out since", func(w *world) { w.Grant.Terms.Fields = []string{"area"} }, "exchange.field_not_granted"},
		{"only to verify since", func(w *world) { w.Grant.Terms.Modes = []string{exchange.ModeVerify} }, "exchange.mode_not_granted"},
		{"no consent, which the terms ask for since", func(w *world) { w.Consent = nil }, "exchange.consent_required"},
		{"consent revoked since", func(w *world) { w.Consent.Status = exchange.Revoked }, "exchange.consent_revoked"},
		{"consent expired since", func(w *world) { w.Consent.Terms.Until = w.at }, "exchange.consent_expired"},
	})

	t.Run("without consent", func(t *testing.T) {
		w := fresh()
		w.use.Consent, w.Consent, w.Grant.Terms.ConsentRequired = "", nil, false
		require.NoError(t, run(w))
		w.Dataset.ConsentRequired = true
		require.Equal(t, "exchange.consent_required", reason(run(w)))
	})
}

func TestAcknowledgeUse(t *testing.T) {
	type world struct {
		by         access.Caller
		use        exchange.Use
		commitment string
	}
	fresh := func() *world {
		u := used(1)
		u.Status, u.Delivery = exchange.Delivered, hashB
		return &world{asTax, u, hashB}
	}
	run := func(w *world) error {
		request := exchange.AcknowledgeUse{Use: useID, Commitment: w.commitment}
		require.NoError(t, request.Validate())
		u, event, err := w.use.Acknowledge(w.by, request)
		if err == nil {
			require.Equal(t, exchange.Acknowledged, u.Status)
			require.Equal(t, kernel.Change{Type: exchange.EventUseAcknowledged, ID: useID, Subject: alice, Agency: housing, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.UseAcknowledge, fresh, run, []guard[world]{
		{"not the consumer", func(w *world) { w.by = asHouse }, "access.other_agency"},
		{"not delivered", func(w *world) { w.use.Status = exchange.Requested }, "exchange.not_delivered"},
		{"acknowledged before", func(w *world) { w.use.Status = exchange.Acknowledged }, "exchange.already_acknowledged"},
		{"something else", func(w *world) { w.commitment = hashA }, "exchange.commitment_mismatch"},
	})
}
