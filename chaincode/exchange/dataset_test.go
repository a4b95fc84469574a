package exchange_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func TestPublishDataset(t *testing.T) {
	d := premises()
	request := exchange.PublishDataset{Code: d.Code, Content: d.Content}
	require.NoError(t, request.Validate())
	made, schema, event, err := request.Publish(asHouse)
	require.NoError(t, err)
	require.Equal(t, canonical.Sum(schema.Document), made.SchemaHash)
	d.SchemaHash = made.SchemaHash
	require.Equal(t, d, made)
	require.Equal(t, []any{d.ID, 1, made.SchemaHash}, []any{schema.Dataset, schema.Edition, schema.Hash})
	require.Equal(t, kernel.Change{Type: exchange.EventDatasetPublished, ID: d.ID, Agency: housing}, event)
	require.Empty(t, documented(t, exchange.DatasetPublish))
}

func TestReviseDataset(t *testing.T) {
	type world struct {
		by      access.Caller
		dataset exchange.Dataset
		request exchange.ReviseDataset
	}
	fresh := func() *world {
		d := premises()
		d.Fields, d.Selector = slices.Clone(d.Fields), slices.Clone(d.Selector)
		content := premises().Content
		content.Fields = append(slices.Clone(content.Fields), exchange.FieldSpec{Name: "heated", Title: title, Type: "boolean"})
		content.Fields[1].Withdrawn = true
		content.Classification = exchange.Restricted
		return &world{asHouse, d, exchange.ReviseDataset{Dataset: d.ID, Edition: 2, Content: content}}
	}
	run := func(w *world) error {
		before := w.dataset
		d, schema, event, err := w.dataset.Revise(w.by, w.request)
		if err != nil {
			require.Equal(t, before, d)
			return err
		}
		require.Equal(t, w.request.Content, d.Content)
		require.Equal(t, []any{2, 2, d.SchemaHash}, []any{d.Edition, schema.Edition, schema.Hash})
		require.Contains(t, string(schema.Document), `"heated"`)
		require.NotContains(t, string(schema.Document), `"area"`, "withdrawn")
		require.Equal(t, kernel.Change{Type: exchange.EventDatasetRevised, ID: d.ID, Agency: housing}, event)
		return nil
	}
	require.NoError(t, fresh().request.Validate())
	checkGuards(t, exchange.DatasetRevise, fresh, run, []guard[world]{
		{"another agency", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"withdrawn", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"the edition in force", func(w *world) { w.request.Edition = 1 }, "exchange.edition_gap"},
		{"open no more", func(w *world) { w.dataset.Classification = exchange.Open }, "exchange.classification_fixed"},
		{"found by other fields", func(w *world) { w.request.Selector = []string{"owner"} }, "exchange.selector_changed"},
		{"a field left out", func(w *world) { w.request.Fields = w.request.Fields[1:] }, "exchange.field_dropped"},
	})
	retyped := fresh()
	retyped.request.Fields[1].Type = "string"
	require.Equal(t, "exchange.field_dropped", reason(run(retyped)))
	skipped := fresh()
	skipped.request.Edition = 3
	require.Equal(t, "exchange.edition_gap", reason(run(skipped)))
}

func TestWithdrawDataset(t *testing.T) {
	type world struct {
		by      access.Caller
		dataset exchange.Dataset
	}
	request := exchange.WithdrawDataset{Dataset: housing + "/premises", Reason: "replaced"}
	require.NoError(t, request.Validate())
	run := func(w *world) error {
		d, event, err := w.dataset.Withdraw(w.by, request)
		if err == nil {
			require.Equal(t, exchange.Withdrawn, d.Status)
			require.Equal(t, "replaced", d.Reason)
			require.Equal(t, kernel.Change{Type: exchange.EventDatasetWithdrawn, ID: d.ID, Agency: housing}, event)
		}
		return err
	}
	checkGuards(t, exchange.DatasetWithdraw, func() *world { return &world{asHouse, premises()} }, run, []guard[world]{
		{"another agency", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"withdrawn before", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
	})
}

// What a classification means is held where an entry is made.
func TestClassifications(t *testing.T) {
	type content = exchange.Content
	sensitive := func(c *content) { c.Fields[2].Sensitivity = exchange.Sensitive }
	impersonal := func(c *content) { c.Fields[2].Sensitivity = "" }
	aimless := func(c *content) { c.Conditions.Purposes = nil }
	agreed := func(c *content) { c.ConsentRequired = true }
	for _, line := range []struct {
		class   string
		changes []func(*content)
		field   string // "": allowed
	}{
		{exchange.Open, []func(*content){impersonal}, ""},
		{exchange.Open, []func(*content){impersonal, aimless}, ""},
		{exchange.Open, nil, "fields[2].sensitivity"},
		{exchange.Open, []func(*content){impersonal, agreed}, "consent_required"},
		{exchange.Shared, []func(*content){aimless, agreed}, ""},
		{exchange.Shared, []func(*content){sensitive}, "fields[2].sensitivity"},
		{exchange.Conditional, []func(*content){sensitive}, ""},
		{exchange.Conditional, []func(*content){aimless}, "conditions.purposes"},
		{exchange.Restricted, []func(*content){sensitive, agreed}, ""},
		{exchange.Restricted, []func(*content){aimless}, "conditions.purposes"},
	} {
		c := premises().Content
		c.Classification, c.Fields = line.class, slices.Clone(c.Fields)
		for _, change := range line.changes {
			change(&c)
		}
		err := c.Validate()
		if line.field == "" {
			require.NoError(t, err, "%+v", line)
			continue
		}
		checkField(t, err, line.field)
	}
}

func TestWhatNeedsConsent(t *testing.T) {
	d := premises()
	require.False(t, d.NeedsConsent([]string{"address", "owner"}))
	d.Fields[0].Sensitivity = exchange.Sensitive
	require.True(t, d.NeedsConsent([]string{"address", "owner"}))
	require.False(t, d.NeedsConsent([]string{"owner"}), "of what is asked for, nothing is sensitive")
	d.Classification = exchange.Restricted
	require.True(t, d.NeedsConsent([]string{"owner"}))
	d = premises()
	d.ConsentRequired = true
	require.True(t, d.NeedsConsent([]string{"owner"}))
}

func TestSchemas(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{
			"$schema": exchange.SchemaDialect, "type": "object", "additionalProperties": false, "required": []any{"address"},
			"$defs": map[string]any{"place": map[string]any{"type": "string", "maxLength": 200}},
			"properties": map[string]any{
				"address": map[string]any{"type": "string", "allOf": []any{map[string]any{"$ref": "#/$defs/place"}}},
				"area":    map[string]any{"type": []any{"integer", "null"}, "minimum": 0, "multipleOf": 0.5},
				"owner":   map[string]any{"type": "string", "pattern": "^.{1,80}$"},
			},
		}
	}
	property := func(s map[string]any, name string) map[string]any {
		return s["properties"].(map[string]any)[name].(map[string]any)
	}
	for _, line := range []struct {
		name   string
		change func(map[string]any)
		field  string
	}{
		{"good", func(map[string]any) {}, ""},
		{"of another dialect", func(s map[string]any) { s["$schema"] = "http://json-schema.org/draft-07/schema#" }, "schema.$schema"},
		{"not of an object", func(s map[string]any) { s["type"] = "array" }, "schema.type"},
		{"open to other members", func(s map[string]any) { delete(s, "additionalProperties") }, "schema.additionalProperties"},
		{"said to be open", func(s map[string]any) { s["additionalProperties"] = true }, "schema.additionalProperties"},
		{"without a field", func(s map[string]any) { delete(s["properties"].(map[string]any), "area") }, "fields[1]"},
		{"with another", func(s map[string]any) { s["properties"].(map[string]any)["rent"] = map[string]any{"type": "string"} }, "schema.properties"},
		{"of another type", func(s map[string]any) { property(s, "area")["type"] = "string" }, "schema.properties.area"},
		{"of two types", func(s map[string]any) { property(s, "area")["type"] = []any{"integer", "string"} }, "schema.properties.area"},
		{"not a schema", func(s map[string]any) { property(s, "owner")["maxLength"] = "80" }, "schema"},
		{"with a pattern that is none", func(s map[string]any) { property(s, "owner")["pattern"] = "(" }, "schema"},
		{"pointing nowhere", func(s map[string]any) { property(s, "owner")["$ref"] = "#/$defs/none" }, "schema"},
		{"pointing outside", func(s map[string]any) { property(s, "owner")["$ref"] = "https://example.org/owner.json" }, "schema"},
		{"pointing into a file", func(s map[string]any) { property(s, "owner")["$ref"] = "file:///etc/hostname" }, "schema"},
		{"with somebody's number", func(s map[string]any) { property(s, "owner")["description"] = "e.g. 110101199003071234" }, "schema"},
		{"with somebody's number as a name", func(s map[string]any) { s["110101199003071234"] = true }, "schema"},
		{"too large", func(s map[string]any) { s["$comment"] = strings.Repeat("a", exchange.MaxSchemaBytes) }, "schema"},
		{"not an object", nil, "schema"},
	} {
		t.Run(line.name, func(t *testing.T) {
			document, raw := good(), json.RawMessage(`[]`)
			if line.change != nil {
				line.change(document)
				raw, _ = json.Marshal(document)
			}
			err := exchange.PublishDataset{Code: "premises", Content: premises().Content, Schema: raw}.Validate()
			if line.field == "" {
				require.NoError(t, err)
				return
			}
			checkField(t, err, line.field)
		})
	}
	raw, err := json.Marshal(good())
	require.NoError(t, err)
	_, schema, _, err := exchange.PublishDataset{Code: "premises", Content: premises().Content, Schema: raw}.Publish(asHouse)
	require.NoError(t, err)
	want, err := canonical.Transform(raw)
	require.NoError(t, err)
	require.Equal(t, string(want), string(schema.Document))
}

func TestDerivedSchema(t *testing.T) {
	content := premises().Content
	content.Fields = append(slices.Clone(content.Fields), exchange.FieldSpec{Name: "built", Title: title, Type: "date"})
	_, derived, _, err := exchange.PublishDataset{Code: "premises", Content: content}.Publish(asHouse)
	require.NoError(t, err)
	require.NoError(t, exchange.PublishDataset{Code: "premises", Content: content, Schema: derived.Document}.Validate(), "it agrees with the fields it comes from")
	judge, err := derived.Judge()
	require.NoError(t, err)
	for record, good := range map[string]bool{
		`{"address":"A","area":12,"owner":"B","built":"2020-02-29"}`: true,
		`{"address":"A"}`:             true,
		`{"address":null}`:            true,
		`{"address":"A","area":"12"}`: false,
		`{"built":"2021-02-29"}`:      false,
		`{"address":"A","rent":1}`:    false,
		`{"area":1.5}`:                false,
		`["address"]`:                 false,
	} {
		err := judge.Check([]byte(record))
		require.Equal(t, good, err == nil, record)
		if !good {
			require.Equal(t, "record.off_schema", reason(err))
		}
	}
}

// A delivery may be of some fields: what a schema says of the record as a whole is asked of whole records only.
func TestSchemaOfSomeFields(t *testing.T) {
	document := `{"$schema":"` + exchange.SchemaDialect + `","type":"object","additionalProperties":false,"required":["address","area"],
		"properties":{"address":{"type":"string"},"area":{"type":["integer","null"],"minimum":0},"owner":{"type":"string"}},
		"if":{"properties":{"area":{"const":0}},"required":["area"]},"then":{"properties":{"owner":{"const":"nobody"}}}}`
	_, schema, _, err := exchange.PublishDataset{Code: "premises", Content: premises().Content, Schema: json.RawMessage(document)}.Publish(asHouse)
	require.NoError(t, err)
	judge, err := schema.Judge()
	require.NoError(t, err)
	require.NoError(t, judge.Check([]byte(`{"owner":"A"}`)))
	require.NoError(t, judge.Check([]byte(`{"address":"A","area":null,"owner":"B"}`)))
	err = judge.Check([]byte(`{"area":-1}`))
	require.Equal(t, "record.off_schema", reason(err))
	require.Equal(t, "record.area", fault.From(err).Field)
	require.Error(t, judge.Check([]byte(`{"address":"A","area":0,"owner":"B"}`)))
	require.NoError(t, judge.Check([]byte(`{"address":"A","area":0,"owner":"nobody"}`)))
}

// checkField expects a fault of form that names a member.
func checkField(t *testing.T, err error, field string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, field, fault.From(err).Field)
	require.Equal(t, "request.invalid", fault.From(err).Reason)
	require.NotEmpty(t, fault.From(err).Rule)
}

func TestDurations(t *testing.T) {
	at := time.Date(2026, time.January, 31, 0, 0, 0, 0, time.UTC)
	for text, want := range map[exchange.Duration]time.Time{
		"P1D": at.AddDate(0, 0, 1), "P1M": at.AddDate(0, 1, 0), "P5Y": at.AddDate(5, 0, 0), "P2W": at.AddDate(0, 0, 14),
		"PT15M": at.Add(15 * time.Minute), "P1Y2M3DT4H5M6S": at.AddDate(1, 2, 3).Add(4*time.Hour + 5*time.Minute + 6*time.Second),
	} {
		require.Equal(t, want, text.After(at), text)
		c := premises().Content
		c.Freshness = text
		require.NoError(t, c.Validate(), text)
	}
	for _, text := range []exchange.Duration{"P", "PT", "P1DT", "1D", "P0D", "PT0S", "P-1D", "P12345D", "P1.5D", "p1d", "P1D "} {
		c := premises().Content
		c.Freshness = text
		checkField(t, c.Validate(), "freshness")
		c = premises().Content
		c.Conditions.Retention = text
		checkField(t, c.Validate(), "conditions.retention")
	}
}
