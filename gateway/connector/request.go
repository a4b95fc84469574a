package connector

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// request is a question to a source: the columns of at most limit records for which every condition holds. What columns
// are is the source's: table.column, or JSON pointers.
type request struct {
	of      Definition
	columns []string
	as      map[int]string // what is asked of a column instead of its value, as SQL with %s for the column; of tables only
	where   []condition
	limit   int
}

// condition wants a value in a place: table.column, or the placeholder of a path.
type condition struct {
	place string
	value any
	field exchange.FieldSpec // of the dataset's selector
}

// request is the question for what is asked, the holder's column last. Faults: connector.field, request.invalid for a
// selector that is not the dataset's.
func (m *mapped) request(q Query) (request, error) {
	r := request{of: m.Definition, limit: maxRows}
	for _, spec := range q.Fields {
		field, ok := m.Fields[spec.Name]
		if !ok {
			return r, fault.New(fault.Refused, "connector.field", "the provider has not connected this field of the dataset").On("fields."+spec.Name, "connected")
		}
		if spec.Type == exchange.FileType {
			if m.Source.HTTP != nil {
				return r, fault.New(fault.Refused, "connector.file", "a file is read from a database; a service cannot give parts of one").On("fields."+spec.Name, "of:database")
			}
			r.ask(len(r.columns), sizeOf)
		}
		r.columns = append(r.columns, field.Column)
	}
	if len(r.columns) == 0 {
		return r, fault.Field("fields", "min_items:1", "ask for at least one field")
	}
	if m.Holder != "" {
		r.columns = append(r.columns, m.Holder)
	}
	for _, spec := range q.Selects {
		place, ok := m.Selector[spec.Name]
		if !ok {
			return r, fault.New(fault.Refused, "connector.field", "the provider has not connected this field of the selector").On("selector."+spec.Name, "connected")
		}
		value, err := parameter(q.Selector[spec.Name], spec)
		if err != nil {
			return r, err
		}
		r.where = append(r.where, condition{place, value, spec})
	}
	if len(r.where) == 0 || len(q.Selector) != len(r.where) {
		return r, fault.Field("selector", "exactly", "send the fields of the dataset's selector, each once and no other")
	}
	return r, nil
}

// probe asks by every column for a record that there is none of.
func (d Definition) probe() request {
	r := request{of: d, limit: 0}
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		r.columns = append(r.columns, d.Fields[name].Column)
	}
	if d.Holder != "" {
		r.columns = append(r.columns, d.Holder)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Selector)) {
		r.where = append(r.where, condition{place: d.Selector[name]})
	}
	return r
}

// parameter decodes a selector's value as its declared type.
func parameter(raw json.RawMessage, spec exchange.FieldSpec) (any, error) {
	wrong := fault.Field("selector."+spec.Name, "type:"+spec.Type, "send the selector's fields with the types of the dataset")
	if len(raw) == 0 || string(raw) == "null" {
		return nil, wrong
	}
	var err error
	switch spec.Type {
	case "integer":
		var n int64
		err = json.Unmarshal(raw, &n)
		return n, asWrong(err, wrong)
	case "boolean":
		var b bool
		err = json.Unmarshal(raw, &b)
		return b, asWrong(err, wrong)
	default:
		var text string
		err = json.Unmarshal(raw, &text)
		return text, asWrong(err, wrong)
	}
}

// asWrong replaces a decoding error, which may quote the value.
func asWrong(err error, wrong *fault.Fault) error {
	if err != nil {
		return wrong
	}
	return nil
}
