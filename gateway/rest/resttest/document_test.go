package resttest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/rest/resttest"
)

const document = `{"openapi":"3.1.0","info":{"title":"t","version":"1"},
"paths":{"/v1/badges/{id}":{"put":{
  "parameters":[{"in":"path","name":"id","required":true,"schema":{"type":"string","maxLength":3}},
    {"in":"query","name":"size","schema":{"type":"integer","maximum":9}},
    {"in":"query","name":"tag","schema":{"type":"array","items":{"type":"string","maxLength":1}}},
    {"in":"header","name":"Key","required":true,"schema":{"type":"string"}}],
  "requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Badge"}}}},
  "x-reasons":["badge.taken","*.missing"],
  "responses":{"200":{"description":"OK","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Worn"}}}},
    "409":{"$ref":"#/components/responses/Problem","description":"taken"},"404":{"$ref":"#/components/responses/Problem"},
    "503":{"$ref":"#/components/responses/Later"}}}}},
"components":{
  "responses":{"Problem":{"description":"no","content":{"application/problem+json":{"schema":{"type":"object"}}}},
    "Later":{"description":"later","headers":{"Retry-After":{"required":true,"schema":{"type":"string"}}},"content":{"application/problem+json":{"schema":{"type":"object"}}}}},
  "schemas":{"Badge":{"type":"object","required":["name"],"additionalProperties":false,"properties":{"name":{"type":"string"},"note":{"type":"string","minLength":2}}},
    "Worn":{"type":"object","required":["at"],"properties":{"at":{"type":"string","format":"date-time"}}}}}}`

// TestWhatBreaksADocument pairs an exchange with what is said of it; by handler and by transport.
func TestWhatBreaksADocument(t *testing.T) {
	d, err := resttest.Load([]byte(document))
	require.NoError(t, err)
	const good, worn = `{"name":"x"}`, `{"at":"2026-03-01T08:00:00Z"}`
	for _, c := range []struct {
		name, target, key, body string
		status                  int
		media, answer           string
		says                    string // empty: nothing to say
	}{
		{"good", "/v1/badges/b?size=9&tag=x&tag=y", "k", good, 200, "application/json", worn, ""},
		{"null and empty are absent", "/v1/badges/b", "k", `{"name":"x","note":""}`, 200, "application/json", worn, ""},
		{"a refused request may be anything", "/v1/badges/bbbb?x=y", "", `[]`, 409, "application/problem+json", `{"reason":"badge.taken"}`, ""},
		{"any noun", "/v1/badges/b", "k", good, 404, "application/problem+json", `{"reason":"owner.missing"}`, ""},
		{"another address", "/v1/others", "k", good, 200, "text/plain", "x", ""},

		{"path", "/v1/badges/bbbb", "k", good, 200, "application/json", worn, "path parameter id"},
		{"query", "/v1/badges/b?size=10", "k", good, 200, "application/json", worn, "query parameter size"},
		{"list in the query", "/v1/badges/b?tag=xx", "k", good, 200, "application/json", worn, "query parameter tag"},
		{"unknown query", "/v1/badges/b?colour=red", "k", good, 200, "application/json", worn, "colour is not described"},
		{"header", "/v1/badges/b", "", good, 200, "application/json", worn, "header parameter Key: is required"},
		{"no body", "/v1/badges/b", "k", "", 200, "application/json", worn, "a body is required"},
		{"body", "/v1/badges/b", "k", `{"colour":"red"}`, 200, "application/json", worn, "took a request that its document refuses"},
		{"status", "/v1/badges/b", "k", good, 201, "application/json", worn, "answered 201, which"},
		{"media type", "/v1/badges/b", "k", good, 200, "text/plain", worn, "media type text/plain"},
		{"answer", "/v1/badges/b", "k", good, 200, "application/json", `{"at":"today"}`, "something else than its document says"},
		{"an undocumented member", "/v1/badges/b", "k", good, 200, "application/json", `{"at":"2026-03-01T08:00:00Z","by":"x"}`, "something else than its document says"},
		{"reason", "/v1/badges/b", "k", good, 409, "application/problem+json", `{"reason":"badge.lost"}`, "the reason badge.lost (409)"},
		{"header of the answer", "/v1/badges/b", "k", good, 503, "application/problem+json", `{"reason":"badge.taken"}`, "without the header Retry-After"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", c.media)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.answer))
			})
			var said []error
			report := func(err error) { said = append(said, err) }
			server := httptest.NewServer(d.Handler(answer, report))
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+c.target, strings.NewReader(c.body))
			require.NoError(t, err)
			if c.key != "" {
				r.Header.Set("Key", c.key)
			}
			response, err := (&http.Client{Transport: d.Transport(http.DefaultTransport, report)}).Do(r)
			require.NoError(t, err)
			content, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, c.answer, string(content), "what passes is not changed")
			if c.says == "" {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 2, "once on each side")
			require.ErrorContains(t, said[0], c.says)
			require.Equal(t, said[0].Error(), said[1].Error())
		})
	}
}
