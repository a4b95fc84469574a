package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

var conflict = &ledgertest.CommitError{Code: ledgertest.MVCCConflict}

// Officers of different agencies work on one case at the same time; nobody's transaction invalidates another's.
func TestParallelOfficersNeverConflict(t *testing.T) {
	c := newCity(t)
	id := c.apply(c.person(), "k1")
	desks := []struct{ agency, staff, step string }{{housing, "H1", "premises"}, {tax, "T1", "tax"}}
	for _, function := range []string{collaboration.StepClaim, collaboration.StepReturn} {
		var block []*ledgertest.Tx
		for _, d := range desks {
			tx, err := c.As(d.agency, access.Agency).EndorseAs(d.staff, function, function+d.step, stepRequest(function, id, d.step))
			require.NoError(t, err)
			for _, w := range tx.Writes() {
				require.NotContains(t, w.Key, "\x00case\x00", "only what ends a case writes it")
			}
			block = append(block, tx)
		}
		for _, err := range c.CommitBlock(block...) {
			require.NoError(t, err)
		}
	}
	for _, d := range desks {
		require.Equal(t, collaboration.Returned, get[collaboration.Task](c, "task:Get", collaboration.TaskID(id, d.step)).Status)
	}
}

// Two officers of one agency claim the same step at once: one wins.
func TestTwoOfficersClaimOneStep(t *testing.T) {
	c := newCity(t)
	id := c.apply(c.person(), "k1")
	var block []*ledgertest.Tx
	for _, staff := range []string{"T1", "T2"} {
		tx, err := c.As(tax, access.Agency).EndorseAs(staff, collaboration.StepClaim, staff, stepRequest(collaboration.StepClaim, id, "tax"))
		require.NoError(t, err)
		block = append(block, tx)
	}
	results := c.CommitBlock(block...)
	require.NoError(t, results[0])
	require.ErrorIs(t, results[1], conflict)
	require.Equal(t, "T1", get[collaboration.Task](c, "task:Get", collaboration.TaskID(id, "tax")).Officer)
}

// A rejection ends the case: an approval endorsed before and committed after it is invalid.
func TestRejectionBeatsApproval(t *testing.T) {
	c := newCity(t)
	person := c.person()
	id := c.apply(person, "k1")
	c.step(housing, "H1", collaboration.StepClaim, id, "premises")
	c.step(tax, "T1", collaboration.StepClaim, id, "tax")
	approval, err := c.As(tax, access.Agency).EndorseAs("T1", collaboration.StepApprove, "late", stepRequest(collaboration.StepApprove, id, "tax"))
	require.NoError(t, err)
	c.step(housing, "H1", collaboration.StepReject, id, "premises")
	require.Equal(t, []string{collaboration.EventStepRejected, collaboration.EventCaseRejected}, c.changes())
	require.ErrorIs(t, approval.Commit(), conflict)
	rejected := get[collaboration.Case](c, "case:Get", id)
	require.Equal(t, collaboration.Rejected, rejected.Status)
	require.Equal(t, "not.eligible", rejected.Reason)
	c.refused(tax, access.Agency, "T1", collaboration.StepApprove, "later", stepRequest(collaboration.StepApprove, id, "tax"), "collaboration.case_closed")
	c.apply(person, "k2") // the slot is free again
}

func TestDuplicateApplications(t *testing.T) {
	c := newCity(t)
	person := c.person()
	one, err := c.As(hall, access.Portal).Endorse(collaboration.CaseApply, "k1", c.applyRequest(person, "k1"))
	require.NoError(t, err)
	two, err := c.As(hall, access.Portal).Endorse(collaboration.CaseApply, "k2", c.applyRequest(person, "k2"))
	require.NoError(t, err)
	results := c.CommitBlock(one, two)
	require.NoError(t, results[0])
	require.ErrorIs(t, results[1], conflict, "at the same moment")
	c.refused(hall, access.Portal, "", collaboration.CaseApply, "k2", c.applyRequest(person, "k2"), "collaboration.duplicate_application")
	outcomes, err := c.As(hall, access.Portal).Batch([]batchCommand{
		ledgertest.Command(collaboration.CaseApply, "k3", c.applyRequest(c.person(), "k3")),
		ledgertest.Command(collaboration.CaseApply, "k4", c.applyRequest(person, "k4")),
	})
	require.NoError(t, err)
	require.Equal(t, collaboration.Open, outcomes.Outcomes[0].Receipt.Status)
	require.Equal(t, "collaboration.duplicate_application", outcomes.Outcomes[1].Fault.Reason)
}

func TestApplyRefusals(t *testing.T) {
	c := newCity(t)
	person, stranger := c.person(), newApplicant(t)
	sign := func(by applicant, change func(*collaboration.Application)) collaboration.Apply {
		a := c.application(person, "k1")
		change(&a)
		return collaboration.Apply{JWS: by.sign(t, collaboration.ApplicationKind, a)}
	}
	for _, r := range []struct {
		name    string
		request collaboration.Apply
		reason  string
		field   string
	}{
		{"nothing signed", collaboration.Apply{}, "request.invalid", "request.jws"},
		{"not a JWS", collaboration.Apply{JWS: "a.b"}, "signature.malformed", "request.jws"},
		{"identity number", sign(person, func(a *collaboration.Application) { a.Subject = "11010519491231002X" }), "request.invalid", "request.jws.subject"},
		{"nobody known", sign(stranger, func(a *collaboration.Application) { a.Subject = stranger.subject }), "subject.missing", "request.jws.subject"},
		{"no such service", sign(person, func(a *collaboration.Application) { a.Definition = "business.end/1" }), "definition.missing", "request.jws.definition"},
		{"forged", sign(stranger, func(*collaboration.Application) {}), "signature.forged", "request.jws"},
		{"another channel", sign(person, func(a *collaboration.Application) { a.Channel = "test" }), "collaboration.channel_mismatch", "request.jws.channel"},
		{"another key", sign(person, func(a *collaboration.Application) { a.Case = caseID("k2") }), "collaboration.case_mismatch", "request.jws.case"},
		{"another hash", sign(person, func(a *collaboration.Application) { a.Hash = body }), "collaboration.definition_changed", "request.jws.hash"},
	} {
		t.Run(r.name, func(t *testing.T) {
			f := c.refused(hall, access.Portal, "", collaboration.CaseApply, "k1", r.request, r.reason)
			require.Equal(t, r.field, f.Field)
			require.NotEmpty(t, f.Rule)
		})
	}
}

func TestReturnAndResubmit(t *testing.T) {
	c := newCity(t)
	person := c.person()
	id := c.apply(person, "k1")
	c.decide(housing, "H1", id, "premises")
	c.step(tax, "T1", collaboration.StepClaim, id, "tax")
	c.step(tax, "T1", collaboration.StepReturn, id, "tax")
	c.refused(regulation, access.Agency, "R1", collaboration.StepClaim, "early", stepRequest(collaboration.StepClaim, id, "licence"), "collaboration.step_not_ready")

	again := c.application(person, "k1")
	resubmit := func() collaboration.Resubmit {
		return collaboration.Resubmit{Case: id, JWS: person.sign(t, collaboration.ApplicationKind, again)}
	}
	c.refused(hall, access.Portal, "", collaboration.CaseResubmit, "s1", resubmit(), "collaboration.correction_number")
	again.Correction, again.Form = 1, c.hash
	c.must(hall, access.Portal, "", collaboration.CaseResubmit, "s1", resubmit())
	require.Equal(t, []string{collaboration.EventCaseResubmitted}, c.changes())

	task := get[collaboration.Task](c, "task:Get", collaboration.TaskID(id, "tax"))
	require.Equal(t, collaboration.Pending, task.Status)
	require.Equal(t, 4, task.Version)
	require.Equal(t, collaboration.Approved, get[collaboration.Task](c, "task:Get", collaboration.TaskID(id, "premises")).Status, "what was decided stays")
	again.Correction = 2
	c.refused(hall, access.Portal, "", collaboration.CaseResubmit, "s2", resubmit(), "collaboration.nothing_returned")
	c.decide(tax, "T2", id, "tax")
	c.decide(regulation, "R1", id, "licence")
}

func TestWithdrawal(t *testing.T) {
	c := newCity(t)
	person, stranger := c.person(), c.person()
	id := c.apply(person, "k1")
	request := func(by applicant) collaboration.Withdraw {
		return collaboration.Withdraw{Case: id, JWS: by.sign(t, collaboration.WithdrawalKind, collaboration.Withdrawal{Channel: ledgertest.Channel, Subject: person.subject, Case: id})}
	}
	c.refused(hall, access.Portal, "", collaboration.CaseWithdraw, "w1", request(stranger), "signature.forged")
	c.must(hall, access.Portal, "", collaboration.CaseWithdraw, "w1", request(person))
	require.Equal(t, []string{collaboration.EventCaseWithdrawn}, c.changes())
	c.refused(tax, access.Agency, "T1", collaboration.StepClaim, "k", stepRequest(collaboration.StepClaim, id, "tax"), "collaboration.case_closed")
	var check collaboration.CaseState
	require.NoError(t, c.As(tax, access.Agency).Query(collaboration.CaseCheck, collaboration.CheckCase{Case: id}, &check))
	require.Equal(t, collaboration.CaseState{Subject: person.subject, Status: collaboration.Withdrawn, Service: "business.start",
		Agencies: []string{regulation, tax, housing}}, check)
	c.apply(person, "k2")
	slot := get[collaboration.Slot](c, "slot:Get", person.subject+"/business.start")
	require.Equal(t, []any{collaboration.Taken, caseID("k2"), 3}, []any{slot.Status, slot.Case, slot.Version})
}

// The certificate and the conclusion stand or fall together.
func TestConclusionFailsWithItsCertificate(t *testing.T) {
	c := newCity(t)
	id := c.apply(c.person(), "k1")
	c.decide(housing, "H1", id, "premises")
	c.decide(tax, "T1", id, "tax")
	c.refused(regulation, access.Agency, "", collaboration.CaseConclude, "c0", c.conclusion(id), "collaboration.steps_open")
	c.decide(regulation, "R1", id, "licence")
	c.refused(tax, access.Agency, "", collaboration.CaseConclude, "c0", c.conclusion(id), "access.other_agency")
	c.refused(regulation, access.Agency, "", collaboration.CaseConclude, "c0", collaboration.Conclude{Case: id}, "collaboration.certificate_required")

	long := c.conclusion(id)
	long.Certificate.ValidUntil = c.Now().AddDate(50, 0, 0)
	c.refused(regulation, access.Agency, "", collaboration.CaseConclude, "c0", long, "certificate.validity_too_long")
	require.Equal(t, collaboration.Open, get[collaboration.Case](c, "case:Get", id).Status)

	conclude := c.conclusion(id)
	receipt := c.must(regulation, access.Agency, "R1", collaboration.CaseConclude, "c1", conclude)
	require.Equal(t, collaboration.Concluded, receipt.Status)
	require.Equal(t, []string{collaboration.EventCaseConcluded, certificate.EventIssued}, c.changes())
	concluded := get[collaboration.Case](c, "case:Get", id)
	issued := get[certificate.Certificate](c, "certificate:Get", concluded.Certificate)
	require.Equal(t, []string{id, concluded.Subject, regulation, certificate.Valid, "R1", receipt.Tx},
		[]string{issued.Case, issued.Subject, issued.Issuer, issued.Status, issued.Created.Staff, issued.Created.Tx})
	require.Equal(t, collaboration.Free, get[collaboration.Slot](c, "slot:Get", concluded.Subject+"/business.start").Status)

	again := c.must(regulation, access.Agency, "R1", collaboration.CaseConclude, "c1", conclude)
	require.True(t, again.Replayed)
	c.refused(regulation, access.Agency, "", collaboration.CaseConclude, "c2", conclude, "collaboration.case_closed")
}

// Without an accreditation the case stays open until there is one.
func TestConclusionWithoutAccreditation(t *testing.T) {
	c := newCity(t)
	id := c.apply(c.person(), "k1")
	for _, d := range []struct{ agency, step string }{{housing, "premises"}, {tax, "tax"}, {regulation, "licence"}} {
		c.decide(d.agency, "S1", id, d.step)
	}
	c.must(regulation, access.Admin, "", certificate.AccreditationWithdraw, "w", certificate.WithdrawAccreditation{Type: licence, Agency: regulation, Reason: "duty.moved"})
	c.refused(regulation, access.Agency, "", collaboration.CaseConclude, "c1", c.conclusion(id), "certificate.not_accredited")
	require.Equal(t, collaboration.Open, get[collaboration.Case](c, "case:Get", id).Status)
}

// Several cases are concluded in one transaction, each with its certificate.
func TestConcludeInOneTransaction(t *testing.T) {
	c := newCity(t)
	var commands []batchCommand
	for _, key := range []string{"k1", "k2", "k3"} {
		id := c.apply(c.person(), key)
		c.decide(housing, "H1", id, "premises")
		c.decide(tax, "T1", id, "tax")
		if key != "k2" {
			c.decide(regulation, "R1", id, "licence")
		}
		commands = append(commands, ledgertest.Command(collaboration.CaseConclude, key, c.conclusion(id)))
	}
	outcomes, err := c.As(regulation, access.Agency).Batch(commands)
	require.NoError(t, err)
	for i, outcome := range outcomes.Outcomes {
		if i == 1 {
			require.Equal(t, "collaboration.steps_open", outcome.Fault.Reason)
			continue
		}
		issued := get[collaboration.Case](c, "case:Get", outcome.Receipt.ID).Certificate
		require.Equal(t, certificate.Valid, get[certificate.Certificate](c, "certificate:Get", issued).Status)
	}
	require.Equal(t, []string{collaboration.EventCaseConcluded, certificate.EventIssued, collaboration.EventCaseConcluded, certificate.EventIssued}, c.changes())
}
