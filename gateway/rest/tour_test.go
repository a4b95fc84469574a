package rest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/rest"
	"github.com/hutong-gov/hutong/network/catalogue"
)

// tour calls every route of the API once at least, as somebody who may, in an order in which each can succeed. Tests look
// at what passes: who else gets in (the authorisation matrix), and what a repetition is answered.
type tour struct {
	*testing.T
	city   *apptest.City
	routes map[string]rest.Route
	stops  []stop
	before func(rest.Route, stop) // if set, is shown each request before it is sent

	key *ecdsa.PrivateKey // citizen1's
	me  struct{ Pseudonym, Channel string }
}

// stop is one request of the tour.
type stop struct {
	route            string // "PUT /v1/cases/{id}/withdrawal"
	organisation, as string // whose gateway, who calls
	target, key      string
	body             []byte

	status int
	answer []byte
}

// newTour prepares a city with the catalogue loaded.
func newTour(t *testing.T) *tour {
	t.Helper()
	tr := &tour{T: t, city: apptest.New(t), routes: map[string]rest.Route{}}
	for _, r := range rest.Routes(nil) {
		tr.routes[r.Method+" "+r.Path] = r
	}
	c, err := catalogue.Default()
	require.NoError(t, err)
	_, err = c.Active().Load(t.Context(), tr.city.Admin, catalogue.Options{})
	require.NoError(t, err)
	tr.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return tr
}

// walk goes the whole tour, and finds out that no route was left out.
func (t *tour) walk() {
	t.Helper()
	t.directory()
	t.applying()
	t.deciding()
	t.certificates()
	t.keys()
	t.auditing()
	t.subscribing()
	t.offline()
	t.anchoring()
	called := map[string]bool{}
	for _, s := range t.stops {
		called[s.route] = true
	}
	for route := range t.routes {
		require.True(t, called[route], "the tour does not call %s; add it, so that its authorisation and its repetition are tested", route)
	}
}

var pathName = regexp.MustCompile(`\{[a-z_]+\}`)

// try sends a request. Values fill the names of the route's path in order; one that begins with "?" is the query, one that
// begins with "key:" the idempotency key.
func (t *tour) try(route, organisation, as string, body any, values ...string) stop {
	t.Helper()
	r, found := t.routes[route]
	require.True(t, found, "there is no route %s", route)
	method, path, _ := strings.Cut(route, " ")
	s := stop{route: route, organisation: organisation, as: as, key: fmt.Sprintf("tour-%d", len(t.stops))}
	query := ""
	s.target = pathName.ReplaceAllStringFunc(path, func(string) string {
		value := values[0]
		values = values[1:]
		return url.PathEscape(value)
	})
	for _, v := range values {
		switch {
		case strings.HasPrefix(v, "?"):
			query = v
		case strings.HasPrefix(v, "key:"):
			s.key = v[len("key:"):]
		}
	}
	s.target += query
	if method == http.MethodGet || r.Open() {
		s.key = ""
	}
	if body != nil {
		var err error
		s.body, err = json.Marshal(body)
		require.NoError(t, err)
	}
	if t.before != nil {
		t.before(r, s)
	}
	s.status, s.answer = t.send(s, s.as)
	t.stops = append(t.stops, s)
	return s
}

// call is try for a request that must succeed, and gives the answer.
func (t *tour) call(route, organisation, as string, body any, values ...string) map[string]any {
	t.Helper()
	writes := t.writes()
	s := t.try(route, organisation, as, body, values...)
	require.Less(t, s.status, http.StatusBadRequest, "%s as %s: %s", route, as, s.answer)
	require.NotEqual(t, http.StatusAccepted, s.status)
	if r := t.routes[route]; r.Transactions() != rest.Several {
		want := map[rest.Writes]int{rest.One: 1, rest.Nothing: 0}[r.Transactions()]
		require.Equal(t, want, t.writes()-writes, "%s says of itself that it is %s transaction", route, r.Transactions())
	}
	var answer map[string]any
	require.NoError(t, json.Unmarshal(s.answer, &answer))
	return answer
}

// writes counts the transactions of all gateways.
func (t *tour) writes() (n int) {
	for _, g := range t.city.Gateways {
		n += g.Ledger.Writes
	}
	return n
}

// send sends a stop's request as somebody.
func (t *tour) send(s stop, as string) (status int, answer []byte) {
	t.Helper()
	method, _, _ := strings.Cut(s.route, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, t.city.Gateways[s.organisation].Server.URL+s.target, bytes.NewReader(s.body))
	require.NoError(t, err)
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	if s.key != "" {
		r.Header.Set("Idempotency-Key", s.key)
	}
	if s.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, answer
}

// sign makes citizen1's signature.
func (t *tour) sign(kind string, content any) string {
	t.Helper()
	jws, err := signed.Sign(t.key, kind, content)
	require.NoError(t, err)
	return jws
}

// items are a list's.
func items(answer map[string]any) (list []map[string]any) {
	found, _ := answer["items"].([]any)
	for _, item := range found {
		list = append(list, item.(map[string]any))
	}
	return list
}

func text(answer map[string]any, name string) string { s, _ := answer[name].(string); return s }
