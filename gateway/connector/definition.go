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

	"github.com/goccy/go-yaml"
)

// Limits of a definition.
const (
	DefaultTimeout = 2 * time.Second
	MaxTimeout     = 30 * time.Second
	MaxFields      = 200
	MaxJoins       = 8
	maxIdentifier  = 64
)

// Definition maps a department's tables to one dataset.
type Definition struct {
	Dataset  string            `yaml:"dataset"` // {agency}/{code}
	Source   Source            `yaml:"source"`
	From     string            `yaml:"from"` // table
	Join     []Join            `yaml:"join,omitempty"`
	Selector map[string]string `yaml:"selector"`         // the dataset's selector field → table.column
	Fields   map[string]Field  `yaml:"fields"`           // the dataset's field → where it is
	Holder   string            `yaml:"holder,omitempty"` // table.column with the record holder's account at the identity provider
	Timeout  string            `yaml:"timeout,omitempty"`
}

// Source is where the tables are. A relative path is taken from the definition's file.
type Source struct {
	SQLite string `yaml:"sqlite"`
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
	if !filepath.IsAbs(d.Source.SQLite) {
		d.Source.SQLite = filepath.Join(folder, d.Source.SQLite)
	}
	return d, nil
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
	require(d.Source.SQLite != "", "source.sqlite", "must name a database file")
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
	require(len(d.Selector) > 0, "selector", "must name at least one field")
	for _, name := range slices.Sorted(maps.Keys(d.Selector)) {
		require(identifier(name), "selector", "must name fields with letters, digits, _")
		require(columnOf(d.Selector[name], tables...), "selector."+name, "must be table.column of a table in from or join")
	}
	require(len(d.Fields) > 0 && len(d.Fields) <= MaxFields, "fields", fmt.Sprintf("must have between 1 and %d entries", MaxFields))
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		require(identifier(name), "fields", "must be named with letters, digits, _")
		require(columnOf(d.Fields[name].Column, tables...), "fields."+name+".column", "must be table.column of a table in from or join")
	}
	require(d.Holder == "" || columnOf(d.Holder, tables...), "holder", "must be table.column of a table in from or join")
	if d.Timeout != "" {
		timeout, err := time.ParseDuration(d.Timeout)
		require(err == nil && timeout > 0 && timeout <= MaxTimeout, "timeout", "must be a duration such as 2s, at most "+MaxTimeout.String())
	}
	return errors.Join(errs...)
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
