package contract_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// need is met by large premises.
func need() exchange.Need {
	return exchange.Need{Name: title, LegalBasis: "Company Law 8", Evidence: []exchange.Evidence{{
		Dataset: dataset, Fields: []string{"address", "area"},
		Conditions: []claim.Claim{{Field: "area", Is: claim.AtLeast, Value: json.RawMessage("50")}},
	}}}
}

func TestRequirements(t *testing.T) {
	c := newCity(t).prepare()
	publish := func(change func(*exchange.Evidence)) exchange.PublishRequirement {
		r := exchange.PublishRequirement{Code: "large-premises", Need: need()}
		change(&r.Evidence[0])
		return r
	}
	for _, line := range []struct {
		name, reason, field string
		change              func(*exchange.Evidence)
	}{
		{"no such dataset", "dataset.missing", "request.evidence[0].dataset", func(e *exchange.Evidence) { e.Dataset = housing + "/none" }},
		{"no such field", "exchange.field_unknown", "request.evidence[0].fields", func(e *exchange.Evidence) { e.Fields = []string{"area", "rent"} }},
		{"a condition on a field that is not needed", "request.invalid", "request.evidence[0].conditions[0].field", func(e *exchange.Evidence) { e.Fields = []string{"address"} }},
		{"a condition that is none for a number", "request.invalid", "request.evidence[0].claims[0].is", func(e *exchange.Evidence) { e.Conditions[0].Is = claim.Before }},
		{"a dataset and a certificate", "request.invalid", "request.evidence[0]", func(e *exchange.Evidence) { e.Certificate = "business-licence" }},
		{"neither", "request.invalid", "request.evidence[0]", func(e *exchange.Evidence) { *e = exchange.Evidence{} }},
		{"somebody's number", "request.invalid", "request.evidence[0].conditions[0].value", func(e *exchange.Evidence) { e.Conditions[0].Value = json.RawMessage(`"110101199003071234"`) }},
	} {
		t.Run(line.name, func(t *testing.T) {
			got := c.refused(line.reason, regulation, access.Admin, exchange.RequirementPublish, publish(line.change))
			require.Equal(t, line.field, got.Field)
		})
	}
	c.refused("exchange.agency_unregistered", "market.customs", access.Admin, exchange.RequirementPublish, publish(func(*exchange.Evidence) {}))

	id := c.do(regulation, access.Admin, exchange.RequirementPublish, publish(func(*exchange.Evidence) {}))
	c.refused("requirement.conflict", regulation, access.Admin, exchange.RequirementPublish, publish(func(e *exchange.Evidence) { e.Conditions = nil }))
	q := read[exchange.Requirement](c, "requirement:Get", id)
	require.Equal(t, []any{regulation, 1, exchange.Published}, []any{q.Agency, q.Edition, q.Status})
	require.True(t, q.MetBy(dataset, []string{"address", "area", "owner"}, ""))
	require.False(t, q.MetBy(dataset, []string{"address"}, ""))
	require.False(t, q.MetBy("", nil, "business-licence"))

	revise := exchange.ReviseRequirement{Requirement: id, Edition: 3, Need: need()}
	c.refused("exchange.edition_gap", regulation, access.Admin, exchange.RequirementRevise, revise)
	revise.Edition, revise.Evidence[0].Conditions = 2, nil
	c.do(regulation, access.Admin, exchange.RequirementRevise, revise)
	require.Empty(t, read[exchange.Requirement](c, "requirement:Get", id).Evidence[0].Conditions)
	c.do(regulation, access.Admin, exchange.RequirementWithdraw, exchange.WithdrawRequirement{Requirement: id, Reason: "replaced"})
	revise.Edition = 3
	c.refused("exchange.requirement_withdrawn", regulation, access.Admin, exchange.RequirementRevise, revise)
	c.refused("exchange.requirement_withdrawn", regulation, access.Admin, exchange.RequirementWithdraw, exchange.WithdrawRequirement{Requirement: id, Reason: "replaced"})

	c.do(housing, access.Admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: dataset, Reason: "replaced"})
	c.refused("exchange.dataset_withdrawn", regulation, access.Admin, exchange.RequirementPublish, exchange.PublishRequirement{Code: "premises", Need: need()})
}

func TestTheRoster(t *testing.T) {
	c := newCity(t).register()
	enter := exchange.EnterListing{Agency: "planning.parks", Kind: exchange.Department, Name: title}
	c.refused("access.organisation", tax, access.Admin, exchange.ListingEnter, enter)
	c.do(hall, access.Admin, exchange.ListingEnter, enter)
	enter.Kind = exchange.District
	c.refused("listing.conflict", hall, access.Admin, exchange.ListingEnter, enter)
	c.refused("access.organisation", housing, access.Admin, exchange.ListingRename, exchange.RenameListing{Agency: "planning.parks", Name: title})
	c.refused("listing.missing", hall, access.Admin, exchange.ListingRename, exchange.RenameListing{Agency: "planning.moon", Name: title})
	name := exchange.Text{Zh: "市园林局", En: "Parks"}
	c.do(hall, access.Admin, exchange.ListingRename, exchange.RenameListing{Agency: "planning.parks", Name: name})
	require.Equal(t, name, read[exchange.Listing](c, "listing:Get", "planning.parks").Name)
	enter.Kind = "province"
	require.Equal(t, "request.kind", c.refused("request.invalid", hall, access.Admin, exchange.ListingEnter, enter).Field)
}
