package connector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-openapi/jsonpointer"
	"github.com/goccy/go-yaml"
)

// Limits of a definition.
const (
	DefaultTimeout = 2 * time.Second
	MaxTimeout     = 30 * time.Second
	MinEvery       = time.Second // between two looks at subscribed records
	MaxEvery       = 24 * time.Hour
	MaxFields      = 200
	MaxJoins       = 8
	maxIdentifier  = 64
	maxPointer     = 256
)

// Definition maps a department's tables, or the answers of its service, to one dataset. A column is table.column, or of a
// service a JSON pointer (RFC 6901) into the record.
type Definition struct {
	Dataset  string            `yaml:"dataset"` // {agency}/{code}
	Source   Source            `yaml:"source"`
	From     string            `yaml:"from"` // table; of a service the path and query, with {placeholders}
	Join     []Join            `yaml:"join,omitempty"`
	Records  string            `yaml:"records,omitempty"` // of a service: JSON pointer to the record or the list of records; the whole answer if absent
	Selector map[string]string `yaml:"selector"`          // the dataset's selector field → column; of a service the placeholder
	Fields   map[string]Field  `yaml:"fields"`            // the dataset's field → where it is
	Holder   string            `yaml:"holder,omitempty"`  // column with the record holder's account at the identity provider
	Timeout  string            `yaml:"timeout,omitempty"`
	Changes  *Changes          `yaml:"changes,omitempty"` // absent: changes of records are not announced
}

// Changes says how changes of records that others subscribe to are found.
type Changes struct {
	Every string `yaml:"every"` // how long after a look at them the next one begins
}

// Source is where the records are: one of three. A relative path is taken from the definition's file.
type Source struct {
	SQLite     string      `yaml:"sqlite,omitempty"` // database file
	PostgreSQL *PostgreSQL `yaml:"postgresql,omitempty"`
	HTTP       *HTTP       `yaml:"http,omitempty"`
}

// Join adds a table, at most one row of which belongs to each row so far; a row without one stays, with nulls.
type Join struct {
	Table  string `yaml:"table"`
	On     string `yaml:"on"`     // a column of the new table
	Equals string `yaml:"equals"` // a column of a table before it
}

// Field is a column, and what its codes mean where it holds codes.
type Field struct {
	Column string            `yaml:"column"`
	Values map[string]string `yaml:"values,omitempty"`
}

var (
	datasetForm    = regexp.MustCompile(`^[a-z][a-z0-9]*\.[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$`)
	identifierForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	pathForm       = regexp.MustCompile(`^(/[A-Za-z0-9._~-]*)+(\?[A-Za-z0-9._~=&,-]*)?$`)
)

// Load reads one definition file, or all *.yaml files of a folder in the order of their names.
func Load(path string) ([]Definition, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("connector: %w", err)
	}
	paths := []string{path}
	if info.IsDir() {
		if paths, err = filepath.Glob(filepath.Join(escaped(path), "*.yaml")); err != nil {
			return nil, fmt.Errorf("connector: %w", err)
		}
	}
	var all []Definition
	seen := map[string]string{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("connector: %w", err)
		}
		d, err := Parse(text, filepath.Dir(p))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if other, twice := seen[d.Dataset]; twice {
			return nil, fmt.Errorf("%s: dataset: %s is connected by %s already", p, d.Dataset, other)
		}
		seen[d.Dataset] = p
		all = append(all, d)
	}
	return all, nil
}

// escaped keeps a folder's name from being read as a pattern.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Parse reads a definition strictly. folder is what a relative source path is relative to.
func Parse(text []byte, folder string) (Definition, error) {
	var d Definition
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := dec.Decode(&d); err != nil {
		if errors.Is(err, io.EOF) {
			return d, errors.New("connector: the file is empty")
		}
		return d, fmt.Errorf("connector: %w", err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return d, errors.New("connector: the file holds more than one document")
	}
	if err := d.validate(); err != nil {
		return d, err
	}
	for _, path := range d.Source.paths() {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
	return d, nil
}

// paths are the files a source names.
func (s *Source) paths() []*string {
	paths := []*string{&s.SQLite}
	if p := s.PostgreSQL; p != nil {
		paths = append(paths, &p.Password.File)
	}
	if h := s.HTTP; h != nil {
		paths = append(paths, &h.Secret.File, &h.TLSRoot, &h.TLSCert, &h.TLSKey)
	}
	return paths
}

// check checks what the file says of the source.
func (s Source) check() error {
	named := 0
	for _, there := range []bool{s.SQLite != "", s.PostgreSQL != nil, s.HTTP != nil} {
		if there {
			named++
		}
	}
	switch {
	case named != 1:
		return errors.New("source: must name one of sqlite, postgresql, http")
	case s.PostgreSQL != nil:
		return s.PostgreSQL.check()
	case s.HTTP != nil:
		return s.HTTP.check()
	}
	return nil
}

// validate checks every rule and names each member that breaks one.
func (d Definition) validate() error {
	var errs []error
	require := func(ok bool, member, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("connector: %s: %s", member, rule))
		}
	}
	require(datasetForm.MatchString(d.Dataset), "dataset", "must be {organisation}.{agency}/{code}")
	if err := d.Source.check(); err != nil {
		errs = append(errs, fmt.Errorf("connector: %w", err))
	}
	column, rule := d.places(require)
	require(len(d.Selector) > 0, "selector", "must name at least one field")
	for _, name := range slices.Sorted(maps.Keys(d.Selector)) {
		require(identifier(name), "selector", "must name fields with letters, digits, _")
		if d.Source.HTTP == nil {
			require(column(d.Selector[name]), "selector."+name, rule)
		}
	}
	require(len(d.Fields) > 0 && len(d.Fields) <= MaxFields, "fields", fmt.Sprintf("must have between 1 and %d entries", MaxFields))
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		require(identifier(name), "fields", "must be named with letters, digits, _")
		require(column(d.Fields[name].Column), "fields."+name+".column", rule)
	}
	require(d.Holder == "" || column(d.Holder), "holder", rule)
	if d.Changes != nil {
		every, err := time.ParseDuration(d.Changes.Every)
		require(err == nil && every >= MinEvery && every <= MaxEvery, "changes.every", fmt.Sprintf("must be a duration such as 30s, between %s and %s", MinEvery, MaxEvery))
	}
	if d.Timeout != "" {
		timeout, err := time.ParseDuration(d.Timeout)
		require(err == nil && timeout > 0 && timeout <= MaxTimeout, "timeout", "must be a duration such as 2s, at most "+MaxTimeout.String())
	}
	return errors.Join(errs...)
}

// places checks where the records are, and gives what a column must be.
func (d Definition) places(require func(ok bool, member, rule string)) (column func(string) bool, rule string) {
	if d.Source.HTTP != nil {
		require(len(d.Join) == 0, "join", "is of tables; a service joins by itself")
		require(d.Records == "" || pointer(d.Records), "records", "must be a JSON pointer: /data/items")
		wanted := placeholders(d.From)
		require(pathForm.MatchString(placeholderForm.ReplaceAllString(d.From, "x")) && len(d.From) <= maxPathBytes, "from", "must be a path, with a query if need be: /v1/people/{id}?full=true")
		require(slices.Equal(wanted, slices.Sorted(maps.Values(d.Selector))), "selector", "must give a value to each {placeholder} of from, once")
		return pointer, "must be a JSON pointer into the record: /name"
	}
	require(d.Records == "", "records", "is of a service's answers")
	require(identifier(d.From), "from", "must be a table's name: letters, digits, _")
	tables := []string{d.From}
	require(len(d.Join) <= MaxJoins, "join", fmt.Sprintf("must have at most %d entries", MaxJoins))
	for i, j := range d.Join {
		at := fmt.Sprintf("join[%d]", i)
		require(identifier(j.Table) && !slices.Contains(tables, j.Table), at+".table", "must be a table's name, joined once")
		require(columnOf(j.Equals, tables...), at+".equals", "must be table.column of a table before it")
		tables = append(tables, j.Table)
		require(columnOf(j.On, j.Table), at+".on", "must be table.column of the table joined")
	}
	return func(s string) bool { return columnOf(s, tables...) }, "must be table.column of a table in from or join"
}

// placeholders are the names in braces of a path, sorted.
func placeholders(path string) (names []string) {
	for _, found := range placeholderForm.FindAllStringSubmatch(path, -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return names
}

// pointer says whether s is a JSON pointer to a part of a document.
func pointer(s string) bool {
	_, err := jsonpointer.New(s)
	return err == nil && s != "" && len(s) <= maxPointer
}

func (d Definition) timeout() time.Duration {
	if timeout, err := time.ParseDuration(d.Timeout); err == nil {
		return timeout
	}
	return DefaultTimeout
}

func identifier(s string) bool { return len(s) <= maxIdentifier && identifierForm.MatchString(s) }

// columnOf says whether s is table.column of one of the tables.
func columnOf(s string, tables ...string) bool {
	table, column, ok := strings.Cut(s, ".")
	return ok && slices.Contains(tables, table) && identifier(column)
}
