// Package connector reads a department's own database: one record of one dataset, only the fields asked for. How a
// department's tables map to a dataset of the directory is written in a file, one a dataset; no code is needed for a new one.
//
//	dataset: planning.housing/premises
//	source: {sqlite: ../departments/housing.db}
//	from: premises
//	join:
//	  - {table: owner, on: owner.owner_no, equals: premises.owner_no}
//	selector:
//	  premises_number: premises.prem_no
//	fields:
//	  premises_number: {column: premises.prem_no}
//	  use: {column: premises.use_code, values: {"1": commercial, "2": residential}}
//	  owner_name: {column: owner.full_name}
//	holder: owner.account
//	timeout: 2s
//
// holder is for the department that knows who is who: the column with the account, at the identity provider, of whom the
// record is about. The gateway compares it with the subject of the use, so that nobody gets another's record by writing
// another's number into a form.
//
// Invariants: a source is opened read-only; every value travels as a parameter, every identifier was checked when the file
// was read; at most one record is answered, and none if the selector fits several; no error carries a value.
package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Query asks for one record.
type Query struct {
	Dataset  string // {agency}/{code}
	Selector map[string]json.RawMessage
	Fields   []exchange.FieldSpec // what to answer, with the types of the dataset
	Selects  []exchange.FieldSpec // the selector's fields, with the types of the dataset
}

// Record is what was found.
type Record struct {
	Values map[string]any
	Held   bool   // whether the connector says whom the record is about
	Holder string // the account at the identity provider; empty: nobody's
}

// Set is all connectors of a gateway. Safe for concurrent use.
type Set struct {
	path string

	mu      sync.Mutex
	sources map[string]*mapped // by dataset
}

// mapped is a definition with its open source.
type mapped struct {
	Definition
	source source
}

// source answers up to limit rows of columns. SQLite is one; others follow the same three lines.
type source interface {
	rows(ctx context.Context, statement statement, limit int) ([][]any, error)
	Close() error
}

// Open reads the definitions in a file or folder. An empty path is a set that can be added nothing to.
func Open(path string) (*Set, error) {
	s := &Set{path: path, sources: map[string]*mapped{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes all sources.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range s.sources {
		errs = append(errs, m.source.Close())
	}
	clear(s.sources)
	return errors.Join(errs...)
}

// load adds definitions that are not loaded yet. What is loaded stays: a changed file takes effect at the next start.
func (s *Set) load() error {
	if s.path == "" {
		return nil
	}
	definitions, err := Load(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing has been connected yet
	}
	if err != nil {
		return err
	}
	for _, d := range definitions {
		if _, loaded := s.sources[d.Dataset]; loaded {
			continue
		}
		m, err := connect(d)
		if err != nil {
			return fmt.Errorf("connector: %s: %w", d.Dataset, err)
		}
		s.sources[d.Dataset] = m
	}
	return nil
}

// connect opens a definition's source and asks it for nothing, but by every table and column: a mistake shows now and not
// when a citizen waits.
func connect(d Definition) (*mapped, error) {
	opened, err := openSQLite(d.Source.SQLite)
	if err != nil {
		return nil, err
	}
	m := &mapped{d, opened}
	ctx, cancel := context.WithTimeout(context.Background(), m.timeout())
	defer cancel()
	if _, err := opened.rows(ctx, m.probe(), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.Source.SQLite, err), opened.Close())
	}
	return m, nil
}

// find gives a dataset's connector. A dataset not known yet makes it look at the folder again, so that a department can be
// connected while the gateway runs.
func (s *Set) find(dataset string) (*mapped, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.sources[dataset]; ok {
		return m, nil
	}
	if err := s.load(); err != nil {
		return nil, err // names files and columns, never values
	}
	if m, ok := s.sources[dataset]; ok {
		return m, nil
	}
	return nil, fault.New(fault.Refused, "connector.not_configured", "the provider has not connected a database to this dataset").On("dataset", "connected")
}

// maxRows is one more than is ever answered: it tells one match from several.
const maxRows = 2

// Fetch answers the fields of the one record that fits the selector. A field that is null in the database is null here.
// Faults: connector.*, record.missing, record.ambiguous.
func (s *Set) Fetch(ctx context.Context, q Query) (r Record, err error) {
	m, err := s.find(q.Dataset)
	if err != nil {
		return r, err
	}
	statement, err := m.statement(q)
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, m.timeout())
	defer cancel()
	found, err := m.source.rows(ctx, statement, maxRows)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		return r, fault.New(fault.Internal, "connector.timeout", "the department's database did not answer in time; ask again")
	case err != nil:
		return r, fault.New(fault.Internal, "connector.failed", "the department's database could not be read; check that it still has the connector's tables and columns")
	case len(found) == 0:
		return r, fault.New(fault.Missing, "record.missing", "the department has no record with these particulars; check them").On("selector", "matches_one")
	case len(found) > 1:
		return r, fault.New(fault.Refused, "record.ambiguous", "several records fit these particulars; the dataset's selector is not unique").On("selector", "matches_one")
	}
	r.Values = make(map[string]any, len(q.Fields))
	for i, spec := range q.Fields {
		value, ok := convert(m.Fields[spec.Name].translate(found[0][i]), spec.Type)
		if !ok {
			return r, fault.New(fault.Internal, "connector.type", "the database's value does not have the dataset's type; correct the connector").On("fields."+spec.Name, "type:"+spec.Type)
		}
		r.Values[spec.Name] = value
	}
	if r.Held = m.Holder != ""; r.Held {
		holder, _ := convert(found[0][len(q.Fields)], "string")
		r.Holder, _ = holder.(string)
	}
	return r, nil
}
