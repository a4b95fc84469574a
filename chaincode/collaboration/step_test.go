package collaboration_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
)

// acts are the acts on a step, each under its name, with requests that have the form they need.
var acts = map[string]func(collaboration.Task, collaboration.Act) (collaboration.Task, error){
	"claim": func(t collaboration.Task, a collaboration.Act) (collaboration.Task, error) { return t.Claim(a, nil) },
	"claim early": func(t collaboration.Task, a collaboration.Act) (collaboration.Task, error) {
		before := collaboration.Task{}
		before.Status = collaboration.Claimed
		return t.Claim(a, []collaboration.Task{before})
	},
	"release": func(t collaboration.Task, a collaboration.Act) (collaboration.Task, error) { return t.Release(a) },
	"approve": func(t collaboration.Task, a collaboration.Act) (collaboration.Task, error) {
		return t.Approve(a, collaboration.ApproveTask{Evidence: commitment})
	},
	"return": func(t collaboration.Task, a collaboration.Act) (collaboration.Task, error) {
		return t.Return(a, collaboration.ReturnTask{Reason: "address.unclear"})
	},
	"reject": func(t collaboration.Task, a collaboration.Act) (collaboration.Task, error) {
		t, c, err := t.Reject(a, collaboration.RejectTask{Reason: "not.eligible"})
		if (err == nil) != (c.Status == collaboration.Rejected) && a.Case.Status == collaboration.Open {
			panic("a step is rejected if and only if its case is")
		}
		return t, err
	},
}

func TestSteps(t *testing.T) {
	const (
		pending  = collaboration.Pending
		claimed  = collaboration.Claimed
		approved = collaboration.Approved
		returned = collaboration.Returned
		rejected = collaboration.Rejected
		open     = collaboration.Open
		ended    = collaboration.Withdrawn
	)
	for _, c := range []struct {
		name   string
		act    string
		by     access.Caller
		staff  string
		in     string // the case's status
		from   string // the task's status; claimed by T1
		to     string
		reason string
	}{
		{"claim: another agency", "claim", housing, "", ended, approved, "", "access.other_agency"},
		{"claim: no officer", "claim", tax, "", ended, approved, "", "collaboration.staff_required"},
		{"claim: case ended", "claim", tax, "T1", ended, claimed, "", "collaboration.case_closed"},
		{"claim: twice", "claim early", tax, "T1", open, claimed, "", "collaboration.already_claimed"},
		{"claim: another officer's", "claim early", tax, "T2", open, claimed, "", "collaboration.claimed_by_other"},
		{"claim: returned", "claim early", tax, "T1", open, returned, "", "collaboration.step_returned"},
		{"claim: approved", "claim early", tax, "T1", open, approved, "", "collaboration.step_decided"},
		{"claim: rejected", "claim early", tax, "T1", open, rejected, "", "collaboration.step_decided"},
		{"claim: too early", "claim early", tax, "T1", open, pending, "", "collaboration.step_not_ready"},
		{"claim", "claim", tax, "T1", open, pending, claimed, ""},

		{"release: another agency", "release", housing, "", ended, approved, "", "access.other_agency"},
		{"release: no officer", "release", tax, "", ended, approved, "", "collaboration.staff_required"},
		{"release: case ended", "release", tax, "T1", ended, returned, "", "collaboration.case_closed"},
		{"release: returned", "release", tax, "T1", open, returned, "", "collaboration.step_returned"},
		{"release: approved", "release", tax, "T1", open, approved, "", "collaboration.step_decided"},
		{"release: rejected", "release", tax, "T1", open, rejected, "", "collaboration.step_decided"},
		{"release: nobody's", "release", tax, "T1", open, pending, "", "collaboration.step_not_claimed"},
		{"release: an absent officer's", "release", tax, "T2", open, claimed, pending, ""},
		{"release", "release", tax, "T1", open, claimed, pending, ""},

		{"approve: another agency", "approve", housing, "", ended, approved, "", "access.other_agency"},
		{"approve: no officer", "approve", tax, "", ended, approved, "", "collaboration.staff_required"},
		{"approve: case ended", "approve", tax, "T1", ended, returned, "", "collaboration.case_closed"},
		{"approve: returned", "approve", tax, "T2", open, returned, "", "collaboration.step_returned"},
		{"approve: approved", "approve", tax, "T2", open, approved, "", "collaboration.step_decided"},
		{"approve: rejected", "approve", tax, "T2", open, rejected, "", "collaboration.step_decided"},
		{"approve: nobody's", "approve", tax, "T2", open, pending, "", "collaboration.step_not_claimed"},
		{"approve: another officer's", "approve", tax, "T2", open, claimed, "", "collaboration.claimed_by_other"},
		{"approve", "approve", tax, "T1", open, claimed, approved, ""},

		{"return: another agency", "return", housing, "", ended, approved, "", "access.other_agency"},
		{"return: no officer", "return", tax, "", ended, approved, "", "collaboration.staff_required"},
		{"return: case ended", "return", tax, "T1", ended, returned, "", "collaboration.case_closed"},
		{"return: returned", "return", tax, "T1", open, returned, "", "collaboration.step_returned"},
		{"return: approved", "return", tax, "T1", open, approved, "", "collaboration.step_decided"},
		{"return: nobody's", "return", tax, "T1", open, pending, "", "collaboration.step_not_claimed"},
		{"return: another officer's", "return", tax, "T2", open, claimed, "", "collaboration.claimed_by_other"},
		{"return", "return", tax, "T1", open, claimed, returned, ""},

		{"reject: another agency", "reject", housing, "", ended, approved, "", "access.other_agency"},
		{"reject: no officer", "reject", tax, "", ended, approved, "", "collaboration.staff_required"},
		{"reject: case ended", "reject", tax, "T1", ended, returned, "", "collaboration.case_closed"},
		{"reject: returned", "reject", tax, "T1", open, returned, "", "collaboration.step_returned"},
		{"reject: approved", "reject", tax, "T1", open, approved, "", "collaboration.step_decided"},
		{"reject: nobody's", "reject", tax, "T1", open, pending, "", "collaboration.step_not_claimed"},
		{"reject: another officer's", "reject", tax, "T2", open, claimed, "", "collaboration.claimed_by_other"},
		{"reject", "reject", tax, "T1", open, claimed, rejected, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := collaboration.Task{Agency: tax.Agency}
			if before.Status = c.from; c.from != pending {
				before.Officer = "T1"
			}
			act := collaboration.Act{By: c.by, Staff: c.staff, At: day0}
			act.Case.Status = c.in
			after, err := acts[c.act](before, act)
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				require.Equal(t, before, after)
				return
			}
			require.Equal(t, c.to, after.Status)
			require.Equal(t, c.to == approved || c.to == rejected, after.DecidedAt != nil)
			require.Equal(t, c.to == pending, after.Officer == "")
			require.Equal(t, c.to == returned || c.to == rejected, after.Reason != "")
			require.Equal(t, c.to == approved, after.Evidence != "")
		})
	}
}

func TestConclude(t *testing.T) {
	o, _ := opened(t)
	closed, plain := o.Case, o.Case
	closed.Status, plain.Outcome = collaboration.Withdrawn, ""
	done := append([]collaboration.Task{}, o.Tasks...)
	for i := range done {
		done[i].Status = collaboration.Approved
	}
	almost := append([]collaboration.Task{}, done...)
	almost[2].Status = collaboration.Claimed
	licence := &collaboration.Certificate{Commitment: commitment, ValidFrom: day0, ValidUntil: day0.AddDate(1, 0, 0)}
	for _, c := range []struct {
		name        string
		from        collaboration.Case
		by          access.Caller
		tasks       []collaboration.Task
		certificate *collaboration.Certificate
		reason      string
	}{
		{"not the lead", closed, tax, almost, nil, "access.other_agency"},
		{"ended", closed, lead, almost, nil, "collaboration.case_closed"},
		{"a step open", o.Case, lead, almost, nil, "collaboration.steps_open"},
		{"a step missing", o.Case, lead, done[:2], licence, "collaboration.steps_open"},
		{"no certificate", o.Case, lead, done, nil, "collaboration.certificate_required"},
		{"certificate of no service", plain, lead, done, licence, "collaboration.certificate_not_expected"},
		{"concluded", plain, lead, done, nil, ""},
		{"concluded with a certificate", o.Case, lead, done, licence, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := collaboration.Conclude{Case: caseID, Certificate: c.certificate}
			after, err := c.from.Conclude(c.by, r, c.tasks)
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				require.Equal(t, c.from, after)
				return
			}
			require.Equal(t, collaboration.Concluded, after.Status)
			issue, ok := after.Issue(r)
			require.Equal(t, c.certificate != nil, ok)
			if !ok {
				require.Empty(t, after.Certificate)
				return
			}
			require.Equal(t, collaboration.CertificateID(lead.Agency, caseID), after.Certificate)
			require.NoError(t, issue.Validate())
			require.Equal(t, []string{"business-licence", person, caseID, commitment}, []string{issue.Type, issue.Subject, issue.Case, issue.Commitment})
			require.Equal(t, time.Hour*24*365, issue.Until.Sub(issue.From))
		})
	}
}
