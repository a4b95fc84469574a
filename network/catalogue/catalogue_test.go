package catalogue_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
)

func TestTheCatalogueThatComesWithTheProduct(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	require.Len(t, c.Agencies, 10)
	require.Len(t, c.Datasets, 14)
	require.Len(t, c.Services, 1)
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

// TestTheAgenciesAreThoseOfTheDefaultNetwork holds the two lists together: an agency without an identity could not act.
func TestTheAgenciesAreThoseOfTheDefaultNetwork(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	var listed, manifest []string
	for _, a := range c.Agencies {
		listed = append(listed, a.ID)
	}
	for _, org := range network.DefaultTopology().Organisations {
		for _, a := range org.Agencies {
			manifest = append(manifest, org.AgencyID(a))
		}
	}
	require.ElementsMatch(t, manifest, listed)
}

func TestAMistakeIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ file, from, to, says string }{
		"unknown member":               {"agencies.yaml", "duties: [portal]", "dutys: [portal]", `unknown field "dutys"`},
		"unknown duty":                 {"agencies.yaml", "duties: [portal]", "duties: [police]", "duties"},
		"no Chinese name":              {"agencies.yaml", "{zh: 政务服务大厅, en: Government Service Hall}", "{zh: '', en: Government Service Hall}", "zh"},
		"agency twice":                 {"agencies.yaml", "id: market.tax", "id: market.regulation", "listed twice"},
		"duty of one that reads":       {"agencies.yaml", "reads_only: true", "reads_only: true\n    duties: [portal]", "only reads"},
		"dataset of nobody":            {"datasets.yaml", "owner: services.police", "owner: services.army", "services.army"},
		"selector that is no field":    {"datasets.yaml", "selector: [id_number]", "selector: [passport]", "selector[0]"},
		"wrong type":                   {"datasets.yaml", "consent_required: true", "consent_required: perhaps", "consent_required"},
		"grant on nothing":             {"datasets.yaml", "dataset: planning.housing/premises", "dataset: planning.housing/boats", "planning.housing/boats"},
		"grant of a field that is not": {"datasets.yaml", "fields: [id_number, name]", "fields: [id_number, nickname]", "nickname"},
		"grant for ever":               {"datasets.yaml", "years: 5", "years: 50", "years"},
		"grant of one's own":           {"datasets.yaml", "consumer: market.tax", "consumer: services.police", "own dataset"},
		"type of nobody":               {"certificates.yaml", "authority: services.hall", "authority: services.mint", "services.mint"},
		"accreditation for nothing":    {"certificates.yaml", "{type: business-licence, agency", "{type: driving-licence, agency", "driving-licence"},
		"file under another name":      {"services/business.start.yaml", "code: business.start", "code: business.end", "business.end.yaml"},
		"step of nobody":               {"services/business.start.yaml", "agency: market.tax}", "agency: market.police}", "market.police"},
		"material without a grant":     {"services/business.start.yaml", "fields: [id_number, name]\n", "fields: [birth_date, id_number, name]\n", "no grant lets market.tax"},
		"material from nowhere":        {"services/business.start.yaml", "dataset: planning.housing/premises", "dataset: planning.housing/boats", "planning.housing/boats"},
		"record that cannot be found":  {"services/business.start.yaml", "id: premises_number,", "id: premises,", "must ask for premises_number"},
		"certificate of no type":       {"services/business.start.yaml", "certificate_type: business-licence}", "certificate_type: driving-licence}", "driving-licence"},
		"outcome nobody may issue":     {"services/business.start.yaml", "outcome:\n  certificate_type: business-licence", "outcome:\n  certificate_type: driving-licence", "not accredited"},
		"two documents":                {"services/business.start.yaml", "edition: 1\n", "edition: 1\n---\n", "one document"},
		"not YAML":                     {"agencies.yaml", "agencies:", "agencies: [", "agencies.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			data := read(t)
			text := string(data[c.file].Data)
			require.Contains(t, text, c.from)
			data[c.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, c.from, c.to, 1))}
			_, err := catalogue.Read(data)
			require.ErrorContains(t, err, c.says)
		})
	}
	data := read(t)
	_, err := catalogue.Read(data)
	require.NoError(t, err, "unchanged, it is right")
	delete(data, "datasets.yaml")
	_, err = catalogue.Read(data)
	require.ErrorIs(t, err, fs.ErrNotExist)
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
