package collaboration_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
)

type application = collaboration.Application

func TestOpen(t *testing.T) {
	applicant, forger := newSigner(t), newSigner(t)
	d := active(t)
	retired, _ := d.Retire()
	taken := &collaboration.Slot{Subject: person, Service: d.Code, Case: "another"}
	taken.Status, taken.Version = collaboration.Taken, 1
	free := taken.Release()
	for _, c := range []struct {
		name   string
		by     signer
		kind   string
		change func(*application)
		d      collaboration.Definition
		slot   *collaboration.Slot
		reason string
	}{
		{"another kind", applicant, collaboration.WithdrawalKind, func(*application) {}, d, nil, "signature.kind"},
		{"forged", forger, collaboration.ApplicationKind, func(a *application) { a.Channel = "test" }, d, nil, "signature.forged"},
		{"another channel", applicant, collaboration.ApplicationKind, func(a *application) { a.Channel, a.Case = "test", "other" }, d, nil, "collaboration.channel_mismatch"},
		{"another case", applicant, collaboration.ApplicationKind, func(a *application) { a.Case, a.Correction = "other", 1 }, d, nil, "collaboration.case_mismatch"},
		{"a correction", applicant, collaboration.ApplicationKind, func(a *application) { a.Correction = 1 }, retired, nil, "collaboration.correction_number"},
		{"edition retired", applicant, collaboration.ApplicationKind, func(a *application) { a.Hash = commitment }, retired, taken, "collaboration.definition_not_active"},
		{"another hash", applicant, collaboration.ApplicationKind, func(a *application) { a.Hash = commitment }, d, taken, "collaboration.definition_changed"},
		{"open case", applicant, collaboration.ApplicationKind, func(*application) {}, d, taken, "collaboration.duplicate_application"},
		{"first case", applicant, collaboration.ApplicationKind, func(*application) {}, d, nil, ""},
		{"case after another", applicant, collaboration.ApplicationKind, func(*application) {}, d, &free, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := collaboration.Apply{JWS: c.by.sign(t, c.kind, applicationFor(d, c.change))}
			o, err := r.Open(caseID, channel, applicant.public, c.d, c.slot)
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				require.Empty(t, o)
				return
			}
			require.Equal(t, collaboration.Open, o.Case.Status)
			require.Equal(t, d.Hash, o.Case.DefinitionHash)
			require.Equal(t, []int{3, 1}, []int{o.Case.Required, o.Case.Asked})
			require.Equal(t, []string{"premises", "tax", "licence"}, o.Case.Steps)
			require.Equal(t, []string{lead.Agency, tax.Agency, housing.Agency}, o.Case.Agencies)
			require.Len(t, o.Tasks, 3)
			require.Equal(t, []string{"premises", "tax"}, o.Tasks[2].After)
			require.Equal(t, collaboration.Taken, o.Slot.Status)
			require.Equal(t, caseID, o.Slot.Case)
			require.Equal(t, collaboration.CaseState{Subject: person, Status: collaboration.Open, Service: d.Code,
				Agencies: []string{lead.Agency, tax.Agency, housing.Agency}}, o.Case.State())
		})
	}
}

func TestResubmit(t *testing.T) {
	o, applicant := opened(t)
	forger := newSigner(t)
	d := active(t)
	returned := append([]collaboration.Task{}, o.Tasks...)
	returned[1].Status, returned[1].Officer, returned[1].Reason = collaboration.Returned, "T1", "address.unclear"
	closed := o.Case
	closed.Status = collaboration.Rejected
	corrected := o.Case
	corrected.Corrections = 1
	next := func(a *application) { a.Correction = 1; a.Form = d.Hash }
	for _, c := range []struct {
		name   string
		by     signer
		change func(*application)
		from   collaboration.Case
		tasks  []collaboration.Task
		reason string
	}{
		{"forged", forger, func(a *application) { a.Channel = "test" }, o.Case, returned, "signature.forged"},
		{"another channel", applicant, func(a *application) { a.Channel, a.Case = "test", "other" }, o.Case, returned, "collaboration.channel_mismatch"},
		{"another case", applicant, func(a *application) { a.Case, a.Subject = "other", someone }, o.Case, returned, "collaboration.case_mismatch"},
		{"another subject", applicant, func(a *application) { a.Subject, a.Hash = someone, commitment }, o.Case, returned, "collaboration.subject_mismatch"},
		{"another edition", applicant, func(a *application) { a.Definition = "business.start/2" }, closed, returned, "collaboration.definition_changed"},
		{"another hash", applicant, func(a *application) { a.Hash = commitment }, closed, returned, "collaboration.definition_changed"},
		{"case ended", applicant, next, closed, o.Tasks, "collaboration.case_closed"},
		{"the first application again", applicant, func(*application) {}, o.Case, returned, "collaboration.correction_number"},
		{"an earlier correction again", applicant, next, corrected, returned, "collaboration.correction_number"},
		{"nothing returned", applicant, next, o.Case, o.Tasks, "collaboration.nothing_returned"},
		{"corrected", applicant, next, o.Case, returned, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := collaboration.Resubmit{Case: caseID, JWS: c.by.sign(t, collaboration.ApplicationKind, applicationFor(d, c.change))}
			after, again, err := c.from.Resubmit(r, channel, applicant.public, c.tasks)
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				require.Equal(t, c.from, after)
				require.Empty(t, again)
				return
			}
			require.Equal(t, d.Hash, after.Form)
			require.Equal(t, r.JWS, after.JWS)
			require.Equal(t, 1, after.Corrections)
			require.Len(t, again, 1)
			require.Equal(t, "tax", again[0].Step)
			require.Equal(t, collaboration.Pending, again[0].Status)
			require.Empty(t, again[0].Officer)
			require.Equal(t, collaboration.Returned, returned[1].Status, "what was loaded is not touched")
		})
	}
}

func TestWithdraw(t *testing.T) {
	o, applicant := opened(t)
	forger := newSigner(t)
	closed := o.Case
	closed.Status = collaboration.Concluded
	type withdrawal = collaboration.Withdrawal
	for _, c := range []struct {
		name   string
		by     signer
		what   withdrawal
		from   collaboration.Case
		reason string
	}{
		{"forged", forger, withdrawal{"test", someone, "other"}, closed, "signature.forged"},
		{"another channel", applicant, withdrawal{"test", someone, "other"}, closed, "collaboration.channel_mismatch"},
		{"another case", applicant, withdrawal{channel, someone, "other"}, closed, "collaboration.case_mismatch"},
		{"another subject", applicant, withdrawal{channel, someone, caseID}, closed, "collaboration.subject_mismatch"},
		{"case ended", applicant, withdrawal{channel, person, caseID}, closed, "collaboration.case_closed"},
		{"withdrawn", applicant, withdrawal{channel, person, caseID}, o.Case, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := collaboration.Withdraw{Case: caseID, JWS: c.by.sign(t, collaboration.WithdrawalKind, c.what)}
			after, err := c.from.Withdraw(r, channel, applicant.public)
			require.Equal(t, c.reason, reason(err))
			if err == nil {
				require.Equal(t, collaboration.Withdrawn, after.Status)
			} else {
				require.Equal(t, c.from, after)
			}
		})
	}
}
