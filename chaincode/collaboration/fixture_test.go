package collaboration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

const (
	channel = "government"
	caseID  = "0123456789abcdefghjkmnpqrs"
	person  = "k7q2m9x4v8w1z5t3n6p0aaaaaa"
	someone = "z5t3n6p0k7q2m9x4v8w1bbbbbb"
)

var (
	day0       = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	commitment = strings.Repeat("c", 64)
	lead       = caller("market.regulation")
	tax        = caller("market.tax")
	housing    = caller("planning.housing")
)

func caller(agency string) access.Caller {
	organisation, _, _ := strings.Cut(agency, ".")
	return access.Caller{MSP: access.MSPOf(agency), Organisation: organisation, Agency: agency, Role: access.Agency}
}

func named(zh, en string) exchange.Text { return exchange.Text{Zh: zh, En: en} }

// business is a service with two steps of two agencies, and a third of the lead that waits for both.
func business(change ...func(*collaboration.Service)) collaboration.Service {
	s := collaboration.Service{
		Code: "business.start", Edition: 1, Name: named("开办企业", "Start a business"), Category: collaboration.CategoryCollaboration,
		Lead: lead.Agency, LegalBasis: "Regulation on the Registration of Market Entities, art. 8",
		Form: []collaboration.Question{{ID: "trade_name", Name: named("字号", "Trade name"), Type: "string", Required: true}},
		Materials: []collaboration.Material{
			{ID: "form", Name: named("申请表", "Application form"), Source: collaboration.FromApplicant},
			{ID: "premises", Name: named("住所证明", "Proof of premises"), Source: collaboration.FromDataset,
				Dataset: "planning.housing/premises", Fields: []string{"address", "owner"}, For: lead.Agency},
			{ID: "id", Name: named("身份证", "Identity card"), Source: collaboration.FromCertificate, Type: "identity"},
		},
		Steps: []collaboration.Step{
			{ID: "premises", Name: named("住所", "Premises"), Agency: housing.Agency},
			{ID: "tax", Name: named("税务登记", "Tax registration"), Agency: tax.Agency},
			{ID: "licence", Name: named("核准", "Licence"), Agency: lead.Agency, After: []string{"premises", "tax"}},
		},
		Outcome: collaboration.Outcome{CertificateType: "business-licence"},
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

// active is an edition that all agencies have approved.
func active(t testing.TB, change ...func(*collaboration.Service)) collaboration.Definition {
	t.Helper()
	d, err := collaboration.ProposeDefinition{Service: business(change...)}.Propose(lead, previous(change...))
	require.NoError(t, err)
	d.ID = collaboration.DefinitionID(d.Code, d.Edition)
	for _, by := range []access.Caller{tax, housing} {
		d, err = d.Approve(by, collaboration.ApproveDefinition{Definition: d.ID, Hash: d.Hash})
		require.NoError(t, err)
	}
	require.Equal(t, collaboration.Active, d.Status)
	return d
}

// previous is the edition before, if the service is not the first.
func previous(change ...func(*collaboration.Service)) *collaboration.Definition {
	s := business(change...)
	if s.Edition == 1 {
		return nil
	}
	s.Edition--
	d := &collaboration.Definition{Service: s}
	d.Status = collaboration.Active
	return d
}

// signer is an applicant's key.
type signer struct {
	private *ecdsa.PrivateKey
	public  signed.Key
}

func newSigner(t testing.TB) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := signed.KeyOf(&private.PublicKey)
	require.NoError(t, err)
	return signer{private, public}
}

func (s signer) sign(t testing.TB, kind string, content any) string {
	t.Helper()
	jws, err := signed.Sign(s.private, kind, content)
	require.NoError(t, err)
	return jws
}

// applicationFor is what a person signs to apply on a definition.
func applicationFor(d collaboration.Definition, change ...func(*collaboration.Application)) collaboration.Application {
	a := collaboration.Application{Channel: channel, Subject: person, Case: caseID,
		Definition: collaboration.DefinitionID(d.Code, d.Edition), Hash: d.Hash, Form: commitment}
	for _, c := range change {
		c(&a)
	}
	return a
}

// opened is a case with its tasks.
func opened(t testing.TB) (collaboration.Opening, signer) {
	t.Helper()
	d, applicant := active(t), newSigner(t)
	r := collaboration.Apply{JWS: applicant.sign(t, collaboration.ApplicationKind, applicationFor(d))}
	o, err := r.Open(caseID, channel, applicant.public, d, nil)
	require.NoError(t, err)
	return o, applicant
}

// reason is the permanent reason of an error, "" for none.
func reason(err error) string {
	if err == nil {
		return ""
	}
	return fault.From(err).Reason
}

// broken is the field and rule of an error.
func broken(err error) string {
	if err == nil {
		return ""
	}
	f := fault.From(err)
	return f.Field + " " + f.Rule
}
