package certificate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/state"
)

type finding = certificate.Finding

// life is a certificate that was issued on day 0, valid from day 1 to day 50, suspended on day 10, reinstated on day 20
// and revoked on day 30, as far as it had come after the given number of steps.
func life(steps int) (certificate.Certificate, []state.Revision[certificate.Certificate]) {
	c := certificate.Certificate{Type: "business-licence", Issuer: issuer.Agency, Commitment: "c0", From: days(1), Until: days(50), Accreditation: 1}
	c.Created.At = day0
	var past []state.Revision[certificate.Certificate]
	for i, step := range []struct {
		at     time.Time
		status string
	}{{day0, certificate.Valid}, {days(10), certificate.Suspended}, {days(20), certificate.Valid}, {days(30), certificate.Revoked}} {
		if i >= steps {
			break
		}
		c.Status, c.Version, c.Changed.At = step.status, i+1, step.at
		past = append([]state.Revision[certificate.Certificate]{{At: step.at, Record: c}}, past...)
	}
	return c, past
}

func facts(steps int) certificate.Facts {
	c, past := life(steps)
	a := accreditation()
	return certificate.Facts{Record: &c, Past: past, AtIssue: &a, Now: &a}
}

func TestStatusAtAnyTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		steps  int
		at     time.Time // zero: now
		now    time.Time
		answer certificate.Answer
		reason string
	}{
		{"before the issue", 4, days(-1), days(40), certificate.No, "certificate.not_yet_issued"},
		{"issued, not yet valid", 4, days(0), days(40), certificate.No, "certificate.not_yet_valid"},
		{"first moment", 4, days(1), days(40), certificate.Yes, "certificate.valid"},
		{"last moment before suspension", 4, days(10).Add(-time.Millisecond), days(40), certificate.Yes, "certificate.valid"},
		{"moment of suspension", 4, days(10), days(40), certificate.No, "certificate.suspended"},
		{"suspended then", 4, days(15), days(40), certificate.No, "certificate.suspended"},
		{"reinstated then", 4, days(25), days(40), certificate.Yes, "certificate.valid"},
		{"moment of revocation", 4, days(30), days(40), certificate.No, "certificate.revoked"},
		{"now, revoked", 4, time.Time{}, days(40), certificate.No, "certificate.revoked"},
		{"revoked and over", 4, time.Time{}, days(60), certificate.No, "certificate.revoked"},
		{"revoked, asked about the future", 4, days(45), days(40), certificate.No, "certificate.revoked"},
		{"now, valid", 1, time.Time{}, days(2), certificate.Yes, "certificate.valid"},
		{"last moment", 1, days(50).Add(-time.Millisecond), days(60), certificate.Yes, "certificate.valid"},
		{"over", 1, days(50), days(60), certificate.No, "certificate.expired"},
		{"suspended and over", 2, time.Time{}, days(60), certificate.No, "certificate.expired"},
		{"over in the future", 1, days(51), days(2), certificate.No, "certificate.expired"},
		{"future", 1, days(30), days(2), certificate.Unknown, "certificate.future"},
		{"future, suspended now", 2, days(30), days(12), certificate.Unknown, "certificate.future"},
		{"not yet valid in the future", 1, days(0).Add(time.Hour), days(0), certificate.No, "certificate.not_yet_valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := certificate.Verify{At: c.at}.Judge(facts(c.steps), c.now)
			require.Equal(t, finding{Answer: c.answer, Reason: c.reason}, v.Status)
			require.Equal(t, certificate.Verify{At: c.at}.Moment(c.now), v.At)
		})
	}
}

func TestStatusWithoutHistory(t *testing.T) {
	f := facts(4)
	f.Past = f.Past[:2] // the older part is not there
	v := certificate.Verify{At: days(15)}.Judge(f, days(40))
	require.Equal(t, finding{Answer: certificate.Unknown, Reason: "certificate.no_history"}, v.Status)
}

// A later transaction may claim an earlier time: the ledger's order decides which state came last.
func TestLedgerOrderDecidesOverClaimedTimes(t *testing.T) {
	f := facts(3)
	f.Past[0].At = days(9) // the reinstatement, claimed before the suspension
	f.Record.Changed.At = days(9)
	v := certificate.Verify{At: days(15)}.Judge(f, days(40))
	require.Equal(t, finding{Answer: certificate.Yes, Reason: "certificate.valid"}, v.Status)
}

func TestIntegrity(t *testing.T) {
	for _, c := range []struct {
		name       string
		commitment string
		answer     certificate.Answer
		reason     string
	}{
		{"no document", "", certificate.Unknown, "certificate.no_document"},
		{"altered", "c1", certificate.No, "certificate.altered"},
		{"intact", "c0", certificate.Yes, "certificate.intact"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := certificate.Verify{Commitment: c.commitment}.Judge(facts(4), days(40))
			require.Equal(t, finding{Answer: c.answer, Reason: c.reason}, v.Integrity)
			require.Equal(t, "certificate.revoked", v.Status.Reason, "a finding never colours another")
		})
	}
}

func TestIssuer(t *testing.T) {
	granted := accreditation()
	withdrawn, err := granted.Withdraw(authority, certificate.WithdrawAccreditation{Reason: "duty.moved"}, days(20))
	require.NoError(t, err)
	other := accreditation(func(a *certificate.Accreditation) { a.Agency = stranger.Agency })
	late := accreditation(func(a *certificate.Accreditation) { a.From = days(3) })
	for _, c := range []struct {
		name     string
		at       time.Time
		then, is *certificate.Accreditation
		answer   certificate.Answer
		reason   string
	}{
		{"none on the ledger", days(40), nil, nil, certificate.Unknown, "certificate.accreditation_missing"},
		{"that version not in history", days(40), nil, &withdrawn, certificate.Unknown, "certificate.accreditation_missing"},
		{"another agency's", days(40), &other, &other, certificate.No, "certificate.not_accredited"},
		{"not begun when issued", days(40), &late, &late, certificate.No, "certificate.not_accredited"},
		{"withdrawn before the issue", days(40), &withdrawn, &withdrawn, certificate.No, "certificate.not_accredited"},
		{"withdrawn since", days(40), &granted, &withdrawn, certificate.Yes, "certificate.accreditation_withdrawn_since"},
		{"withdrawn after the time asked about", days(15), &granted, &withdrawn, certificate.Yes, "certificate.accredited"},
		{"over since", days(200), &granted, &granted, certificate.Yes, "certificate.accredited"},
		{"accredited", days(40), &granted, &granted, certificate.Yes, "certificate.accredited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts(1)
			f.AtIssue, f.Now = c.then, c.is
			v := certificate.Verify{At: c.at}.Judge(f, days(300))
			require.Equal(t, finding{Answer: c.answer, Reason: c.reason}, v.Issuer)
		})
	}
}

func TestUnknownCertificate(t *testing.T) {
	v := certificate.Verify{Certificate: "nowhere", Commitment: "c0"}.Judge(certificate.Facts{}, day0)
	nothing := finding{Answer: certificate.Unknown, Reason: "certificate.missing"}
	require.Equal(t, certificate.Verdict{Certificate: "nowhere", At: day0, Integrity: nothing, Status: nothing, Issuer: nothing}, v)
}
