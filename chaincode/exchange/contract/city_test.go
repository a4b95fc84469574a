package contract_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/exchange/contract"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

const (
	hall       = "services.hall"
	police     = "services.police"
	housing    = "planning.housing"
	regulation = "market.regulation"
	tax        = "market.tax"
	office     = "audit.office"
	alice      = "subject-of-the-tests-alice"
	bob        = "subject-of-the-tests-bobbb"
	dataset    = housing + "/premises"
	day        = 24 * time.Hour
)

var (
	keys  = map[string]*ecdsa.PrivateKey{alice: newKey(), bob: newKey()}
	title = exchange.Text{Zh: "名称", En: "Name"}
	hashA = strings.Repeat("a", 64)
	hashB = strings.Repeat("b", 64)
)

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func public(key *ecdsa.PrivateKey) signed.Key {
	jwk, err := signed.KeyOf(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return jwk
}

func sign(key *ecdsa.PrivateKey, kind string, content any) string {
	jws, err := signed.Sign(key, kind, content)
	if err != nil {
		panic(err)
	}
	return jws
}

// The collaboration contract of these tests keeps cases as it is told and answers case:Check from its own namespace.
type matter struct {
	state.Head
	Case collaboration.CaseState `json:"case"`
}

type openCase struct {
	Subject  string   `json:"subject"`
	Agencies []string `json:"agencies"`
}

type caseRef struct {
	Case string `json:"case"`
}

func (openCase) Validate() error { return nil }
func (caseRef) Validate() error  { return nil }

var matters = state.Map[matter]{Noun: "case", Parts: []string{"id"}, Doc: "A case of the tests."}

func cases() *kernel.Contract {
	return (&kernel.Contract{Name: collaboration.Name, Collections: []state.Collection{matters}, Functions: []kernel.Function{
		kernel.NewCreate(kernel.Create[openCase, matter]{
			Name: "case:Open", Rule: access.Everyone(), In: matters,
			Make: func(_ *kernel.Tx, id string, r openCase) (matter, error) {
				return matter{state.Head{Status: collaboration.Open}, collaboration.CaseState{Subject: r.Subject, Agencies: r.Agencies}}, nil
			},
		}),
		kernel.NewTransition(kernel.Transition[caseRef, matter]{
			Name: "case:Close", Rule: access.Everyone(), In: matters,
			Key: func(r caseRef) []string { return []string{r.Case} },
			Apply: func(_ *kernel.Tx, m matter, _ caseRef) (matter, error) {
				m.Status = collaboration.Concluded
				return m, nil
			},
		}),
		kernel.NewRead(collaboration.CaseCheck, access.Everyone(), "", func(tx *kernel.Tx, r caseRef) (collaboration.CaseState, error) {
			m, err := matters.Get(tx.Store, r.Case)
			m.Case.Status = m.Status
			return m.Case, err
		}),
	}}).Build()
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	require.TestingT
	Helper()
}

// city is a ledger with the contract on it, and whom the tests know.
type city struct {
	tester
	*ledgertest.Ledger
	commands int
	staff    string // who acts, where it matters

	grant, matter, consent string // that everything is in order with; see prepare
}

func newCity(t tester) *city {
	return &city{tester: t, Ledger: ledgertest.New(contract.New(), cases())}
}

// try submits a command under an idempotency key of its own.
func (c *city) try(agency string, role access.Role, function string, request any) (kernel.Receipt, error) {
	c.commands++
	return c.As(agency, role).SubmitAs(c.staff, function, fmt.Sprintf("command-%d", c.commands), request)
}

// do submits a command that must succeed and gives the record's id.
func (c *city) do(agency string, role access.Role, function string, request any) string {
	c.Helper()
	receipt, err := c.try(agency, role, function, request)
	require.NoError(c, err)
	return receipt.ID
}

// refused submits a command that must be refused, and checks that the ledger keeps nothing of it.
func (c *city) refused(reason string, agency string, role access.Role, function string, request any) *fault.Fault {
	c.Helper()
	height := c.Height()
	_, err := c.try(agency, role, function, request)
	require.Error(c, err)
	f := fault.From(err)
	require.Equal(c, reason, f.Reason)
	require.Equal(c, height, c.Height(), "nothing was committed")
	return f
}

func registration(agency string) exchange.RegisterAgency {
	_, code, _ := strings.Cut(agency, ".")
	return exchange.RegisterAgency{Code: code, Name: title, ExchangeKey: public(keys[alice]), Gateway: "https://127.0.0.1:7443"}
}

func publication() exchange.PublishDataset {
	return exchange.PublishDataset{Code: "premises", Content: exchange.Content{
		Name: title, Classification: exchange.Conditional, Selector: []string{"address"},
		Fields:     []exchange.FieldSpec{{Name: "address", Title: title, Type: "string"}, {Name: "area", Title: title, Type: "integer"}},
		Conditions: exchange.Conditions{Purposes: []string{"business.start", "tax.check"}},
	}}
}

func (c *city) terms() exchange.Terms {
	return exchange.Terms{
		Purposes: []string{"business.start", "tax.check"}, Fields: []string{"address", "area"},
		ValidFrom: c.Now(), ValidUntil: c.Now().Add(30 * day), ConsentRequired: true,
	}
}

// amend changes the terms of the grant that everything is in order with.
func (c *city) amend(change func(*exchange.Terms)) {
	c.Helper()
	terms := *read[exchange.Grant](c, "grant:Get", c.grant).Terms
	change(&terms)
	c.do(housing, access.Admin, exchange.GrantAmend, exchange.AmendGrant{Grant: c.grant, Terms: terms, Reason: "revised"})
}

func proof(pseudonym string, key *ecdsa.PrivateKey) exchange.RegisterSubject {
	return exchange.RegisterSubject{Pseudonym: pseudonym, SigningKey: public(key), Proof: sign(key, exchange.RegistrationKind,
		exchange.Registration{Channel: ledgertest.Channel, Subject: pseudonym, Thumbprint: public(key).Thumbprint()})}
}

// rotation lets a subject's key name its successor.
func rotation(pseudonym string, old, next *ecdsa.PrivateKey) exchange.RotateKey {
	return exchange.RotateKey{
		Subject: pseudonym, SigningKey: public(next), Proof: proof(pseudonym, next).Proof,
		Authorisation: sign(old, exchange.RotationKind, exchange.Rotation{
			Channel: ledgertest.Channel, Subject: pseudonym, Thumbprint: public(old).Thumbprint(), Successor: public(next).Thumbprint(),
		}),
	}
}

// recovery registers a key in the place of one that was lost, and ends consents.
func recovery(pseudonym string, next *ecdsa.PrivateKey, consents ...string) exchange.RecoverKey {
	return exchange.RecoverKey{
		Subject: pseudonym, SigningKey: public(next), Proof: proof(pseudonym, next).Proof, Reason: "device_lost", Consents: append([]string{}, consents...),
	}
}

func (c *city) consentTerms() exchange.ConsentTerms {
	c.commands++
	return exchange.ConsentTerms{
		Channel: ledgertest.Channel, Subject: alice, Dataset: dataset, Fields: []string{"address", "area"}, Consumer: tax,
		Purpose: "tax.check", Case: c.matter, MaxUses: 2, From: c.Now(), Until: c.Now().Add(10 * day),
		Nonce: fmt.Sprintf("nonce-of-the-tests-%d", c.commands),
	}
}

func consentTo(terms exchange.ConsentTerms) exchange.GiveConsent {
	return exchange.GiveConsent{JWS: sign(keys[terms.Subject], exchange.ConsentKind, terms)}
}

func revocation(consent string, key *ecdsa.PrivateKey) exchange.RevokeConsent {
	return exchange.RevokeConsent{Consent: consent, JWS: sign(key, exchange.RevocationKind,
		exchange.Revocation{Channel: ledgertest.Channel, Subject: alice, Consent: consent})}
}

func (c *city) use() exchange.RequestUse {
	return exchange.RequestUse{
		Subject: alice, Dataset: dataset, Fields: []string{"address"}, Purpose: "tax.check", LegalBasis: "Tax Law 12", Case: c.matter,
		Grant: c.grant, Consent: c.consent, Selector: hashA,
	}
}

// register brings in the agencies and the two subjects.
func (c *city) register() *city {
	c.Helper()
	for _, agency := range []string{hall, police, housing, regulation, tax} {
		c.do(agency, access.Admin, exchange.AgencyRegister, registration(agency))
	}
	c.do(hall, access.Admin, exchange.AgencyAssign, exchange.AssignDuties{Agency: police, Duties: []string{exchange.DutyIdentity}})
	c.do(police, access.Agency, exchange.SubjectRegister, proof(alice, keys[alice]))
	c.do(police, access.Agency, exchange.SubjectRegister, proof(bob, keys[bob]))
	return c
}

// prepare brings everything to the point where tax may use alice's data of housing.
func (c *city) prepare() *city {
	c.Helper()
	c.register()
	c.do(housing, access.Admin, exchange.DatasetPublish, publication())
	c.grant = c.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: dataset, Terms: c.terms(), Basis: "Tax Law 12"})
	c.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: c.grant, Terms: c.terms()})
	c.matter = c.do(hall, access.Portal, "case:Open", openCase{alice, []string{housing, tax}})
	c.consent = c.do(hall, access.Portal, exchange.ConsentGive, consentTo(c.consentTerms()))
	return c
}

// read gets a record.
func read[T any](c *city, function, id string) (record T) {
	c.Helper()
	require.NoError(c, c.As(office, access.Auditor).On(exchange.Name).Query(function, kernel.ByID{ID: id}, &record))
	return record
}

// verify asks a question that is not about a record by its id.
func verify[T any](c *city, function string, request any) (answer T) {
	c.Helper()
	require.NoError(c, c.As(office, access.Auditor).On(exchange.Name).Query(function, request, &answer))
	return answer
}

// last are the changes that the last transaction announced.
func (c *city) last() []kernel.Change {
	blocks := c.Blocks()
	return announced(c, blocks[len(blocks)-1])
}
