package collaboration_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
)

type service = collaboration.Service

func TestServiceForm(t *testing.T) {
	step := func(id, agency string, after ...string) collaboration.Step {
		return collaboration.Step{ID: id, Name: named("步骤", "Step"), Agency: agency, After: after}
	}
	for _, c := range []struct {
		name   string
		change func(*service)
		field  string
		rule   string // how it begins
	}{
		{"whole", func(*service) {}, "", ""},
		{"no code", func(s *service) { s.Code = "" }, "service.code", "required"},
		{"code with a slash", func(s *service) { s.Code = "business/start" }, "service.code", "pattern"},
		{"edition 0", func(s *service) { s.Edition = 0 }, "service.edition", "between:1,9999"},
		{"edition too high", func(s *service) { s.Edition = 10000 }, "service.edition", "between:1,9999"},
		{"name in one language", func(s *service) { s.Name.En = "" }, "service.name.en", "required"},
		{"category", func(s *service) { s.Category = "other" }, "service.category", "one_of:data_exchange,"},
		{"lead", func(s *service) { s.Lead = "market" }, "service.lead", "pattern"},
		{"legal basis", func(s *service) { s.LegalBasis = "" }, "service.legal_basis", "required"},
		{"form null", func(s *service) { s.Form = nil }, "service.form", "type:array"},
		{"question type", func(s *service) { s.Form[0].Type = "float" }, "service.form[0].type", "one_of"},
		{"questions alike", func(s *service) { s.Form = append(s.Form, s.Form[0]) }, "service.form[1].id", "unique"},
		{"too many questions", func(s *service) { s.Form = make([]collaboration.Question, 101) }, "service.form", "length:0,100"},
		{"no step", func(s *service) { s.Steps = []collaboration.Step{} }, "service.steps", "length:1,40"},
		{"too many steps", func(s *service) { s.Steps = many(41) }, "service.steps", "length:1,40"},
		{"most steps", func(s *service) { s.Steps = many(40) }, "", ""},
		{"steps alike", func(s *service) { s.Steps[1].ID = "premises" }, "service.steps[1].id", "unique"},
		{"step without a name", func(s *service) { s.Steps[0].Name.Zh = "" }, "service.steps[0].name.zh", "required"},
		{"step of no agency", func(s *service) { s.Steps[0].Agency = "" }, "service.steps[0].agency", "required"},
		{"after no step", func(s *service) { s.Steps[2].After = []string{"nothing"} }, "service.steps[2].after[0]", "one_of:steps.id"},
		{"after not sorted", func(s *service) { s.Steps[2].After = []string{"tax", "premises"} }, "service.steps[2].after[1]", "sorted_unique"},
		{"after twice", func(s *service) { s.Steps[2].After = []string{"tax", "tax"} }, "service.steps[2].after[1]", "sorted_unique"},
		{"after itself", func(s *service) { s.Steps[0].After = []string{"premises"} }, "service.steps[0].after", "acyclic"},
		{"a ring of three", func(s *service) {
			s.Steps = []collaboration.Step{step("a", tax.Agency, "c"), step("b", tax.Agency, "a"), step("c", lead.Agency, "b"), step("d", lead.Agency)}
		}, "service.steps[0].after", "acyclic"},
		{"material without a source", func(s *service) { s.Materials[0].Source = "" }, "service.materials[0].source", "required"},
		{"material source", func(s *service) { s.Materials[0].Source = "friend" }, "service.materials[0].source", "one_of:applicant,dataset,certificate"},
		{"materials alike", func(s *service) { s.Materials[1].ID = "form" }, "service.materials[1].id", "unique"},
		{"dataset where there is none", func(s *service) { s.Materials[0].Dataset = "planning.housing/premises" }, "service.materials[0].dataset", "absent"},
		{"type where there is none", func(s *service) { s.Materials[1].Type = "identity" }, "service.materials[1].certificate_type", "absent"},
		{"no dataset", func(s *service) { s.Materials[1].Dataset = "" }, "service.materials[1].dataset", "required"},
		{"dataset of no agency", func(s *service) { s.Materials[1].Dataset = "premises" }, "service.materials[1].dataset", "pattern"},
		{"no fields", func(s *service) { s.Materials[1].Fields = nil }, "service.materials[1].fields", "length"},
		{"fields not sorted", func(s *service) { s.Materials[1].Fields = []string{"owner", "address"} }, "service.materials[1].fields[1]", "sorted_unique"},
		{"for nobody", func(s *service) { s.Materials[1].For = "" }, "service.materials[1].for", "required"},
		{"for a stranger", func(s *service) { s.Materials[1].For = "services.police" }, "service.materials[1].for", "one_of:market.regulation,"},
		{"no certificate type", func(s *service) { s.Materials[2].Type = "" }, "service.materials[2].certificate_type", "required"},
		{"outcome", func(s *service) { s.Outcome.CertificateType = "Business Licence" }, "service.outcome.certificate_type", "pattern"},
		{"no outcome", func(s *service) { s.Outcome.CertificateType = "" }, "", ""},
		{"visits", func(s *service) { s.Visits = -1 }, "service.visits", "between:0,20"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := collaboration.ProposeDefinition{Service: business(c.change)}.Validate()
			if c.field == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Truef(t, strings.HasPrefix(broken(err), c.field+" "+c.rule), "got %q", broken(err))
		})
	}
}

// many makes steps in one chain, the last first: the worst order to find that there is no ring.
func many(n int) []collaboration.Step {
	steps := make([]collaboration.Step, n)
	for i := range steps {
		steps[i] = collaboration.Step{ID: "s" + strconv.Itoa(i), Name: named("步骤", "Step"), Agency: lead.Agency}
		if i+1 < n {
			steps[i].After = []string{"s" + strconv.Itoa(i+1)}
		}
	}
	return steps
}

func TestServiceSums(t *testing.T) {
	s := business()
	require.Equal(t, []string{lead.Agency, tax.Agency, housing.Agency}, s.Responsible())
	require.Equal(t, 1, s.Asked())
	require.Equal(t, []string{"planning.housing/premises"}, s.Datasets())
	require.Equal(t, []string{"business-licence", "identity"}, s.CertificateTypes())
}

// The hash changes with anything an applicant or an agency can read in the definition.
func TestHashCoversTheWholeService(t *testing.T) {
	seen := map[string]string{}
	for name, change := range map[string]func(*service){
		"as is":    func(*service) {},
		"edition":  func(s *service) { s.Edition = 2 },
		"name":     func(s *service) { s.Name.En = "Start a company" },
		"basis":    func(s *service) { s.LegalBasis = "another" },
		"question": func(s *service) { s.Form[0].Required = false },
		"material": func(s *service) { s.Materials[1].Fields = []string{"address"} },
		"step":     func(s *service) { s.Steps[2].After = []string{"tax"} },
		"outcome":  func(s *service) { s.Outcome.CertificateType = "" },
		"visits":   func(s *service) { s.Visits = 1 },
	} {
		hash, err := business(change).Hash()
		require.NoError(t, err)
		require.Len(t, hash, 64)
		require.Emptyf(t, seen[hash], "%s", name)
		seen[hash] = name
	}
}
