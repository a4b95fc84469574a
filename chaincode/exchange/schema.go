package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// MaxSchemaBytes of a schema in canonical form: with its entry it fits into a request.
const MaxSchemaBytes = 24 << 10

// SchemaDialect is the one dialect a schema may be in.
const SchemaDialect = "https://json-schema.org/draft/2020-12/schema"

// Schema describes the records of one edition of a dataset, in JSON Schema 2020-12. Key: {agency}/{code}/{edition}; it is
// never changed. It stands beside the entry, not in it: every use reads the entry, and few read the schema.
type Schema struct {
	state.Head
	Dataset  string          `json:"dataset"`
	Edition  int             `json:"edition"`
	Hash     string          `json:"hash"`     // SHA-256 of the document's canonical form
	Document json.RawMessage `json:"document"` // canonical
}

// schema is the record of the edition's schema.
func (d Dataset) schema(document json.RawMessage) Schema {
	return Schema{
		Head:    state.Head{ID: d.ID + "/" + strconv.Itoa(d.Edition), Status: Published, First: Published},
		Dataset: d.ID, Edition: d.Edition, Hash: canonical.Sum(document), Document: document,
	}
}

// property is a member of a schema's properties as an entry's field has it.
type property struct {
	Type   any    `json:"type"`
	Format string `json:"format,omitempty"`
	Title  string `json:"title,omitempty"`
}

// outline is what a schema must say so that it and the list of fields agree.
type outline struct {
	Dialect    string              `json:"$schema"`
	Title      string              `json:"title,omitempty"`
	Type       string              `json:"type"`
	Properties map[string]property `json:"properties"`
	Additional *bool               `json:"additionalProperties"`
}

// property is the field's in a schema.
func (f FieldSpec) property() property {
	p := property{Type: f.Type, Title: f.Title.Zh + " / " + f.Title.En}
	if f.Type == "date" {
		p.Type, p.Format = "string", "date"
	}
	if f.Type == FileType { // what a document has in its place: File
		p.Type = "object"
	}
	return p
}

// schemaOf gives the schema of the entry's records in canonical form: the one given, checked, or one derived from the
// fields.
func (c Content) schemaOf(given json.RawMessage) (json.RawMessage, error) {
	if given == nil {
		closed := false
		o := outline{Dialect: SchemaDialect, Title: c.Name.Zh + " / " + c.Name.En, Type: "object", Properties: map[string]property{}, Additional: &closed}
		for _, f := range c.Fields {
			if !f.Withdrawn { // a department may not know everything
				p := f.property()
				p.Type = []any{p.Type, "null"}
				o.Properties[f.Name] = p
			}
		}
		return canonical.Marshal(o)
	}
	document, err := canonical.Transform(given)
	if err != nil {
		return nil, fault.Under("schema", err)
	}
	if len(document) > MaxSchemaBytes {
		return nil, fault.Field("schema", fmt.Sprintf("max_bytes:%d", MaxSchemaBytes), "make the schema smaller")
	}
	if err := c.agree(document); err != nil {
		return nil, err
	}
	if _, err := compile(document); err != nil {
		return nil, fault.Field("schema", "json_schema:2020-12", "send a valid JSON Schema that refers to nothing outside itself")
	}
	return document, nil
}

// agree checks that a schema describes the entry's fields, no more and no fewer: an object closed to other members, with a
// property of each field's name and type. null may be allowed besides.
func (c Content) agree(document []byte) error {
	var o outline
	if json.Unmarshal(document, &o) != nil {
		return fault.Field("schema", "outline", "send an object with $schema, type, properties and additionalProperties, each of the type the standard gives it")
	}
	switch {
	case o.Dialect != SchemaDialect:
		return fault.Field("schema.$schema", "equals:"+SchemaDialect, "write the schema in this dialect")
	case o.Type != "object":
		return fault.Field("schema.type", "equals:object", "describe a record, which is an object")
	case o.Additional == nil || *o.Additional:
		return fault.Field("schema.additionalProperties", "equals:false", "close the schema: what is not a field is never delivered")
	}
	given := 0
	for i, f := range c.Fields {
		p, described := o.Properties[f.Name]
		if f.Withdrawn != !described {
			return fault.Field(fmt.Sprintf("fields[%d]", i), "equals:schema.properties", "describe each field that is given, and no other, in the schema's properties")
		}
		if !described {
			continue
		}
		given++
		if want := f.property(); !p.is(want.Type) || want.Format != "" && p.Format != want.Format {
			return fault.Field("schema.properties."+f.Name, "type:"+f.Type, "give the property the field's type; a date is a string of format date")
		}
	}
	if given != len(o.Properties) {
		return fault.Field("schema.properties", "equals:fields", "describe fields of the dataset only")
	}
	return checkStrings("schema", document)
}

// is says whether a property has a type, alone or beside null.
func (p property) is(want any) bool {
	if list, ok := p.Type.([]any); ok {
		return len(list) == 2 && slices.Contains(list, want) && slices.Contains(list, any("null"))
	}
	return p.Type == want
}

// checkStrings keeps numbers of persons out of a document: no string or name in it has more digits in a row than a date.
func checkStrings(field string, document []byte) error {
	tokens := json.NewDecoder(bytes.NewReader(document))
	for {
		token, err := tokens.Token()
		if err != nil {
			return nil // the end: the document is canonical
		}
		if text, ok := token.(string); ok && longestNumber(text) > MaxDigits {
			return tooManyDigits(field)
		}
	}
}

// nothingOutside loads nothing: a schema is complete in itself, on every endorser the same.
type nothingOutside struct{}

func (nothingOutside) Load(string) (any, error) {
	return nil, errors.New("a schema refers to nothing outside itself")
}

const schemaAt = "urn:hutong:schema" // where the document stands for the compiler

// compile makes a schema ready to judge records. Formats are asserted.
func compile(document []byte) (*jsonschema.Schema, error) {
	content, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nothingOutside{})
	c.AssertFormat()
	if err := c.AddResource(schemaAt, content); err != nil {
		return nil, err
	}
	return c.Compile(schemaAt)
}

// Judge judges records by the schema of an edition. Safe for concurrent use.
type Judge struct {
	fields      map[string]property
	whole, some *jsonschema.Schema
}

// ofFields are the keywords by which a record of some fields is judged: what a schema says of single members.
var ofFields = []string{"$schema", "$defs", "type", "properties", "additionalProperties"}

// Judge makes the schema ready to judge records.
func (s Schema) Judge() (*Judge, error) {
	var o outline
	var keywords map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(s.Document, &o), json.Unmarshal(s.Document, &keywords)); err != nil {
		return nil, fmt.Errorf("schema of %s, edition %d: %w", s.Dataset, s.Edition, err)
	}
	maps.DeleteFunc(keywords, func(name string, _ json.RawMessage) bool { return !slices.Contains(ofFields, name) })
	reduced, err := canonical.Marshal(keywords)
	if err != nil {
		return nil, err
	}
	j := &Judge{fields: o.Properties}
	if j.whole, err = compile(s.Document); err == nil {
		j.some, err = compile(reduced)
	}
	if err != nil {
		return nil, fmt.Errorf("schema of %s, edition %d: %w", s.Dataset, s.Edition, err)
	}
	return j, nil
}

// Check judges a record, of all fields or of some: of some, single members are judged and not what the schema says of the
// record as a whole. Fault: record.off_schema, naming the member where it is one; never what the record says.
func (j *Judge) Check(record []byte) error {
	content, err := jsonschema.UnmarshalJSON(bytes.NewReader(record))
	if err != nil {
		return ErrOffSchema
	}
	schema := j.some
	if members, ok := content.(map[string]any); ok && len(members) >= len(j.fields) {
		schema = j.whole
	}
	err = schema.Validate(content)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	for errors.As(err, &invalid) && len(invalid.Causes) > 0 {
		err = invalid.Causes[0]
	}
	if invalid != nil && len(invalid.InstanceLocation) > 0 {
		if name := invalid.InstanceLocation[0]; j.has(name) {
			return ErrOffSchema.On("record."+name, "json_schema")
		}
	}
	return ErrOffSchema
}

func (j *Judge) has(name string) bool {
	_, known := j.fields[name]
	return known
}
