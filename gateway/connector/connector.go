// Package connector reads a department's own database or service: one record of one dataset, only the fields asked for. How
// a department's tables or answers map to a dataset of the directory is written in a file, one a dataset; no code is needed
// for a new one.
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
// A source is a SQLite file, a PostgreSQL database, or a service that answers JSON over HTTP; there from is the path of the
// request and a column a JSON pointer into the answer. The rest is one language for all.
//
// holder is for the department that knows who is who: the column with the account, at the identity provider, of whom the
// record is about. The gateway compares it with the subject of the use, so that nobody gets another's record by writing
// another's number into a form.
//
// Invariants: a source is only read, and a database account that may write to a mapped table is refused; every value travels
// as a parameter or escaped, every identifier was checked when the file was read; at most one record is answered, and none
// if the selector fits several; no error carries a value; a source that fails time after time is left alone for a while.
package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
	path    string
	metrics *metrics

	mu      sync.Mutex
	mapped  map[string]*mapped // by dataset
	sources map[string]*opened // by Source.key; one serves all the datasets read from it
}

// mapped is a definition with its open source.
type mapped struct {
	Definition
	source *opened

	mu      sync.Mutex
	checked bool   // that everything it names is there, and cannot be written
	trouble string // what the last check found, for people
}

// Open reads the definitions in a file or folder. An empty path is a set that can be added nothing to. What is wrong with a
// definition is an error; a source that cannot be reached is not: it is checked before its first use. registry may be nil.
func Open(path string, registry prometheus.Registerer) (*Set, error) {
	s := &Set{path: path, mapped: map[string]*mapped{}, sources: map[string]*opened{}}
	var err error
	if s.metrics, err = newMetrics(registry); err != nil {
		return nil, fmt.Errorf("connector: %w", err)
	}
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
	for _, o := range s.sources {
		errs = append(errs, o.source.Close())
	}
	clear(s.sources)
	clear(s.mapped)
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
		if _, loaded := s.mapped[d.Dataset]; loaded {
			continue
		}
		m, err := s.connect(d)
		if err != nil {
			return fmt.Errorf("connector: %s: %w", d.Dataset, err)
		}
		s.mapped[d.Dataset] = m
	}
	return nil
}

// connect opens a definition's source, unless it is open, and asks it for nothing, but by every table and column: a mistake
// shows now and not when a citizen waits.
func (s *Set) connect(d Definition) (*mapped, error) {
	key, err := d.Source.key()
	if err != nil {
		return nil, err
	}
	o, there := s.sources[key]
	if !there {
		if o, err = openSource(d.Source, s.metrics); err != nil {
			return nil, err
		}
	}
	m := &mapped{Definition: d, source: o}
	ctx, cancel := context.WithTimeout(context.Background(), m.timeout())
	defer cancel()
	if err := m.check(ctx); err != nil && !errors.Is(err, errUnreachable) {
		if !there {
			err = errors.Join(err, o.source.Close())
		}
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	s.sources[key] = o
	return m, nil
}

// check finds out once whether what the definition names is there and cannot be written.
func (m *mapped) check(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.checked {
		return nil
	}
	err := m.source.check(ctx, m.Definition)
	m.checked, m.trouble = err == nil, ""
	switch {
	case errors.Is(err, errUnreachable):
		m.trouble = "cannot be reached" // an address is not for everybody who asks for /readyz
	case err != nil:
		m.trouble = "refused: " + err.Error() // names files, tables and columns, never values
	}
	return err
}

// find gives a dataset's connector. A dataset not known yet makes it look at the folder again, so that a department can be
// connected while the gateway runs.
func (s *Set) find(dataset string) (*mapped, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.mapped[dataset]; ok {
		return m, nil
	}
	if err := s.load(); err != nil {
		return nil, err // names files and columns, never values
	}
	if m, ok := s.mapped[dataset]; ok {
		return m, nil
	}
	return nil, fault.New(fault.Refused, "connector.not_configured", "the provider has not connected a database to this dataset").On("dataset", "connected")
}

// Watched are the datasets whose changes are announced, and how long after a look the next one begins.
func (s *Set) Watched() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	watched := map[string]time.Duration{}
	for dataset, m := range s.mapped {
		if m.Changes != nil {
			watched[dataset], _ = time.ParseDuration(m.Changes.Every) // it was checked when the file was read
		}
	}
	return watched
}

// State says in words how the connectors stand: how many there are, and which datasets cannot be read now. A department
// whose database is down does not make a gateway unready, for the others' work goes on.
func (s *Set) State() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := []string{fmt.Sprintf("%d connected", len(s.mapped))}
	for _, dataset := range slices.Sorted(maps.Keys(s.mapped)) {
		m := s.mapped[dataset]
		m.mu.Lock()
		trouble := m.trouble
		m.mu.Unlock()
		if wait := m.source.openFor(); wait > 0 {
			trouble = fmt.Sprintf("its source has failed time after time and is left alone for another %s", wait.Round(time.Second))
		}
		if trouble != "" {
			said = append(said, dataset+": "+trouble)
		}
	}
	return strings.Join(said, "; ")
}

// maxRows is one more than is ever answered: it tells one match from several.
const maxRows = 2

// Fetch answers the fields of the one record that fits the selector. A field that is null in the database is null here.
// Faults: connector.*, record.missing, record.ambiguous.
func (s *Set) Fetch(ctx context.Context, q Query) (Record, error) {
	m, err := s.find(q.Dataset)
	if err != nil {
		return Record{}, err
	}
	return m.fetch(ctx, q)
}

func (m *mapped) fetch(ctx context.Context, q Query) (r Record, err error) {
	asked, err := m.request(q)
	if err != nil {
		return r, err
	}
	row, err := m.only(ctx, asked)
	if err != nil {
		return r, err
	}
	return m.record(row, q)
}

// only reads the one record that fits.
func (m *mapped) only(ctx context.Context, asked request) ([]any, error) {
	ctx, cancel := context.WithTimeout(ctx, m.timeout())
	defer cancel()
	if err := m.check(ctx); err != nil {
		return nil, failure(ctx, err)
	}
	found, err := m.source.read(ctx, asked)
	switch {
	case err != nil:
		return nil, failure(ctx, err)
	case len(found) == 0:
		return nil, fault.New(fault.Missing, "record.missing", "the department has no record with these particulars; check them").On("selector", "matches_one")
	case len(found) > 1:
		return nil, fault.New(fault.Refused, "record.ambiguous", "several records fit these particulars; the dataset's selector is not unique").On("selector", "matches_one")
	}
	return found[0], nil
}

// record converts what was found to the dataset's types.
func (m *mapped) record(row []any, q Query) (r Record, err error) {
	r.Values = make(map[string]any, len(q.Fields))
	for i, spec := range q.Fields {
		value, ok := Convert(m.Fields[spec.Name].translate(row[i]), spec.Type)
		if !ok {
			return r, fault.New(fault.Internal, "connector.type", "the database's value does not have the dataset's type; correct the connector").On("fields."+spec.Name, "type:"+spec.Type)
		}
		r.Values[spec.Name] = value
	}
	if r.Held = m.Holder != ""; r.Held {
		holder, _ := Convert(row[len(q.Fields)], "string")
		r.Holder, _ = holder.(string)
	}
	return r, nil
}

// failure is what a caller is told of a source that could not be read. What the source said may carry values: it ends here.
func failure(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errLeftAlone):
		return fault.New(fault.Internal, "connector.unavailable", "the department's database has failed time after time and is left alone for a while; wait as Retry-After says and ask again")
	case timedOut(ctx, err):
		return fault.New(fault.Internal, "connector.timeout", "the department's database did not answer in time; ask again")
	}
	return fault.New(fault.Internal, "connector.failed", "the department's database could not be read; check that it still has the connector's tables and columns")
}

func timedOut(ctx context.Context, err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded)
}
