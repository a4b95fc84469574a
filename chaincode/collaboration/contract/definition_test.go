package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

type (
	batchCommand = kernel.BatchCommand
	service      = collaboration.Service
)

func edition(n int) func(*service) { return func(s *service) { s.Edition = n } }

func (c *city) statuses() (list []string) {
	for _, id := range []string{"business.start/1", "business.start/2", "business.start/3"} {
		list = append(list, get[collaboration.Definition](c, "definition:Get", id).Status)
	}
	return list
}

func TestALaterEditionRetiresEarlierOnes(t *testing.T) {
	c := newCity(t)
	person := c.person()
	id := c.apply(person, "k1")
	propose := func(n int) {
		c.must(regulation, access.Admin, "", collaboration.DefinitionPropose, "e", collaboration.ProposeDefinition{Service: business(edition(n))})
	}
	c.refused(regulation, access.Admin, "", collaboration.DefinitionPropose, "e", collaboration.ProposeDefinition{Service: business(edition(3))}, "collaboration.edition_gap")
	propose(2)
	hash := c.activate("3", business(edition(3)))
	require.Equal(t, []string{collaboration.EventDefinitionApproved, collaboration.EventDefinitionActivated,
		collaboration.EventDefinitionRetired, collaboration.EventDefinitionRetired}, c.changes())
	require.Equal(t, []string{collaboration.Retired, collaboration.Retired, collaboration.Active}, c.statuses())

	second, err := business(edition(2)).Hash()
	require.NoError(t, err)
	c.refused(tax, access.Admin, "", collaboration.DefinitionApprove, "late", collaboration.ApproveDefinition{Definition: "business.start/2", Hash: second}, "collaboration.not_proposed")
	c.refused(hall, access.Portal, "", collaboration.CaseApply, "k2", c.applyRequest(c.person(), "k2"), "collaboration.definition_not_active")
	c.decide(tax, "T1", id, "tax") // an open case stays on its edition

	c.service, c.hash = business(edition(3)), hash
	c.refused(hall, access.Portal, "", collaboration.CaseApply, "k3", c.applyRequest(person, "k3"), "collaboration.duplicate_application")
	c.apply(c.person(), "k4")
}

func TestProposeRefusals(t *testing.T) {
	c := newCity(t)
	c.must(housing, access.Admin, "", exchange.DatasetPublish, "old", exchange.PublishDataset{Code: "old", Content: exchange.Content{Name: named("旧", "Old"),
		Classification: exchange.Shared, Selector: []string{"address"}, Fields: []exchange.FieldSpec{{Name: "address", Title: named("地址", "Address"), Type: "string"}}}})
	c.must(housing, access.Admin, "", exchange.DatasetWithdraw, "old", exchange.WithdrawDataset{Dataset: housing + "/old", Reason: "replaced"})
	other := func(change func(*service)) service {
		return business(func(s *service) { s.Code = "business.other"; change(s) })
	}
	for _, r := range []struct {
		name    string
		by      string
		service service
		reason  string
		field   string
	}{
		{"cycle", regulation, other(func(s *service) { s.Steps[0].After = []string{"licence"} }), "request.invalid", "request.service.steps[0].after"},
		{"not the lead", tax, other(func(*service) {}), "access.other_agency", "creator.agency"},
		{"another's service", tax, business(edition(2), func(s *service) { s.Lead = tax; s.Materials[1].For = tax }), "access.other_agency", "creator.agency"},
		{"other content", regulation, business(func(s *service) { s.Visits = 1 }), "definition.conflict", "idempotency_key"},
		{"no such dataset", regulation, other(func(s *service) { s.Materials[1].Dataset = housing + "/none" }), "dataset.missing", "request.service.materials.dataset"},
		{"dataset withdrawn", regulation, other(func(s *service) { s.Materials[1].Dataset = housing + "/old" }), "collaboration.dataset_withdrawn", "request.service.materials.dataset"},
		{"no such field", regulation, other(func(s *service) { s.Materials[1].Fields = []string{"price"} }), "collaboration.field_unknown", "request.service.materials.fields"},
		{"no such certificate type", regulation, other(func(s *service) { s.Outcome.CertificateType = "none" }), "type.missing", "request.service.certificate_type"},
	} {
		t.Run(r.name, func(t *testing.T) {
			f := c.refused(r.by, access.Admin, "", collaboration.DefinitionPropose, "x", collaboration.ProposeDefinition{Service: r.service}, r.reason)
			require.Equal(t, r.field, f.Field)
		})
	}
}

func TestDefinitionNeedsEveryApproval(t *testing.T) {
	c := newCity(t)
	s := business(func(s *service) { s.Code = "business.other" })
	hash, err := s.Hash()
	require.NoError(t, err)
	c.must(regulation, access.Admin, "", collaboration.DefinitionPropose, "p", collaboration.ProposeDefinition{Service: s})
	approve := collaboration.ApproveDefinition{Definition: "business.other/1", Hash: hash}
	c.must(tax, access.Admin, "", collaboration.DefinitionApprove, "p", approve)
	c.refused(tax, access.Admin, "", collaboration.DefinitionApprove, "again", approve, "collaboration.already_approved")
	c.refused(police, access.Admin, "", collaboration.DefinitionApprove, "p", approve, "collaboration.not_responsible")
	c.service, c.hash = s, hash
	c.refused(hall, access.Portal, "", collaboration.CaseApply, "k1", c.applyRequest(c.person(), "k1"), "collaboration.definition_not_active")
	receipt := c.must(housing, access.Admin, "", collaboration.DefinitionApprove, "p", approve)
	require.Equal(t, collaboration.Active, receipt.Status)
	c.apply(c.person(), "k1")
}
