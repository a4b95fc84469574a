package anchor

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
	"github.com/hutong-gov/hutong/gateway/connector"
)

// shape is what records of a dataset look like: its fields, and by which of them a record is found. It is kept with a job,
// so that a job that is resumed judges as it began.
type shape struct {
	Fields map[string]string `json:"fields"` // name → string, integer, boolean or date
	Key    []string          `json:"key"`    // in the dataset's order
}

func shapeOf(d exchange.Dataset) shape {
	s := shape{Fields: map[string]string{}, Key: slices.Clone(d.Selector)}
	for _, f := range d.Fields {
		if f.Withdrawn {
			continue
		}
		s.Fields[f.Name] = f.Type
	}
	return s
}

// key identifies a record of a dataset among the others: the first half of a SHA-256 over its record key.
type key [16]byte

// keyOf hashes the values of a record's key, which are canonical JSON.
func keyOf(values [][]byte) key {
	sum := sha256.Sum256(append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']'))
	return key(sum[:16])
}

// wanted is the key of the record that a caller asks for. Faults: request.invalid.
func (s shape) wanted(asked map[string]json.RawMessage) (k key, err error) {
	values := make([][]byte, len(s.Key))
	for i, name := range s.Key {
		raw, ok := asked[name]
		if !ok {
			return k, fault.Field("key."+name, "required", "give every field of the dataset's record key")
		}
		value, rule := jsonValue(raw, s.Fields[name])
		if rule != "" || value == nil {
			return k, fault.Field("key."+name, "type:"+s.Fields[name], "give the field as the dataset has it")
		}
		if values[i], err = canonical.Marshal(value); err != nil {
			return k, fault.Under("key."+name, err)
		}
	}
	if len(asked) != len(s.Key) {
		return k, fault.Field("key", "exactly", "give the fields of the dataset's record key, each once and no other")
	}
	return keyOf(values), nil
}

// written reads a key whose values are text, as cells of CSV are. Faults: request.invalid.
func (s shape) written(text map[string]string) (map[string]json.RawMessage, error) {
	asked := map[string]json.RawMessage{}
	for name, cell := range text {
		value, ok := connector.Convert(cell, s.Fields[name])
		if !ok {
			return nil, fault.Field("key."+name, "type:"+s.Fields[name], "give the field as the dataset has it")
		}
		raw, err := canonical.Marshal(value)
		if err != nil {
			return nil, fault.Under("key."+name, err)
		}
		asked[name] = raw
	}
	return asked, nil
}

// record makes a row's canonical record. Absent values are left out. rejected.Rule is empty where there is nothing wrong.
func (s shape) record(r row) (raw []byte, k key, rejected Rejection) {
	rejected = Rejection{File: r.file, Line: r.line, Rule: r.rule}
	if r.rule != "" {
		return nil, k, rejected
	}
	values := make(map[string]any, len(s.Fields))
	if r.cells != nil {
		rejected.Field, rejected.Rule = s.fromCells(values, r)
	} else {
		rejected.Field, rejected.Rule = s.fromJSON(values, r.raw)
	}
	if rejected.Rule != "" {
		return nil, k, rejected
	}
	parts := make([][]byte, len(s.Key))
	for i, name := range s.Key {
		value, given := values[name]
		if !given {
			rejected.Field, rejected.Rule = name, RuleRequired
			return nil, k, rejected
		}
		parts[i], _ = canonical.Marshal(value) // a string, a number or a truth value, which was read
	}
	raw, err := canonical.Marshal(values)
	switch {
	case err != nil:
		rejected.Rule = RuleForm
	case len(raw) > inclusion.MaxRecordBytes:
		rejected.Rule = RuleTooLong
	}
	return raw, keyOf(parts), rejected
}

// fromCells reads a row of CSV. An empty cell is an absent value.
func (s shape) fromCells(values map[string]any, r row) (field, rule string) {
	for i, cell := range r.cells {
		name := r.header[i]
		if cell == "" {
			continue
		}
		if !utf8.ValidString(cell) {
			return name, RuleUnicode
		}
		value, ok := connector.Convert(cell, s.Fields[name])
		if !ok {
			return name, "type:" + s.Fields[name]
		}
		values[name] = value
	}
	return "", ""
}

// fromJSON reads an object. A null is an absent value.
func (s shape) fromJSON(values map[string]any, raw []byte) (field, rule string) {
	if !utf8.Valid(raw) {
		return "", RuleUnicode
	}
	if _, err := canonical.Transform(raw); err != nil { // names twice, numbers that would change
		return "", RuleForm
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return "", RuleForm
	}
	for name, member := range members {
		kind, known := s.Fields[name]
		if !known {
			return "", RuleUnknown // the name is the row's, and may be a value in the wrong place
		}
		value, rule := jsonValue(member, kind)
		if rule != "" {
			return name, rule
		}
		if value != nil {
			values[name] = value
		}
	}
	return "", ""
}

// jsonValue reads a member as a field's type; nil is null.
func jsonValue(raw json.RawMessage, kind string) (value any, rule string) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var read any
	if decoder.Decode(&read) != nil {
		return nil, RuleForm
	}
	fits := false
	switch v := read.(type) {
	case nil:
		return nil, ""
	case string:
		read, fits = v, kind == "string"
		if kind == "date" {
			read, fits = connector.Convert(v, kind)
		}
	case bool:
		fits = kind == "boolean"
	case json.Number:
		n, err := v.Int64()
		read, fits = n, err == nil && kind == "integer"
	}
	if !fits {
		return nil, "type:" + kind
	}
	return read, ""
}

// header checks a file's first line.
func (s shape) header(names []string) error {
	seen := map[string]bool{}
	for i, name := range names {
		if _, known := s.Fields[name]; !known || seen[name] {
			return fmt.Errorf("column %d: %w", i+1, ErrHeader)
		}
		seen[name] = true
	}
	for _, name := range s.Key {
		if !seen[name] {
			return ErrHeader
		}
	}
	return nil
}
