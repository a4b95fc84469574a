package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Trial is a dry run of a definition: what would leave, and how it would be found. The record is whole; whoever shows it
// masks what must be masked.
type Trial struct {
	Source  string               // as it is called in metrics
	Account string               // what was found of the account's rights, in words
	Reads   string               // the statement or request, with a placeholder for each value
	Fields  []exchange.FieldSpec // that would leave
	Columns map[string]string    // where each comes from
	Record  *Record              // nil where no selector was given
	Took    time.Duration        // to find the record
}

// Try does what a gateway does with a definition, once: opens its source, checks what it names and the account's rights and,
// with a selector, reads the record. fields are those to read; none is all. Errors name members, tables and columns; with
// a selector they are faults as Set.Fetch has them.
func Try(ctx context.Context, d Definition, content exchange.Content, selector map[string]json.RawMessage, fields ...string) (t Trial, err error) {
	t.Columns = map[string]string{}
	q := Query{Dataset: d.Dataset, Selector: selector}
	if q.Fields, err = d.offered(content, fields); err != nil {
		return t, err
	}
	for _, name := range content.Selector {
		if _, mapped := d.Selector[name]; !mapped {
			return t, fmt.Errorf("selector: %s is of the dataset's selector and is not connected", name)
		}
		q.Selects = append(q.Selects, content.Fields[slices.IndexFunc(content.Fields, func(f exchange.FieldSpec) bool { return f.Name == name })])
	}
	t.Fields = q.Fields
	for _, f := range q.Fields {
		t.Columns[f.Name] = d.Fields[f.Name].Column
	}
	metrics, err := newMetrics(nil)
	if err != nil {
		return t, err
	}
	source, err := openSource(d.Source, metrics)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	m := &mapped{Definition: d, source: source}
	t.Source, t.Reads = source.name, source.describe(m.outline(q))
	waiting, cancel := context.WithTimeout(ctx, m.timeout())
	defer cancel()
	if err := m.check(waiting); err != nil {
		return t, err
	}
	t.Account = d.rights()
	if selector == nil {
		return t, nil
	}
	begin := time.Now()
	record, err := m.fetch(ctx, q)
	t.Took = time.Since(begin)
	if err == nil {
		t.Record = &record
	}
	return t, err
}

// offered are the fields named, or all that are given; each must be connected, and nothing else be.
func (d Definition) offered(content exchange.Content, names []string) (list []exchange.FieldSpec, err error) {
	given := map[string]exchange.FieldSpec{}
	for _, f := range content.Fields {
		if f.Withdrawn {
			continue
		}
		if _, connected := d.Fields[f.Name]; !connected {
			return nil, fmt.Errorf("fields: %s is a field of the dataset and is not connected", f.Name)
		}
		given[f.Name] = f
		if len(names) == 0 || slices.Contains(names, f.Name) {
			list = append(list, f)
		}
	}
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(d.Fields)), names) {
		if _, is := given[name]; !is {
			return nil, fmt.Errorf("fields: %s is no field of the dataset", name)
		}
	}
	return list, nil
}

// outline is the request for a query, without its values.
func (m *mapped) outline(q Query) request {
	r := request{of: m.Definition, limit: maxRows}
	for _, f := range q.Fields {
		r.columns = append(r.columns, m.Fields[f.Name].Column)
	}
	if m.Holder != "" {
		r.columns = append(r.columns, m.Holder)
	}
	for _, f := range q.Selects {
		r.where = append(r.where, condition{place: m.Selector[f.Name]})
	}
	return r
}

// rights says what a check that passed has shown.
func (d Definition) rights() string {
	switch {
	case d.Source.PostgreSQL != nil:
		return "can read " + strings.Join(d.tables(), ", ") + " and can write to none of them"
	case d.Source.HTTP != nil:
		return "is the service's to judge; only GET is sent"
	}
	return "the file is opened read-only"
}

// Typed gives a value written as text as JSON of a field's type. Fault: request.invalid, without the value.
func Typed(f exchange.FieldSpec, text string) (json.RawMessage, error) {
	raw := json.RawMessage(text)
	if f.Type == "string" || f.Type == "date" {
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil, err
		}
		raw = quoted
	}
	if !json.Valid(raw) {
		return nil, fault.Field("selector."+f.Name, "type:"+f.Type, "write the value as the dataset's type has it")
	}
	return raw, nil
}
