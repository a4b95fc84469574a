package contract_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/certificate/contract"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

const (
	regulation = "market.regulation"
	housing    = "planning.housing"
	person     = "k7q2m9x4v8w1z5t3n6p0aaaaaa"
	caseID     = "0123456789abcdefghjkmnpqrs"
)

var (
	body  = strings.Repeat("a", 64)
	other = strings.Repeat("b", 64)
)

// office is a ledger on which regulation publishes the type business-licence and may issue it for a year.
type office struct {
	*ledgertest.Ledger
	t testing.TB
}

func open(t testing.TB) office {
	o := office{ledgertest.New(contract.New()), t}
	admin := o.As(regulation, access.Admin)
	_, err := admin.Submit(certificate.TypePublish, "t1", certificate.PublishType{
		Code: "business-licence", Name: exchange.Text{Zh: "营业执照", En: "Business licence"}, ValidDays: 3650,
		Fields: []exchange.FieldSpec{{Name: "trade_name", Title: exchange.Text{Zh: "名称", En: "Name"}, Type: "string"}},
	})
	require.NoError(t, err)
	_, err = admin.Submit(certificate.AccreditationGrant, "a1", certificate.GrantAccreditation{
		Type: "business-licence", Agency: regulation, From: o.Now(), Until: o.Now().AddDate(1, 0, 0)})
	require.NoError(t, err)
	return o
}

func (o office) issuer() *ledgertest.Client { return o.As(regulation, access.Agency) }

func (o office) licence() certificate.Issue {
	return certificate.Issue{Type: "business-licence", Subject: person, Case: caseID, Commitment: body, From: o.Now(), Until: o.Now().AddDate(5, 0, 0)}
}

func (o office) issue(key string) string {
	o.t.Helper()
	receipt, err := o.issuer().SubmitAs("R1", certificate.CertificateIssue, key, o.licence())
	require.NoError(o.t, err)
	return receipt.ID
}

func (o office) change(function, key, id, reason string) error {
	_, err := o.issuer().Submit(function, key, certificate.Change{Certificate: id, Reason: reason})
	return err
}

func (o office) verify(q certificate.Verify) certificate.Verdict {
	o.t.Helper()
	var v certificate.Verdict
	require.NoError(o.t, o.As("audit.office", access.Auditor).Query(certificate.CertificateVerify, q, &v))
	return v
}

func (o office) reasons(q certificate.Verify) []string {
	v := o.verify(q)
	return []string{v.Integrity.Reason, v.Status.Reason, v.Issuer.Reason}
}

func reason(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Reason
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestLifeOfACertificate(t *testing.T) {
	o := open(t)
	start := o.Now()
	o.Advance(time.Hour)
	id := o.issue("c1")
	require.Equal(t, kernel.ID(regulation, certificate.CertificateIssue, "c1"), id)
	require.Equal(t, []string{certificate.Intact, certificate.Holds, certificate.Accredited}, o.reasons(certificate.Verify{Certificate: id, Commitment: body}))

	o.Advance(time.Hour)
	require.NoError(t, o.change(certificate.CertificateSuspend, "s1", id, "under_review"))
	require.Equal(t, certificate.IsSuspended, o.verify(certificate.Verify{Certificate: id}).Status.Reason)
	o.Advance(time.Hour)
	require.NoError(t, o.change(certificate.CertificateReinstate, "r1", id, "under_review"))
	o.Advance(time.Hour)
	require.NoError(t, o.change(certificate.CertificateRevoke, "v1", id, "ceased"))
	o.Advance(time.Hour)

	for _, c := range []struct {
		name   string
		after  time.Duration
		reason string
	}{
		{"before the issue", 0, certificate.NotYetIssued},
		{"when issued", time.Hour, certificate.Holds},
		{"when suspended", 2 * time.Hour, certificate.IsSuspended},
		{"while suspended", 150 * time.Minute, certificate.IsSuspended},
		{"when reinstated", 3 * time.Hour, certificate.Holds},
		{"when revoked", 4 * time.Hour, certificate.IsRevoked},
	} {
		require.Equal(t, c.reason, o.verify(certificate.Verify{Certificate: id, At: start.Add(c.after)}).Status.Reason, c.name)
	}
	require.Equal(t, []string{certificate.Altered, certificate.IsRevoked, certificate.Accredited}, o.reasons(certificate.Verify{Certificate: id, Commitment: other}))
	require.Equal(t, certificate.ErrAlreadyRevoked.Reason, reason(o.change(certificate.CertificateReinstate, "r2", id, "under_review")))
}

func TestVerifyUnknown(t *testing.T) {
	o := open(t)
	v := o.verify(certificate.Verify{Certificate: kernel.ID("a", "b", "c"), Commitment: body})
	require.Equal(t, []certificate.Answer{certificate.Unknown, certificate.Unknown, certificate.Unknown}, []certificate.Answer{v.Integrity.Answer, v.Status.Answer, v.Issuer.Answer})
	require.Equal(t, certificate.NotFound, v.Status.Reason)
}

func TestWithdrawnAccreditation(t *testing.T) {
	o := open(t)
	id := o.issue("c1")
	o.Advance(24 * time.Hour)
	admin := o.As(regulation, access.Admin)
	end := certificate.WithdrawAccreditation{Type: "business-licence", Agency: regulation, Reason: "duty.moved"}
	_, err := admin.Submit(certificate.AccreditationWithdraw, "w1", end)
	require.NoError(t, err)
	_, err = admin.Submit(certificate.AccreditationWithdraw, "w2", end)
	require.Equal(t, certificate.ErrAlreadyWithdrawn.Reason, reason(err))
	o.Advance(24 * time.Hour)

	require.Equal(t, []string{certificate.Intact, certificate.Holds, certificate.AccreditedThen}, o.reasons(certificate.Verify{Certificate: id, Commitment: body}))
	require.Equal(t, certificate.Accredited, o.verify(certificate.Verify{Certificate: id, At: ledgertest.Start.Add(time.Minute)}).Issuer.Reason)
	_, err = o.issuer().Submit(certificate.CertificateIssue, "c2", o.licence())
	require.Equal(t, certificate.ErrNotAccredited.Reason, reason(err))
}

// An issue and the withdrawal of its accreditation cannot both pass unseen: whichever commits second is invalid.
func TestWithdrawalRacesIssue(t *testing.T) {
	o := open(t)
	issue, err := o.issuer().Endorse(certificate.CertificateIssue, "c1", o.licence())
	require.NoError(t, err)
	_, err = o.As(regulation, access.Admin).Submit(certificate.AccreditationWithdraw, "w1", certificate.WithdrawAccreditation{Type: "business-licence", Agency: regulation, Reason: "duty.moved"})
	require.NoError(t, err)
	require.ErrorIs(t, issue.Commit(), &ledgertest.CommitError{Code: ledgertest.MVCCConflict})
}

func TestRefusals(t *testing.T) {
	o := open(t)
	id := o.issue("c1")
	blank := o.licence()
	blank.Type = "food-licence"
	endless := o.licence()
	endless.Until = time.Time{}
	changed := o.licence()
	changed.Commitment = other
	revoke := certificate.Change{Certificate: id, Reason: "ceased"}
	for _, c := range []struct {
		name     string
		by       *ledgertest.Client
		function string
		key      string
		request  any
		reason   string
		field    string
	}{
		{"another agency's type", o.As(housing, access.Admin), certificate.AccreditationGrant, "a2",
			certificate.GrantAccreditation{Type: "business-licence", Agency: housing, From: o.Now(), Until: o.Now().AddDate(1, 0, 0)}, "access.other_agency", "creator.agency"},
		{"accreditation for no type", o.As(housing, access.Admin), certificate.AccreditationGrant, "a2",
			certificate.GrantAccreditation{Type: "food-licence", Agency: housing, From: o.Now(), Until: o.Now().AddDate(1, 0, 0)}, "type.missing", "request.type"},
		{"type code taken", o.As(housing, access.Admin), certificate.TypePublish, "t1",
			certificate.PublishType{Code: "business-licence", Name: exchange.Text{Zh: "照", En: "Licence"}, Fields: []exchange.FieldSpec{{Name: "a", Title: exchange.Text{Zh: "甲", En: "A"}, Type: "date"}}}, "type.conflict", "idempotency_key"},
		{"no such type", o.issuer(), certificate.CertificateIssue, "c2", blank, "type.missing", "request.type"},
		{"not accredited", o.As(housing, access.Agency), certificate.CertificateIssue, "c2", o.licence(), "certificate.not_accredited", "request.type"},
		{"no end", o.issuer(), certificate.CertificateIssue, "c2", endless, "certificate.end_required", "request.valid_until"},
		{"same key, other content", o.issuer(), certificate.CertificateIssue, "c1", changed, "certificate.conflict", "idempotency_key"},
		{"another agency revokes", o.As(housing, access.Agency), certificate.CertificateRevoke, "v1", revoke, "access.other_agency", "creator.agency"},
		{"no such certificate", o.issuer(), certificate.CertificateRevoke, "v1", certificate.Change{Certificate: caseID, Reason: "ceased"}, "certificate.missing", "id"},
		{"identity number as subject", o.issuer(), certificate.CertificateIssue, "c2", certificate.Issue{Type: "business-licence", Subject: "11010519491231002X", Commitment: body, From: o.Now()}, "request.invalid", "request.subject"},
	} {
		t.Run(c.name, func(t *testing.T) {
			height := o.Height()
			_, err := c.by.Submit(c.function, c.key, c.request)
			require.Equal(t, c.reason, reason(err))
			require.Equal(t, c.field, fault.From(err).Field)
			require.NotContains(t, err.Error(), "1949")
			require.Equal(t, height, o.Height(), "a refusal leaves no transaction")
		})
	}
}

func TestRepeatedIssueIsOneCertificate(t *testing.T) {
	o := open(t)
	request := o.licence()
	first, err := o.issuer().Submit(certificate.CertificateIssue, "c1", request)
	require.NoError(t, err)
	require.NoError(t, o.change(certificate.CertificateRevoke, "v1", first.ID, "ceased"))
	again, err := o.issuer().Submit(certificate.CertificateIssue, "c1", request)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	first.Replayed = true
	require.Equal(t, first, again, "the first answer, whatever came after")
}

// An issue reads three keys and writes one: it is the most frequent write.
func TestIssueIsSmall(t *testing.T) {
	o := open(t)
	tx, err := o.issuer().Endorse(certificate.CertificateIssue, "c1", o.licence())
	require.NoError(t, err)
	require.Len(t, tx.Writes(), 1)
	require.NoError(t, tx.Commit())

	commands := []kernel.BatchCommand{}
	for _, key := range []string{"b1", "b2", "b3"} {
		commands = append(commands, ledgertest.Command(certificate.CertificateIssue, key, o.licence()))
	}
	commands = append(commands, ledgertest.Command(certificate.CertificateRevoke, "b4", certificate.Change{Certificate: caseID, Reason: "ceased"}))
	outcomes, err := o.issuer().Batch(commands)
	require.NoError(t, err)
	require.Len(t, outcomes.Outcomes, 4)
	for _, outcome := range outcomes.Outcomes[:3] {
		require.Equal(t, certificate.Valid, outcome.Receipt.Status)
	}
	require.Equal(t, "certificate.missing", outcomes.Outcomes[3].Fault.Reason, "one command's failure is its own")
}

// Every collection's stored values are found by what its index says.
func TestIndexes(t *testing.T) {
	o := open(t)
	o.issue("c1")
	want := map[string]state.Index{
		"type":          {Agency: regulation, Kind: "business-licence"},
		"accreditation": {Agency: regulation, Peer: regulation, Kind: "business-licence"},
		"certificate":   {Subject: person, Agency: regulation, Case: caseID, Kind: "business-licence"},
	}
	for _, key := range o.Keys(certificate.Name) {
		noun, _, ok := state.Split(key)
		require.True(t, ok)
		at := slices.IndexFunc(certificate.Collections, func(c state.Collection) bool { return c.Name() == noun })
		require.GreaterOrEqual(t, at, 0, noun)
		_, index, err := certificate.Collections[at].Read(o.Value(certificate.Name, key))
		require.NoError(t, err)
		require.Equal(t, want[noun], index)
		delete(want, noun)
	}
	require.Empty(t, want)
}
