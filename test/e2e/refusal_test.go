package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	fabric "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/test/story"
)

// object is a request written by hand, so that it can be wrong.
type object map[string]any

// refusal is one request that must be refused, at the gateway and straight at a peer.
type refusal struct {
	name   string
	reason string // at both doors, unless peerReason says otherwise

	// At the gateway.
	user, method, path string
	body               any
	key                string
	field, rule        string // rule is the beginning of it

	// Straight at the peer of the agency's organisation, signed with the agency's real identity in a role.
	agency, role        string
	chaincode, function string
	request             any
	peerReason          string
}

// TestNetworkRefusals shows that every refusal names field and rule and changes nothing, at the gateway's door and past it.
func TestNetworkRefusals(t *testing.T) {
	ctx, c := real(t)
	s := newStage(ctx, t, c)
	refusals := s.refusals()
	before := s.height(ctx, t)
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			problem := s.atGateway(ctx, t, r)
			require.Equal(t, r.reason, problem.Reason, problem.Error())
			require.Equal(t, r.field, problem.Field)
			require.True(t, strings.HasPrefix(problem.Rule, r.rule) && problem.Rule != "", "rule %q", problem.Rule)
			require.NotEmpty(t, problem.Detail)
			require.GreaterOrEqual(t, problem.Status, 400)

			refused := s.atPeer(ctx, t, r)
			want := r.reason
			if r.peerReason != "" {
				want = r.peerReason
			}
			require.Equal(t, want, refused.Reason, refused.Error())
			require.NotEmpty(t, refused.Field)
			require.NotEmpty(t, refused.Rule)
		})
	}
	require.Equal(t, before, s.height(ctx, t), "a refused request must not reach a block")
}

// stage is what the refusals need: a case with consents, one of them revoked, a grant that has ended.
type stage struct {
	city    *testCity
	person  story.Person
	caseID  string
	consent string // to market.tax, revoked
	grant   string // of market.tax, live
	ended   string // of market.tax, ended
	forged  string // a consent signed by another key
	grantK  string // the idempotency key of a grant
	grantR  exchange.RequestGrant
}

func newStage(ctx context.Context, t *testing.T, c *testCity) *stage {
	t.Helper()
	s := &stage{city: c}
	var err error
	s.person, _, err = story.SignIn(ctx, c, "citizen2", c.keys)
	require.NoError(t, err)
	applied := apply(ctx, t, c, s.person)
	s.caseID = applied.ID
	block := applied.Consents[len(applied.Consents)-1].Block

	consents, err := client.Do[app.Page[exchange.Consent]](ctx, s.person.Client, http.MethodGet, fmt.Sprintf("/v1/consents?case=%s&min_block=%d", s.caseID, block), nil)
	require.NoError(t, err)
	for _, consent := range consents.Items {
		if consent.Terms.Consumer == "market.tax" {
			s.consent = consent.ID
		}
	}
	require.NotEmpty(t, s.consent)
	revocation, err := s.person.Sign(exchange.RevocationKind, exchange.Revocation{Channel: s.person.Me.Channel, Subject: s.person.Me.Pseudonym, Consent: s.consent})
	require.NoError(t, err)
	revoked, err := client.Do[app.Receipt](ctx, s.person.Client, http.MethodPut, "/v1/consents/"+s.consent+"/revocation", app.RevokeConsent{Revocation: revocation})
	require.NoError(t, err)

	s.forge(t, consents.Items[0].Terms)
	s.grants(ctx, t)
	// Everybody's gateway has seen it all.
	for _, organisation := range []string{"services", "market"} {
		_, err = client.Do[app.Page[exchange.Agency]](ctx, c.signIn(ctx, t, organisation, ""), http.MethodGet, fmt.Sprintf("/v1/agencies?min_block=%d", revoked.Block), nil)
		require.NoError(t, err)
	}
	return s
}

// apply lets a citizen apply for the story's service.
func apply(ctx context.Context, t *testing.T, c *testCity, p story.Person) api.Applied {
	t.Helper()
	d := draft(ctx, t, p)
	answers, err := c.options(p.User).Answers(p.User)
	require.NoError(t, err)
	request, err := p.Application(d, answers)
	require.NoError(t, err)
	applied, err := p.Apply(ctx, d, request)
	require.NoError(t, err)
	require.Equal(t, d.Case, applied.ID)
	return applied
}

// lastBlock is the last that has something of an application: a gateway that has it can work on the case.
func lastBlock(applied api.Applied) uint64 {
	block := applied.Block
	for _, given := range applied.Consents {
		block = max(block, given.Block)
	}
	return block
}

// draft asks for a draft, withdrawing the case that an earlier test may have left open.
func draft(ctx context.Context, t *testing.T, p story.Person) api.Drafted {
	t.Helper()
	for {
		d, err := p.Draft(ctx, story.Service)
		require.NoError(t, err)
		if d.Open == "" {
			return d
		}
		withdrawn, err := p.Withdraw(ctx, d.Open)
		require.NoError(t, err)
		_, err = api.Of(p.Client).Me(ctx, api.Me{MinBlock: withdrawn.Block})
		require.NoError(t, err)
	}
}

// forge signs consent terms of the citizen with a key that is not the citizen's.
func (s *stage) forge(t *testing.T, terms exchange.ConsentTerms) {
	t.Helper()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	terms.Nonce = "forged-" + client.NewKey()
	s.forged, err = signed.Sign(other, exchange.ConsentKind, terms)
	require.NoError(t, err)
}

// grants finds the live grant of market.tax, and makes one that ends at once.
func (s *stage) grants(ctx context.Context, t *testing.T) {
	t.Helper()
	tax, err := s.city.Admin(ctx, "market.tax")
	require.NoError(t, err)
	police, err := s.city.Admin(ctx, "services.police")
	require.NoError(t, err)
	now := time.Now().UTC().Truncate(time.Millisecond)
	s.grantK = client.NewKey()
	s.grantR = exchange.RequestGrant{Dataset: "services.police/identity", Basis: "Tax Collection Law, art. 15", Terms: exchange.Terms{
		Purposes: []string{story.Service}, Fields: []string{"id_number"}, ValidFrom: now.Add(-time.Minute), ValidUntil: now.Add(4 * time.Second), ConsentRequired: true,
	}}
	requested, err := client.Do[app.Receipt](ctx, tax, http.MethodPost, "/v1/grants", app.RequestGrant{RequestGrant: s.grantR}, client.Key(s.grantK))
	require.NoError(t, err)
	s.ended = requested.ID
	approved, err := client.Do[app.Receipt](ctx, police, http.MethodPut, "/v1/grants/"+s.ended+"/approval", app.ApproveGrant{Terms: &s.grantR.Terms})
	require.NoError(t, err)
	grants, err := client.Do[app.Page[exchange.Grant]](ctx, tax, http.MethodGet, fmt.Sprintf("/v1/grants?dataset=services.police/identity&status=granted&min_block=%d", approved.Block), nil)
	require.NoError(t, err)
	for _, g := range grants.Items {
		if g.ID != s.ended && g.Terms.ValidUntil.After(now.Add(time.Hour)) {
			s.grant = g.ID
		}
	}
	require.NotEmpty(t, s.grant)
	time.Sleep(time.Until(s.grantR.Terms.ValidUntil) + time.Second) // what is tested is that time has passed
}

// refusals are the requests. The order follows the list of what must be refused.
func (s *stage) refusals() []refusal {
	dataset := object{
		"code": "e2e", "name": object{"zh": "试验", "en": "Trial"}, "classification": "shared", "consent_required": true, "selector": []string{"number"},
		"fields": []object{{"name": "number", "title": object{"zh": "编号", "en": "Number"}, "type": "string"}},
	}
	licence := object{
		"credit_code": "911101990000000000", "enterprise_name": "a", "legal_representative": "b", "premises_address": "c", "business_scope": "d",
		"registered_capital_yuan": 1, "established_on": "2026-01-01",
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	zeros := strings.Repeat("0", 64)
	use := object{
		"subject": s.person.Me.Pseudonym, "dataset": "services.police/identity", "fields": []string{"id_number"}, "purpose": story.Service,
		"legal_basis": "Tax Collection Law, art. 15", "case": s.caseID, "grant": s.grant, "consent": s.consent, "selector": zeros,
	}
	// The officer of tax asks for the same by REST; the gateway fills in the subject and the selector's commitment.
	asked := object{
		"dataset": use["dataset"], "fields": use["fields"], "purpose": use["purpose"], "legal_basis": use["legal_basis"], "case": s.caseID,
		"grant": s.grant, "consent": s.consent, "selector": object{"id_number": "x"},
	}
	tax := func(r refusal) refusal {
		r.user, r.method, r.path, r.agency, r.role = "officer.tax", http.MethodPost, "/v1/uses", "market.tax", "agency"
		r.chaincode, r.function = exchange.Name, exchange.UseRequest
		return r
	}
	publish := func(r refusal) refusal {
		r.user, r.method, r.path, r.agency, r.role = "admin.tax", http.MethodPost, "/v1/datasets", "market.tax", "admin"
		r.chaincode, r.function = exchange.Name, exchange.DatasetPublish
		return r
	}
	other := s.grantR
	other.Terms.Fields = []string{"id_number", "name"}
	return []refusal{
		publish(refusal{name: "unknown field", reason: "request.invalid", body: with(dataset, "colour", "red"), field: "colour", rule: "unknown", request: with(dataset, "colour", "red")}),
		publish(refusal{name: "wrong type", reason: "request.invalid", body: with(dataset, "consent_required", "yes"), field: "consent_required", rule: "type:boolean", request: with(dataset, "consent_required", "yes")}),
		publish(refusal{
			name: "oversized body", reason: "request.too_large", field: "body", rule: "max_bytes:",
			body: with(dataset, "padding", strings.Repeat("x", 300<<10)), request: with(dataset, "padding", strings.Repeat("x", 100<<10)),
		}),
		tax(refusal{name: "missing purpose", reason: "request.invalid", body: without(asked, "purpose"), field: "purpose", rule: "required", request: without(use, "purpose")}),
		{
			name: "forged consent", reason: "signature.forged", user: "citizen2", method: http.MethodPost, path: "/v1/consents", body: object{"consent": s.forged},
			field: "request.jws", rule: "signed_by_subject",
			agency: "services.hall", role: "portal", chaincode: exchange.Name, function: exchange.ConsentGive, request: object{"jws": s.forged},
		},
		tax(refusal{name: "consent revoked", reason: "exchange.consent_revoked", body: asked, field: "request.consent", rule: "status:given", request: use}),
		tax(refusal{name: "consent revoked, by material", reason: "exchange.consent_revoked", body: object{"case": s.caseID, "material": "tax-identity"}, field: "request.consent", rule: "status:given", request: use}),
		tax(refusal{name: "grant expired", reason: "exchange.grant_expired", body: with(asked, "grant", s.ended), field: "request.grant", rule: "valid", request: with(use, "grant", s.ended)}),
		{
			name: "officer of another agency", reason: "access.other_agency", user: "officer.tax", method: http.MethodPut, path: "/v1/cases/" + s.caseID + "/steps/registration/claim",
			field: "token.agency", rule: "owner",
			agency: "market.tax", role: "agency", chaincode: collaboration.Name, function: collaboration.StepClaim, request: object{"case": s.caseID, "step": "registration"},
		},
		{
			name: "auditor writes", reason: "access.role", user: "auditor", method: http.MethodPost, path: "/v1/datasets", body: dataset, field: "token.role", rule: "one_of:",
			agency: "audit.office", role: "auditor", chaincode: exchange.Name, function: exchange.DatasetPublish, request: dataset,
		},
		{
			name: "not accredited for the certificate's type", reason: "certificate.not_accredited", user: "officer.tax", method: http.MethodPost, path: "/v1/certificates",
			body:  object{"type": "business-licence", "subject": s.person.Me.Pseudonym, "values": licence},
			field: "request.type", rule: "accredited",
			agency: "market.tax", role: "agency", chaincode: certificate.Name, function: certificate.CertificateIssue,
			request: object{"type": "business-licence", "subject": s.person.Me.Pseudonym, "commitment": zeros, "valid_from": now, "valid_until": now.Add(time.Hour)},
		},
		{
			name: "same idempotency key, other content", reason: "grant.conflict", user: "admin.tax", method: http.MethodPost, path: "/v1/grants", body: other, key: s.grantK,
			field: "idempotency_key", rule: "same_content",
			agency: "market.tax", role: "admin", chaincode: exchange.Name, function: exchange.GrantRequest, request: other,
		},
	}
}

func with(o object, name string, value any) object {
	changed := object{name: value}
	for k, v := range o {
		if k != name {
			changed[k] = v
		}
	}
	return changed
}

func without(o object, name string) object {
	changed := with(o, name, nil)
	delete(changed, name)
	return changed
}

// atGateway sends the request to the gateway of the user's organisation.
func (s *stage) atGateway(ctx context.Context, t *testing.T, r refusal) *client.Problem {
	t.Helper()
	organisation := map[string]string{"citizen2": "services", "auditor": "audit"}[r.user]
	if organisation == "" {
		organisation = "market"
	}
	var options []client.Option
	if r.key != "" {
		options = append(options, client.Key(r.key))
	}
	_, err := client.Do[app.Receipt](ctx, s.city.signIn(ctx, t, organisation, r.user), r.method, r.path, r.body, options...)
	var problem *client.Problem
	require.ErrorAs(t, err, &problem)
	return problem
}

// atPeer sends the request straight to a peer, past every gateway of ours, and gives the contract's fault.
func (s *stage) atPeer(ctx context.Context, t *testing.T, r refusal) *fault.Fault {
	t.Helper()
	peer, err := story.DialPeer(s.city.network, r.agency, r.role)
	require.NoError(t, err)
	defer func() { require.NoError(t, peer.Close()) }()
	key := client.NewKey()
	if r.key != "" { // as the gateway would have sent it: the first grant was made with this key on the ledger
		key = s.ledgerKey(ctx, t)
	}
	raw, err := canonical.Marshal(r.request)
	require.NoError(t, err)
	argument, err := canonical.Marshal(kernel.Command{IdempotencyKey: key, Staff: "S1", Request: raw})
	require.NoError(t, err)
	_, err = peer.GetContract(r.chaincode).SubmitWithContext(ctx, r.function, fabric.WithBytesArguments(argument))
	require.Error(t, err)
	return contractFault(t, err)
}

// ledgerKey is the idempotency key that the first grant has on the ledger, as its transaction shows it.
func (s *stage) ledgerKey(ctx context.Context, t *testing.T) string {
	t.Helper()
	auditor := s.city.signIn(ctx, t, "audit", "auditor")
	history, err := client.Do[app.Revisions](ctx, auditor, http.MethodGet, "/v1/audit/records/grant/"+s.ended+"/history", nil)
	require.NoError(t, err)
	made := history.Items[len(history.Items)-1]
	tx, err := client.Do[app.TransactionView](ctx, auditor, http.MethodGet, "/v1/audit/transactions/"+made.Tx, nil)
	require.NoError(t, err)
	require.Len(t, tx.Commands, 1)
	return tx.Commands[0].IdempotencyKey
}

// contractFault finds what the contract said in what the peer answered.
func contractFault(t *testing.T, err error) *fault.Fault {
	t.Helper()
	var endorse *fabric.EndorseError
	require.True(t, errors.As(err, &endorse), "must be refused when it is endorsed, but: %v", err)
	for _, detail := range status.Convert(err).Details() {
		if d, ok := detail.(*gateway.ErrorDetail); ok {
			if f, ok := fault.Parse(d.GetMessage()); ok {
				return f
			}
		}
	}
	raw, _ := json.Marshal(status.Convert(err).Details())
	t.Fatalf("no contract said no: %v %s", err, raw)
	return nil
}

// height is the channel's, on the auditor's own peer, once it stands still.
func (s *stage) height(ctx context.Context, t *testing.T) uint64 {
	t.Helper()
	auditor := s.city.signIn(ctx, t, "audit", "auditor")
	var last uint64
	require.Eventually(t, func() bool {
		head, err := client.Do[app.Channel](ctx, auditor, http.MethodGet, "/v1/audit/channel", nil)
		require.NoError(t, err)
		still := head.Height == last
		last = head.Height
		return still
	}, 20*time.Second, time.Second)
	return last
}

// TestNetworkNobodyGetsAnothersRecord: a citizen writes another's identity number into the form, signs and consents to
// everything. The department knows whose the record is, and nothing is delivered.
func TestNetworkNobodyGetsAnothersRecord(t *testing.T) {
	ctx, c := real(t)
	p, _, err := story.SignIn(ctx, c, "citizen2", c.keys)
	require.NoError(t, err)
	d := draft(ctx, t, p)
	answers, err := c.options("citizen2").Answers("citizen2")
	require.NoError(t, err)
	neighbour, _, found := c.world.Behind("citizen1")
	require.True(t, found)
	answers["id_number"] = neighbour.IDNumber
	request, err := p.Application(d, answers)
	require.NoError(t, err)
	applied, err := p.Apply(ctx, d, request)
	require.NoError(t, err)
	officer, err := story.NewOfficer(ctx, c, "market.tax")
	require.NoError(t, err)
	_, err = officer.Task(ctx, applied.ID, applied.Consents[0].Block) // the officer's gateway has the case
	require.NoError(t, err)
	_, _, err = officer.Fetch(ctx, applied.ID, "tax-identity")
	require.Equal(t, "record.other_subject", client.Reason(err), "%v", err)
	require.NotContains(t, err.Error(), neighbour.IDNumber)
	_, err = p.Withdraw(ctx, applied.ID)
	require.NoError(t, err)
}
