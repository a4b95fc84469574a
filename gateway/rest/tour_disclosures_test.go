package rest_test

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
)

// sealing fetches an enterprise's record for an inquiry into citizen1, who is told later: twice, for one is opened by its agency
// and the other on demand.
func (t *tour) sealing() {
	const dataset, purpose = "market.regulation/enterprise", "inquiry.fraud"
	from := t.city.Ledger.Now().UTC().Truncate(24 * time.Hour)
	terms := exchange.Terms{Purposes: []string{purpose}, Fields: []string{"name"}, ValidFrom: from, ValidUntil: from.AddDate(1, 0, 0), DelayDays: 30}
	grant := text(t.call("POST /v1/grants", "services", "admin.police", exchange.RequestGrant{Dataset: dataset, Terms: terms, Basis: "Inquiries Act"}), "id")
	t.call("PUT /v1/grants/{id}/approval", "market", "admin.regulation", nil, grant)
	code, err := json.Marshal(t.city.World.Enterprises[0].Code)
	require.NoError(t, err)
	seal := app.SealUse{
		Subject: t.me.Pseudonym, Dataset: dataset, Fields: []string{"name"}, Purpose: purpose, LegalBasis: "Inquiries Act, art. 9", File: "Inquiry 2026-17",
		Selector: map[string]json.RawMessage{"credit_code": code}, OpensAt: t.city.Ledger.Now().UTC().Truncate(time.Second).Add(time.Hour),
	}
	first := text(t.call("POST /v1/sealed-uses", "services", "officer.police", seal), "id")
	second := text(t.call("POST /v1/sealed-uses", "services", "officer.police", seal), "id")
	t.call("GET /v1/uses/{id}/details", "services", "officer.police", nil, first)
	t.call("PUT /v1/uses/{id}/opening", "services", "officer.police", nil, first)
	t.city.Ledger.Advance(2 * time.Hour)
	t.call("POST /v1/uses/{id}/opening-demand", "planning", nobody, nil, second)
}
