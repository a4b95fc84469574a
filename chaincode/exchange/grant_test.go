package exchange_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func TestRequestGrant(t *testing.T) {
	type world struct {
		by      access.Caller
		dataset exchange.Dataset
		request exchange.RequestGrant
		at      time.Time
	}
	fresh := func() *world {
		return &world{asTax, premises(), exchange.RequestGrant{Dataset: housing + "/premises", Terms: terms(), Basis: "Tax Law 12"}, now}
	}
	run := func(w *world) error {
		require.NoError(t, w.request.Validate())
		g, event, err := w.request.Request(grantID, w.by, w.dataset, kernel.At(w.at))
		if err == nil {
			require.Equal(t, requested(), g)
			require.Equal(t, kernel.Change{Type: exchange.EventGrantRequested, ID: grantID, Agency: housing}, event)
		}
		return err
	}
	checkGuards(t, exchange.GrantRequest, fresh, run, []guard[world]{
		{"dataset withdrawn", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"own dataset", func(w *world) { w.by = asHouse }, "exchange.own_dataset"},
		{"field unknown", func(w *world) { w.request.Terms.Fields = []string{"area", "rent"} }, "exchange.field_unknown"},
		{"purpose not offered", func(w *world) { w.dataset.Conditions.Purposes = []string{"tax.check"} }, "exchange.purpose_not_offered"},
		{"basis not offered", func(w *world) { w.request.Basis = "Tax Law 13" }, "exchange.basis_not_offered"},
		{"period over", func(w *world) { w.at = terms().ValidUntil }, "exchange.period_over"},
	})
}

// What is open is granted by being asked for, once nothing else is wrong.
func TestOpenIsGrantedAtOnce(t *testing.T) {
	d := premises()
	d.Classification, d.Conditions = exchange.Open, exchange.Conditions{}
	request := exchange.RequestGrant{Dataset: d.ID, Terms: terms(), Basis: "Tax Law 13"}
	g, event, err := request.Request(grantID, asTax, d, kernel.At(now))
	require.NoError(t, err)
	want := granted()
	want.LegalBasis = request.Basis
	require.Equal(t, want, g)
	require.Equal(t, kernel.Change{Type: exchange.EventGrantGranted, ID: grantID, Agency: tax}, event)
	_, _, err = request.Request(grantID, asTax, d, kernel.At(terms().ValidUntil))
	require.Equal(t, "exchange.period_over", reason(err))
}

func TestGrantAccess(t *testing.T) {
	type world struct {
		by      access.Caller
		grant   exchange.Grant
		dataset exchange.Dataset
		request exchange.GrantAccess
		at      time.Time
	}
	fresh := func() *world {
		return &world{asHouse, requested(), premises(), exchange.GrantAccess{Grant: grantID, Terms: terms()}, now}
	}
	run := func(w *world) error {
		require.NoError(t, w.request.Validate())
		g, event, err := w.grant.Grant(w.by, w.request, w.dataset, kernel.At(w.at))
		if err == nil {
			require.Equal(t, exchange.Granted, g.Status)
			require.Equal(t, w.request.Terms, *g.Terms)
			require.Equal(t, kernel.Change{Type: exchange.EventGrantGranted, ID: grantID, Agency: tax}, event)
		}
		return err
	}
	checkGuards(t, exchange.GrantGrant, fresh, run, []guard[world]{
		{"consumer grants itself", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"third agency grants", func(w *world) { w.by = asPolice }, "access.other_agency"},
		{"granted before", func(w *world) { w.grant = granted() }, "exchange.grant_decided"},
		{"denied before", func(w *world) { w.grant.Status = exchange.Denied }, "exchange.grant_decided"},
		{"dataset withdrawn", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"purpose not wanted", func(w *world) { w.request.Terms.Purposes = []string{"research"} }, "exchange.terms_exceed_request"},
		{"field not wanted", func(w *world) { w.request.Terms.Fields = []string{"area", "owner"} }, "exchange.terms_exceed_request"},
		{"begins earlier", func(w *world) { w.grant.Wanted.ValidFrom = now }, "exchange.terms_exceed_request"},
		{"ends later", func(w *world) { w.grant.Wanted.ValidUntil = now.Add(day) }, "exchange.terms_exceed_request"},
		{"no quota", func(w *world) { w.request.Terms.Quota = nil }, "exchange.terms_exceed_request"},
		{"quota larger", func(w *world) { w.request.Terms.Quota.Uses = 101 }, "exchange.terms_exceed_request"},
		{"drops what was asked", func(w *world) { w.request.Terms.ConsentRequired = false }, "exchange.consent_dropped"},
		{"period over", func(w *world) { w.at = terms().ValidUntil }, "exchange.period_over"},
	})

	for name, change := range map[string]func(*exchange.Dataset){
		"restricted":       func(d *exchange.Dataset) { d.Classification = exchange.Restricted },
		"consent_required": func(d *exchange.Dataset) { d.ConsentRequired = true },
	} {
		t.Run("consent of a dataset "+name, func(t *testing.T) {
			w := fresh()
			w.grant.Wanted.ConsentRequired, w.request.Terms.ConsentRequired = false, false
			require.NoError(t, run(w), "asked for by nobody")
			change(&w.dataset)
			require.Equal(t, "exchange.consent_dropped", reason(run(w)))
			w.request.Terms.ConsentRequired = true
			require.NoError(t, run(w), "terms may add it")
		})
	}
	t.Run("narrower terms", func(t *testing.T) {
		w := fresh()
		w.request.Terms = exchange.Terms{Purposes: []string{"tax.check"}, Fields: []string{"area"}, ValidFrom: now, ValidUntil: now.Add(day), ConsentRequired: true,
			Quota: &exchange.Quota{Uses: 1, Per: exchange.PerGrant}}
		require.NoError(t, run(w))
	})
}

func TestDenyAccess(t *testing.T) {
	type world struct {
		by    access.Caller
		grant exchange.Grant
	}
	request := exchange.DenyAccess{Grant: grantID, Reason: "not_needed"}
	require.NoError(t, request.Validate())
	run := func(w *world) error {
		g, event, err := w.grant.Deny(w.by, request)
		if err == nil {
			require.Equal(t, exchange.Denied, g.Status)
			require.Equal(t, "not_needed", g.Reason)
			require.Equal(t, kernel.Change{Type: exchange.EventGrantDenied, ID: grantID, Agency: tax}, event)
		}
		return err
	}
	checkGuards(t, exchange.GrantDeny, func() *world { return &world{asHouse, requested()} }, run, []guard[world]{
		{"not the provider", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"granted before", func(w *world) { w.grant = granted() }, "exchange.grant_decided"},
		{"denied before", func(w *world) { w.grant.Status = exchange.Denied }, "exchange.grant_decided"},
	})
}

func TestAmendGrant(t *testing.T) {
	type world struct {
		by      access.Caller
		grant   exchange.Grant
		dataset exchange.Dataset
		request exchange.AmendGrant
		at      time.Time
	}
	fresh := func() *world {
		return &world{asHouse, granted(), premises(), exchange.AmendGrant{Grant: grantID, Terms: terms(), Reason: "misuse"}, now}
	}
	run := func(w *world) error {
		require.NoError(t, w.request.Validate())
		g, event, err := w.grant.Amend(w.by, w.request, w.dataset, kernel.At(w.at))
		if err == nil {
			require.Equal(t, w.grant.Status, g.Status)
			require.Equal(t, w.request.Terms, *g.Terms)
			require.Equal(t, terms(), g.Wanted, "what was wanted stays")
			require.Equal(t, "misuse", g.Reason)
			require.Equal(t, kernel.Change{Type: exchange.EventGrantAmended, ID: grantID, Agency: tax}, event)
		}
		return err
	}
	checkGuards(t, exchange.GrantAmend, fresh, run, []guard[world]{
		{"not the provider", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"not decided", func(w *world) { w.grant.Status = exchange.Requested }, "exchange.grant_pending"},
		{"denied", func(w *world) { w.grant.Status = exchange.Denied }, "exchange.grant_denied"},
		{"withdrawn", func(w *world) { w.grant.Status = exchange.Withdrawn }, "exchange.grant_withdrawn"},
		{"dataset withdrawn", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"field not wanted", func(w *world) { w.request.Terms.Fields = []string{"area", "owner"} }, "exchange.terms_exceed_request"},
		{"quota not wanted", func(w *world) { w.request.Terms.Quota.Per = exchange.PerDay }, "exchange.terms_exceed_request"},
		{"drops what was asked", func(w *world) { w.request.Terms.ConsentRequired = false }, "exchange.consent_dropped"},
		{"period over", func(w *world) { w.at = terms().ValidUntil }, "exchange.period_over"},
	})
	t.Run("narrowed and given back, suspended meanwhile", func(t *testing.T) {
		w := fresh()
		w.grant.Status = exchange.Suspended
		w.request.Terms.Fields = []string{"area"}
		require.NoError(t, run(w))
		narrow := w.request.Terms
		w = fresh()
		w.grant.Terms = &narrow
		require.NoError(t, run(w))
	})
}

func TestSuspendAndResumeGrant(t *testing.T) {
	type world struct {
		by    access.Caller
		grant exchange.Grant
	}
	suspend, resume := exchange.SuspendGrant{Grant: grantID, Reason: "inquiry"}, exchange.ResumeGrant{Grant: grantID, Reason: "cleared"}
	require.NoError(t, suspend.Validate())
	require.NoError(t, resume.Validate())
	suspended := func() *world {
		w := &world{asHouse, granted()}
		w.grant.Status = exchange.Suspended
		return w
	}
	for _, line := range []struct {
		function, event, status, reason string
		fresh                           func() *world
		apply                           func(*world) (exchange.Grant, kernel.Change, error)
		last                            guard[world]
	}{
		{
			exchange.GrantSuspend, exchange.EventGrantSuspended, exchange.Suspended, "inquiry", func() *world { return &world{asHouse, granted()} },
			func(w *world) (exchange.Grant, kernel.Change, error) { return w.grant.Suspend(w.by, suspend) },
			guard[world]{"suspended before", func(w *world) { w.grant.Status = exchange.Suspended }, "exchange.grant_suspended"},
		},
		{
			exchange.GrantResume, exchange.EventGrantResumed, exchange.Granted, "cleared", suspended,
			func(w *world) (exchange.Grant, kernel.Change, error) { return w.grant.Resume(w.by, resume) },
			guard[world]{"not suspended", func(w *world) { w.grant.Status = exchange.Granted }, "exchange.grant_not_suspended"},
		},
	} {
		run := func(w *world) error {
			g, event, err := line.apply(w)
			if err == nil {
				require.Equal(t, line.status, g.Status)
				require.Equal(t, line.reason, g.Reason)
				require.Equal(t, kernel.Change{Type: line.event, ID: grantID, Agency: tax}, event)
			}
			return err
		}
		checkGuards(t, line.function, line.fresh, run, []guard[world]{
			{"not the provider", func(w *world) { w.by = asTax }, "access.other_agency"},
			{"not decided", func(w *world) { w.grant.Status = exchange.Requested }, "exchange.grant_pending"},
			{"denied", func(w *world) { w.grant.Status = exchange.Denied }, "exchange.grant_denied"},
			{"withdrawn", func(w *world) { w.grant.Status = exchange.Withdrawn }, "exchange.grant_withdrawn"},
			line.last,
		})
	}
}

func TestWithdrawGrant(t *testing.T) {
	type world struct {
		by    access.Caller
		grant exchange.Grant
	}
	request := exchange.WithdrawGrant{Grant: grantID, Reason: "misuse"}
	require.NoError(t, request.Validate())
	run := func(w *world) error {
		g, event, err := w.grant.Withdraw(w.by, request)
		if err == nil {
			require.Equal(t, exchange.Withdrawn, g.Status)
			require.Equal(t, "misuse", g.Reason)
			require.Equal(t, kernel.Change{Type: exchange.EventGrantWithdrawn, ID: grantID, Agency: tax}, event)
		}
		return err
	}
	checkGuards(t, exchange.GrantWithdraw, func() *world { return &world{asHouse, granted()} }, run, []guard[world]{
		{"not the provider", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"not decided", func(w *world) { w.grant.Status = exchange.Requested }, "exchange.grant_pending"},
		{"denied", func(w *world) { w.grant.Status = exchange.Denied }, "exchange.grant_denied"},
		{"withdrawn before", func(w *world) { w.grant.Status = exchange.Withdrawn }, "exchange.grant_withdrawn"},
	})
	t.Run("suspended", func(t *testing.T) {
		w := &world{asHouse, granted()}
		w.grant.Status = exchange.Suspended
		require.NoError(t, run(w))
	})
}
