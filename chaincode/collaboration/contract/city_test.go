package contract_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	certificates "github.com/hutong-gov/hutong/chaincode/certificate/contract"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/collaboration/contract"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	exchanges "github.com/hutong-gov/hutong/chaincode/exchange/contract"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

const (
	hall       = "services.hall"
	police     = "services.police"
	housing    = "planning.housing"
	regulation = "market.regulation"
	tax        = "market.tax"

	premises = housing + "/premises"
	licence  = "business-licence"
)

var body = strings.Repeat("a", 64)

// city is a ledger with the three contracts and everything in place to start a business: agencies, a dataset, a
// certificate type, a service with three steps of three agencies.
type city struct {
	*ledgertest.Ledger
	t       testing.TB
	service collaboration.Service
	hash    string
}

func newCity(t testing.TB) *city {
	c := &city{Ledger: ledgertest.New(exchanges.New(), contract.New(), certificates.New()), t: t}
	for _, agency := range []string{hall, police, housing, regulation, tax} {
		c.register(agency)
	}
	c.must(hall, access.Admin, "", exchange.AgencyAssign, "d1", exchange.AssignDuties{Agency: police, Duties: []string{exchange.DutyIdentity}})
	c.must(housing, access.Admin, "", exchange.DatasetPublish, "ds1", exchange.PublishDataset{Code: "premises", Content: exchange.Content{
		Name: named("住所", "Premises"), Classification: exchange.Restricted, ConsentRequired: true, Selector: []string{"owner"},
		Fields:     []exchange.FieldSpec{{Name: "address", Title: named("地址", "Address"), Type: "string"}, {Name: "owner", Title: named("业主", "Owner"), Type: "string"}},
		Conditions: exchange.Conditions{Purposes: []string{"business.start"}},
	}})
	c.must(regulation, access.Admin, "", certificate.TypePublish, "t1", certificate.PublishType{
		Code: licence, Name: named("营业执照", "Business licence"), ValidDays: 3650,
		Fields: []exchange.FieldSpec{{Name: "trade_name", Title: named("名称", "Name"), Type: "string"}},
	})
	c.must(regulation, access.Admin, "", certificate.AccreditationGrant, "a1", certificate.GrantAccreditation{
		Type: licence, Agency: regulation, From: c.Now(), Until: c.Now().AddDate(5, 0, 0)})
	c.service = business()
	c.hash = c.activate("1", c.service)
	return c
}

func (c *city) register(agency string) {
	_, code, _ := strings.Cut(agency, ".")
	c.must(agency, access.Admin, "", exchange.AgencyRegister, "r1", exchange.RegisterAgency{
		Code: code, Name: named("部门", "Agency"), ExchangeKey: newApplicant(c.t).key, Gateway: "https://gateway.example"})
}

func named(zh, en string) exchange.Text { return exchange.Text{Zh: zh, En: en} }

func business(change ...func(*collaboration.Service)) collaboration.Service {
	s := collaboration.Service{
		Code: "business.start", Edition: 1, Name: named("开办企业", "Start a business"), Category: collaboration.CategoryCollaboration,
		Lead: regulation, LegalBasis: "Regulation on the Registration of Market Entities, art. 8",
		Form: []collaboration.Question{{ID: "trade_name", Name: named("字号", "Trade name"), Type: "string", Required: true}},
		Materials: []collaboration.Material{
			{ID: "form", Name: named("申请表", "Application form"), Source: collaboration.FromApplicant},
			{ID: "premises", Name: named("住所证明", "Proof of premises"), Source: collaboration.FromDataset,
				Dataset: premises, Fields: []string{"address"}, For: regulation},
		},
		Steps: []collaboration.Step{
			{ID: "premises", Name: named("住所", "Premises"), Agency: housing},
			{ID: "tax", Name: named("税务登记", "Tax registration"), Agency: tax},
			{ID: "licence", Name: named("核准", "Licence"), Agency: regulation, After: []string{"premises", "tax"}},
		},
		Outcome: collaboration.Outcome{CertificateType: licence},
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

// activate proposes an edition and has the other agencies approve it; it gives its hash.
func (c *city) activate(key string, s collaboration.Service) string {
	c.t.Helper()
	hash, err := s.Hash()
	require.NoError(c.t, err)
	c.must(s.Lead, access.Admin, "", collaboration.DefinitionPropose, "p"+key, collaboration.ProposeDefinition{Service: s})
	for _, agency := range s.Responsible() {
		if agency != s.Lead {
			c.must(agency, access.Admin, "", collaboration.DefinitionApprove, "p"+key, collaboration.ApproveDefinition{
				Definition: collaboration.DefinitionID(s.Code, s.Edition), Hash: hash})
		}
	}
	return hash
}

// must submits a command that has to succeed.
func (c *city) must(agency string, role access.Role, staff, function, key string, request any) kernel.Receipt {
	c.t.Helper()
	receipt, err := c.As(agency, role).SubmitAs(staff, function, key, request)
	require.NoError(c.t, err, "%s by %s", function, agency)
	return receipt
}

// refused submits a command that has to be refused, leaving no transaction.
func (c *city) refused(agency string, role access.Role, staff, function, key string, request any, reason string) *fault.Fault {
	c.t.Helper()
	height := c.Height()
	_, err := c.As(agency, role).SubmitAs(staff, function, key, request)
	require.Equal(c.t, reason, reasonOf(err))
	require.Equal(c.t, height, c.Height())
	return fault.From(err)
}

func reasonOf(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Reason
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// applicant is a person with a key.
type applicant struct {
	private *ecdsa.PrivateKey
	key     signed.Key
	subject string
}

func newApplicant(t testing.TB) applicant {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := signed.KeyOf(&private.PublicKey)
	require.NoError(t, err)
	return applicant{private, key, key.Thumbprint()}
}

func (a applicant) sign(t testing.TB, kind string, content any) string {
	jws, err := signed.Sign(a.private, kind, content)
	require.NoError(t, err)
	return jws
}

// person registers a person.
func (c *city) person() applicant {
	a := newApplicant(c.t)
	c.must(police, access.Agency, "P1", exchange.SubjectRegister, "s."+a.subject, exchange.RegisterSubject{
		Pseudonym: a.subject, SigningKey: a.key,
		Proof: a.sign(c.t, exchange.RegistrationKind, exchange.Registration{Channel: ledgertest.Channel, Subject: a.subject, Thumbprint: a.key.Thumbprint()}),
	})
	return a
}

func caseID(key string) string { return kernel.ID(hall, collaboration.CaseApply, key) }

// application is what a person signs to apply under an idempotency key.
func (c *city) application(a applicant, key string) collaboration.Application {
	return collaboration.Application{Channel: ledgertest.Channel, Subject: a.subject, Case: caseID(key),
		Definition: collaboration.DefinitionID(c.service.Code, c.service.Edition), Hash: c.hash, Form: body}
}

func (c *city) applyRequest(a applicant, key string) collaboration.Apply {
	return collaboration.Apply{JWS: a.sign(c.t, collaboration.ApplicationKind, c.application(a, key))}
}

// apply opens a case and gives its id.
func (c *city) apply(a applicant, key string) string {
	c.t.Helper()
	return c.must(hall, access.Portal, "", collaboration.CaseApply, key, c.applyRequest(a, key)).ID
}

// step carries out an act on a step for an officer.
func (c *city) step(agency, staff, function, id, step string) {
	c.t.Helper()
	c.must(agency, access.Agency, staff, function, function+id+step+staff+c.Now().Format("150405.000"), stepRequest(function, id, step))
	c.Advance(1e6)
}

func stepRequest(function, id, step string) any {
	ref := collaboration.TaskRef{Case: id, Step: step}
	switch function {
	case collaboration.StepApprove:
		return collaboration.ApproveTask{TaskRef: ref}
	case collaboration.StepReturn:
		return collaboration.ReturnTask{TaskRef: ref, Reason: "address.unclear"}
	case collaboration.StepReject:
		return collaboration.RejectTask{TaskRef: ref, Reason: "not.eligible"}
	}
	return ref
}

// decide claims and approves a step.
func (c *city) decide(agency, staff, id, step string) {
	c.t.Helper()
	c.step(agency, staff, collaboration.StepClaim, id, step)
	c.step(agency, staff, collaboration.StepApprove, id, step)
}

func (c *city) conclusion(id string) collaboration.Conclude {
	return collaboration.Conclude{Case: id, Certificate: &collaboration.Certificate{
		Commitment: body, ValidFrom: c.Now(), ValidUntil: c.Now().AddDate(3, 0, 0)}}
}

// get reads a record.
func get[T any](c *city, function, id string) (record T) {
	c.t.Helper()
	require.NoError(c.t, c.As("audit.office", access.Auditor).Query(function, kernel.ByID{ID: id}, &record))
	return record
}

// changes are the types of change the last block announced.
func (c *city) changes() (types []string) {
	c.t.Helper()
	blocks := c.Blocks()
	event := blocks[len(blocks)-1].Transactions[0].Event
	if event == nil {
		return nil
	}
	var envelope kernel.Envelope
	require.NoError(c.t, json.Unmarshal(event.Payload, &envelope))
	for _, change := range envelope.Changes {
		types = append(types, change.Type)
	}
	return types
}
