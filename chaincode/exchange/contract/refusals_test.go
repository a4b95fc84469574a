package contract_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

const nowhere = "00000000000000000000000000" // the id of no record

// A use sent straight to a peer, spoilt in one member: the fault names the member and the rule, and nothing changes.
func TestSpoiltUses(t *testing.T) {
	c := newCity(t).prepare()
	raw, err := json.Marshal(c.use())
	require.NoError(t, err)
	var plain map[string]any
	require.NoError(t, json.Unmarshal(raw, &plain))
	for _, line := range []struct {
		name, member string
		value        any // nil: left out
		reason       string
		field, rule  string
	}{
		{"unknown member", "name", "x", "request.invalid", "request.name", "unknown_field"},
		{"wrong type", "fields", "address", "request.invalid", "request.fields", "type:array"},
		{"purpose left out", "purpose", nil, "request.invalid", "request.purpose", "required"},
		{"purpose empty", "purpose", "", "request.invalid", "request.purpose", "required"},
		{"legal basis empty", "legal_basis", "", "request.invalid", "request.legal_basis", "required"},
		{"case empty", "case", "", "request.invalid", "request.case", "required"},
		{"oversized", "legal_basis", strings.Repeat("x", kernel.MaxRequestBytes), "request.too_large", "request", "max_bytes:49152"},
		{"no such subject", "subject", "subject-of-the-tests-carol", "subject.missing", "request.subject", "exists"},
		{"no such dataset", "dataset", housing + "/plans", "dataset.missing", "request.dataset", "exists"},
		{"no such grant", "grant", nowhere, "grant.missing", "request.grant", "exists"},
		{"no such consent", "consent", nowhere, "consent.missing", "request.consent", "exists"},
		{"no such case", "case", nowhere, "case.missing", "request.case", "exists"},
		{"case of another subject", "subject", bob, "exchange.case_mismatch", "request.case", "of:subject"},
		{"purpose not granted", "purpose", "research", "exchange.purpose_not_granted", "request.purpose", "within:grant.purposes"},
		{"purpose not consented", "purpose", "business.start", "exchange.consent_mismatch", "request.purpose", "equals:consent.purpose"},
		{"field not granted", "fields", []string{"owner"}, "exchange.field_not_granted", "request.fields", "subset:grant.fields"},
	} {
		t.Run(line.name, func(t *testing.T) {
			spoilt := maps.Clone(plain)
			if spoilt[line.member] = line.value; line.value == nil {
				delete(spoilt, line.member)
			}
			got := c.refused(line.reason, tax, access.Agency, exchange.UseRequest, spoilt)
			require.Equal(t, line.field, got.Field)
			require.Equal(t, line.rule, got.Rule)
		})
	}
	require.Zero(t, read[exchange.Log](c, "log:Get", alice).Count)
	require.ErrorIs(t, c.As(office, access.Auditor).Query("tally:Get", kernel.ByID{ID: c.consent}, nil), fault.New(fault.Missing, "tally.missing", ""))
	c.do(tax, access.Agency, exchange.UseRequest, plain) // and unspoilt it passes
}

func TestWhatAUseRestsOn(t *testing.T) {
	for _, line := range []struct {
		name   string
		change func(*city)
		reason string
	}{
		{"consent revoked", func(c *city) { c.do(hall, access.Portal, exchange.ConsentRevoke, revocation(c.consent, keys[alice])) }, "exchange.consent_revoked"},
		{"consent expired", func(c *city) { c.Advance(10 * day) }, "exchange.consent_expired"},
		{"grant expired", func(c *city) { c.Advance(30 * day) }, "exchange.grant_expired"},
		{"grant withdrawn", func(c *city) {
			c.do(housing, access.Admin, exchange.GrantWithdraw, exchange.WithdrawGrant{Grant: c.grant, Reason: "misuse"})
		}, "exchange.grant_withdrawn"},
		{"grant suspended", func(c *city) {
			c.do(housing, access.Admin, exchange.GrantSuspend, exchange.SuspendGrant{Grant: c.grant, Reason: "inquiry"})
		}, "exchange.grant_suspended"},
		{"field taken out of the grant", func(c *city) { c.amend(func(t *exchange.Terms) { t.Fields = []string{"area"} }) }, "exchange.field_not_granted"},
		{"purpose taken out of the grant", func(c *city) { c.amend(func(t *exchange.Terms) { t.Purposes = []string{"business.start"} }) }, "exchange.purpose_not_granted"},
		{"dataset withdrawn", func(c *city) {
			c.do(housing, access.Admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: dataset, Reason: "replaced"})
		}, "exchange.dataset_withdrawn"},
	} {
		t.Run(line.name, func(t *testing.T) {
			c := newCity(t).prepare()
			requested := c.do(tax, access.Agency, exchange.UseRequest, c.use())
			line.change(c)
			c.refused(line.reason, tax, access.Agency, exchange.UseRequest, c.use())
			reason := line.reason
			if strings.HasSuffix(reason, "_expired") {
				reason = "exchange.delivery_late" // the time to deliver is over sooner
			}
			got := c.refused(reason, housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: requested, Commitment: hashB})
			require.Equal(t, "request.use", got.Field)
		})
	}
	t.Run("suspended and resumed", func(t *testing.T) {
		c := newCity(t).prepare()
		requested := c.do(tax, access.Agency, exchange.UseRequest, c.use())
		c.do(housing, access.Admin, exchange.GrantSuspend, exchange.SuspendGrant{Grant: c.grant, Reason: "inquiry"})
		c.do(housing, access.Admin, exchange.GrantResume, exchange.ResumeGrant{Grant: c.grant, Reason: "cleared"})
		c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: requested, Commitment: hashB})
		c.do(tax, access.Agency, exchange.UseRequest, c.use())
		require.Len(t, read[[]any](c, "grant:History", c.grant), 4, "requested, granted, suspended, resumed")
	})
	t.Run("case closed", func(t *testing.T) {
		c := newCity(t).prepare()
		requested := c.do(tax, access.Agency, exchange.UseRequest, c.use())
		c.do(hall, access.Portal, "case:Close", caseRef{c.matter})
		c.refused("exchange.case_closed", tax, access.Agency, exchange.UseRequest, c.use())
		c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: requested, Commitment: hashB}) // asked for in time
	})
}

func TestForgedSignatures(t *testing.T) {
	c := newCity(t).prepare()
	forged := exchange.GiveConsent{JWS: sign(keys[bob], exchange.ConsentKind, c.consentTerms())}
	for _, submitter := range []access.Role{access.Portal, access.Agency} {
		got := c.refused("signature.forged", hall, submitter, exchange.ConsentGive, forged)
		require.Equal(t, "request.jws", got.Field)
		require.Equal(t, "signed_by_subject", got.Rule)
		c.refused("signature.forged", hall, submitter, exchange.ConsentRevoke, revocation(c.consent, keys[bob]))
	}
	other := c.consentTerms()
	other.Channel = "harbour"
	c.refused("exchange.channel_mismatch", hall, access.Portal, exchange.ConsentGive, consentTo(other))
	c.refused("signature.kind", hall, access.Portal, exchange.ConsentRevoke, exchange.RevokeConsent{
		Consent: c.consent, JWS: read[exchange.Consent](c, "consent:Get", c.consent).JWS})
	require.Equal(t, exchange.Given, read[exchange.Consent](c, "consent:Get", c.consent).Status)
}

func TestConsentIsWhatWasSigned(t *testing.T) {
	c := newCity(t).prepare()
	terms := c.consentTerms()
	id, err := terms.ID()
	require.NoError(t, err)
	first := consentTo(terms)
	require.Equal(t, id, c.do(hall, access.Portal, exchange.ConsentGive, first), "the id is known beforehand")

	receipt, err := c.try(hall, access.Portal, exchange.ConsentGive, first)
	require.NoError(t, err)
	require.True(t, receipt.Replayed, "under another idempotency key too")
	got := c.refused("consent.conflict", tax, access.Agency, exchange.ConsentGive, first)
	require.Equal(t, fault.Conflict, got.Kind)
	c.refused("consent.conflict", hall, access.Portal, exchange.ConsentGive, consentTo(terms)) // signed anew

	c.do(hall, access.Portal, exchange.ConsentRevoke, revocation(id, keys[alice]))
	c.refused("exchange.consent_revoked", hall, access.Portal, exchange.ConsentRevoke, revocation(id, keys[alice]))
	c.refused("consent.missing", hall, access.Portal, exchange.ConsentRevoke, revocation(nowhere, keys[alice]))
}

func TestSubjectsRegisterOnce(t *testing.T) {
	c := newCity(t).register()
	got := c.refused("subject.conflict", police, access.Agency, exchange.SubjectRegister, proof(alice, newKey()))
	require.Contains(t, got.Detail, "second registration is not possible")
	c.refused("exchange.not_identity_agency", tax, access.Agency, exchange.SubjectRegister, proof("subject-of-the-tests-carol", newKey()))
	c.refused("exchange.agency_unregistered", "market.customs", access.Agency, exchange.SubjectRegister, proof("subject-of-the-tests-carol", newKey()))

	var key signed.Key
	err := c.As(office, access.Auditor).Query(exchange.SubjectKey, exchange.KeyOf{Subject: "subject-of-the-tests-carol"}, &key)
	require.ErrorIs(t, err, fault.New(fault.Missing, "subject.missing", ""))
}

func TestAgenciesRegisterFirst(t *testing.T) {
	c := newCity(t).prepare()
	got := c.refused("exchange.agency_unregistered", "market.customs", access.Admin, exchange.DatasetPublish, publication())
	require.Equal(t, "creator.agency", got.Field)
	c.refused("exchange.agency_unregistered", "market.customs", access.Admin, exchange.GrantRequest,
		exchange.RequestGrant{Dataset: dataset, Terms: c.terms(), Basis: "Customs Law 3"})

	other := registration(tax)
	other.Gateway = "https://elsewhere.example"
	got = c.refused("agency.conflict", tax, access.Admin, exchange.AgencyRegister, other)
	require.Contains(t, got.Detail, exchange.AgencyUpdate)
	c.do(tax, access.Admin, exchange.AgencyUpdate, exchange.UpdateAgency{Agency: tax, Name: title, ExchangeKey: other.ExchangeKey, Gateway: other.Gateway})
	require.Equal(t, other.Gateway, read[exchange.Agency](c, "agency:Get", tax).Gateway)
}

func TestIdempotency(t *testing.T) {
	c := newCity(t).prepare()
	client, request := c.As(tax, access.Agency), c.use()
	first, err := client.Submit(exchange.UseRequest, "the-key", request)
	require.NoError(t, err)
	again, err := client.Submit(exchange.UseRequest, "the-key", request)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, 1, read[exchange.Log](c, "log:Get", alice).Count, "counted once")
	require.Equal(t, kernel.ID(tax, exchange.UseRequest, "the-key"), first.ID)

	request.Fields = []string{"area"}
	_, err = client.Submit(exchange.UseRequest, "the-key", request)
	require.ErrorIs(t, err, fault.New(fault.Conflict, "use.conflict", ""))

	deliver := exchange.DeliverUse{Use: first.ID, Commitment: hashB}
	_, err = c.As(housing, access.Agency).Submit(exchange.UseDeliver, "the-key", deliver)
	require.NoError(t, err)
	again, err = c.As(housing, access.Agency).Submit(exchange.UseDeliver, "the-key", deliver)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	c.refused("exchange.already_delivered", housing, access.Agency, exchange.UseDeliver, deliver)
}

func TestLists(t *testing.T) {
	c := newCity(t).prepare()
	var page struct {
		Items []exchange.Dataset `json:"items"`
	}
	require.NoError(t, c.As(office, access.Auditor).Query("dataset:List", kernel.Listing{Under: housing}, &page))
	require.Len(t, page.Items, 1)
	require.Equal(t, dataset, page.Items[0].ID)
	require.NoError(t, c.As(office, access.Auditor).Query("dataset:List", kernel.Listing{Under: tax}, &page))
	require.Empty(t, page.Items)
	require.Len(t, read[[]any](c, "agency:History", police), 2, "registered, assigned")
}
