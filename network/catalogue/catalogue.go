// Package catalogue is what a city brings to the network as data: agencies and their duties, the directory of datasets and
// who may use them, types of certificates and who may issue them, what agencies ask of applicants and the evidence that shows
// it, and service definitions. Nothing in it is code; a new service is a file.
//
//	agencies.yaml        who takes part                      datasets.yaml, datasets/{any}.yaml   the directory; grants
//	roster.yaml          departments and districts           requirements.yaml                    requirement → evidence
//	certificates.yaml    types; accreditations               services/{code}.yaml                 service definitions
//
// Only agencies.yaml must be there. A file may be JSON instead, with the ending .json. Read decodes strictly and checks
// everything that can be checked without a network: form, and that every reference leads somewhere. Load brings it to a network
// through the gateways, as the agencies' administrators.
package catalogue

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

//go:embed data
var builtin embed.FS

// Catalogue is everything that is loaded.
type Catalogue struct {
	Agencies       []Agency
	Publishers     []string // agencies that publish datasets and have no part in a case yet; the roster has their names
	Datasets       []Dataset
	Requirements   []Requirement
	Grants         []Grant
	Types          []Type
	Accreditations []Accreditation
	Services       []collaboration.Service
	Roster         Roster

	files map[string]string // that were read, by their names without ending
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
	Owner string
	exchange.PublishDataset

	file string
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

	file string
}

// Requirement is an entry of the map from what agencies ask of applicants to the evidence that shows it.
type Requirement struct {
	Agency string `json:"agency"`
	exchange.PublishRequirement
}

// ID is the requirement's id.
func (q Requirement) ID() string { return q.Agency + "/" + q.Code }

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

// Lines say how much of everything there is, as a person reads it.
func (c Catalogue) Lines() (lines []string) {
	for _, part := range []struct {
		what string
		n    int
	}{
		{"agencies", len(c.writers())}, {"listings of the roster", len(c.Roster.listings())}, {"datasets", len(c.Datasets)}, {"grants", len(c.Grants)},
		{"certificate types", len(c.Types)}, {"accreditations", len(c.Accreditations)}, {"requirements", len(c.Requirements)}, {"services", len(c.Services)},
	} {
		if part.n > 0 {
			lines = append(lines, fmt.Sprintf("%-22s %4d", part.what, part.n))
		}
	}
	return lines
}

// Active is the part of the agencies that take part in cases: without those that only publish, what is theirs, and the roster.
func (c Catalogue) Active() Catalogue {
	publishes := func(agency string) bool { return slices.Contains(c.Publishers, agency) }
	c.Datasets = slices.DeleteFunc(slices.Clone(c.Datasets), func(d Dataset) bool { return publishes(d.Owner) })
	c.Requirements = slices.DeleteFunc(slices.Clone(c.Requirements), func(q Requirement) bool {
		return publishes(q.Agency) || slices.ContainsFunc(q.Datasets(), func(id string) bool { _, there := c.dataset(id); return !there })
	})
	c.Publishers, c.Roster = nil, Roster{}
	return c
}

// writers are the agencies that have a record on the ledger.
func (c Catalogue) writers() []Agency {
	all := slices.DeleteFunc(slices.Clone(c.Agencies), func(a Agency) bool { return a.ReadsOnly })
	for _, id := range c.Publishers {
		for _, line := range c.Roster.Departments {
			if line.ID == id {
				all = append(all, Agency{ID: id, Name: exchange.Text{Zh: line.Zh, En: line.En}})
			}
		}
	}
	return all
}

// caller is an agency's administrator, as contracts see one.
func caller(agency string) access.Caller {
	return access.Caller{Agency: agency, MSP: access.MSPOf(agency), Role: access.Admin}
}
