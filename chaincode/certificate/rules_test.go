package certificate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

var (
	day0      = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	authority = access.Caller{MSP: "MarketMSP", Organisation: "market", Agency: "market.regulation", Role: access.Admin}
	issuer    = access.Caller{MSP: "MarketMSP", Organisation: "market", Agency: "market.regulation", Role: access.Agency}
	stranger  = access.Caller{MSP: "PlanningMSP", Organisation: "planning", Agency: "planning.housing", Role: access.Agency}
)

func days(n int) time.Time { return day0.AddDate(0, 0, n) }

// reason is the permanent reason of an error, "" for none.
func reason(err error) string {
	if err == nil {
		return ""
	}
	return fault.From(err).Reason
}

func licence() certificate.Type {
	t := certificate.Type{Code: "business-licence", Authority: authority.Agency, ValidDays: 365}
	t.Status = certificate.Published
	return t
}

func accreditation(change ...func(*certificate.Accreditation)) certificate.Accreditation {
	a := certificate.Accreditation{Type: "business-licence", Agency: issuer.Agency, Authority: authority.Agency, From: days(-10), Until: days(100)}
	a.Status, a.Version = certificate.Granted, 1
	for _, c := range change {
		c(&a)
	}
	return a
}

func TestAccredit(t *testing.T) {
	for _, c := range []struct {
		name   string
		by     access.Caller
		until  time.Time
		reason string
	}{
		{"another agency", stranger, days(1), "access.other_agency"},
		{"another agency, period over", stranger, days(-1), "access.other_agency"},
		{"period over", authority, days(-1), "certificate.accreditation_over"},
		{"period ends now", authority, day0, "certificate.accreditation_over"},
		{"granted", authority, days(1), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := certificate.GrantAccreditation{Type: "business-licence", Agency: "planning.housing", From: days(-5), Until: c.until}
			a, err := licence().Accredit(c.by, r, kernel.At(day0))
			require.Equal(t, c.reason, reason(err))
			if err == nil {
				require.Equal(t, certificate.Granted, a.Status)
				require.Equal(t, "planning.housing", a.Agency)
				require.True(t, a.Live(kernel.At(day0)))
			}
		})
	}
}

func TestWithdrawAccreditation(t *testing.T) {
	withdrawn := accreditation(func(a *certificate.Accreditation) { a.Status = certificate.Withdrawn })
	for _, c := range []struct {
		name   string
		from   certificate.Accreditation
		by     access.Caller
		reason string
	}{
		{"another agency", withdrawn, stranger, "access.other_agency"},
		{"withdrawn before", withdrawn, authority, "certificate.accreditation_withdrawn"},
		{"withdrawn", accreditation(), authority, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := c.from.Withdraw(c.by, certificate.WithdrawAccreditation{Reason: "duty.moved"}, day0)
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				require.Equal(t, c.from, a)
				return
			}
			require.Equal(t, certificate.Withdrawn, a.Status)
			require.Equal(t, day0, *a.WithdrawnAt)
			require.False(t, a.Live(kernel.At(day0)))
		})
	}
}

func TestIssue(t *testing.T) {
	endless := licence()
	endless.ValidDays = 0
	none := certificate.Accreditation{}
	withdrawn := accreditation(func(a *certificate.Accreditation) { a.Status = certificate.Withdrawn })
	future := accreditation(func(a *certificate.Accreditation) { a.From = days(1) })
	over := accreditation(func(a *certificate.Accreditation) { a.Until = day0 })
	another := accreditation(func(a *certificate.Accreditation) { a.Type = "food-licence" })
	for _, c := range []struct {
		name        string
		of          certificate.Type
		by          access.Caller
		under       certificate.Accreditation
		from, until time.Time
		reason      string
	}{
		{"no accreditation", licence(), issuer, none, day0, time.Time{}, "certificate.not_accredited"},
		{"another agency's accreditation", licence(), stranger, accreditation(), day0, days(5), "certificate.not_accredited"},
		{"accreditation for another type", licence(), issuer, another, day0, days(5), "certificate.not_accredited"},
		{"accreditation withdrawn", licence(), issuer, withdrawn, day0, days(5), "certificate.not_accredited"},
		{"accreditation not begun", licence(), issuer, future, day0, days(5), "certificate.not_accredited"},
		{"accreditation over", licence(), issuer, over, day0, days(5), "certificate.not_accredited"},
		{"no end where the type has one", licence(), issuer, accreditation(), day0, time.Time{}, "certificate.end_required"},
		{"too long", licence(), issuer, accreditation(), day0, days(365).Add(time.Millisecond), "certificate.validity_too_long"},
		{"too long and over", licence(), issuer, accreditation(), days(-400), days(-1), "certificate.validity_too_long"},
		{"over", licence(), issuer, accreditation(), days(-5), days(-1), "certificate.already_expired"},
		{"ends now", endless, issuer, accreditation(), days(-5), day0, "certificate.already_expired"},
		{"as long as may be", licence(), issuer, accreditation(), day0, days(365), ""},
		{"without end", endless, issuer, accreditation(), day0, time.Time{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := certificate.Issue{Type: c.of.Code, Subject: "subject", Commitment: "c0", From: c.from, Until: c.until}
			c.under.ValidDays = c.of.ValidDays // as Accredit has it
			made, err := c.under.Issue(c.by, r, kernel.At(day0))
			require.Equal(t, c.reason, reason(err))
			if err == nil {
				require.Equal(t, certificate.Valid, made.Status)
				require.Equal(t, c.by.Agency, made.Issuer)
				require.Equal(t, 1, made.Accreditation)
			}
		})
	}
}

func TestChanges(t *testing.T) {
	suspend := func(c certificate.Certificate, by access.Caller) (certificate.Certificate, error) {
		return c.Suspend(by, certificate.Change{Reason: "under_review"})
	}
	reinstate := func(c certificate.Certificate, by access.Caller) (certificate.Certificate, error) {
		return c.Reinstate(by, certificate.Change{Reason: "under_review"})
	}
	revoke := func(c certificate.Certificate, by access.Caller) (certificate.Certificate, error) {
		return c.Revoke(by, certificate.Change{Reason: "ceased"}, day0)
	}
	for _, c := range []struct {
		name   string
		from   string
		apply  func(certificate.Certificate, access.Caller) (certificate.Certificate, error)
		by     access.Caller
		to     string
		reason string
	}{
		{"suspend: another agency", certificate.Revoked, suspend, stranger, "", "access.other_agency"},
		{"suspend: revoked", certificate.Revoked, suspend, issuer, "", "certificate.already_revoked"},
		{"suspend: suspended", certificate.Suspended, suspend, issuer, "", "certificate.already_suspended"},
		{"suspend: valid", certificate.Valid, suspend, issuer, certificate.Suspended, ""},
		{"reinstate: another agency", certificate.Revoked, reinstate, stranger, "", "access.other_agency"},
		{"reinstate: revoked", certificate.Revoked, reinstate, issuer, "", "certificate.already_revoked"},
		{"reinstate: valid", certificate.Valid, reinstate, issuer, "", "certificate.not_suspended"},
		{"reinstate: suspended", certificate.Suspended, reinstate, issuer, certificate.Valid, ""},
		{"revoke: another agency", certificate.Revoked, revoke, stranger, "", "access.other_agency"},
		{"revoke: revoked", certificate.Revoked, revoke, issuer, "", "certificate.already_revoked"},
		{"revoke: suspended", certificate.Suspended, revoke, issuer, certificate.Revoked, ""},
		{"revoke: valid", certificate.Valid, revoke, issuer, certificate.Revoked, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := certificate.Certificate{Issuer: issuer.Agency}
			before.Status = c.from
			after, err := c.apply(before, c.by)
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				require.Equal(t, before, after)
				return
			}
			require.Equal(t, c.to, after.Status)
			require.NotEmpty(t, after.Reason)
			require.Equal(t, c.to == certificate.Revoked, after.RevokedAt != nil)
		})
	}
}

func TestPublish(t *testing.T) {
	r := certificate.PublishType{Code: "business-licence", Name: exchange.Text{Zh: "营业执照", En: "Business licence"}, ValidDays: 10}
	made := r.Type(authority)
	require.Equal(t, certificate.Published, made.Status)
	require.Equal(t, authority.Agency, made.Authority)
	require.Equal(t, 10, made.ValidDays)
}
