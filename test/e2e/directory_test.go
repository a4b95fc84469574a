package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network/catalogue"
)

// TestNetworkTheDirectoryIsKeptByItsOwners takes an entry of the directory and a requirement through their lives over REST: made at
// the owner's gateway, found and read at another organisation's.
func TestNetworkTheDirectoryIsKeptByItsOwners(t *testing.T) {
	ctx, c := real(t)
	gateway := func(organisation, user string) api.Gateway {
		to, err := c.SignIn(ctx, organisation, user)
		require.NoError(t, err)
		return api.Of(to)
	}
	parks, other, anybody := gateway("planning", "admin.parks"), gateway("market", "admin.tax"), gateway("services", "")
	text := func(zh, en string) exchange.Text { return exchange.Text{Zh: zh, En: en} }

	// What the catalogue brought is there, of every department.
	loaded, err := catalogue.Default()
	require.NoError(t, err)
	for _, d := range loaded.Datasets {
		found, err := anybody.Dataset(ctx, api.DatasetByID{Agency: d.Owner, Code: d.Code})
		require.NoError(t, err, d.ID())
		require.Equal(t, d.Content, found.Item.Content)
	}

	// Published, and found by each of the things it is searched for.
	content := exchange.Content{
		Name: text("公园长椅认养", "Adopted park benches"), Classification: exchange.Conditional, Selector: []string{"bench_number"},
		Fields: []exchange.FieldSpec{
			{Name: "bench_number", Title: text("长椅编号", "Bench number"), Type: "string"},
			{Name: "adopter_name", Title: text("认养人", "Adopter"), Type: "string", Sensitivity: exchange.Personal},
		},
		Conditions: exchange.Conditions{Purposes: []string{"bench.adopt"}}, Freshness: "P7D",
	}
	published, err := parks.PublishDataset(ctx, api.PublishDataset{PublishDataset: exchange.PublishDataset{Code: "bench", Content: content}})
	require.NoError(t, err)
	require.Equal(t, "planning.parks/bench", published.ID)
	for name, search := range map[string]api.Datasets{
		"agency and class":   {Agency: "planning.parks", Classification: exchange.Conditional},
		"purpose":            {Purpose: "bench.adopt"},
		"field":              {Field: "adopter_name"},
		"words of a name":    {Text: "adopted bench"},
		"a title in Chinese": {Text: "长椅编号"},
	} {
		search.MinBlock = published.Block
		page, err := anybody.Datasets(ctx, search)
		require.NoError(t, err, name)
		require.Len(t, page.Items, 1, name)
		require.Equal(t, published.ID, page.Items[0].ID, name)
	}

	// Only the owner makes the next edition, and only the next.
	content.Fields = append(content.Fields, exchange.FieldSpec{Name: "until", Title: text("认养期止", "Until"), Type: "date"})
	next := api.ReviseDataset{Agency: "planning.parks", Code: "bench", Edition: 2, Content: content}
	_, err = other.ReviseDataset(ctx, next)
	require.Equal(t, "access.other_agency", client.Reason(err))
	revised, err := parks.ReviseDataset(ctx, next)
	require.NoError(t, err)
	_, err = parks.ReviseDataset(ctx, next, client.Key("bench-again"))
	require.Equal(t, "exchange.edition_gap", client.Reason(err))
	editions, err := anybody.DatasetEditions(ctx, api.DatasetEditions{Agency: "planning.parks", Code: "bench", MinBlock: revised.Block})
	require.NoError(t, err)
	require.Len(t, editions.Items, 2)
	require.Len(t, editions.Items[0].Dataset.Fields, 2)
	require.Len(t, editions.Items[1].Dataset.Fields, 3)
	for edition, state := range editions.Items {
		schema, err := anybody.DatasetSchema(ctx, api.DatasetSchema{Agency: "planning.parks", Code: "bench", Edition: edition + 1})
		require.NoError(t, err)
		require.Equal(t, state.Dataset.SchemaHash, schema.Item.Hash)
	}

	// A requirement that it is evidence of. The asker's organisation has the edition by then.
	_, err = other.Dataset(ctx, api.DatasetByID{Agency: "planning.parks", Code: "bench", MinBlock: revised.Block})
	require.NoError(t, err)
	need := exchange.Need{Name: text("已认养长椅", "An adopted bench"), LegalBasis: "Parks Regulation, art. 9", Evidence: []exchange.Evidence{
		{Dataset: published.ID, Fields: []string{"bench_number", "until"}, Conditions: []claim.Claim{{Field: "until", Is: claim.After, Value: []byte(`"2026-01-01"`)}}},
	}}
	_, err = other.PublishRequirement(ctx, api.PublishRequirement{PublishRequirement: exchange.PublishRequirement{Code: "bench", Need: exchange.Need{
		Name: need.Name, LegalBasis: need.LegalBasis, Evidence: []exchange.Evidence{{Dataset: published.ID, Fields: []string{"colour"}}},
	}}})
	require.Equal(t, "exchange.field_unknown", client.Reason(err))
	asked, err := other.PublishRequirement(ctx, api.PublishRequirement{PublishRequirement: exchange.PublishRequirement{Code: "bench", Need: need}})
	require.NoError(t, err)
	need.Evidence = append(need.Evidence, exchange.Evidence{Certificate: "business-licence"})
	asked, err = other.ReviseRequirement(ctx, api.ReviseRequirement{Agency: "market.tax", Code: "bench", Edition: 2, Need: need})
	require.NoError(t, err)
	for _, search := range []api.Requirements{{Dataset: published.ID}, {Certificate: "business-licence", Agency: "market.tax"}, {Text: "adopted"}} {
		search.MinBlock = asked.Block
		page, err := anybody.Requirements(ctx, search)
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Equal(t, need, page.Items[0].Need)
	}

	// Withdrawn: it leaves a trace, and nobody may ask for it.
	gone, err := other.WithdrawRequirement(ctx, api.WithdrawRequirement{Agency: "market.tax", Code: "bench", Reason: "test_over"})
	require.NoError(t, err)
	require.Equal(t, exchange.Withdrawn, gone.Status)
	_, err = other.WithdrawDataset(ctx, api.WithdrawDataset{Agency: "planning.parks", Code: "bench", Reason: "test_over"})
	require.Equal(t, "access.other_agency", client.Reason(err))
	gone, err = parks.WithdrawDataset(ctx, api.WithdrawDataset{Agency: "planning.parks", Code: "bench", Reason: "test_over"})
	require.NoError(t, err)
	page, err := anybody.Datasets(ctx, api.Datasets{Agency: "planning.parks", Status: exchange.Withdrawn, MinBlock: gone.Block})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	editions, err = anybody.DatasetEditions(ctx, api.DatasetEditions{Agency: "planning.parks", Code: "bench", MinBlock: gone.Block})
	require.NoError(t, err)
	require.Len(t, editions.Items, 3)
	require.Equal(t, "test_over", editions.Items[2].Dataset.Reason)
	_, err = parks.ReviseDataset(ctx, api.ReviseDataset{Agency: "planning.parks", Code: "bench", Edition: 3, Content: content})
	require.Equal(t, "exchange.dataset_withdrawn", client.Reason(err))
}
