package certificate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

const (
	anID   = "0123456789abcdefghjkmnpqrs"
	person = "k7q2m9x4v8w1z5t3n6p0aaaaaa"
)

// with gives a copy of a request with one thing changed.
func with[T any](request T, change func(*T)) T {
	change(&request)
	return request
}

func TestForm(t *testing.T) {
	type (
		publish  = certificate.PublishType
		accredit = certificate.GrantAccreditation
		withdraw = certificate.WithdrawAccreditation
		issue    = certificate.Issue
		change   = certificate.Change
		verify   = certificate.Verify
	)
	text := exchange.Text{Zh: "名称", En: "Name"}
	p := publish{Code: "business-licence", Name: text, Fields: []exchange.FieldSpec{{Name: "trade_name", Title: text, Type: "string"}}, ValidDays: 10}
	g := accredit{Type: "business-licence", Agency: "market.regulation", From: day0, Until: days(1)}
	w := withdraw{Type: "business-licence", Agency: "market.regulation", Reason: "duty.moved"}
	i := issue{Type: "business-licence", Subject: person, Case: anID, Commitment: strings.Repeat("a", 64), From: day0, Until: days(1)}
	c := change{Certificate: anID, Reason: "ceased"}
	v := verify{Certificate: anID, Commitment: strings.Repeat("a", 64), At: day0}
	beijing := day0.In(time.FixedZone("", 8*3600))
	for _, r := range []struct {
		name    string
		request interface{ Validate() error }
		field   string
		rule    string // how it begins
	}{
		{"publish", p, "", ""},
		{"publish: without end", with(p, func(r *publish) { r.ValidDays = 0 }), "", ""},
		{"publish: code", with(p, func(r *publish) { r.Code = "Business" }), "code", "pattern"},
		{"publish: name", with(p, func(r *publish) { r.Name.Zh = "" }), "name.zh", "required"},
		{"publish: no fields", with(p, func(r *publish) { r.Fields = nil }), "fields", "length"},
		{"publish: days", with(p, func(r *publish) { r.ValidDays = -1 }), "valid_days", "between:0,36600"},
		{"publish: more than a century", with(p, func(r *publish) { r.ValidDays = 36601 }), "valid_days", "between:0,36600"},
		{"accredit", g, "", ""},
		{"accredit: type", with(g, func(r *accredit) { r.Type = "" }), "type", "required"},
		{"accredit: agency", with(g, func(r *accredit) { r.Agency = "regulation" }), "agency", "pattern"},
		{"accredit: no end", with(g, func(r *accredit) { r.Until = time.Time{} }), "valid_until", "required"},
		{"accredit: backwards", with(g, func(r *accredit) { r.Until = day0 }), "valid_until", "after:valid_from"},
		{"withdraw", w, "", ""},
		{"withdraw: no reason", with(w, func(r *withdraw) { r.Reason = "" }), "reason", "required"},
		{"withdraw: free text", with(w, func(r *withdraw) { r.Reason = "They moved" }), "reason", "pattern"},
		{"issue", i, "", ""},
		{"issue: without end, of no case", with(i, func(r *issue) { r.Until, r.Case = time.Time{}, "" }), "", ""},
		{"issue: identity number", with(i, func(r *issue) { r.Subject = "11010519491231002X" }), "subject", "pattern"},
		{"issue: case", with(i, func(r *issue) { r.Case = "1" }), "case", "pattern"},
		{"issue: commitment", with(i, func(r *issue) { r.Commitment = "A" }), "commitment", "pattern"},
		{"issue: no beginning", with(i, func(r *issue) { r.From = time.Time{} }), "valid_from", "required"},
		{"issue: local time", with(i, func(r *issue) { r.From = beijing }), "valid_from", "utc_milliseconds"},
		{"issue: nanoseconds", with(i, func(r *issue) { r.Until = r.Until.Add(1) }), "valid_until", "utc_milliseconds"},
		{"issue: year", with(i, func(r *issue) { r.Until = days(400000) }), "valid_until", "years:1949,2999"},
		{"change", c, "", ""},
		{"change: certificate", with(c, func(r *change) { r.Certificate = "" }), "certificate", "required"},
		{"change: no reason", with(c, func(r *change) { r.Reason = "" }), "reason", "required"},
		{"change: reason", with(c, func(r *change) { r.Reason = "because" }), "reason", "one_of:key_compromise,"},
		{"verify", v, "", ""},
		{"verify: the least", verify{Certificate: anID}, "", ""},
		{"verify: certificate", with(v, func(r *verify) { r.Certificate = "x" }), "certificate", "pattern"},
		{"verify: commitment", with(v, func(r *verify) { r.Commitment = "x" }), "commitment", "pattern"},
		{"verify: local time", with(v, func(r *verify) { r.At = beijing }), "at", "utc_milliseconds"},
	} {
		t.Run(r.name, func(t *testing.T) {
			err := r.request.Validate()
			if r.field == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			f := fault.From(err)
			require.Equal(t, []any{fault.Invalid, r.field}, []any{f.Kind, f.Field})
			require.Truef(t, strings.HasPrefix(f.Rule, r.rule), "got %q", f.Rule)
			require.NotEmpty(t, f.Detail)
		})
	}
}
