package contract_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// allowToDelay gives tax a grant on which it may seal, for ninety days.
func (c *city) allowToDelay() (grant string) {
	terms := c.terms()
	terms.ConsentRequired, terms.DelayDays = false, 90
	grant = c.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: dataset, Terms: terms, Basis: "Tax Law 12"})
	c.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: grant, Terms: terms})
	return grant
}

// secret is what a sealed use of the tests is about; inquiry and lawful are in no other record.
const (
	inquiry = "Inquiry into a matter"
	lawful  = "Inquiries Act 9"
)

func secret(grant string) exchange.Details {
	return exchange.Details{
		Consumer: tax, Dataset: dataset, Fields: []string{"address", "area"}, Purpose: "tax.check", LegalBasis: lawful, Case: inquiry, Grant: grant, Selector: hashA,
	}
}

// sealing is a request for a sealed use with the document of its details, raw as it comes along.
func (c *city) sealing(d exchange.Details) (request exchange.SealUse, sealed commitment.Document, raw []byte) {
	sealed, err := commitment.New(d.Values())
	require.NoError(c, err)
	request = exchange.SealUse{Subject: alice, OpensAt: c.Now().Add(60 * day)}
	request.Commitment, err = sealed.Root()
	require.NoError(c, err)
	raw, err = json.Marshal(sealed)
	require.NoError(c, err)
	return request, sealed, raw
}

// trySealed submits a command of a sealed use with the details beside it.
func (c *city) trySealed(agency, function, key, use string, raw []byte, request any) (kernel.Receipt, error) {
	return c.As(agency, access.Agency).With(map[string][]byte{exchange.TransientDetails(use): raw}).Submit(function, key, request)
}

// sealed makes a sealed use that tax may make.
func (c *city) sealed(key string) (use string, sealed commitment.Document, raw []byte) {
	c.Helper()
	request, sealed, raw := c.sealing(secret(c.allowToDelay()))
	receipt, err := c.trySealed(tax, exchange.UseSeal, key, kernel.ID(tax, exchange.UseSeal, key), raw, request)
	require.NoError(c, err)
	require.Equal(c, exchange.UnderSeal, receipt.Status)
	return receipt.ID, sealed, raw
}

// A sealed use takes its number, is delivered and acknowledged, and shows nothing of what it is about before it is opened: in no
// argument, record, event or answer of any block.
func TestASealedUse(t *testing.T) {
	c := newCity(t).prepare().inbox()
	before := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	use, sealed, raw := c.sealed("sealed-one")
	require.Equal(t, []kernel.Change{{Type: exchange.EventUseSealed, ID: use, Subject: alice}}, c.last())
	after := c.do(tax, access.Agency, exchange.UseRequest, c.use())

	var basis exchange.Warrant
	require.NoError(t, c.As(housing, access.Agency).Query(exchange.UseSealedBasis, exchange.SealedBasisOf{Use: use, Details: sealed}, &basis))
	require.Equal(t, []any{dataset, "tax.check", exchange.Requested}, []any{basis.Use.Dataset, basis.Use.Purpose, basis.Use.Status})
	deliver := exchange.DeliverUse{Use: use, Commitment: hashB}
	c.refused("exchange.details_missing", housing, access.Agency, exchange.UseDeliver, deliver)
	other, err := commitment.New(secret("").Values())
	require.NoError(t, err)
	wrong, err := json.Marshal(other)
	require.NoError(t, err)
	_, err = c.trySealed(housing, exchange.UseDeliver, "wrong", use, wrong, deliver)
	require.Equal(t, "exchange.details_mismatch", fault.From(err).Reason)
	_, err = c.trySealed(housing, exchange.UseDeliver, "right", use, raw, deliver)
	require.NoError(t, err)
	require.Equal(t, []kernel.Change{{Type: exchange.EventUseDelivered, ID: use, Subject: alice}}, c.last())
	c.refused("exchange.use_sealed", tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: use})
	c.do(tax, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: hashB})
	u := read[exchange.Use](c, "use:Get", use)
	require.Equal(t, []any{exchange.UnderSeal, exchange.Acknowledged, hashB}, []any{u.Status, u.Seal.Stage, u.Delivery})
	require.Equal(t, "exchange.use_sealed", verify[exchange.Warrants](c, exchange.UseBasis, exchange.BasisOf{Uses: []string{use}}).Answers[0].Fault.Reason)

	for _, block := range c.Blocks() {
		text, err := json.Marshal(block)
		require.NoError(t, err)
		for _, word := range []string{inquiry, lawful, sealed.Fields[0].Salt} {
			require.NotContains(t, string(text), word)
		}
	}
	var kept commitment.Document
	require.NoError(t, c.As(tax, access.Agency).On(exchange.Name).Query(exchange.UseDetails, exchange.DetailsOf{Use: use}, &kept))
	require.Equal(t, sealed, kept)

	c.Advance(60 * day)
	c.do(housing, access.Agency, exchange.UseOpen, exchange.OpenUse{Use: use, Details: sealed}) // its date has come: whoever has the details
	require.Equal(t, []kernel.Change{{Type: exchange.EventUseOpened, ID: use, Subject: alice, Agency: tax, Case: inquiry}}, c.last())
	u = read[exchange.Use](c, "use:Get", use)
	require.Equal(t, []any{exchange.Acknowledged, inquiry, lawful, housing}, []any{u.Status, u.Case, u.LegalBasis, u.Seal.OpenedBy})
	err = c.As(tax, access.Agency).On(exchange.Name).Query(exchange.UseDetails, exchange.DetailsOf{Use: use}, nil)
	require.Equal(t, "exchange.not_sealed", fault.From(err).Reason)
	c.refused("exchange.already_opened", tax, access.Agency, exchange.UseOpen, exchange.OpenUse{Use: use, Details: sealed})

	entries := []exchange.Entry{}
	for _, id := range []string{before, use, after} {
		entries = append(entries, read[exchange.Use](c, "use:Get", id).Entry())
	}
	require.NoError(t, read[exchange.Log](c, "log:Get", alice).Proves(entries, exchange.LogProof{}), "opening changes nothing in the log")
}

// Repeating a sealed use is the same use, also without the details; with others it is a conflict.
func TestASealedUseIsMadeOnce(t *testing.T) {
	c := newCity(t).prepare().inbox()
	request, _, raw := c.sealing(secret(c.allowToDelay()))
	id := kernel.ID(tax, exchange.UseSeal, "key")
	first, err := c.trySealed(tax, exchange.UseSeal, "key", id, raw, request)
	require.NoError(t, err)
	again, err := c.As(tax, access.Agency).Submit(exchange.UseSeal, "key", request)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, first.ID, again.ID)
	other, _, raw := c.sealing(secret(c.allowToDelay()))
	_, err = c.trySealed(tax, exchange.UseSeal, "key", id, raw, other)
	require.Equal(t, "use.conflict", fault.From(err).Reason)
	require.Equal(t, 1, read[exchange.Log](c, "log:Get", alice).Count)
}

// What stops any use stops one that is sealed, and its delivery.
func TestWhatASealedUseRestsOn(t *testing.T) {
	c := newCity(t).prepare().inbox()
	use, _, raw := c.sealed("first")
	var d commitment.Document
	require.NoError(t, json.Unmarshal(raw, &d))
	at := slices.IndexFunc(d.Fields, func(f commitment.Field) bool { return f.Name == "grant" })
	var grant string
	require.NoError(t, json.Unmarshal(d.Fields[at].Value, &grant))
	refused := func(reason string, details exchange.Details, change func(*exchange.SealUse)) {
		t.Helper()
		request, _, raw := c.sealing(details)
		change(&request)
		height := c.Height()
		_, err := c.trySealed(tax, exchange.UseSeal, "second", kernel.ID(tax, exchange.UseSeal, "second"), raw, request)
		require.Equal(t, reason, fault.From(err).Reason)
		require.Equal(t, height, c.Height())
	}
	as := func(*exchange.SealUse) {}
	refused("exchange.delay_not_granted", secret(grant), func(r *exchange.SealUse) { r.OpensAt = c.Now().Add(91 * day) })
	refused("exchange.opening_past", secret(grant), func(r *exchange.SealUse) { r.OpensAt = c.Now() })
	refused("exchange.delay_not_granted", secret(c.grant), as) // which needs consent, and so allows no delay
	refused("subject.missing", secret(grant), func(r *exchange.SealUse) { r.Subject = "subject-of-the-tests-carol" })
	refused("grant.missing", secret(nowhere), as)
	unknown := secret(grant)
	unknown.Dataset = housing + "/plans"
	refused("dataset.missing", unknown, as)
	others := secret(grant)
	others.Consumer = regulation
	refused("access.other_agency", others, as)

	c.do(housing, access.Admin, exchange.GrantSuspend, exchange.SuspendGrant{Grant: grant, Reason: "inquiry"})
	refused("exchange.grant_suspended", secret(grant), as)
	_, err := c.trySealed(housing, exchange.UseDeliver, "delivery", use, raw, exchange.DeliverUse{Use: use, Commitment: hashB})
	require.Equal(t, "exchange.grant_suspended", fault.From(err).Reason)
	require.Equal(t, 1, read[exchange.Log](c, "log:Get", alice).Count)
}
