// Package catalogue is what a city brings to the network as data: agencies and their duties, the directory of datasets and
// who may use them, types of certificates and who may issue them, and service definitions. Nothing in it is code; a new
// service is a file.
//
//	data/roster.yaml  data/agencies.yaml  data/datasets.yaml  data/certificates.yaml  data/services/{code}.yaml
//
// Read decodes strictly and checks everything that can be checked without a network: form, and that every reference leads
// somewhere. Load brings it to a network through the gateways, as the agencies' administrators.
package catalogue

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

//go:embed data
var builtin embed.FS

// Catalogue is everything that is loaded.
type Catalogue struct {
	Agencies       []Agency
	Datasets       []Dataset
	Grants         []Grant
	Types          []Type
	Accreditations []Accreditation
	Services       []collaboration.Service
	Roster         Roster
}

// Agency takes part. Its organisation is the part of the id before the dot.
type Agency struct {
	ID     string        `json:"id"`
	Name   exchange.Text `json:"name"`
	Duties []string      `json:"duties,omitempty"`
	// ReadsOnly says that the agency's organisation does not write: it is listed, and not registered on the ledger.
	ReadsOnly bool `json:"reads_only,omitempty"`
}

// Dataset is an entry of the directory.
type Dataset struct {
	Owner string `json:"owner"`
	exchange.PublishDataset
}

// ID is the dataset's id.
func (d Dataset) ID() string { return d.Owner + "/" + d.Code }

// Grant is a permission that the consumer asks for and the provider gives.
type Grant struct {
	Consumer        string   `json:"consumer"`
	Dataset         string   `json:"dataset"`
	Purposes        []string `json:"purposes"`
	Fields          []string `json:"fields"`
	LegalBasis      string   `json:"legal_basis"`
	ConsentRequired bool     `json:"consent_required,omitempty"`
	PreviewRequired bool     `json:"preview_required,omitempty"`
	Years           int      `json:"years"` // from the day it is loaded
}

// Type of certificate.
type Type struct {
	Authority string `json:"authority"`
	certificate.PublishType
}

// Accreditation lets an agency issue a type.
type Accreditation struct {
	Type   string `json:"type"`
	Agency string `json:"agency"`
	Years  int    `json:"years"` // from the day it is loaded
}

// Default is the catalogue that comes with the product.
func Default() (Catalogue, error) {
	data, err := fs.Sub(builtin, "data")
	if err != nil {
		return Catalogue{}, err
	}
	return Read(data)
}

// Read reads a catalogue from a folder and validates it.
func Read(data fs.FS) (c Catalogue, err error) {
	for _, file := range []struct {
		name string
		into any
	}{
		{"agencies.yaml", &struct {
			Agencies *[]Agency `json:"agencies"`
		}{&c.Agencies}},
		{"datasets.yaml", &struct {
			Datasets *[]Dataset `json:"datasets"`
			Grants   *[]Grant   `json:"grants"`
		}{&c.Datasets, &c.Grants}},
		{"roster.yaml", &c.Roster},
		{"certificates.yaml", &struct {
			Types          *[]Type          `json:"types"`
			Accreditations *[]Accreditation `json:"accreditations"`
		}{&c.Types, &c.Accreditations}},
	} {
		if err := decode(data, file.name, file.into); err != nil {
			return c, err
		}
	}
	names, err := fs.Glob(data, "services/*.yaml")
	if err != nil {
		return c, fmt.Errorf("catalogue: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		var s collaboration.Service
		if err := decode(data, name, &s); err != nil {
			return c, err
		}
		if want := s.Code + ".yaml"; path.Base(name) != want {
			return c, fmt.Errorf("catalogue: %s: code: is %s, so the file must be named %s", name, s.Code, want)
		}
		c.Services = append(c.Services, s)
	}
	return c, c.Validate()
}

// decode reads one YAML document by the names that the ledger's types have in JSON; unknown names are errors.
func decode(data fs.FS, name string, into any) error {
	text, err := fs.ReadFile(data, name)
	if err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	var content any
	if err := documents.Decode(&content); err != nil {
		return fmt.Errorf("catalogue: %s: %w", name, err)
	}
	if err := documents.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("catalogue: %s: the file must hold one document", name)
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("catalogue: %s: %w", name, err)
	}
	members := json.NewDecoder(bytes.NewReader(raw))
	members.DisallowUnknownFields()
	if err := members.Decode(into); err != nil {
		return fmt.Errorf("catalogue: %s: %w", name, err)
	}
	return nil
}
