package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// endings a file of a catalogue may have: JSON is YAML too.
var endings = []string{".yaml", ".json"}

// Read reads a catalogue from a folder and validates it. An error names file, entry, member and rule, of every mistake that
// does not hide another.
func Read(data fs.FS) (c Catalogue, err error) {
	if _, _, err := open(data, "agencies"); err != nil {
		return c, fmt.Errorf("catalogue: %w", err)
	}
	c.files = map[string]string{}
	for _, file := range []struct {
		name string
		into any
	}{
		{"agencies", &struct {
			Agencies   *list[Agency] `json:"agencies"`
			Publishers *[]string     `json:"publishers"`
		}{(*list[Agency])(&c.Agencies), &c.Publishers}},
		{"roster", &c.Roster},
		{"certificates", &struct {
			Types          *list[Type]          `json:"types"`
			Accreditations *list[Accreditation] `json:"accreditations"`
		}{(*list[Type])(&c.Types), (*list[Accreditation])(&c.Accreditations)}},
		{"requirements", &struct {
			Requirements *list[Requirement] `json:"requirements"`
		}{(*list[Requirement])(&c.Requirements)}},
	} {
		if c.files[file.name], err = decode(data, file.name, file.into); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	if err := c.readDatasets(data); err != nil {
		return c, err
	}
	if err := c.readServices(data); err != nil {
		return c, err
	}
	return c, c.Validate()
}

func (c *Catalogue) readDatasets(data fs.FS) error {
	names, err := in(data, "datasets")
	if err != nil {
		return err
	}
	for _, name := range append([]string{"datasets"}, names...) {
		var file struct {
			Datasets list[description] `json:"datasets"`
			Grants   list[Grant]       `json:"grants"`
		}
		at, err := decode(data, name, &file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for i, described := range file.Datasets {
			d, err := described.dataset()
			if err != nil {
				return fmt.Errorf("catalogue: %s: datasets[%d], %s: %w", at, i, d.ID(), err)
			}
			d.file = at
			c.Datasets = append(c.Datasets, d)
		}
		for _, g := range file.Grants {
			g.file = at
			c.Grants = append(c.Grants, g)
		}
	}
	return nil
}

func (c *Catalogue) readServices(data fs.FS) error {
	names, err := in(data, "services")
	if err != nil {
		return err
	}
	for _, name := range names {
		var s collaboration.Service
		at, err := decode(data, name, &s)
		if err != nil {
			return err
		}
		if want := s.Code + path.Ext(at); path.Base(at) != want {
			return fmt.Errorf("catalogue: %s: code: is %s, so the file must be named %s", at, s.Code, want)
		}
		c.files["services/"+s.Code] = at
		c.Services = append(c.Services, c.resolved(s))
	}
	return nil
}

// in lists a folder's files, by their paths without ending, sorted.
func in(data fs.FS, folder string) (names []string, err error) {
	entries, err := fs.ReadDir(data, folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	for _, e := range entries {
		if ending := path.Ext(e.Name()); slices.Contains(endings, ending) {
			names = append(names, path.Join(folder, strings.TrimSuffix(e.Name(), ending)))
		} else {
			return nil, fmt.Errorf("catalogue: %s: a catalogue has files that end in %s", path.Join(folder, e.Name()), strings.Join(endings, " or "))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// open reads a file with whichever ending it has, and gives its name.
func open(data fs.FS, name string) (text []byte, file string, err error) {
	for _, ending := range endings {
		read, err := fs.ReadFile(data, name+ending)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, "", err
		case file != "":
			return nil, "", fmt.Errorf("%s is there, and %s; keep one", file, name+ending)
		default:
			text, file = read, name+ending
		}
	}
	if file == "" {
		return nil, "", fmt.Errorf("%s%s: %w", name, endings[0], fs.ErrNotExist)
	}
	return text, file, nil
}

// decode reads one YAML document by the names that the ledger's types have in JSON; unknown names are errors. It gives the
// file's name.
func decode(data fs.FS, name string, into any) (file string, err error) {
	text, file, err := open(data, name)
	if err != nil {
		return name, fmt.Errorf("catalogue: %w", err)
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var content any
	if err := documents.Decode(&content); err != nil {
		return file, fmt.Errorf("catalogue: %s: %w", file, err)
	}
	if err := documents.Decode(new(any)); !errors.Is(err, io.EOF) {
		return file, fmt.Errorf("catalogue: %s: the file must hold one document", file)
	}
	raw, err := json.Marshal(content)
	if err == nil {
		err = strictly(raw, into)
	}
	if err != nil {
		return file, fmt.Errorf("catalogue: %s: %w", file, err)
	}
	return file, nil
}

func strictly(raw []byte, into any) error {
	members := json.NewDecoder(bytes.NewReader(raw))
	members.DisallowUnknownFields()
	return members.Decode(into)
}

// list decodes entry by entry, so that an error names the one at fault.
type list[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(raw []byte) error {
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return err
	}
	*l = make([]T, len(entries))
	for i, entry := range entries {
		if err := strictly(entry, &(*l)[i]); err != nil {
			return fmt.Errorf("entry %d%s: %w", i, called(entry), err)
		}
	}
	return nil
}

// called is what an entry calls itself, as far as it says.
func called(entry []byte) string {
	var names struct{ ID, Owner, Agency, Consumer, Code, Dataset, Type string }
	_ = json.Unmarshal(entry, &names) // what has no name has its number
	var said []string
	for _, name := range []string{names.ID, names.Owner, names.Agency, names.Consumer, names.Code, names.Dataset, names.Type} {
		if name != "" {
			said = append(said, name)
		}
	}
	if said == nil {
		return ""
	}
	return " (" + strings.Join(said, " ") + ")"
}

// description is a dataset as a file has it: a field may say more of its values in JSON Schema, and the dataset's schema is
// derived from that.
type description struct {
	Owner string `json:"owner"`
	exchange.PublishDataset
	Fields []struct {
		exchange.FieldSpec
		Schema map[string]any `json:"schema"`
	} `json:"fields"`
}

// dataset is the entry. A field with a schema of its own is in every record; of the others a department may not know all.
func (d description) dataset() (Dataset, error) {
	entry := Dataset{Owner: d.Owner, PublishDataset: d.PublishDataset}
	more := false
	for _, f := range d.Fields {
		entry.Fields = append(entry.Fields, f.FieldSpec)
		more = more || f.Schema != nil
	}
	if !more {
		return entry, nil
	}
	if entry.Schema != nil {
		return entry, errors.New("schema: give the dataset one or its fields theirs, not both")
	}
	_, derived, _, err := entry.Publish(caller(entry.Owner))
	if err != nil {
		return entry, err
	}
	var document map[string]any
	if err := json.Unmarshal(derived.Document, &document); err != nil {
		return entry, err
	}
	properties, _ := document["properties"].(map[string]any) // what was derived has them
	for i, f := range d.Fields {
		if f.Schema == nil {
			continue
		}
		property, _ := properties[f.Name].(map[string]any)
		if types, ok := property["type"].([]any); ok && len(types) > 0 {
			property["type"] = types[0]
		}
		for keyword, value := range f.Schema {
			if _, taken := property[keyword]; taken {
				return entry, fmt.Errorf("fields[%d].schema.%s: follows from the field's type and title", i, keyword)
			}
			property[keyword] = value
		}
	}
	entry.Schema, err = json.Marshal(document)
	return entry, err
}
