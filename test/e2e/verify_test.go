package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkVerify asks for claims about a citizen's premises across organisations: of the provider, whose connector reads its
// own database, and against its commitment with the provider not asked. What was asked, shown and answered is then searched for
// in every block, log and metric.
func TestNetworkVerify(t *testing.T) {
	ctx, c := real(t)
	const dataset = "planning.housing/premises"
	p, _, err := story.SignIn(ctx, c, "citizen2", c.keys)
	require.NoError(t, err)
	applied := apply(ctx, t, c, p)
	_, premises, found := c.world.Behind("citizen2")
	require.True(t, found)
	admin, owner := api.Of(c.signIn(ctx, t, "market", "admin.regulation")), api.Of(c.signIn(ctx, t, "planning", "admin.housing"))
	officer, registrar := api.Of(c.signIn(ctx, t, "market", "officer.regulation")), api.Of(c.signIn(ctx, t, "planning", "officer.housing"))
	citizen := api.Of(p.Client)

	from := time.Now().UTC().Truncate(24 * time.Hour)
	asked, err := admin.RequestGrant(ctx, api.RequestGrant{RequestGrant: exchange.RequestGrant{Dataset: dataset, Basis: "art. 16", Terms: exchange.Terms{
		Purposes: []string{story.Service}, Fields: []string{"floor_area_m2", "permitted_use"}, ConsentRequired: true, Modes: []string{exchange.ModeVerify},
		ValidFrom: from, ValidUntil: from.AddDate(1, 0, 0),
	}}})
	require.NoError(t, err)
	_, err = owner.Grants(ctx, api.Grants{MinBlock: asked.Block})
	require.NoError(t, err)
	granted, err := owner.ApproveGrant(ctx, api.ApproveGrant{ID: asked.ID})
	require.NoError(t, err)
	block := max(granted.Block, lastBlock(applied))
	consents, err := citizen.Consents(ctx, api.Consents{Case: applied.ID, MinBlock: block})
	require.NoError(t, err)
	at := slices.IndexFunc(consents.Items, func(g exchange.Consent) bool { return g.Terms.Dataset == dataset })
	_, err = officer.Grants(ctx, api.Grants{MinBlock: block})
	require.NoError(t, err)

	number, err := json.Marshal(premises.Number)
	require.NoError(t, err)
	selector := map[string]json.RawMessage{"premises_number": number}
	ask := api.VerifyClaims{
		Case: applied.ID, Purpose: story.Service, LegalBasis: "art. 16", Grant: asked.ID, Consent: consents.Items[at].ID, Dataset: dataset, Selector: selector,
		Claims: []claim.Claim{
			{Field: "floor_area_m2", Is: claim.AtLeast, Value: json.RawMessage(fmt.Sprint(premises.Area))},
			{Field: "permitted_use", Is: claim.Equals, Value: json.RawMessage(`"residential"`)},
		},
	}
	want := []claim.Verdict{{Verdict: claim.Yes}, {Verdict: claim.No}}
	byProvider, err := officer.VerifyClaims(ctx, ask)
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, byProvider.Status)
	require.Equal(t, want, byProvider.Verdicts)

	committed, err := registrar.CommitRecord(ctx, api.CommitRecord{Dataset: dataset, Subject: p.Me.Pseudonym, Selector: selector})
	require.NoError(t, err)
	held, err := citizen.MyRecord(ctx, api.MyRecord{Agency: "planning.housing", Code: "premises", MinBlock: committed.Block})
	require.NoError(t, err)
	require.Equal(t, committed.Root, held.Commitment.Root)
	ask.Selector = nil
	for _, f := range held.Fields {
		if f.Name == "floor_area_m2" || f.Name == "permitted_use" {
			ask.Presented = append(ask.Presented, f)
		}
	}
	shown, err := officer.VerifyClaims(ctx, ask)
	require.NoError(t, err)
	require.Equal(t, exchange.Proven, shown.Status)
	require.Equal(t, want, shown.Verdicts)
	require.Equal(t, byProvider.Number+1, shown.Number, "each has its number in the citizen's log")
	mine, err := citizen.VerifyMine(ctx, api.VerifyMine{Dataset: dataset, Claims: ask.Claims, Presented: ask.Presented})
	require.NoError(t, err)
	require.Equal(t, exchange.Proven, mine.Finding)
	require.Equal(t, want, mine.Verdicts)

	// The salts are what an answer could be guessed without.
	texts := []string{premises.Number, premises.Address, premises.Owner}
	for _, d := range [][]string{{shown.Claims.Fields[0].Salt, shown.Answer.Fields[0].Salt}, {byProvider.Claims.Fields[0].Salt, byProvider.Answer.Fields[0].Salt}} {
		texts = append(texts, d...)
	}
	for _, f := range held.Fields {
		texts = append(texts, f.Salt)
	}
	scan, err := story.ScanNetwork(ctx, c.network, append(texts, shown.ID), story.BlocksLogsMetrics)
	require.NoError(t, err)
	for _, f := range scan.Found {
		require.Equal(t, len(texts), f.Text, "text %d is in %s", f.Text, f.Where)
	}
	require.Positive(t, scan.In("block", len(texts)), "the search finds what is there")
	_, err = p.Withdraw(ctx, applied.ID)
	require.NoError(t, err)
}
