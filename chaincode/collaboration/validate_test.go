package collaboration_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

func TestForm(t *testing.T) {
	signer := newSigner(t)
	signed := func(change func(*application)) string {
		a := application{Channel: channel, Subject: person, Case: caseID, Definition: "business.start/1", Hash: commitment, Form: commitment}
		change(&a)
		return signer.sign(t, collaboration.ApplicationKind, a)
	}
	apply := func(change func(*application)) collaboration.Apply { return collaboration.Apply{JWS: signed(change)} }
	withdrawal := func(w collaboration.Withdrawal) collaboration.Withdraw {
		return collaboration.Withdraw{Case: caseID, JWS: signer.sign(t, collaboration.WithdrawalKind, w)}
	}
	ref := collaboration.TaskRef{Case: caseID, Step: "tax"}
	conclude := func(change func(*collaboration.Certificate)) collaboration.Conclude {
		c := collaboration.Certificate{Commitment: commitment, ValidFrom: day0, ValidUntil: day0.AddDate(1, 0, 0)}
		change(&c)
		return collaboration.Conclude{Case: caseID, Certificate: &c}
	}
	long := strings.Repeat("a", 65)
	for _, r := range []struct {
		name    string
		request interface{ Validate() error }
		field   string
		rule    string // how it begins
	}{
		{"approve definition", collaboration.ApproveDefinition{Definition: "business.start/1", Hash: commitment}, "", ""},
		{"approve definition: none", collaboration.ApproveDefinition{Hash: commitment}, "definition", "required"},
		{"approve definition: edition 0", collaboration.ApproveDefinition{Definition: "business.start/0", Hash: commitment}, "definition", "pattern"},
		{"approve definition: long code", collaboration.ApproveDefinition{Definition: long + "/9999", Hash: commitment}, "definition", "pattern"},
		{"approve definition: hash", collaboration.ApproveDefinition{Definition: "business.start/1"}, "hash", "pattern"},
		{"apply", apply(func(*application) {}), "", ""},
		{"apply: nothing", collaboration.Apply{}, "jws", "required"},
		{"apply: no JWS", collaboration.Apply{JWS: "a"}, "jws", "compact_jws"},
		{"apply: another kind", collaboration.Apply{JWS: withdrawal(collaboration.Withdrawal{}).JWS}, "jws.typ", "equals:hutong-application+jwt"},
		{"apply: unknown member", collaboration.Apply{JWS: signer.sign(t, collaboration.ApplicationKind, map[string]any{"name": "x"})}, "jws.name", "unknown_field"},
		{"apply: channel", apply(func(a *application) { a.Channel = "" }), "jws.channel", "required"},
		{"apply: subject", apply(func(a *application) { a.Subject = "11010519491231002X" }), "jws.subject", "pattern"},
		{"apply: case", apply(func(a *application) { a.Case = "1" }), "jws.case", "pattern"},
		{"apply: definition", apply(func(a *application) { a.Definition = "business.start" }), "jws.definition", "pattern"},
		{"apply: hash", apply(func(a *application) { a.Hash = "x" }), "jws.hash", "pattern"},
		{"apply: form", apply(func(a *application) { a.Form = "x" }), "jws.form", "pattern"},
		{"apply: correction", apply(func(a *application) { a.Correction = -1 }), "jws.correction", "between:0,100"},
		{"resubmit", collaboration.Resubmit{Case: caseID, JWS: signed(func(a *application) { a.Correction = 100 })}, "", ""},
		{"resubmit: case", collaboration.Resubmit{JWS: signed(func(*application) {})}, "case", "required"},
		{"resubmit: nothing", collaboration.Resubmit{Case: caseID}, "jws", "required"},
		{"resubmit: too often", collaboration.Resubmit{Case: caseID, JWS: signed(func(a *application) { a.Correction = 101 })}, "jws.correction", "between:0,100"},
		{"withdraw", withdrawal(collaboration.Withdrawal{Channel: channel, Subject: person, Case: caseID}), "", ""},
		{"withdraw: case", collaboration.Withdraw{}, "case", "required"},
		{"withdraw: nothing", collaboration.Withdraw{Case: caseID}, "jws", "required"},
		{"withdraw: channel", withdrawal(collaboration.Withdrawal{Subject: person, Case: caseID}), "jws.channel", "required"},
		{"withdraw: subject", withdrawal(collaboration.Withdrawal{Channel: channel, Case: caseID}), "jws.subject", "required"},
		{"withdraw: signed case", withdrawal(collaboration.Withdrawal{Channel: channel, Subject: person}), "jws.case", "required"},
		{"claim", collaboration.ClaimTask{TaskRef: ref}, "", ""},
		{"claim: case", collaboration.ClaimTask{TaskRef: collaboration.TaskRef{Step: "tax"}}, "case", "required"},
		{"release: step", collaboration.ReleaseTask{TaskRef: collaboration.TaskRef{Case: caseID}}, "step", "required"},
		{"approve", collaboration.ApproveTask{TaskRef: ref, Evidence: commitment}, "", ""},
		{"approve: on nothing written", collaboration.ApproveTask{TaskRef: ref}, "", ""},
		{"approve: step", collaboration.ApproveTask{TaskRef: collaboration.TaskRef{Case: caseID, Step: "Tax"}}, "step", "pattern"},
		{"approve: evidence", collaboration.ApproveTask{TaskRef: ref, Evidence: "seen"}, "evidence", "pattern"},
		{"return", collaboration.ReturnTask{TaskRef: ref, Reason: "address.unclear"}, "", ""},
		{"return: no reason", collaboration.ReturnTask{TaskRef: ref}, "reason", "required"},
		{"return: case", collaboration.ReturnTask{Reason: "x"}, "case", "required"},
		{"reject", collaboration.RejectTask{TaskRef: ref, Reason: "not.eligible"}, "", ""},
		{"reject: free text", collaboration.RejectTask{TaskRef: ref, Reason: "He owes tax"}, "reason", "pattern"},
		{"reject: case", collaboration.RejectTask{Reason: "x"}, "case", "required"},
		{"conclude", conclude(func(*collaboration.Certificate) {}), "", ""},
		{"conclude: no certificate", collaboration.Conclude{Case: caseID}, "", ""},
		{"conclude: case", collaboration.Conclude{}, "case", "required"},
		{"conclude: commitment", conclude(func(c *collaboration.Certificate) { c.Commitment = "" }), "certificate.commitment", "pattern"},
		{"conclude: backwards", conclude(func(c *collaboration.Certificate) { c.ValidUntil = day0 }), "certificate.valid_until", "after:valid_from"},
		{"check", collaboration.CheckCase{Case: caseID}, "", ""},
		{"check: case", collaboration.CheckCase{}, "case", "required"},
	} {
		t.Run(r.name, func(t *testing.T) {
			err := r.request.Validate()
			if r.field == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			f := fault.From(err)
			require.Equal(t, r.field, f.Field)
			require.Truef(t, strings.HasPrefix(f.Rule, r.rule), "got %q", f.Rule)
			require.NotEmpty(t, f.Detail)
		})
	}
}
