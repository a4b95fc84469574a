package catalogue_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/devidp"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
)

func TestTheCatalogueThatComesWithTheProduct(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	require.Len(t, c.Agencies, 10)
	require.Len(t, c.Publishers, 45)
	require.Len(t, c.Datasets, 72)
	require.Len(t, c.Requirements, 20)
	require.Len(t, c.Grants, 3)
	require.Len(t, c.Services, 1)
	active := c.Active()
	require.Len(t, active.Datasets, 15)
	require.Len(t, active.Requirements, 11)
	require.NoError(t, active.Validate(), "the part of those who take part stands on its own")
	for _, s := range c.Services {
		saved := len(s.Materials) - s.Asked()
		require.GreaterOrEqual(t, float64(saved), 0.4*float64(len(s.Materials)), "%s: the published average is 40 %% of the materials saved", s.Code)
		require.NotEmpty(t, s.LegalBasis)
		require.Zero(t, s.Visits)
	}
	start := c.Services[0]
	require.Equal(t, "market.regulation", start.Lead)
	require.Equal(t, collaboration.CategoryCollaboration, start.Category)
	for _, step := range start.Steps {
		require.Empty(t, step.After, "the steps run in parallel")
	}
}

// TestEveryDepartmentIsInTheDirectory: each of the city's departments publishes something, under a schema that says more than
// names and types where it can.
func TestEveryDepartmentIsInTheDirectory(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	published, classes := map[string]int{}, map[string]int{}
	for _, d := range c.Datasets {
		published[d.Owner]++
		classes[d.Classification]++
		require.NotEmpty(t, d.Freshness, d.ID())
		_, schema, _, err := d.Publish(access.Caller{Agency: d.Owner})
		require.NoError(t, err, d.ID())
		require.Contains(t, string(schema.Document), exchange.SchemaDialect, d.ID())
	}
	for _, line := range c.Roster.Departments {
		require.Positive(t, published[line.ID], line.ID)
	}
	for _, id := range c.Publishers {
		require.Positive(t, published[id], "%s publishes", id)
	}
	require.Equal(t, map[string]int{"open": 27, "shared": 15, "conditional": 16, "restricted": 14}, classes)
}

// TestEveryAdministratorCanSignIn: who enters an agency's entries is a user of the development identity provider.
func TestEveryAdministratorCanSignIn(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	admins := map[string]bool{}
	for _, u := range devidp.DefaultUsers() {
		if _, code, _ := strings.Cut(u.Agency, "."); u.ID == "admin."+code && u.Role == "agency_admin" {
			admins[u.Agency] = true
		}
	}
	for _, a := range c.Agencies {
		require.True(t, admins[a.ID], a.ID)
	}
	for _, id := range c.Publishers {
		require.True(t, admins[id], id)
	}
	require.Len(t, admins, len(c.Agencies)+len(c.Publishers))
}

// TestWhatIsAskedFollowsFromTheMap: a service names requirements; what the applicant need not bring follows from the evidence
// that the map lists, and from the grants.
func TestWhatIsAskedFollowsFromTheMap(t *testing.T) {
	for name, c := range map[string]struct {
		file, from, to string
		asked          int
	}{
		"as it is": {"requirements.yaml", "requirements:", "requirements:", 3},
		"a grant less": {"datasets.yaml", `  - consumer: market.tax
    dataset: services.police/identity
    purposes: [business.start]`, `  - consumer: market.tax
    dataset: services.police/identity
    purposes: [tax.file]`, 4},
		"evidence that nobody may use": {"requirements.yaml", "{dataset: services.police/identity, fields: [id_number, name]}", "{dataset: market.regulation/enterprise, fields: [credit_code, representative_name]}", 4},
		"other evidence first":         {"requirements.yaml", "      - {certificate_type: business-licence}\n", "", 5},
	} {
		t.Run(name, func(t *testing.T) {
			data := read(t)
			change(t, data, c.file, c.from, c.to)
			if name == "a grant less" {
				change(t, data, "datasets.yaml", "purposes: [business.start], retention: P5Y}\n    freshness: PT1H", "purposes: [business.start, tax.file], retention: P5Y}\n    freshness: PT1H")
			}
			got, err := catalogue.Read(data)
			require.NoError(t, err)
			require.Len(t, got.Services[0].Materials, 8)
			require.Equal(t, c.asked, got.Services[0].Asked())
			for _, m := range got.Services[0].Materials {
				require.NotEmpty(t, m.Source)
			}
		})
	}
}

// TestTheAgenciesAreThoseOfTheDefaultNetwork holds the two lists together: an agency without an identity could not act.
func TestTheAgenciesAreThoseOfTheDefaultNetwork(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	var listed, manifest []string
	for _, a := range c.Agencies {
		listed = append(listed, a.ID)
	}
	listed = append(listed, c.Publishers...)
	for _, org := range network.DefaultTopology().Organisations {
		for _, a := range org.Agencies {
			manifest = append(manifest, org.AgencyID(a))
		}
	}
	require.ElementsMatch(t, manifest, listed)
}

func TestAMistakeIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ file, from, to, says string }{
		"unknown member":                  {"agencies.yaml", "duties: [portal]", "dutys: [portal]", `agencies.yaml: entry 0 (services.hall): json: unknown field "dutys"`},
		"unknown duty":                    {"agencies.yaml", "duties: [portal]", "duties: [police]", "agencies.yaml: agencies[0], services.hall: request.invalid (duties"},
		"no Chinese name":                 {"agencies.yaml", "{zh: 政务服务大厅, en: Government Service Hall}", "{zh: '', en: Government Service Hall}", "zh"},
		"agency twice":                    {"agencies.yaml", "id: market.tax", "id: market.regulation", "market.regulation: is listed twice"},
		"agency that publishes besides":   {"agencies.yaml", "id: market.tax", "id: market.postal", "market.postal: is listed twice"},
		"duty of one that reads":          {"agencies.yaml", "reads_only: true", "reads_only: true\n    duties: [portal]", "only reads"},
		"publisher without a name":        {"agencies.yaml", "- services.sport", "- services.chess", `"services.chess" is not in the roster`},
		"dataset of nobody":               {"datasets.yaml", "owner: services.police", "owner: services.army", "datasets.yaml: dataset services.army/identity: owner"},
		"dataset twice":                   {"datasets/market.yaml", "code: prepaid-card", "code: foreign-investment", "datasets/market.yaml: dataset market.commerce/foreign-investment: is listed twice"},
		"selector that is no field":       {"datasets.yaml", "selector: [id_number]", "selector: [passport]", "datasets.yaml: dataset services.police/identity: request.invalid (selector[0]: one_of:fields)"},
		"wrong type":                      {"datasets.yaml", "consent_required: true", "consent_required: perhaps", "consent_required"},
		"unknown member of a field":       {"datasets/services.yaml", "type: string, sensitivity: personal}", "type: string, sensitive: true}", `datasets/services.yaml: entry 2 (services.education diploma): json: unknown field "sensitive"`},
		"sensitive and open":              {"datasets/market.yaml", "consent_required: false\n    selector: [credit_code]\n", "consent_required: true\n    selector: [credit_code]\n", "dataset market.science/high-tech: request.invalid (consent_required: equals:false)"},
		"schema of a field's own type":    {"datasets/market.yaml", "schema: {pattern:", "schema: {type: integer, pattern:", "datasets/market.yaml: datasets[0], market.science/high-tech: fields[0].schema.type"},
		"schema that is none":             {"datasets/market.yaml", "{enum: [small-loan", "{minimum: many, enum: [small-loan", "dataset market.local-finance/institution: request.invalid (schema: json_schema:2020-12)"},
		"grant on nothing":                {"datasets.yaml", "dataset: planning.housing/premises", "dataset: planning.housing/boats", "planning.housing/boats"},
		"grant of a field that is not":    {"datasets.yaml", "fields: [id_number, name]", "fields: [id_number, nickname]", "datasets.yaml: grant of market.tax on services.police/identity: fields"},
		"grant for ever":                  {"datasets.yaml", "years: 5", "years: 50", "years"},
		"grant of one's own":              {"datasets.yaml", "consumer: market.tax", "consumer: services.police", "own dataset"},
		"type of nobody":                  {"certificates.yaml", "authority: services.hall", "authority: services.mint", "certificates.yaml: types[0], business-licence: authority"},
		"accreditation for nothing":       {"certificates.yaml", "{type: business-licence, agency", "{type: driving-licence, agency", "driving-licence"},
		"requirement of nobody":           {"requirements.yaml", "agency: services.social", "agency: services.army", "services.army/insured: agency"},
		"requirement twice":               {"requirements.yaml", "code: child-of-school-age", "code: higher-education", "services.education/higher-education: is listed twice"},
		"evidence that is not there":      {"requirements.yaml", "dataset: services.civil/marriage", "dataset: services.civil/divorce", `evidence[0].dataset: "services.civil/divorce" is not in the directory`},
		"evidence of no type":             {"requirements.yaml", "{certificate_type: business-licence}", "{certificate_type: driving-licence}", "evidence[0].certificate_type"},
		"evidence of a field that is not": {"requirements.yaml", "fields: [id_number, months_paid, status]", "fields: [id_number, salary, status]", "requirements.yaml: requirements[8], services.social/insured: exchange.field_unknown (request.evidence[0].fields"},
		"condition on another type":       {"requirements.yaml", "{field: in_arrears, is: equals, value: false}", "{field: in_arrears, is: at_least, value: 1}", "market.tax/no-arrears: request.invalid (request.evidence[0].claims"},
		"file under another name":         {"services/business.start.yaml", "code: business.start", "code: business.end", "business.end.yaml"},
		"step of nobody":                  {"services/business.start.yaml", "agency: market.tax}", "agency: market.police}", "market.police"},
		"material of no requirement":      {"services/business.start.yaml", "requirement: market.regulation/business-premises", "requirement: market.regulation/garden", `services/business.start.yaml: material premises: requirement: "market.regulation/garden" is not in the map`},
		"material that is no evidence":    {"services/business.start.yaml", "requirement: market.tax/filing-person-identity", "requirement: market.regulation/business-premises, source: dataset, dataset: services.police/identity, fields: [id_number]", "lists other evidence"},
		"material without a grant":        {"services/business.start.yaml", "requirement: market.tax/filing-person-identity", "source: dataset, dataset: services.police/identity, fields: [birth_date, id_number, name]", "no grant lets market.tax"},
		"material from nowhere":           {"services/business.start.yaml", "requirement: market.regulation/business-premises", "source: dataset, dataset: planning.housing/boats, fields: [address]", "planning.housing/boats"},
		"record that cannot be found":     {"services/business.start.yaml", "id: premises_number,", "id: premises,", "must ask for premises_number"},
		"certificate of no type":          {"services/business.start.yaml", "requirement: market.regulation/registered-enterprise", "source: certificate, certificate_type: driving-licence", "driving-licence"},
		"outcome nobody may issue":        {"services/business.start.yaml", "outcome:\n  certificate_type: business-licence", "outcome:\n  certificate_type: driving-licence", "not accredited"},
		"two documents":                   {"services/business.start.yaml", "edition: 1\n", "edition: 1\n---\n", "one document"},
		"not YAML":                        {"agencies.yaml", "agencies:", "agencies: [", "agencies.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			data := read(t)
			change(t, data, c.file, c.from, c.to)
			_, err := catalogue.Read(data)
			require.ErrorContains(t, err, c.says)
		})
	}
	data := read(t)
	_, err := catalogue.Read(data)
	require.NoError(t, err, "unchanged, it is right")
	data["datasets/notes.txt"] = &fstest.MapFile{}
	_, err = catalogue.Read(data)
	require.ErrorContains(t, err, "datasets/notes.txt: a catalogue has files that end in .yaml or .json")
	delete(data, "agencies.yaml")
	_, err = catalogue.Read(data)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestACatalogueOfOnesOwn has only the files it needs, in JSON if that is at hand.
func TestACatalogueOfOnesOwn(t *testing.T) {
	data := fstest.MapFS{
		"agencies.json": {Data: []byte(`{"agencies": [{"id": "services.hall", "name": {"zh": "大厅", "en": "Hall"}}]}`)},
		"datasets/hall.json": {Data: []byte(`{"datasets": [{"owner": "services.hall", "code": "queue", "name": {"zh": "排队", "en": "Queue"}, "classification": "open",
			"consent_required": false, "selector": ["counter"], "fields": [{"name": "counter", "title": {"zh": "窗口", "en": "Counter"}, "type": "integer", "schema": {"minimum": 1}}]}]}`)},
	}
	c, err := catalogue.Read(data)
	require.NoError(t, err)
	require.Len(t, c.Datasets, 1)
	require.Contains(t, string(c.Datasets[0].Schema), `"counter":{"minimum":1,"title":"窗口 / Counter","type":"integer"}`)
	data["agencies.yaml"] = data["agencies.json"]
	_, err = catalogue.Read(data)
	require.ErrorContains(t, err, "agencies.yaml is there, and agencies.json; keep one")
}

// change replaces a piece of a file, once.
func change(t *testing.T, data fstest.MapFS, file, from, to string) {
	t.Helper()
	text := string(data[file].Data)
	require.Contains(t, text, from)
	data[file] = &fstest.MapFile{Data: []byte(strings.Replace(text, from, to, 1))}
}

func read(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	require.NoError(t, fs.WalkDir(os.DirFS("data"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile("data/" + path)
		files[path] = &fstest.MapFile{Data: text}
		return err
	}))
	return files
}
