package contract_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// What belongs to an agency changes only in transactions that a peer of its organisation has endorsed, with as many others as
// any transaction needs; until it exists, the chaincode's policy decides.
func TestOwnersMustEndorse(t *testing.T) {
	c := newCity(t).register()
	update := registration(housing)
	for i, line := range []struct {
		name     string
		by       string
		function string
		request  any
		made     bool // it makes the record, which has no policy yet
		state    func() any
	}{
		{"a new entry", housing, exchange.DatasetPublish, publication(), true, nil},
		{"its next edition", housing, exchange.DatasetRevise, exchange.ReviseDataset{Dataset: dataset, Edition: 2, Content: publication().Content}, false, c.dataset},
		{"the one after that", housing, exchange.DatasetRevise, exchange.ReviseDataset{Dataset: dataset, Edition: 3, Content: publication().Content}, false, c.dataset},
		{"its end", housing, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: dataset, Reason: "replaced"}, false, c.dataset},
		{"the agency's record", housing, exchange.AgencyUpdate, exchange.UpdateAgency{Agency: housing, Name: title, ExchangeKey: update.ExchangeKey, Gateway: "https://other.example"}, false, c.agency},
		{"the agency's duties", hall, exchange.AgencyAssign, exchange.AssignDuties{Agency: housing, Duties: []string{exchange.DutyPortal}}, false, c.agency},
	} {
		t.Run(line.name, func(t *testing.T) {
			endorse := func(key string, msps ...string) error {
				tx, err := c.As(line.by, access.Admin).Endorse(line.function, fmt.Sprintf("guard-%d-%s", i, key), line.request)
				require.NoError(t, err)
				return tx.EndorsedBy(msps...).Commit()
			}
			if line.made {
				require.NoError(t, endorse("0", "ServicesMSP", "MarketMSP"))
				return
			}
			before := line.state()
			unendorsed := &ledgertest.CommitError{Code: ledgertest.Unendorsed}
			require.ErrorIs(t, endorse("1", "ServicesMSP", "MarketMSP"), unendorsed, "without the owner")
			require.ErrorIs(t, endorse("2", "ServicesMSP", "MarketMSP", "AuditMSP"), unendorsed)
			require.ErrorIs(t, endorse("3", "PlanningMSP"), unendorsed, "the owner alone")
			require.ErrorIs(t, endorse("4", "PlanningMSP", "AuditMSP"), unendorsed, "with one whose signature does not count")
			require.Equal(t, before, line.state())
			require.NoError(t, endorse("5", "PlanningMSP", "MarketMSP"))
			require.NotEqual(t, before, line.state())
		})
	}
}

func (c *city) dataset() any { return read[exchange.Dataset](c, "dataset:Get", dataset) }
func (c *city) agency() any  { return read[exchange.Agency](c, "agency:Get", housing) }

// Every edition can be read, with its schema, and shows what it was when it was in force.
func TestEditionsStay(t *testing.T) {
	c := newCity(t).prepare()
	next := exchange.ReviseDataset{Dataset: dataset, Edition: 2, Content: publication().Content}
	next.Fields = append(next.Fields, exchange.FieldSpec{Name: "owner", Title: title, Type: "string", Sensitivity: exchange.Personal})
	next.Fields[1].Withdrawn = true
	before := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	c.do(housing, access.Admin, exchange.DatasetRevise, next)
	c.refused("exchange.edition_gap", housing, access.Admin, exchange.DatasetRevise, next)

	var past []struct {
		Record exchange.Dataset `json:"record"`
	}
	require.NoError(c, c.As(office, access.Auditor).Query("dataset:History", kernel.ByID{ID: dataset}, &past))
	require.Len(c, past, 2)
	require.Equal(c, []int{2, 1}, []int{past[0].Record.Edition, past[1].Record.Edition})
	require.Equal(c, publication().Content, past[1].Record.Content)
	for i, edition := range []string{"2", "1"} {
		schema := read[exchange.Schema](c, "schema:Get", dataset+"/"+edition)
		require.Equal(c, past[i].Record.SchemaHash, schema.Hash)
	}

	// What the grant names and the entry still gives can be used; a field that was withdrawn cannot.
	use := c.use()
	use.Fields = []string{"address", "area"}
	c.refused("exchange.field_unknown", tax, access.Agency, exchange.UseRequest, use)
	after := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	require.Equal(c, 1, read[exchange.Use](c, "use:Get", before).Edition)
	require.Equal(c, 2, read[exchange.Use](c, "use:Get", after).Edition)

	// Whatever protects the subject more holds for the running grant too.
	c.grant = c.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: dataset, Basis: "Tax Law 12", Terms: c.free()})
	c.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: c.grant, Terms: c.free()})
	c.consent = ""
	c.do(tax, access.Agency, exchange.UseRequest, c.use())
	next.Edition, next.Classification = 3, exchange.Restricted
	c.do(housing, access.Admin, exchange.DatasetRevise, next)
	c.refused("exchange.consent_required", tax, access.Agency, exchange.UseRequest, c.use())
	next.Edition, next.Classification = 4, exchange.Conditional
	next.Fields[0].Sensitivity = exchange.Sensitive
	c.do(housing, access.Admin, exchange.DatasetRevise, next)
	c.refused("exchange.consent_required", tax, access.Agency, exchange.UseRequest, c.use())
}

// free are terms for the address without consent.
func (c *city) free() exchange.Terms {
	terms := c.terms()
	terms.ConsentRequired, terms.Fields = false, []string{"address"}
	return terms
}
