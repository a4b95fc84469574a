package connector

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

const overHTTP = `dataset: planning.housing/premises
source: {http: {url: URL, header: X-Api-Key, prefix: "key ", secret: {file: token}}}
from: /v1/premises/{number}?full=yes
records: /data/items
selector:
  premises_number: number
fields:
  premises_number: {column: /no}
  use: {column: /use/code, values: {"1": commercial}}
  area: {column: /area}
  let: {column: /let}
  since: {column: /since}
  owner: {column: /owners/0/na~1me}
holder: /account
timeout: 1s
`

// answers of the service, by the premises asked for.
var answers = map[string]string{
	"P1":   `{"data":{"items":[{"no":"P1","use":{"code":1},"area":40,"let":true,"since":"2020-01-31","owners":[{"na/me":"O-Seven"}],"account":"account-7","note":"do not tell"}]}}`,
	"P2":   `{"data":{"items":{"no":"P2","use":{"code":9},"area":40.5,"let":"N","since":null}}}`,
	"P3":   `{"data":{"items":[{"no":"P3"},{"no":"P3"},{"no":"P3"}]}}`,
	"P4":   `{"data":{"items":[]}}`,
	"P5":   `{"data":null}`,
	"P6":   `{"data":{"items":[{"no":"P1","area":1}]}}`,
	"P7":   `{"data":{"items":[{"no":"P7","area":{"m2":1}}]}}`,
	"P8":   `{"data":`,
	"P9":   `{"data":{"items":["P9"]}}`,
	"P10":  `{"data":{"items":[{"no":"P1"},{"no":"P10","area":7}]}}`,
	"P11":  `{} {}`,
	"a/b?": `{"data":{"items":[{"no":"a/b?","area":1}]}}`,
}

// api is a department's service.
func api(t *testing.T) (url, dir string, seen *atomic.Value) {
	t.Helper()
	seen = new(atomic.Value)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.URL.RequestURI())
		number, byPath := strings.CutPrefix(r.URL.Path, "/v1/premises/")
		if !byPath {
			number = r.URL.Query().Get("number")
		}
		switch {
		case r.Method != http.MethodGet || r.Header.Get("X-Api-Key") != "key secret-1":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Query().Get("full") != "yes":
			w.WriteHeader(http.StatusBadRequest)
		case number == "away":
			http.Redirect(w, r, "/v1/premises/P1?full=yes", http.StatusFound)
		case number == "long":
			fmt.Fprint(w, strings.Repeat(" ", MaxAnswerBytes+1))
		case number == "slow":
			time.Sleep(2 * time.Second)
		case answers[number] == "":
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, answers[number])
		}
	}))
	t.Cleanup(server.Close)
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("secret-1\n"), 0o600))
	return server.URL, dir, seen
}

func openHTTPSet(t *testing.T, url, dir string, change ...string) (*Set, error) {
	t.Helper()
	text := strings.NewReplacer(append(change, "URL", url)...).Replace(overHTTP)
	path := filepath.Join(dir, "premises.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	set, err := Open(path, nil)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, set.Close()) })
	}
	return set, err
}

func TestHTTP(t *testing.T) {
	url, dir, seen := api(t)
	for name, change := range map[string][]string{
		"in the path":  nil,
		"in the query": {"/v1/premises/{number}?full=yes", "/v1/search?full=yes&number={number}"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := openHTTPSet(t, url, dir, change...)
			require.NoError(t, err)
			got, err := set.Fetch(t.Context(), ask("P1", all...))
			require.NoError(t, err)
			require.Equal(t, map[string]any{"premises_number": "P1", "use": "commercial", "area": int64(40), "let": true, "since": "2020-01-31", "owner": "O-Seven"}, got.Values)
			require.Equal(t, "account-7", got.Holder)

			got, err = set.Fetch(t.Context(), ask("P2", all[1], all[3], all[4], all[5]))
			require.NoError(t, err)
			require.Equal(t, map[string]any{"use": "9", "let": false, "since": nil, "owner": nil}, got.Values)

			got, err = set.Fetch(t.Context(), ask("a/b?", all[2]))
			require.NoError(t, err, "a value is escaped where it stands")
			require.Equal(t, int64(1), got.Values["area"])
			require.Contains(t, seen.Load(), "a%2Fb%3F")

			got, err = set.Fetch(t.Context(), ask("P10", all[2]))
			require.NoError(t, err, "of what a search finds, the one that was asked for")
			require.Equal(t, int64(7), got.Values["area"])
		})
	}
}

func TestHTTPRefuses(t *testing.T) {
	url, dir, _ := api(t)
	for _, c := range []struct{ name, number, reason string }{
		{"not found", "P99", "record.missing"},
		{"an empty list", "P4", "record.missing"},
		{"null on the way", "P5", "record.missing"},
		{"another's record", "P6", "record.missing"},
		{"several", "P3", "record.ambiguous"},
		{"an object where a number is due", "P7", "connector.type"},
		{"torn", "P8", "connector.failed"},
		{"records that are none", "P9", "connector.failed"},
		{"two documents", "P11", "connector.failed"},
		{"a path upwards", "..", "record.missing"},
		{"no path at all", "", "record.missing"},
		{"a longer path than any", strings.Repeat("x", maxPathBytes), "record.missing"},
		{"elsewhere", "away", "connector.failed"},
		{"more than an answer", "long", "connector.failed"},
		{"late", "slow", "connector.timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := openHTTPSet(t, url, dir)
			require.NoError(t, err)
			_, err = set.Fetch(t.Context(), ask(c.number, all[2]))
			require.Equal(t, c.reason, fault.From(err).Reason)
			require.NotContains(t, err.Error(), "secret-1")
		})
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("another"), 0o600))
	set, err := openHTTPSet(t, url, dir)
	require.NoError(t, err)
	_, err = set.Fetch(t.Context(), ask("P1", all[2]))
	require.Equal(t, "connector.failed", fault.From(err).Reason, "not signed in")
}

func TestAnHTTPMistakeShowsAtTheStart(t *testing.T) {
	url, dir, _ := api(t)
	for name, c := range map[string]struct{ from, to, says string }{
		"in the clear":              {"URL", "http://tax.example", "must be https"},
		"a user in the address":     {"URL", "https://a:b@tax.example", "without a user"},
		"a query in the address":    {"URL", "https://tax.example?key=1", "without a user"},
		"no secret there":           {"file: token", "file: nothing", "nothing"},
		"a header without a secret": {", secret: {file: token}", "", "source.http.header"},
		"half a certificate":        {"header: X-Api-Key", "header: X-Api-Key, tls_cert: x.pem", "tls_key"},
		"no root there":             {"header: X-Api-Key", "header: X-Api-Key, tls_root: x.pem", "tls_root"},
		"no path":                   {"from: /v1/premises", "from: v1/premises", "from"},
		"another host":              {"from: /v1/premises", "from: //evil.example/premises/@", "from"},
		"a placeholder too many":    {"{number}?", "{number}/{year}?", "selector"},
		"a placeholder too few":     {"{number}?", "x?", "selector"},
		"a fragment":                {"full=yes", "full=yes#x", "from"},
		"a join":                    {"timeout: 1s", "join: [{table: a, on: a.b, equals: a.b}]", "join"},
		"a table's column":          {"/area", "premises.area", "fields.area.column"},
		"the whole record":          {"column: /area", "column: ''", "fields.area.column"},
		"records":                   {"/data/items", "data.items", "records"},
		"two sources":               {"source: {http", "source: {sqlite: x, http", "must name one of"},
		"unknown member":            {"prefix:", "perfix:", "perfix"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openHTTPSet(t, url, dir, c.from, c.to)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "secret-1")
		})
	}
	_, err := Parse([]byte(strings.Replace(good, "timeout: 1s", "records: /x", 1)), ".")
	require.ErrorContains(t, err, "records")
}

// TestMutualTLS: the service takes only callers with a certificate of its own authority, over TLS.
func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	own, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answers["P1"]) }))
	authorities := x509.NewCertPool()
	authorities.AddCert(own)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authorities}
	server.StartTLS()
	t.Cleanup(server.Close)
	for name, block := range map[string]*pem.Block{
		"root.pem": {Type: "CERTIFICATE", Bytes: server.Certificate().Raw}, "own.pem": {Type: "CERTIFICATE", Bytes: der}, "own.key": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	for _, c := range []struct{ source, reason string }{
		{"tls_root: root.pem, tls_cert: own.pem, tls_key: own.key", ""},
		{"tls_root: root.pem", "connector.failed"},                  // shows none
		{"tls_cert: own.pem, tls_key: own.key", "connector.failed"}, // does not know the service
	} {
		set, err := openHTTPSet(t, server.URL, dir, `header: X-Api-Key, prefix: "key ", secret: {file: token}`, c.source)
		require.NoError(t, err)
		_, err = set.Fetch(t.Context(), ask("P1", all[2]))
		if c.reason == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, c.reason, fault.From(err).Reason, c.source)
	}
}
