package rest_test

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
)

// verifying asks for claims about citizen1's premises: of the provider, and against its commitment.
func (t *tour) verifying(caseID string) {
	const dataset = "planning.housing/premises"
	terms := exchange.Terms{
		Purposes: []string{service}, Fields: []string{"floor_area_m2", "permitted_use"}, ConsentRequired: true, Modes: []string{exchange.ModeVerify},
		ValidFrom: t.city.Ledger.Now().UTC().Truncate(24 * time.Hour), ValidUntil: t.city.Ledger.Now().UTC().Truncate(24*time.Hour).AddDate(1, 0, 0),
	}
	grant := text(t.call("POST /v1/grants", "market", "admin.regulation", exchange.RequestGrant{Dataset: dataset, Terms: terms, Basis: "art. 16"}), "id")
	t.call("PUT /v1/grants/{id}/approval", "planning", "admin.housing", nil, grant)
	var consent string
	for _, c := range items(t.call("GET /v1/consents", "services", "citizen1", nil, "?case="+caseID)) {
		if signed, _ := c["terms"].(map[string]any); text(signed, "dataset") == dataset {
			consent = text(c, "id")
		}
	}
	_, premises, found := t.city.World.Behind("citizen1")
	require.True(t, found)
	number, err := json.Marshal(premises.Number)
	require.NoError(t, err)
	selector := map[string]json.RawMessage{"premises_number": number}

	committed := t.call("POST /v1/commitments", "planning", "officer.housing", app.CommitRecord{Dataset: dataset, Subject: t.me.Pseudonym, Selector: selector})
	record := t.call("GET /v1/subjects/me/records/{agency}/{code}", "services", "citizen1", nil, "planning.housing", "premises")
	raw, err := json.Marshal(record["fields"])
	require.NoError(t, err)
	var fields []app.Presented
	require.NoError(t, json.Unmarshal(raw, &fields))
	var use app.Presented
	for _, f := range fields {
		if f.Name == "permitted_use" {
			use = f
		}
	}
	q := app.Question{Dataset: dataset, Claims: []claim.Claim{{Field: "permitted_use", Is: claim.Equals, Value: json.RawMessage(`"commercial"`)}}}
	shown := q
	shown.Presented = []app.Presented{use}
	own := t.call("POST /v1/subjects/me/verifications", "services", "citizen1", app.VerifyMine{Question: shown})
	require.Equal(t, exchange.Proven, text(own, "finding"))

	ask := app.Verification{Case: caseID, Purpose: service, LegalBasis: "art. 16", Grant: grant, Consent: consent, Question: q, Selector: selector}
	t.call("POST /v1/verifications", "market", "officer.regulation", app.VerifyClaims{Verification: ask})
	ask.Question, ask.Selector = shown, nil
	t.call("POST /v1/verification-batches", "market", "officer.regulation", app.VerifyMany{Items: []app.Verification{ask}})
	again := app.CommitRecord{Dataset: dataset, Subject: t.me.Pseudonym, Selector: selector, Supersedes: text(committed, "root")}
	t.call("POST /v1/commitments", "planning", "officer.housing", again)
	t.call("PUT /v1/commitments/{agency}/{code}/{subject}/withdrawal", "planning", "officer.housing", app.WithdrawCommitment{Reason: "error"},
		"planning.housing", "premises", t.me.Pseudonym)
}
