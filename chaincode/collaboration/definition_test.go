package collaboration_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

func TestPropose(t *testing.T) {
	second := func(s *service) { s.Edition = 2 }
	others := previous(second)
	others.Lead = housing.Agency
	for _, c := range []struct {
		name     string
		by       access.Caller
		service  service
		previous *collaboration.Definition
		reason   string
	}{
		{"not the lead", tax, business(second), nil, "access.other_agency"},
		{"gap between editions", lead, business(second), nil, "collaboration.edition_gap"},
		{"another's service", lead, business(second), others, "access.other_agency"},
		{"first edition", lead, business(), nil, ""},
		{"second edition", lead, business(second), previous(second), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := collaboration.ProposeDefinition{Service: c.service}.Propose(c.by, c.previous)
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				return
			}
			require.Equal(t, collaboration.Proposed, d.Status)
			require.Equal(t, []string{tax.Agency, housing.Agency}, d.Awaiting)
			require.Equal(t, []string{lead.Agency}, d.Approvals)
		})
	}
}

func TestProposeAlone(t *testing.T) {
	alone := business(func(s *service) { s.Steps = s.Steps[2:]; s.Steps[0].After = nil; s.Materials = s.Materials[:1] })
	d, err := collaboration.ProposeDefinition{Service: alone}.Propose(lead, nil)
	require.NoError(t, err)
	require.Equal(t, collaboration.Active, d.Status)
	require.Empty(t, d.Awaiting)
}

func TestFits(t *testing.T) {
	premises := exchange.Dataset{Agency: "planning.housing", Code: "premises", Content: exchange.Content{Fields: []exchange.FieldSpec{{Name: "address"}, {Name: "owner"}}}}
	premises.Status = exchange.Published
	withdrawn, narrow := premises, premises
	withdrawn.Status, withdrawn.Fields = exchange.Withdrawn, nil
	narrow.Fields = premises.Fields[:1]
	for _, c := range []struct {
		name   string
		d      exchange.Dataset
		reason string
	}{
		{"withdrawn", withdrawn, "collaboration.dataset_withdrawn"},
		{"field missing", narrow, "collaboration.field_unknown"},
		{"fits", premises, ""},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.reason, reason(business().Fits(c.d))) })
	}
}

func TestShows(t *testing.T) {
	asked := exchange.Requirement{Need: exchange.Need{Evidence: []exchange.Evidence{
		{Dataset: "planning.housing/premises", Fields: []string{"address"}}, {Certificate: "business-licence"},
	}}}
	asked.ID, asked.Status = "market.regulation/premises", exchange.Published
	withdrawn := asked
	withdrawn.Status = exchange.Withdrawn
	named := func(m collaboration.Material) service {
		m.Requirement = asked.ID
		return service{Materials: []collaboration.Material{{ID: "other"}, m}}
	}
	record := collaboration.Material{Source: collaboration.FromDataset, Dataset: "planning.housing/premises", Fields: []string{"address", "owner"}}
	less := record
	less.Fields = []string{"owner"}
	for _, c := range []struct {
		name   string
		s      service
		q      exchange.Requirement
		reason string
	}{
		{"withdrawn", named(less), withdrawn, "collaboration.requirement_withdrawn"},
		{"without a field needed", named(less), asked, "collaboration.not_evidence"},
		{"another certificate", named(collaboration.Material{Source: collaboration.FromCertificate, Type: "deed"}), asked, "collaboration.not_evidence"},
		{"the record", named(record), asked, ""},
		{"the certificate", named(collaboration.Material{Source: collaboration.FromCertificate, Type: "business-licence"}), asked, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, []string{asked.ID}, c.s.Requirements())
			require.Equal(t, c.reason, reason(c.s.Shows(c.q)))
		})
	}
}

func TestApproveDefinition(t *testing.T) {
	d, err := collaboration.ProposeDefinition{Service: business()}.Propose(lead, nil)
	require.NoError(t, err)
	retired, _ := d.Retire()
	for _, c := range []struct {
		name   string
		d      collaboration.Definition
		by     access.Caller
		hash   string
		reason string
	}{
		{"approved before", retired, lead, "other", "collaboration.already_approved"},
		{"no part in it", retired, caller("services.police"), "other", "collaboration.not_responsible"},
		{"replaced", retired, tax, "other", "collaboration.not_proposed"},
		{"another hash", d, tax, "other", "collaboration.definition_changed"},
		{"approved", d, tax, d.Hash, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, err := c.d.Approve(c.by, collaboration.ApproveDefinition{Hash: c.hash})
			require.Equal(t, c.reason, reason(err))
			if err != nil {
				require.Equal(t, c.d, after)
				return
			}
			require.Equal(t, collaboration.Proposed, after.Status)
			require.Equal(t, []string{housing.Agency}, after.Awaiting)
			require.Equal(t, []string{lead.Agency, tax.Agency}, after.Approvals)
			require.Equal(t, []string{tax.Agency, housing.Agency}, d.Awaiting, "the record before is not touched")
			last, err := after.Approve(housing, collaboration.ApproveDefinition{Hash: c.hash})
			require.NoError(t, err)
			require.Equal(t, collaboration.Active, last.Status)
			require.Empty(t, last.Awaiting)
		})
	}
}

func TestRetire(t *testing.T) {
	for _, c := range []struct {
		from    string
		changed bool
	}{{collaboration.Proposed, true}, {collaboration.Active, true}, {collaboration.Retired, false}} {
		d := collaboration.Definition{}
		d.Status = c.from
		after, changed := d.Retire()
		require.Equal(t, c.changed, changed)
		require.Equal(t, collaboration.Retired, after.Status)
	}
}
