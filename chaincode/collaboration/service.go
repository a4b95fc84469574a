package collaboration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of a service.
const (
	MaxSteps        = 40
	MaxMaterials    = 100
	MaxQuestions    = 100
	MaxEdition      = 9999
	MaxVisits       = 20
	MaxDefinitionID = 69 // a code, "/" and an edition
)

// Categories in the order documents list them.
var Categories = []string{CategoryExchange, CategoryCollaboration, CategoryCertificate}

var questionTypes = []string{"string", "integer", "boolean", "date"}

// Validate implements kernel.Validator.
func (r ProposeDefinition) Validate() error { return fault.Under("service", r.Service.Validate()) }

// Validate checks a service whole: that every reference in it leads somewhere and that its steps can be walked.
func (s Service) Validate() error {
	return cmp.Or(
		exchange.CheckCode("code", s.Code),
		between("edition", s.Edition, 1, MaxEdition),
		fault.Under("name", s.Name.Validate()),
		oneOf("category", s.Category, Categories),
		exchange.CheckAgency("lead", s.Lead),
		exchange.CheckLegalBasis("legal_basis", s.LegalBasis),
		s.checkForm(),
		s.checkSteps(),
		s.checkMaterials(),
		s.checkOutcome(),
		between("visits", s.Visits, 0, MaxVisits),
	)
}

func (s Service) checkForm() error {
	return each("form", s.Form, 0, MaxQuestions, func(at string, q Question) (string, error) {
		return q.ID, cmp.Or(
			exchange.CheckCode(at+".id", q.ID),
			fault.Under(at+".name", q.Name.Validate()),
			oneOf(at+".type", q.Type, questionTypes),
		)
	})
}

func (s Service) checkSteps() error {
	if err := each("steps", s.Steps, 1, MaxSteps, func(at string, step Step) (string, error) {
		return step.ID, cmp.Or(
			exchange.CheckCode(at+".id", step.ID),
			fault.Under(at+".name", step.Name.Validate()),
			exchange.CheckAgency(at+".agency", step.Agency),
		)
	}); err != nil {
		return err
	}
	ids := s.stepIDs()
	for i, step := range s.Steps {
		for j, id := range step.After {
			at := fmt.Sprintf("steps[%d].after[%d]", i, j)
			switch {
			case !slices.Contains(ids, id):
				return fault.Field(at, "one_of:steps.id", "name a step of this service")
			case j > 0 && id <= step.After[j-1]:
				return fault.Field(at, "sorted_unique", "sort the list and name each step once")
			}
		}
	}
	return s.checkAcyclic()
}

// checkAcyclic takes away, again and again, the steps that wait for nothing that is left. What cannot be taken away waits
// for itself.
func (s Service) checkAcyclic() error {
	done := map[string]bool{}
	for range s.Steps {
		for _, step := range s.Steps {
			if !slices.ContainsFunc(step.After, func(id string) bool { return !done[id] }) {
				done[step.ID] = true
			}
		}
	}
	for i, step := range s.Steps {
		if !done[step.ID] {
			return fault.Field(fmt.Sprintf("steps[%d].after", i), "acyclic", "let no step wait for itself, over others or directly")
		}
	}
	return nil
}

func (s Service) checkMaterials() error {
	agencies := s.Responsible()
	return each("materials", s.Materials, 0, MaxMaterials, func(at string, m Material) (string, error) {
		return m.ID, cmp.Or(
			exchange.CheckCode(at+".id", m.ID),
			fault.Under(at+".name", m.Name.Validate()),
			oneOf(at+".source", m.Source, []string{FromApplicant, FromDataset, FromCertificate}),
			m.checkSource(at, agencies),
		)
	})
}

// checkSource checks that a material says where it comes from, and nothing about where it does not.
func (m Material) checkSource(at string, agencies []string) error {
	if m.Source != FromDataset && (m.Dataset != "" || m.Fields != nil || m.For != "") {
		return fault.Field(at+".dataset", "absent", "name dataset, fields and for only where the source is a dataset")
	}
	if m.Source != FromCertificate && m.Type != "" {
		return fault.Field(at+".certificate_type", "absent", "name a certificate type only where the source is a certificate")
	}
	if m.Requirement != "" {
		if m.Source == FromApplicant {
			return fault.Field(at+".requirement", "absent", "name a requirement only where the source is a dataset or a certificate")
		}
		if err := exchange.CheckRequirement(at+".requirement", m.Requirement); err != nil {
			return err
		}
	}
	switch m.Source {
	case FromDataset:
		return cmp.Or(
			exchange.CheckDataset(at+".dataset", m.Dataset),
			checkFields(at+".fields", m.Fields),
			exchange.CheckAgency(at+".for", m.For),
			oneOf(at+".for", m.For, agencies),
		)
	case FromCertificate:
		return exchange.CheckCode(at+".certificate_type", m.Type)
	}
	return nil
}

// checkFields checks a list of names of fields; whether the dataset has them is judged with the dataset at hand.
func checkFields(field string, names []string) error {
	if len(names) == 0 || len(names) > exchange.MaxDatasetFields {
		return fault.Field(field, fmt.Sprintf("length:1,%d", exchange.MaxDatasetFields), "name the fields the service needs")
	}
	for i, name := range names {
		if name == "" || i > 0 && name <= names[i-1] {
			return fault.Field(fmt.Sprintf("%s[%d]", field, i), "sorted_unique", "sort the list and name each field once")
		}
	}
	return nil
}

func (s Service) checkOutcome() error {
	if s.Outcome.CertificateType == "" {
		return nil
	}
	return exchange.CheckCode("outcome.certificate_type", s.Outcome.CertificateType)
}

// Responsible are the agencies that answer for a service: its lead and those with a step, sorted.
func (s Service) Responsible() []string {
	agencies := []string{s.Lead}
	for _, step := range s.Steps {
		agencies = append(agencies, step.Agency)
	}
	slices.Sort(agencies)
	return slices.Compact(agencies)
}

// Asked counts the materials that are still asked of the applicant.
func (s Service) Asked() int {
	asked := 0
	for _, m := range s.Materials {
		if m.Source == FromApplicant {
			asked++
		}
	}
	return asked
}

// CertificateTypes are the types a service refers to, sorted.
func (s Service) CertificateTypes() []string {
	var types []string
	for _, m := range s.Materials {
		if m.Type != "" {
			types = append(types, m.Type)
		}
	}
	if s.Outcome.CertificateType != "" {
		types = append(types, s.Outcome.CertificateType)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

func (s Service) stepIDs() []string {
	ids := make([]string, len(s.Steps))
	for i, step := range s.Steps {
		ids[i] = step.ID
	}
	return ids
}

// each checks a list: its length, each entry, and that no two have one id. A list that is null is not a list, so that a
// service has one form and one hash.
func each[T any](field string, list []T, least, most int, check func(at string, entry T) (id string, err error)) error {
	if list == nil {
		return fault.Field(field, "type:array", "send a list, an empty one if there is nothing to list")
	}
	if len(list) < least || len(list) > most {
		return fault.Field(field, fmt.Sprintf("length:%d,%d", least, most), "list a number of entries within these limits")
	}
	seen := map[string]bool{}
	for i, entry := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		id, err := check(at, entry)
		if err != nil {
			return err
		}
		if seen[id] {
			return fault.Field(at+".id", "unique", "give each entry an id of its own")
		}
		seen[id] = true
	}
	return nil
}

func oneOf(field, value string, allowed []string) error {
	if err := present(field, value); err != nil {
		return err
	}
	if !slices.Contains(allowed, value) {
		return fault.Field(field, "one_of:"+strings.Join(allowed, ","), "use one of the values listed")
	}
	return nil
}
