package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/rest/resttest"
)

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate ./gateway/rest if the change is meant")
}

// valid loads a document with a library that knows OpenAPI 3.1 and lets it judge.
func valid(t *testing.T, raw []byte) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(raw)
	require.NoError(t, err)
	require.True(t, document.IsOpenAPI31OrLater())
	require.NoError(t, document.Validate(t.Context()))
	return document
}

// TestDocumentIsOpenAPI holds the document against the OpenAPI Initiative's own schema of documents
// (https://spec.openapis.org/oas/3.1/schema/2022-10-07, Apache-2.0), and every schema in it against JSON Schema's.
func TestDocumentIsOpenAPI(t *testing.T) {
	raw, err := Document(Routes(nil), About{Version: "v1", PublicURL: "https://127.0.0.1:17000", Issuer: "https://127.0.0.1:17004"})
	require.NoError(t, err)
	meta, err := os.ReadFile("testdata/oas-3.1-2022-10-07.json")
	require.NoError(t, err)
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(meta))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	const id = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	require.NoError(t, compiler.AddResource(id, schema))
	compiled, err := compiler.Compile(id)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	require.NoError(t, compiled.Validate(document))
	delete(document.(map[string]any), "paths")
	delete(document.(map[string]any), "components")
	require.Error(t, compiled.Validate(document), "the schema is one that can refuse")
	_, err = resttest.Load(raw)
	require.NoError(t, err)
}

func TestOpenAPIDocument(t *testing.T) {
	raw, err := Document(Routes(nil), About{Version: "v1"})
	require.NoError(t, err)
	document := valid(t, raw)
	for _, r := range Routes(nil) {
		item := document.Paths.Find(r.Path)
		require.NotNil(t, item, r.Path)
		require.NotNil(t, item.GetOperation(r.Method), r.Method+" "+r.Path)
	}
	golden(t, "testdata/openapi.json", append(raw, '\n'))
}

func TestDocumentTellsWhatIsChecked(t *testing.T) {
	raw, err := Document(table(), About{Issuer: "https://127.0.0.1:17004"})
	require.NoError(t, err)
	document := valid(t, raw)
	put := document.Paths.Find("/v1/badges/{id}").Put
	require.Equal(t, "put_badges_id", put.OperationID)
	require.NotNil(t, put.Responses.Value("201"))
	require.NotNil(t, put.Responses.Value("202"), "every write may be answered so")
	var text struct { // the library shares one description among all references
		Paths map[string]map[string]struct {
			Responses map[string]struct{ Description string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &text))
	require.Contains(t, text.Paths["/v1/badges/{id}"]["put"].Responses["409"].Description, "certificate.already_revoked")
	require.Contains(t, put.Responses.Value("409").Value.Content, problemMedia)
	parameters := map[string]*openapi3.Parameter{}
	for _, p := range put.Parameters {
		parameters[p.Value.In+" "+p.Value.Name] = p.Value
	}
	require.Len(t, parameters, 7)
	require.Contains(t, parameters["header Prefer"].Description, "respond-async")
	require.True(t, parameters["header Idempotency-Key"].Required)
	require.Equal(t, uint64(20), *parameters["path id"].Schema.Value.MaxLength)
	require.Equal(t, []any{"red", "green"}, parameters["query colour"].Schema.Value.Enum)
	require.Equal(t, "array", parameters["query tag"].Schema.Value.Type.Slice()[0])

	body := put.RequestBody.Value.Content["application/json"].Schema.Value
	require.ElementsMatch(t, []string{"name", "owner"}, body.Required)
	require.NotContains(t, body.Properties, "ID", "bound from the path")
	require.Equal(t, "what it says", body.Properties["name"].Value.Description)
	require.False(t, *body.AdditionalProperties.Has)
	require.Equal(t, "date-time", body.Properties["owner"].Value.Properties["from"].Value.Format)
	require.Equal(t, uint64(2), *body.Properties["parts"].Value.MaxItems)

	require.Empty(t, *document.Paths.Find("/v1/badges").Get.Security, "open")
	require.Contains(t, document.Paths.Find("/v1/badges/{id}/picture").Get.Responses.Value("200").Value.Content, anyMedia)
	again, err := Document(table(), About{Issuer: "https://127.0.0.1:17004"})
	require.NoError(t, err)
	require.Equal(t, string(raw), string(again))
}

func TestServedDocumentIsTheGeneratedOne(t *testing.T) {
	w := newWorld(t)
	answer := w.send("GET", "/openapi.json", "", "")
	require.Equal(t, http.StatusOK, answer.Code)
	valid(t, answer.Body.Bytes())
	var document struct {
		Servers []struct{ URL string }
	}
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &document))
	require.Equal(t, "https://127.0.0.1:17000", document.Servers[0].URL)
}
