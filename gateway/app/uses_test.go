package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/test/story"
)

func TestAFetchGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ organisation, lost string }{
		{"market", exchange.UseRequest}, {"services", exchange.UseDeliver}, {"market", exchange.UseAcknowledge},
	} {
		t.Run(c.lost, func(t *testing.T) {
			s := newScene(t)
			caseID := s.apply(s.citizen)
			officer := s.officer("market.regulation")
			s.Gateways[c.organisation].Ledger.Before = loseOnce(c.lost)
			fetch := func() (app.Used, error) {
				return do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key("fetch-1"))
			}
			_, err := fetch()
			require.Error(t, err)
			require.True(t, errors.As(err, new(*client.Pending)), "an outcome that is not known is no failure: %v", err)
			used, err := fetch()
			require.NoError(t, err)
			require.Equal(t, exchange.Acknowledged, used.Status)
			require.Equal(t, 1, used.Number)
			height := s.Ledger.Height()
			again, err := fetch()
			require.NoError(t, err)
			require.Equal(t, used.Delivery, again.Delivery)
			require.Equal(t, height, s.Ledger.Height())
			uses, head, err := story.AccessLog(s.ctx, s.citizen.Client, 0)
			require.NoError(t, err)
			require.Len(t, uses, 1, "asked for once, however often it was sent")
			require.Equal(t, 1, head.Count)
		})
	}
}

// behind is the projection of an organisation whose peer does not have a delivery yet.
type behind struct {
	app.Store
	blocks int // that are still to come; negative: they never do
}

func (b *behind) Get(ctx context.Context, noun, id string) (store.Record, bool, error) {
	r, found, err := b.Store.Get(ctx, noun, id)
	if noun == "use" && b.blocks != 0 && err == nil && found {
		r.Body = json.RawMessage(strings.NewReplacer(`"status":"delivered"`, `"status":"requested"`, `"delivery":`, `"later":`).Replace(string(r.Body)))
	}
	return r, found, err
}

func (b *behind) WaitBlock(ctx context.Context, block uint64) error {
	if b.blocks > 0 {
		b.blocks--
		return nil
	}
	return b.Store.WaitBlock(ctx, block)
}

// TestTheConsumersPeerMayBeBehindTheProviders: the delivery is on the provider's ledger first.
func TestTheConsumersPeerMayBeBehindTheProviders(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	market := s.Gateways["market"].App
	late := &behind{Store: market.Store, blocks: 3}
	market.Store = late
	fetch := func(key string) (app.Used, error) {
		return do[app.Used](s, s.officer("market.regulation").Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(key))
	}
	used, err := fetch("a")
	for client.Reason(err) == "use.delivery_pending" { // a slow machine; whoever asks again is told more
		used, err = fetch("a")
	}
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, used.Status)
	require.Zero(t, late.blocks)

	late.blocks = -1
	_, err = fetch("b")
	require.Equal(t, "use.delivery_pending", client.Reason(err))
	late.blocks = 0
	used, err = fetch("b")
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, used.Status)
}

// TestARepeatedRequestIsTheFirstThoughTheProjectionIsBehind: what is found for a request now may be another than then.
func TestARepeatedRequestIsTheFirstThoughTheProjectionIsBehind(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	market := s.Gateways["market"].App
	fetch := func() (app.Used, error) {
		return do[app.Used](s, s.officer("market.regulation").Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key("a"))
	}
	first, err := fetch()
	require.NoError(t, err)
	item, err := get[app.Item[exchange.Use]](s, s.officer("market.regulation").Client, "/v1/uses/"+first.ID)
	require.NoError(t, err)
	// Another consent, given later, would be found now.
	terms := consentOf(s, item.Item.Consent).Terms
	terms.Nonce = "another-nonce-for-this"
	jws, err := s.citizen.Sign(exchange.ConsentKind, terms)
	require.NoError(t, err)
	_, err = do[app.Receipt](s, s.citizen.Client, http.MethodPost, "/v1/consents", app.GiveConsent{Consent: jws})
	require.NoError(t, err)
	revocation, err := s.citizen.Sign(exchange.RevocationKind, exchange.Revocation{Channel: s.citizen.Me.Channel, Subject: s.citizen.Me.Pseudonym, Consent: item.Item.Consent})
	require.NoError(t, err)
	_, err = do[app.Receipt](s, s.citizen.Client, http.MethodPut, "/v1/consents/"+item.Item.Consent+"/revocation", app.RevokeConsent{Revocation: revocation})
	require.NoError(t, err)
	hidden := &without{Store: market.Store, id: first.ID}
	market.Store = hidden
	again, err := fetch()
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, first.Delivery, again.Delivery)
	require.NotZero(t, hidden.asked)
}

// without is a projection that does not have one record yet.
type without struct {
	app.Store
	id    string
	asked int
}

func (w *without) Get(ctx context.Context, noun, id string) (store.Record, bool, error) {
	if id == w.id {
		w.asked++
		return store.Record{}, false, nil
	}
	return w.Store.Get(ctx, noun, id)
}

func consentOf(s *scene, id string) exchange.Consent {
	var c exchange.Consent
	require.NoError(s.t, s.Ledger.As("audit.office", access.Auditor).On(exchange.Name).Query("consent:Get", kernel.ByID{ID: id}, &c))
	return c
}

func TestAnUnreachableProviderLeavesAUseToGoOnWith(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	down := errors.New("the peer is down")
	s.Gateways["planning"].Ledger.Before = func(string) error { return down }
	fetch := func() (app.Used, error) {
		return do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "premises"}, client.Key("fetch-1"))
	}
	_, err := fetch()
	require.Equal(t, "gateway.internal", client.Reason(err))
	s.Gateways["planning"].Ledger.Before = nil
	used, err := fetch()
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, used.Status)
}

func TestUsesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	ask := func(change func(*app.RequestUse)) func() error {
		r := app.RequestUse{
			Case: caseID, Dataset: "services.police/identity", Fields: []string{"name"}, Purpose: story.Service, LegalBasis: "art. 16",
			Selector: map[string]json.RawMessage{"id_number": json.RawMessage(`"x"`)},
		}
		change(&r)
		return func() error { _, err := do[any](s, officer.Client, http.MethodPost, "/v1/uses", r); return err }
	}
	for name, c := range map[string]struct {
		reason, field string
		change        func(*app.RequestUse)
	}{
		"no purpose":               {"request.invalid", "purpose", func(r *app.RequestUse) { r.Purpose = "" }},
		"no legal basis":           {"request.invalid", "legal_basis", func(r *app.RequestUse) { r.LegalBasis = "" }},
		"no dataset":               {"request.invalid", "dataset", func(r *app.RequestUse) { r.Dataset = "" }},
		"no selector":              {"request.invalid", "selector", func(r *app.RequestUse) { r.Selector = nil }},
		"no fields":                {"request.invalid", "fields", func(r *app.RequestUse) { r.Fields = nil }},
		"both forms":               {"request.invalid", "material", func(r *app.RequestUse) { r.Material = "identity" }},
		"no such case":             {"case.missing", "id", func(r *app.RequestUse) { r.Case = strings.Repeat("0", 26) }},
		"no consent":               {"exchange.consent_required", "request.consent", func(*app.RequestUse) {}},
		"another purpose":          {"exchange.purpose_not_granted", "request.purpose", func(r *app.RequestUse) { r.Purpose = "curiosity" }},
		"a field not granted":      {"exchange.field_not_granted", "request.fields", func(r *app.RequestUse) { r.Fields = []string{"birth_date"} }},
		"a dataset not granted":    {"exchange.grant_missing", "grant", func(r *app.RequestUse) { r.Dataset = "planning.housing/debts" }},
		"no such grant":            {"grant.missing", "request.grant", func(r *app.RequestUse) { r.Grant = strings.Repeat("0", 26) }},
		"no such material":         {"material.missing", "material", func(r *app.RequestUse) { *r = app.RequestUse{Case: caseID, Material: "fingerprints"} }},
		"a material that is asked": {"material.missing", "material", func(r *app.RequestUse) { *r = app.RequestUse{Case: caseID, Material: "articles"} }},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.field, s.refused(c.reason, ask(c.change)).Field) })
	}
}

func TestRevokedConsentStopsTheNextUse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	tax := s.officer("market.tax")
	page, err := get[app.Page[exchange.Consent]](s, tax.Client, "/v1/consents?case="+caseID)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	id := page.Items[0].ID
	jws, err := s.citizen.Sign(exchange.RevocationKind, exchange.Revocation{Channel: s.citizen.Me.Channel, Subject: s.citizen.Me.Pseudonym, Consent: id})
	require.NoError(t, err)
	_, err = do[app.Receipt](s, s.citizen.Client, http.MethodPut, "/v1/consents/"+id+"/revocation", app.RevokeConsent{Revocation: jws})
	require.NoError(t, err)
	s.refused("exchange.consent_revoked", func() error { _, _, err := tax.Fetch(s.ctx, caseID, "tax-identity"); return err })
	s.refused("exchange.consent_revoked", func() error {
		_, err := do[any](s, s.citizen.Client, http.MethodPut, "/v1/consents/"+id+"/revocation", app.RevokeConsent{Revocation: jws})
		return err
	})

	// The citizen agrees again, with terms of their own.
	terms := page.Items[0].Terms
	terms.Nonce = "another-nonce-for-this"
	again, err := s.citizen.Sign(exchange.ConsentKind, terms)
	require.NoError(t, err)
	s.refused("access.other_subject", func() error {
		_, err := do[any](s, s.as("services", "citizen2"), http.MethodPost, "/v1/consents", app.GiveConsent{Consent: again})
		return err
	})
	_, err = do[app.Receipt](s, s.citizen.Client, http.MethodPost, "/v1/consents", app.GiveConsent{Consent: again})
	require.NoError(t, err)
	_, values, err := tax.Fetch(s.ctx, caseID, "tax-identity")
	require.NoError(t, err)
	require.Len(t, values, 2)
}

// requested requests a use on the ledger, as the consumer's gateway does, and goes no further.
func requested(t *testing.T, s *scene) (use string, selector app.Delivery) {
	t.Helper()
	caseID := s.apply(s.citizen)
	officer := s.officer("market.tax")
	stop := errors.New("stop")
	s.Gateways["services"].Ledger.Before = func(function string) error {
		if function == exchange.UseDeliver {
			return stop
		}
		return nil
	}
	_, _, err := officer.Fetch(s.ctx, caseID, "tax-identity")
	require.Error(t, err)
	s.Gateways["services"].Ledger.Before = nil
	page, err := get[app.Page[exchange.Use]](s, officer.Client, "/v1/uses?status=requested")
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	return page.Items[0].ID, app.Delivery{}
}

func TestADeliveryIsAuthorisedByTheLedger(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	use, _ := requested(t, s)
	anybody := s.as("services", "")
	agencies, err := get[app.Page[exchange.Agency]](s, anybody, "/v1/agencies")
	require.NoError(t, err)
	keys := map[string]exchange.Agency{}
	for _, a := range agencies.Items {
		keys[a.ID] = a
	}
	guess, err := commitment.New(map[string]any{"id_number": "110199198804170025"})
	require.NoError(t, err)
	sealed, err := seal.Document(guess, "services.police", keys["services.police"].ExchangeKey)
	require.NoError(t, err)
	deliver := func(organisation, use string, d app.Delivery) func() error {
		return func() error {
			_, err := do[any](s, s.as(organisation, ""), http.MethodPost, "/v1/uses/"+use+"/delivery", d)
			return err
		}
	}
	s.refused("use.selector_mismatch", deliver("services", use, app.Delivery{Selector: &sealed}))
	s.refused("request.invalid", deliver("services", use, app.Delivery{}))
	s.refused("gateway.not_served", deliver("planning", use, app.Delivery{Selector: &sealed}))
	s.refused("use.missing", deliver("services", strings.Repeat("0", 26), app.Delivery{Selector: &sealed}))

	// The right commitment with another content does not open.
	item, err := get[app.Item[exchange.Use]](s, s.officer("market.tax").Client, "/v1/uses/"+use)
	require.NoError(t, err)
	forged := sealed
	forged.Commitment = item.Item.Selector
	s.refused("sealed.cannot_open", deliver("services", use, app.Delivery{Selector: &forged}))
}

func TestWhatIsDeliveredOpensOnlyForTheConsumer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	used, values, err := s.officer("market.tax").Fetch(s.ctx, caseID, "tax-identity")
	require.NoError(t, err)
	person, _, _ := s.World.Behind("citizen1")
	require.JSONEq(t, fmt.Sprintf("%q", person.IDNumber), string(values["id_number"]))
	require.Len(t, values, 2, "only the fields of the material")

	// Anybody gets the ciphertext who knows the commitment; nobody's key but tax's opens it.
	envelope, err := get[seal.Envelope](s, s.as("services", ""), "/v1/sealed/"+used.Delivery+"/market.tax")
	require.NoError(t, err)
	require.Equal(t, "market.tax", envelope.To)
	require.NotContains(t, envelope.Sealed, person.IDNumber)
	market := s.Gateways["market"].App
	_, err = seal.Open(envelope, market.Keys["market.tax"])
	require.NoError(t, err)
	for _, key := range []string{"market.regulation"} {
		_, err = seal.Open(envelope, market.Keys[key])
		require.Error(t, err, key)
	}
	for _, path := range []string{used.Delivery + "/market.regulation", strings.Repeat("0", 64) + "/market.tax"} {
		s.refused("sealed.missing", func() error { _, err := get[any](s, s.as("services", ""), "/v1/sealed/"+path); return err })
	}
	s.refused("request.invalid", func() error { _, err := get[any](s, s.as("services", ""), "/v1/sealed/short/market.tax"); return err })
}

func TestARecordThatIsNotThereIsSaidSo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.draft(s.citizen)
	answers := s.answers(s.citizen)
	answers["premises_number"] = "HT99-000000"
	request, err := s.citizen.Application(d, answers)
	require.NoError(t, err)
	applied, err := s.citizen.Apply(s.ctx, d, request)
	require.NoError(t, err)
	_, _, err = s.officer("market.regulation").Fetch(s.ctx, applied.ID, "premises")
	require.Equal(t, "record.missing", client.Reason(err))
	require.NotContains(t, err.Error(), "HT99")
}

// TestNobodyGetsAnothersRecordByWritingAnothersNumber: the citizen signs and consents to everything, and yet.
func TestNobodyGetsAnothersRecordByWritingAnothersNumber(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	neighbour, _, _ := s.World.Behind("citizen2")
	withoutAccount := s.World.People[len(s.World.People)-1]
	for name, number := range map[string]string{"another citizen's": neighbour.IDNumber, "of one without an account": withoutAccount.IDNumber} {
		t.Run(name, func(t *testing.T) {
			d := s.draft(s.citizen)
			answers := s.answers(s.citizen)
			answers["id_number"] = number
			request, err := s.citizen.Application(d, answers)
			require.NoError(t, err)
			applied, err := s.citizen.Apply(s.ctx, d, request)
			require.NoError(t, err)
			_, _, err = s.officer("market.tax").Fetch(s.ctx, applied.ID, "tax-identity")
			require.Equal(t, "record.other_subject", client.Reason(err))
			require.NotContains(t, err.Error(), number)
			uses, _, err := story.AccessLog(s.ctx, s.citizen.Client, 0)
			require.NoError(t, err)
			require.Equal(t, exchange.Requested, uses[len(uses)-1].Status, "nothing was delivered")
			_, err = s.citizen.Withdraw(s.ctx, applied.ID)
			require.NoError(t, err)
		})
	}
}
