package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// form is a line of a request's table: one member changed, and the field and rule that the fault must name.
type form[R any] struct {
	change      func(*R)
	field, rule string
}

func checkForm[R kernel.Validator](t *testing.T, fresh func() R, forms []form[R]) {
	t.Helper()
	require.NoError(t, fresh().Validate(), "nothing is wrong")
	for i, f := range forms {
		request := fresh()
		f.change(&request)
		err := request.Validate()
		require.Error(t, err, "line %d: %s %s", i, f.field, f.rule)
		got := fault.From(err)
		require.Equal(t, f.field, got.Field, "line %d", i)
		require.Equal(t, f.rule, strings.SplitN(got.Rule, ":^", 2)[0], "line %d: %s", i, f.field)
		require.NotEmpty(t, got.Detail)
	}
}

func TestAgencyForms(t *testing.T) {
	type register = exchange.RegisterAgency
	checkForm(t, func() register {
		return register{Code: "tax", Name: title, ExchangeKey: public(keys[alice]), Gateway: "https://gateway.example:7443"}
	}, []form[register]{
		{func(r *register) { r.Code = "" }, "code", "required"},
		{func(r *register) { r.Code = "Tax" }, "code", "pattern"},
		{func(r *register) { r.Name.Zh = "" }, "name.zh", "required"},
		{func(r *register) { r.Name.En = "" }, "name.en", "required"},
		{func(r *register) { r.Name.Zh = strings.Repeat("名", exchange.MaxNameLength+1) }, "name.zh", "max_length:100"},
		{func(r *register) { r.Name.En = "a\nb" }, "name.en", "printable"},
		{func(r *register) { r.Name.En = "of 110101199003071234" }, "name.en", "max_digits:8"},
		{func(r *register) { r.ExchangeKey = signed.Key{} }, "exchange_key", "required"},
		{func(r *register) { r.ExchangeKey.Crv = "P-384" }, "exchange_key.crv", "equals:P-256"},
		{func(r *register) { r.ExchangeKey.X = r.ExchangeKey.Y }, "exchange_key.x", "on_curve"},
		{func(r *register) { r.Gateway = "" }, "gateway", "required"},
		{func(r *register) { r.Gateway = "http://gateway.example" }, "gateway", "https_origin"},
		{func(r *register) { r.Gateway = "https://" }, "gateway", "https_origin"},
		{func(r *register) { r.Gateway = "https://user@gateway.example" }, "gateway", "https_origin"},
		{func(r *register) { r.Gateway = "https://gateway.example/v1" }, "gateway", "https_origin"},
		{func(r *register) { r.Gateway = "https://" + strings.Repeat("a", exchange.MaxGatewayLength) }, "gateway", "max_length:200"},
	})
	type update = exchange.UpdateAgency
	checkForm(t, func() update {
		return update{Agency: tax, Name: title, ExchangeKey: public(keys[alice]), Gateway: "https://gateway.example:7443"}
	}, []form[update]{
		{func(r *update) { r.Agency = "tax" }, "agency", "pattern"},
		{func(r *update) { r.Name.En = "" }, "name.en", "required"},
		{func(r *update) { r.ExchangeKey.Kty = "" }, "exchange_key.kty", "equals:EC"},
		{func(r *update) { r.Gateway = "gateway" }, "gateway", "https_origin"},
	})
	type assign = exchange.AssignDuties
	checkForm(t, func() assign { return assign{police, []string{exchange.DutyIdentity, exchange.DutyPortal}} }, []form[assign]{
		{func(r *assign) { r.Agency = "" }, "agency", "required"},
		{func(r *assign) { r.Duties = nil }, "duties", "required"},
		{func(r *assign) { r.Duties = []string{"king"} }, "duties[0]", "one_of:[identity portal]"},
		{func(r *assign) { r.Duties = []string{exchange.DutyPortal, exchange.DutyIdentity} }, "duties[1]", "sorted_unique"},
		{func(r *assign) { r.Duties = append(r.Duties, "portal") }, "duties", "length:0,2"},
	})
}

func TestDatasetForms(t *testing.T) {
	type publish = exchange.PublishDataset
	checkForm(t, func() publish {
		d := premises()
		return publish{Code: d.Code, Content: d.Content}
	}, []form[publish]{
		{func(r *publish) { r.Code = "" }, "code", "required"},
		{func(r *publish) { r.Code = "pre mises" }, "code", "pattern"},
		{func(r *publish) { r.Code = strings.Repeat("a", exchange.MaxCodeLength+1) }, "code", "max_length:64"},
		{func(r *publish) { r.Code = "a110101199003071234" }, "code", "max_digits:8"},
		{func(r *publish) { r.Name.Zh = "" }, "name.zh", "required"},
		{func(r *publish) { r.Classification = "" }, "classification", "required"},
		{func(r *publish) { r.Classification = "secret" }, "classification", "one_of:[open shared conditional restricted]"},
		{func(r *publish) { r.Fields = nil }, "fields", "length:1,128"},
		{func(r *publish) { r.Fields = make([]exchange.FieldSpec, exchange.MaxDatasetFields+1) }, "fields", "length:1,128"},
		{func(r *publish) { r.Fields[1].Name = "Area" }, "fields[1].name", "pattern"},
		{func(r *publish) { r.Fields[1].Name = "address" }, "fields[1].name", "unique"},
		{func(r *publish) { r.Fields[2].Title.En = "" }, "fields[2].title.en", "required"},
		{func(r *publish) { r.Fields[0].Type = "float" }, "fields[0].type", "one_of:[string integer boolean date file]"},
		{func(r *publish) { r.Selector = nil }, "selector", "length:1,8"},
		{func(r *publish) { r.Selector = []string{"rent"} }, "selector[0]", "one_of:fields"},
		{func(r *publish) { r.Selector = []string{"area", "area"} }, "selector[1]", "unique"},
	})
	type withdraw = exchange.WithdrawDataset
	checkForm(t, func() withdraw { return withdraw{housing + "/premises", "replaced"} }, []form[withdraw]{
		{func(r *withdraw) { r.Dataset = "premises" }, "dataset", "pattern"},
		{func(r *withdraw) { r.Dataset = housing + "/" + strings.Repeat("a", 128) }, "dataset", "max_length:128"},
		{func(r *withdraw) { r.Reason = "" }, "reason", "required"},
		{func(r *withdraw) { r.Reason = "Because the owner asked" }, "reason", "pattern"},
	})
}

func TestGrantForms(t *testing.T) {
	type request = exchange.RequestGrant
	many := make([]string, exchange.MaxPurposes+1)
	for i := range many {
		many[i] = fmt.Sprintf("purpose.%02d", i)
	}
	checkForm(t, func() request {
		return request{Dataset: housing + "/premises", Terms: terms(), Basis: "Tax Law 12"}
	}, []form[request]{
		{func(r *request) { r.Dataset = "" }, "dataset", "required"},
		{func(r *request) { r.Terms.Purposes = nil }, "terms.purposes", "length:1,32"},
		{func(r *request) { r.Terms.Purposes = many }, "terms.purposes", "length:1,32"},
		{func(r *request) { r.Terms.Purposes = []string{""} }, "terms.purposes[0]", "required"},
		{func(r *request) { r.Terms.Purposes = []string{"b", "a"} }, "terms.purposes[1]", "sorted_unique"},
		{func(r *request) { r.Terms.Fields = nil }, "terms.fields", "length:1,128"},
		{func(r *request) { r.Terms.Fields = []string{"area", "area"} }, "terms.fields[1]", "sorted_unique"},
		{func(r *request) { r.Terms.ValidFrom = time.Time{} }, "terms.valid_from", "required"},
		{func(r *request) { r.Terms.ValidFrom = now.In(time.FixedZone("", 8*3600)) }, "terms.valid_from", "utc_milliseconds"},
		{func(r *request) { r.Terms.ValidUntil = now.Add(time.Microsecond) }, "terms.valid_until", "utc_milliseconds"},
		{func(r *request) { r.Terms.ValidUntil = r.Terms.ValidFrom }, "terms.valid_until", "after:valid_from"},
		{func(r *request) {
			r.Terms.ValidUntil = r.Terms.ValidFrom.Add(exchange.MaxGrantPeriod + time.Millisecond)
		}, "terms.valid_until", "max_days:1830"},
		{func(r *request) { r.Basis = "" }, "legal_basis", "required"},
		{func(r *request) { r.Basis = strings.Repeat("x", exchange.MaxLegalBasis+1) }, "legal_basis", "max_length:200"},
	})
	type grant = exchange.GrantAccess
	checkForm(t, func() grant { return grant{grantID, terms()} }, []form[grant]{
		{func(r *grant) { r.Grant = "" }, "grant", "required"},
		{func(r *grant) { r.Grant = "110101199003071234" }, "grant", "pattern"},
		{func(r *grant) { r.Terms.Fields = nil }, "terms.fields", "length:1,128"},
	})
	type deny = exchange.DenyAccess
	checkForm(t, func() deny { return deny{grantID, "not_needed"} }, []form[deny]{
		{func(r *deny) { r.Grant = "" }, "grant", "required"},
		{func(r *deny) { r.Reason = "" }, "reason", "required"},
	})
	type amend = exchange.AmendGrant
	checkForm(t, func() amend { return amend{grantID, terms(), "misuse"} }, []form[amend]{
		{func(r *amend) { r.Grant = "x" }, "grant", "pattern"},
		{func(r *amend) { r.Terms.Quota.Uses = 0 }, "terms.quota.uses", "between:1,100000"},
		{func(r *amend) { r.Reason = "" }, "reason", "required"},
	})
	type suspend = exchange.SuspendGrant
	checkForm(t, func() suspend { return suspend{grantID, "inquiry"} }, []form[suspend]{
		{func(r *suspend) { r.Grant = "" }, "grant", "required"},
		{func(r *suspend) { r.Reason = "" }, "reason", "required"},
	})
	type resume = exchange.ResumeGrant
	checkForm(t, func() resume { return resume{grantID, "cleared"} }, []form[resume]{
		{func(r *resume) { r.Grant = "" }, "grant", "required"},
		{func(r *resume) { r.Reason = "" }, "reason", "required"},
	})
	type withdraw = exchange.WithdrawGrant
	checkForm(t, func() withdraw { return withdraw{grantID, "misuse"} }, []form[withdraw]{
		{func(r *withdraw) { r.Grant = "x" }, "grant", "pattern"},
		{func(r *withdraw) { r.Reason = "?" }, "reason", "pattern"},
	})
}

func TestSubjectForms(t *testing.T) {
	type register = exchange.RegisterSubject
	checkForm(t, func() register {
		return register{alice, public(keys[alice]), sign(keys[alice], exchange.RegistrationKind, exchange.Registration{Channel: channel})}
	}, []form[register]{
		{func(r *register) { r.Pseudonym = "" }, "pseudonym", "required"},
		{func(r *register) { r.Pseudonym = "110101199003071234" }, "pseudonym", "pattern"},
		{func(r *register) { r.SigningKey = signed.Key{} }, "signing_key", "required"},
		{func(r *register) { r.Proof = "" }, "proof", "required"},
		{func(r *register) { r.Proof = "a.b" }, "proof", "compact_jws"},
		{func(r *register) { r.Proof = sign(keys[alice], exchange.ConsentKind, exchange.Registration{}) }, "proof.typ", "equals:" + exchange.RegistrationKind},
		{func(r *register) {
			r.Proof = sign(keys[alice], exchange.RegistrationKind, map[string]string{"name": "x"})
		}, "proof.name", "unknown_field"},
	})
	checkForm(t, func() exchange.KeyOf { return exchange.KeyOf{Subject: alice} }, []form[exchange.KeyOf]{
		{func(r *exchange.KeyOf) { r.Subject = "alice" }, "subject", "pattern"},
	})
}

func TestConsentForms(t *testing.T) {
	type terms = exchange.ConsentTerms
	lines := []form[terms]{
		{func(c *terms) { c.Channel = "" }, "channel", "required"},
		{func(c *terms) { c.Subject = "x" }, "subject", "pattern"},
		{func(c *terms) { c.Dataset = "" }, "dataset", "required"},
		{func(c *terms) { c.Fields = nil }, "fields", "length:1,128"},
		{func(c *terms) { c.Fields = []string{"b", "a"} }, "fields[1]", "sorted_unique"},
		{func(c *terms) { c.Consumer = "tax" }, "consumer", "pattern"},
		{func(c *terms) { c.Purpose = "" }, "purpose", "required"},
		{func(c *terms) { c.Case = "" }, "case", "required"},
		{func(c *terms) { c.MaxUses = 0 }, "max_uses", "between:1,100"},
		{func(c *terms) { c.MaxUses = exchange.MaxConsentUses + 1 }, "max_uses", "between:1,100"},
		{func(c *terms) { c.From = time.Time{} }, "valid_from", "required"},
		{func(c *terms) { c.Until = c.From }, "valid_until", "after:valid_from"},
		{func(c *terms) { c.Until = c.From.Add(exchange.MaxConsentPeriod + time.Second) }, "valid_until", "max_days:366"},
		{func(c *terms) { c.Nonce = "short" }, "nonce", "pattern"},
	}
	checkForm(t, consentTerms, lines)

	type give = exchange.GiveConsent
	gives := []form[give]{
		{func(r *give) { r.JWS = "" }, "jws", "required"},
		{func(r *give) { r.JWS = strings.Repeat("x", signed.MaxBytes+1) }, "jws", "max_bytes:16384"},
		{func(r *give) { r.JWS = sign(keys[alice], exchange.RevocationKind, consentTerms()) }, "jws.typ", "equals:" + exchange.ConsentKind},
	}
	for _, line := range lines { // what is wrong in the terms is wrong in the request
		wrong := consentTerms()
		line.change(&wrong)
		gives = append(gives, form[give]{func(r *give) { r.JWS = sign(keys[alice], exchange.ConsentKind, wrong) }, "jws." + line.field, line.rule})
	}
	checkForm(t, func() give { return give{sign(keys[alice], exchange.ConsentKind, consentTerms())} }, gives)

	type revoke = exchange.RevokeConsent
	checkForm(t, func() revoke {
		return revoke{otherID, sign(keys[alice], exchange.RevocationKind, exchange.Revocation{})}
	}, []form[revoke]{
		{func(r *revoke) { r.Consent = "" }, "consent", "required"},
		{func(r *revoke) { r.JWS = "" }, "jws", "required"},
		{func(r *revoke) { r.JWS = sign(keys[alice], exchange.ConsentKind, exchange.Revocation{}) }, "jws.typ", "equals:" + exchange.RevocationKind},
	})
}

func TestUseForms(t *testing.T) {
	type request = exchange.RequestUse
	checkForm(t, useRequest, []form[request]{
		{func(r *request) { r.Subject = "" }, "subject", "required"},
		{func(r *request) { r.Dataset = "" }, "dataset", "required"},
		{func(r *request) { r.Fields = []string{} }, "fields", "length:1,128"},
		{func(r *request) { r.Fields = []string{"area", "address"} }, "fields[1]", "sorted_unique"},
		{func(r *request) { r.Purpose = "" }, "purpose", "required"},
		{func(r *request) { r.LegalBasis = "" }, "legal_basis", "required"},
		{func(r *request) { r.Case = "" }, "case", "required"},
		{func(r *request) { r.Grant = "" }, "grant", "required"},
		{func(r *request) { r.Consent = "x" }, "consent", "pattern"},
		{func(r *request) { r.Selector = "" }, "selector", "required"},
		{func(r *request) { r.Selector = strings.ToUpper(hashA) }, "selector", "pattern"},
	})
	unconsented := useRequest()
	unconsented.Consent = ""
	require.NoError(t, unconsented.Validate(), "a consent is not always asked for")

	type deliver = exchange.DeliverUse
	checkForm(t, func() deliver { return deliver{Use: useID, Commitment: hashA} }, []form[deliver]{
		{func(r *deliver) { r.Use = "" }, "use", "required"},
		{func(r *deliver) { r.Commitment = "" }, "commitment", "required"},
		{func(r *deliver) { r.Commitment = hashA[1:] }, "commitment", "pattern"},
	})
	type acknowledge = exchange.AcknowledgeUse
	checkForm(t, func() acknowledge { return acknowledge{useID, hashA} }, []form[acknowledge]{
		{func(r *acknowledge) { r.Use = "x" }, "use", "pattern"},
		{func(r *acknowledge) { r.Commitment = "" }, "commitment", "required"},
	})
}
