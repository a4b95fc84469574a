package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
)

func garden() exchange.Content {
	return exchange.Content{
		Name: exchange.Text{Zh: "花园", En: "Gardens 100%"}, Classification: exchange.Open, Selector: []string{"plot"}, Freshness: "P1D",
		Fields: []exchange.FieldSpec{
			{Name: "plot", Title: exchange.Text{Zh: "地块", En: "Plot"}, Type: "string"},
			{Name: "trees", Title: exchange.Text{Zh: "树木数量", En: "Number of Trees"}, Type: "integer"},
		},
	}
}

func TestTheDirectoryIsSearched(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	housing, err := s.Admin(s.ctx, "planning.housing")
	require.NoError(t, err)
	_, err = do[app.Receipt](s, housing, http.MethodPost, "/v1/datasets", app.PublishDataset{PublishDataset: exchange.PublishDataset{Code: "gardens", Content: garden()}})
	require.NoError(t, err)
	search := func(query url.Values) []string {
		found, err := get[app.Page[exchange.Dataset]](s, s.as("planning", ""), "/v1/datasets?"+query.Encode())
		require.NoError(t, err, query)
		ids := []string{}
		for _, d := range found.Items {
			ids = append(ids, d.ID)
		}
		return ids
	}
	all := search(url.Values{})
	require.Contains(t, all, "planning.housing/gardens")
	for _, line := range []struct {
		query url.Values
		found bool
	}{
		{url.Values{"agency": {"planning.housing"}}, true},
		{url.Values{"agency": {"services.police"}}, false},
		{url.Values{"classification": {"open"}}, true},
		{url.Values{"classification": {"shared"}}, false},
		{url.Values{"field": {"plot"}}, true},
		{url.Values{"field": {"plo"}}, false},
		{url.Values{"field": {"p_ot"}}, false},
		{url.Values{"purpose": {"business.start"}}, false},
		{url.Values{"text": {"花园"}}, true},
		{url.Values{"text": {"TREES"}}, true},
		{url.Values{"text": {"number gardens"}}, true},
		{url.Values{"text": {"number moon"}}, false},
		{url.Values{"text": {"100%"}}, true},
		{url.Values{"text": {"1%0"}}, false},
		{url.Values{"text": {"g_rdens"}}, false},
		{url.Values{"text": {"' OR 1=1 --"}}, false},
		{url.Values{"text": {"树木"}, "classification": {"open"}, "field": {"trees"}}, true},
		{url.Values{"text": {"树木"}, "classification": {"restricted"}}, false},
	} {
		require.Equal(t, line.found, strings.Contains(strings.Join(search(line.query), " "), "planning.housing/gardens"), line.query)
	}
	first, err := get[app.Page[exchange.Dataset]](s, s.as("planning", ""), "/v1/datasets?text=planning&page_size=1")
	require.NoError(t, err)
	require.Len(t, first.Items, 1)
	rest, err := get[app.Page[exchange.Dataset]](s, s.as("planning", ""), "/v1/datasets?text=planning&page_token="+url.QueryEscape(first.Next))
	require.NoError(t, err)
	require.NotEmpty(t, rest.Items)
	s.refused("request.invalid", func() error {
		_, err := get[any](s, s.as("planning", ""), "/v1/datasets?text=plot&page_token="+url.QueryEscape(first.Next))
		return err
	})
}

func TestEditionsAreRead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const at = "/v1/datasets/planning.housing/gardens"
	housing, err := s.Admin(s.ctx, "planning.housing")
	require.NoError(t, err)
	_, err = do[app.Receipt](s, housing, http.MethodPost, "/v1/datasets", app.PublishDataset{PublishDataset: exchange.PublishDataset{Code: "gardens", Content: garden()}})
	require.NoError(t, err)

	next := garden()
	next.Fields[1].Withdrawn = true
	next.Fields = append(next.Fields, exchange.FieldSpec{Name: "roses", Title: exchange.Text{Zh: "玫瑰", En: "Roses"}, Type: "integer"})
	schema := json.RawMessage(`{"$schema":"` + exchange.SchemaDialect + `","type":"object","additionalProperties":false,
		"properties":{"plot":{"type":"string"},"roses":{"type":"integer","minimum":0}}}`)
	revise := func(edition int) error {
		_, err := do[app.Receipt](s, housing, http.MethodPost, at+"/editions", app.ReviseDataset{Edition: edition, Content: next, Schema: schema})
		return err
	}
	s.refused("exchange.edition_gap", func() error { return revise(3) })
	require.NoError(t, revise(2))
	tax, err := s.Admin(s.ctx, "market.tax")
	require.NoError(t, err)
	s.refused("access.other_agency", func() error {
		_, err := do[any](s, tax, http.MethodPost, at+"/editions", app.ReviseDataset{Edition: 3, Content: next})
		return err
	})
	_, err = do[app.Receipt](s, housing, http.MethodPut, at+"/withdrawal", map[string]any{"reason": "replaced"})
	require.NoError(t, err)

	anybody := s.as("planning", "")
	now, err := get[app.Item[exchange.Dataset]](s, anybody, at)
	require.NoError(t, err)
	require.Equal(t, []any{2, exchange.Withdrawn, "replaced"}, []any{now.Item.Edition, now.Item.Status, now.Item.Reason})
	past, err := get[app.Page[app.DatasetState]](s, anybody, at+"/editions")
	require.NoError(t, err)
	require.Len(t, past.Items, 3)
	require.Equal(t, garden(), past.Items[0].Dataset.Content)
	require.Equal(t, next, past.Items[1].Dataset.Content)
	require.Equal(t, now.Item, past.Items[2].Dataset)
	require.True(t, past.Items[0].Block < past.Items[1].Block && past.Items[1].Block < past.Items[2].Block)
	for i, edition := range []string{"1", "2"} {
		of, err := get[app.Item[exchange.Schema]](s, anybody, at+"/editions/"+edition+"/schema")
		require.NoError(t, err)
		document, err := canonical.Transform(of.Item.Document)
		require.NoError(t, err)
		require.Equal(t, past.Items[i].Dataset.SchemaHash, canonical.Sum(document))
	}
	s.refused("schema.missing", func() error { _, err := get[any](s, anybody, at+"/editions/3/schema"); return err })
	for _, path := range []string{"", "/editions"} {
		s.refused("dataset.missing", func() error { _, err := get[any](s, anybody, "/v1/datasets/planning.housing/moon"+path); return err })
	}
	page, err := get[app.Page[app.DatasetState]](s, anybody, at+"/editions?page_size=2")
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	page, err = get[app.Page[app.DatasetState]](s, anybody, at+"/editions?page_size=2&page_token="+url.QueryEscape(page.Next))
	require.NoError(t, err)
	require.Len(t, page.Items, 1)

	users, err := get[app.Page[exchange.Grant]](s, anybody, "/v1/datasets/planning.housing/premises/grants?status=granted")
	require.NoError(t, err)
	require.NotEmpty(t, users.Items)
	for _, g := range users.Items {
		require.Equal(t, "planning.housing/premises", g.Dataset)
	}
}

// What is published is what is delivered: a record that the schema of the edition in force does not allow stays where it is.
func TestARecordThatIsNotAsPublishedIsNotDelivered(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const at = "/v1/datasets/planning.housing/premises"
	housing, err := s.Admin(s.ctx, "planning.housing")
	require.NoError(t, err)
	now, err := get[app.Item[exchange.Dataset]](s, s.as("planning", ""), at)
	require.NoError(t, err)
	of, err := get[app.Item[exchange.Schema]](s, s.as("planning", ""), at+"/editions/1/schema")
	require.NoError(t, err)
	revise := func(edition, least int) {
		var document map[string]any
		require.NoError(t, json.Unmarshal(of.Item.Document, &document))
		document["properties"].(map[string]any)["floor_area_m2"].(map[string]any)["minimum"] = least
		schema, err := json.Marshal(document)
		require.NoError(t, err)
		_, err = do[app.Receipt](s, housing, http.MethodPost, at+"/editions", app.ReviseDataset{Edition: edition, Content: now.Item.Content, Schema: schema})
		require.NoError(t, err)
	}
	d := s.draft(s.citizen)
	request, err := s.citizen.Application(d, s.answers(s.citizen))
	require.NoError(t, err)
	applied, err := s.citizen.Apply(s.ctx, d, request)
	require.NoError(t, err)
	officer := s.officer("market.regulation")
	revise(2, 1_000_000)
	_, _, err = officer.Fetch(s.ctx, applied.ID, "premises")
	require.Equal(t, "record.off_schema", client.Reason(err))
	require.Contains(t, err.Error(), "record.floor_area_m2")
	revise(3, 1)
	_, _, err = officer.Fetch(s.ctx, applied.ID, "premises")
	require.NoError(t, err)
}
