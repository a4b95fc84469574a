package rest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/vault"
	"github.com/hutong-gov/hutong/network/block/blocktest"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/story"
)

const service = story.Service

var nobody = ""

// directory is the work of administrators: agencies, datasets, grants, services, types.
func (t *tour) directory() {
	t.call("GET /v1/agencies", "services", nobody, nil)
	t.call("PUT /v1/agencies/me", "services", "admin.police", app.RegisterAgency{Name: exchange.Text{Zh: "公安局", En: "Police"}})
	t.call("PUT /v1/agencies/{id}/duties", "services", "admin.hall", app.AssignDuties{Duties: []string{exchange.DutyIdentity}}, "services.police")
	t.call("POST /v1/datasets", "planning", "admin.housing", exchange.PublishDataset{Code: "gardens", Content: exchange.Content{
		Name: exchange.Text{Zh: "花园", En: "Gardens"}, Classification: "conditional", Selector: []string{"number"},
		Fields:     []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "编号", En: "Number"}, Type: "string"}},
		Conditions: exchange.Conditions{Purposes: []string{service}},
	}})
	t.call("POST /v1/datasets/{agency}/{code}/editions", "planning", "admin.housing", map[string]any{
		"edition": 2, "name": exchange.Text{Zh: "花园", En: "Gardens"}, "classification": "conditional", "selector": []string{"number"}, "consent_required": false,
		"fields":     []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "编号", En: "Number"}, Type: "string"}, {Name: "area", Title: exchange.Text{Zh: "面积", En: "Area"}, Type: "integer"}},
		"conditions": exchange.Conditions{Purposes: []string{service}}, "freshness": "P1D",
	}, "planning.housing", "gardens")
	t.call("GET /v1/datasets", "planning", nobody, nil)
	t.call("GET /v1/datasets/{agency}/{code}", "planning", nobody, nil, "planning.housing", "gardens")
	t.call("GET /v1/datasets/{agency}/{code}/editions", "planning", nobody, nil, "planning.housing", "gardens")
	t.call("GET /v1/datasets/{agency}/{code}/editions/{edition}/schema", "planning", nobody, nil, "planning.housing", "gardens", "2")
	from := t.city.Ledger.Now().UTC().Truncate(24 * time.Hour)
	ask := exchange.RequestGrant{Dataset: "planning.housing/gardens", Basis: "Garden Regulation, art. 1", Terms: exchange.Terms{
		Purposes: []string{service}, Fields: []string{"number"}, ValidFrom: from, ValidUntil: from.AddDate(1, 0, 0),
	}}
	var grants []string
	for range 2 {
		grants = append(grants, text(t.call("POST /v1/grants", "market", "admin.tax", ask), "id"))
	}
	t.call("GET /v1/grants", "market", "admin.tax", nil)
	t.call("GET /v1/datasets/{agency}/{code}/grants", "planning", nobody, nil, "planning.housing", "gardens")
	t.call("PUT /v1/grants/{id}/approval", "planning", "admin.housing", nil, grants[0])
	t.call("PUT /v1/grants/{id}/denial", "planning", "admin.housing", app.ReasonedGrant{Reason: "not_needed"}, grants[1])
	t.call("GET /v1/grants/{id}", "market", "admin.tax", nil, grants[0])
	ask.Terms.Quota = &exchange.Quota{Uses: 20, Per: exchange.PerDay}
	t.call("PUT /v1/grants/{id}/terms", "planning", "admin.housing", app.AmendGrant{Terms: ask.Terms, Reason: "less_needed"}, grants[0])
	t.call("GET /v1/grants/{id}/quota", "market", "admin.tax", nil, grants[0])
	t.call("PUT /v1/grants/{id}/suspension", "planning", "admin.housing", app.ReasonedGrant{Reason: "inquiry"}, grants[0])
	t.call("PUT /v1/grants/{id}/resumption", "planning", "admin.housing", app.ReasonedGrant{Reason: "cleared"}, grants[0])
	t.call("PUT /v1/grants/{id}/withdrawal", "planning", "admin.housing", app.ReasonedGrant{Reason: "not_needed"}, grants[0])
	t.call("PUT /v1/datasets/{agency}/{code}/withdrawal", "planning", "admin.housing", app.WithdrawDataset{Reason: "replaced"}, "planning.housing", "gardens")

	t.call("PUT /v1/roster/{agency}", "services", "admin.hall", app.EnterListing{Kind: "department", Name: exchange.Text{Zh: "园林局", En: "Parks Bureau"}}, "planning.parks")
	t.call("PUT /v1/roster/{agency}/name", "services", "admin.hall", app.RenameListing{Name: exchange.Text{Zh: "市园林局", En: "Municipal Parks Bureau"}}, "planning.parks")
	t.call("GET /v1/roster", "services", nobody, nil)
	need := exchange.Need{Name: exchange.Text{Zh: "住所证明", En: "Proof of premises"}, LegalBasis: "Company Law, art. 8", Evidence: []exchange.Evidence{
		{Dataset: "planning.housing/premises", Fields: []string{"address"}}, {Certificate: "business-licence"},
	}}
	t.call("POST /v1/requirements", "market", "admin.regulation", exchange.PublishRequirement{Code: "tour-premises", Need: need})
	t.call("POST /v1/requirements/{agency}/{code}/editions", "market", "admin.regulation", app.ReviseRequirement{Edition: 2, Need: need}, "market.regulation", "tour-premises")
	t.call("GET /v1/requirements", "market", nobody, nil)
	t.call("GET /v1/requirements/{agency}/{code}", "market", nobody, nil, "market.regulation", "tour-premises")
	t.call("PUT /v1/requirements/{agency}/{code}/withdrawal", "market", "admin.regulation", app.WithdrawRequirement{Reason: "replaced"}, "market.regulation", "tour-premises")

	c, err := catalogue.Default()
	require.NoError(t, err)
	second := c.Services[0]
	second.Edition = 2
	t.call("POST /v1/services", "market", "admin.regulation", app.ProposeService{Service: second})
	hash, err := second.Hash()
	require.NoError(t, err)
	t.call("PUT /v1/services/{code}/editions/{edition}/approval", "market", "admin.tax", app.ApproveService{Hash: hash}, service, "2")
	t.call("GET /v1/services", "market", nobody, nil)
	t.call("GET /v1/services/{code}", "market", nobody, nil, service)

	t.call("POST /v1/certificate-types", "services", "admin.hall", certificate.PublishType{
		Code: "garden-permit", Name: exchange.Text{Zh: "花园证", En: "Garden permit"}, ValidDays: 365,
		Fields: []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "编号", En: "Number"}, Type: "string"}},
	})
	t.call("GET /v1/certificate-types", "services", nobody, nil)
	t.call("PUT /v1/certificate-types/{code}/accreditations/{agency}", "services", "admin.hall", app.Accredit{From: from, Until: from.AddDate(2, 0, 0)}, "garden-permit", "market.tax")
	t.call("GET /v1/certificate-types/{code}/accreditations", "services", nobody, nil, "garden-permit")
	t.call("PUT /v1/certificate-types/{code}/accreditations/{agency}/withdrawal", "services", "admin.hall", app.WithdrawAccreditation{Reason: "ceased"}, "garden-permit", "market.tax")
}

// draft asks for a draft and signs it, with all its consents.
func (t *tour) draft(key string) (app.Drafted, app.Apply) {
	t.Helper()
	var d app.Drafted
	answer := t.call("POST /v1/drafts", "services", "citizen1", app.Draft{Service: service}, "key:"+key)
	raw, err := json.Marshal(answer)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &d))
	answers, err := story.Options{World: t.city.World}.Answers("citizen1")
	require.NoError(t, err)
	var request app.Apply
	request.Form, err = commitment.New(answers)
	require.NoError(t, err)
	application := d.Application
	application.Form, err = request.Form.Root()
	require.NoError(t, err)
	request.Application = t.sign(collaboration.ApplicationKind, application)
	for _, terms := range d.Consents {
		request.Consents = append(request.Consents, t.sign(exchange.ConsentKind, terms))
	}
	return d, request
}

func (t *tour) apply(key string) string {
	t.Helper()
	d, request := t.draft(key)
	t.call("POST /v1/cases", "services", "citizen1", request, "key:"+key)
	return d.Case
}

// applying is the citizen's part: a key, a case that is withdrawn, one that is rejected.
func (t *tour) applying() {
	me := t.call("GET /v1/subjects/me", "services", "citizen1", nil)
	t.me.Pseudonym, t.me.Channel = text(me, "pseudonym"), text(me, "channel")
	public, err := signed.KeyOf(&t.key.PublicKey)
	require.NoError(t, err)
	t.call("PUT /v1/subjects/me", "services", "citizen1", app.RegisterKey{SigningKey: public, Proof: t.sign(exchange.RegistrationKind, exchange.Registration{
		Channel: t.me.Channel, Subject: t.me.Pseudonym, Thumbprint: public.Thumbprint(),
	})})

	withdrawn, request := t.draft("withdrawn")
	later := request.Consents[2]
	request.Consents = request.Consents[:2]
	t.call("POST /v1/cases", "services", "citizen1", request, "key:withdrawn")
	consent := text(t.call("POST /v1/consents", "services", "citizen1", app.GiveConsent{Consent: later}), "id")
	t.call("GET /v1/consents", "services", "citizen1", nil)
	t.call("PUT /v1/consents/{id}/revocation", "services", "citizen1", app.RevokeConsent{Revocation: t.sign(exchange.RevocationKind, exchange.Revocation{
		Channel: t.me.Channel, Subject: t.me.Pseudonym, Consent: consent,
	})}, consent)
	t.call("PUT /v1/cases/{id}/withdrawal", "services", "citizen1", app.Withdraw{Withdrawal: t.sign(collaboration.WithdrawalKind, collaboration.Withdrawal{
		Channel: t.me.Channel, Subject: t.me.Pseudonym, Case: withdrawn.Case,
	})}, withdrawn.Case)

	rejected := t.apply("rejected")
	t.call("PUT /v1/cases/{id}/steps/{step}/claim", "market", "officer.tax", nil, rejected, "tax-registration")
	t.call("PUT /v1/cases/{id}/steps/{step}/rejection", "market", "officer.tax", app.ReasonedStep{Reason: "not_entitled"}, rejected, "tax-registration")
}

// deciding takes a case through a correction and data to its end.
func (t *tour) deciding() {
	id := t.apply("decided")
	t.call("GET /v1/cases", "services", "citizen1", nil)
	view := t.call("GET /v1/cases/{id}", "services", "citizen1", nil, id)
	t.call("GET /v1/tasks", "market", "officer.tax", nil)
	t.call("PUT /v1/cases/{id}/steps/{step}/claim", "market", "officer.tax", nil, id, "tax-registration")
	t.call("PUT /v1/cases/{id}/steps/{step}/release", "market", "officer.tax", nil, id, "tax-registration")
	t.call("PUT /v1/cases/{id}/steps/{step}/claim", "market", "officer.tax", nil, id, "tax-registration")
	t.call("PUT /v1/cases/{id}/steps/{step}/return", "market", "officer.tax", app.ReasonedStep{Reason: "unclear"}, id, "tax-registration")
	c, _ := view["case"].(map[string]any)
	answers, err := story.Options{World: t.city.World}.Answers("citizen1")
	require.NoError(t, err)
	answers["general_taxpayer"] = true
	form, err := commitment.New(answers)
	require.NoError(t, err)
	root, err := form.Root()
	require.NoError(t, err)
	t.call("PUT /v1/cases/{id}/resubmission", "services", "citizen1", app.Resubmit{Form: form, Application: t.sign(collaboration.ApplicationKind, collaboration.Application{
		Channel: t.me.Channel, Subject: t.me.Pseudonym, Case: id, Definition: text(c, "definition"), Hash: text(c, "definition_hash"), Form: root, Correction: 1,
	})}, id)
	t.call("GET /v1/cases/{id}/form", "market", "officer.tax", nil, id)
	t.call("GET /v1/sealed/{commitment}/{agency}", "services", nobody, nil, root, "market.tax")

	use := text(t.call("POST /v1/uses", "market", "officer.regulation", app.RequestUse{Case: id, Material: "identity"}), "id")
	t.call("GET /v1/uses", "market", "officer.regulation", nil)
	t.call("GET /v1/uses/{id}", "services", "citizen1", nil, use)
	t.call("GET /v1/uses/{id}/payload", "market", "officer.regulation", nil, use)
	t.call("GET /v1/subjects/me/uses", "services", "citizen1", nil)
	t.looking(id, view)
	t.call("GET /v1/subjects/me/log", "services", "citizen1", nil)
	t.call("GET /v1/subjects/me/log/statement", "services", "citizen1", nil)
	asked, found := t.city.Asked(use)
	require.True(t, found)
	t.call("POST /v1/uses/{id}/delivery", "services", nobody, asked, use)
	t.following(use)
	t.verifying(id)
	t.sealing()
	require.NoError(t, t.city.Gateways["services"].Vault.PutChunk(t.Context(), vault.Chunk{Stream: root, Use: use, Sealed: "AAAA"}))
	t.call("GET /v1/uses/{id}/chunks/{stream}/{number}", "services", nobody, nil, use, root, "0")
	t.call("PUT /v1/uses/{id}/purge", "market", "officer.regulation", app.PurgeUse{Reason: "case.over"}, use)

	t.window(id)
	t.call("PUT /v1/cases/{id}/steps/{step}/claim", "market", "officer.tax", nil, id, "tax-registration")
	t.call("PUT /v1/cases/{id}/steps/{step}/approval", "market", "officer.tax", app.ApproveStep{}, id, "tax-registration")
	t.call("PUT /v1/cases/{id}/steps/{step}/claim", "market", "officer.regulation", nil, id, "registration")
	t.call("PUT /v1/cases/{id}/steps/{step}/approval", "market", "officer.regulation", app.ApproveStep{}, id, "registration")
	t.call("PUT /v1/cases/{id}/conclusion", "market", "officer.regulation", app.Conclude{Certificate: licence()}, id)
	t.call("GET /v1/events", "services", "citizen1", nil)
	t.apply("open") // and stays so
}

// looking is a use the citizen looks at first and releases, and one it refuses.
func (t *tour) looking(id string, view map[string]any) {
	for _, decision := range []string{"release", "refusal"} {
		var terms exchange.ConsentTerms
		for _, m := range view["materials"].([]any) {
			material := m.(map[string]any)
			if material["id"] != "premises" {
				continue
			}
			record, found, err := t.city.Projection.Store().Get(t.Context(), "consent", text(material, "consent"))
			require.NoError(t, err)
			require.True(t, found)
			var consent exchange.Consent
			require.NoError(t, json.Unmarshal(record.Body, &consent))
			terms = consent.Terms
		}
		terms.PreviewRequired, terms.Nonce = true, "nonce-of-the-"+decision
		consent := text(t.call("POST /v1/consents", "services", "citizen1", app.GiveConsent{Consent: t.sign(exchange.ConsentKind, terms)}), "id")
		request := app.RequestUse{Case: id, Material: "premises", Consent: consent}
		t.try("POST /v1/uses", "market", "officer.regulation", request, "key:"+decision)
		var use string
		for _, u := range items(t.call("GET /v1/uses", "market", "officer.regulation", nil)) {
			if u["status"] == exchange.Prepared {
				use = text(u, "id")
			}
		}
		preview := t.call("GET /v1/uses/{id}/preview", "services", "citizen1", nil, use)
		if decision == "refusal" {
			t.call("PUT /v1/uses/{id}/refusal", "services", "citizen1", app.RefuseUse{Refusal: t.sign(exchange.RefusalKind, preview["refusal"])}, use)
			continue
		}
		t.call("PUT /v1/uses/{id}/release", "services", "citizen1", app.ReleaseUse{Release: t.sign(exchange.ReleaseKind, preview["release"])}, use)
		t.call("POST /v1/uses", "market", "officer.regulation", request, "key:"+decision)
	}
}

// licence is what a business licence says; how long it holds is left to the type.
func licence() *app.Content {
	return &app.Content{Values: json.RawMessage(`{"credit_code":"911101990000000000","enterprise_name":"a","legal_representative":"b",
		"premises_address":"c","business_scope":"d","registered_capital_yuan":1,"established_on":"2026-01-01"}`)}
}

// window has a one-time code made and redeemed by its digits.
func (t *tour) window(id string) {
	var d app.DraftedCode
	var digits string
	give := func() string {
		raw, err := json.Marshal(t.call("POST /v1/code-drafts", "services", "citizen1", app.DraftCode{
			Datasets: []exchange.CodeDataset{{Dataset: "services.police/identity", Fields: []string{"name"}}, {Dataset: "planning.housing/premises", Fields: []string{"address"}}},
			Purpose:  service, Case: id,
		}))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &d))
		digits, err = exchange.NewDigits()
		require.NoError(t, err)
		d.Terms.Hash, err = exchange.HashCode(d.Salt, d.Terms.Channel, d.Terms.Subject, digits)
		require.NoError(t, err)
		return text(t.call("POST /v1/codes", "services", "citizen1", app.GiveCode{Code: t.sign(exchange.CodeKind, d.Terms)}), "id")
	}
	taken := give()
	t.call("PUT /v1/codes/{id}/cancellation", "services", "citizen1", app.CancelCode{Cancellation: t.sign(exchange.CancellationKind,
		exchange.Cancellation{Channel: d.Terms.Channel, Subject: d.Terms.Subject, Code: taken})}, taken)
	code := give()
	t.call("POST /v1/code-pictures", "services", "citizen1", app.PictureCode{Ticket: exchange.CodeTicket{Code: code, Digits: digits, Salt: d.Salt}.Text()})
	t.call("POST /v1/codes/redemption", "market", "officer.tax", app.RedeemCode{Case: id, Digits: digits})
	t.call("GET /v1/codes", "services", "citizen1", nil)
	entered, found := t.city.Entered(code)
	require.True(t, found)
	t.call("POST /v1/codes/{id}/opening", "services", nobody, entered, code)
}

// keys puts new keys in the place of citizen1's: the citizen's own doing, then an officer's. Nothing is signed after it.
func (t *tour) keys() {
	for _, consent := range items(t.call("GET /v1/consents", "services", "citizen1", nil)) {
		if terms, _ := consent["terms"].(map[string]any); text(terms, "consumer") == "market.tax" {
			t.call("GET /v1/consents/{id}/signatures", "services", "citizen1", nil, text(consent, "id"))
			break
		}
	}
	next := func() (*ecdsa.PrivateKey, signed.Key, string) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		public, err := signed.KeyOf(&key.PublicKey)
		require.NoError(t, err)
		proof, err := signed.Sign(key, exchange.RegistrationKind, exchange.Registration{Channel: t.me.Channel, Subject: t.me.Pseudonym, Thumbprint: public.Thumbprint()})
		require.NoError(t, err)
		return key, public, proof
	}
	old, err := signed.KeyOf(&t.key.PublicKey)
	require.NoError(t, err)
	key, public, proof := next()
	t.call("PUT /v1/subjects/me/key", "services", "citizen1", app.RotateKey{SigningKey: public, Proof: proof, Authorisation: t.sign(exchange.RotationKind, exchange.Rotation{
		Channel: t.me.Channel, Subject: t.me.Pseudonym, Thumbprint: old.Thumbprint(), Successor: public.Thumbprint(),
	})})
	t.key = key
	key, public, proof = next()
	t.call("PUT /v1/subjects/{pseudonym}/key-recovery", "services", "officer.police", app.RecoverKey{SigningKey: public, Proof: proof, Reason: "device_lost", EndConsents: true}, t.me.Pseudonym)
	t.key = key
	t.call("GET /v1/subjects/{pseudonym}/keys", "services", "citizen1", nil, t.me.Pseudonym)
}

func (t *tour) certificates() {
	issued := t.call("POST /v1/certificates", "market", "officer.regulation", app.IssueCertificate{Type: "business-licence", Subject: t.me.Pseudonym, Content: *licence()})
	id := text(issued, "id")
	t.call("GET /v1/certificates", "services", "citizen1", nil)
	t.call("GET /v1/certificates/{id}", "services", "citizen1", nil, id)
	t.call("GET /v1/certificates/{id}/document", "services", "citizen1", nil, id)
	t.call("POST /v1/certificates/{id}/verification", "audit", nobody, app.Verify{Commitment: text(issued, "commitment")}, id)
	t.call("PUT /v1/certificates/{id}/suspension", "market", "officer.regulation", app.ChangeCertificate{Reason: "under_review"}, id)
	t.call("PUT /v1/certificates/{id}/reinstatement", "market", "officer.regulation", app.ChangeCertificate{Reason: "issued_in_error"}, id)
	t.call("PUT /v1/certificates/{id}/revocation", "market", "officer.regulation", app.ChangeCertificate{Reason: "ceased"}, id)
	t.call("GET /v1/transactions/{id}", "market", "officer.regulation", nil, text(issued, "tx_id"))
}

func (t *tour) auditing() {
	t.call("GET /v1/audit/channel", "audit", "auditor", nil)
	blocks := items(t.call("GET /v1/audit/blocks", "audit", "auditor", nil))
	require.NotEmpty(t, blocks)
	t.call("GET /v1/audit/blocks/{number}", "audit", "auditor", nil, "1")
	var tx string
	for _, s := range t.stops {
		if s.route == "POST /v1/certificates" {
			var issued struct {
				Tx string `json:"tx_id"`
			}
			require.NoError(t, json.Unmarshal(s.answer, &issued))
			tx = issued.Tx
		}
	}
	t.call("GET /v1/audit/transactions/{id}", "audit", "auditor", nil, tx)
	t.call("GET /v1/audit/records/{noun}/{id}/history", "audit", "auditor", nil, "agency", "services.police")
	t.call("GET /v1/audit/statistics/uses", "audit", "auditor", nil)
	t.call("GET /v1/unmatched-uses", "audit", "auditor", nil)
	t.call("GET /v1/statistics/uses", "services", nobody, nil)
	t.call("GET /v1/audit/chain-check", "audit", "auditor", nil)
}

// subscribing has events sent to an address. Nothing is: nobody delivers in this city.
func (t *tour) subscribing() {
	t.call("GET /v1/signing-keys", "services", nobody, nil)
	hook := text(t.call("POST /v1/webhooks", "services", "admin.hall", app.RegisterWebhook{URL: "https://portal.example/hook"}), "id")
	other := text(t.call("POST /v1/webhooks", "services", "admin.hall", app.RegisterWebhook{URL: "https://portal.example/other"}), "id")
	t.call("GET /v1/webhooks", "services", "admin.hall", nil)
	t.call("GET /v1/webhooks/{id}", "services", "admin.hall", nil, hook)
	t.call("PUT /v1/webhooks/{id}/pause", "services", "admin.hall", nil, hook)
	t.call("PUT /v1/webhooks/{id}/resumption", "services", "admin.hall", nil, hook)
	t.call("GET /v1/webhooks/{id}/dead-letters", "services", "admin.hall", nil, hook)
	t.call("POST /v1/webhooks/{id}/dead-letters/replay", "services", "admin.hall", nil, hook)
	t.try("POST /v1/webhooks/{id}/dead-letters/{event}/replay", "services", "admin.hall", nil, hook, "1-0-0")
	t.try("DELETE /v1/webhooks/{id}/dead-letters/{event}", "services", "admin.hall", nil, hook, "1-0-0")
	t.try("DELETE /v1/webhooks/{id}", "services", "admin.hall", nil, other)
}

// offline is the first stage of a write that is signed elsewhere. Those that follow need a peer, which this city has not.
func (t *tour) offline() {
	var id msp.SerializedIdentity
	require.NoError(t, proto.Unmarshal(blocktest.Identity("MarketMSP", "tax", "admin"), &id))
	block, _ := pem.Decode(id.GetIdBytes())
	require.NotNil(t, block)
	p := t.call("POST /v1/offline/proposals", "market", "admin.tax", map[string]any{
		"chaincode": "certificate", "function": "type:Publish", "certificate": string(id.GetIdBytes()), "request": map[string]any{},
	}, "key:offline")
	t.try("POST /v1/offline/endorsements", "market", "admin.tax", map[string]any{"proposal": p["proposal"], "signature": "AAAA"}, "key:offline")
	t.try("POST /v1/offline/submissions", "market", "admin.tax", map[string]any{"transaction": "AAAA", "signature": "AAAA"}, "key:offline")
	t.try("POST /v1/offline/status", "market", "admin.tax", map[string]any{"status_request": "AAAA", "signature": "AAAA"}, "key:offline")
	require.True(t, strings.HasPrefix(string(id.GetIdBytes()), "-----BEGIN"))
}
