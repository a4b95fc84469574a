package rest_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/rest"
)

const matrixPath = "testdata/authorisation.md"

// caller is a column of the matrix.
type caller struct {
	title string
	role  string
	as    func(own, other string) string // the user, given the codes of the agency concerned and of another
}

var callers = []caller{
	{"nobody", app.Public, func(_, _ string) string { return "" }},
	{"citizen: own", app.Citizen, func(_, _ string) string { return "citizen1" }},
	{"citizen: another's", app.Citizen, func(_, _ string) string { return "citizen2" }},
	{"officer: own agency", app.Officer, func(own, _ string) string { return "officer." + own }},
	{"officer: other agency", app.Officer, func(_, other string) string { return "officer." + other }},
	{"administrator: own agency", app.AgencyAdmin, func(own, _ string) string { return "admin." + own }},
	{"administrator: other agency", app.AgencyAdmin, func(_, other string) string { return "admin." + other }},
	{"portal", app.Portal, func(_, _ string) string { return "portal.hall" }},
	{"portal: other agency", app.Portal, func(_, _ string) string { return "portal.police" }},
	{"auditor", app.Auditor, func(_, _ string) string { return "auditor" }},
}

// others are, for the agency a request is about, another one: of the same organisation where it has two.
var others = map[string]string{"regulation": "tax", "tax": "regulation", "hall": "police", "police": "hall", "housing": "tax", "office": "hall"}

// strangers are the other agency for what several agencies have a part in: one that has none.
var strangers = map[string]string{
	"GET /v1/cases/{id}": "housing", "GET /v1/cases/{id}/form": "housing", "GET /v1/tasks": "housing", "GET /v1/consents": "housing", "GET /v1/grants": "regulation",
}

// concerned is the agency a route's request in the tour is about, where the caller does not say it.
const concerned = "regulation"

// TestAuthorisationMatrix asks, before each first request of a route, as every other caller with the same request. Writes go
// as far as the contracts' endorsement and no further, so that every cell is asked in the same state. The file is the golden
// record of who gets in and who is told what.
func TestAuthorisationMatrix(t *testing.T) {
	t.Parallel()
	tr := newTour(t)
	cells := map[string][]string{}
	tr.before = func(r rest.Route, s stop) {
		if cells[s.route] == nil {
			for _, c := range callers {
				cells[s.route] = append(cells[s.route], tr.probe(r, s, c))
			}
		}
	}
	tr.walk()

	var b strings.Builder
	b.WriteString(matrixHead)
	titles := make([]string, len(callers))
	for i, c := range callers {
		titles[i] = c.title
	}
	fmt.Fprintf(&b, "| route | %s |\n|---|%s\n", strings.Join(titles, " | "), strings.Repeat("---|", len(callers)))
	for _, r := range rest.Routes(nil) {
		name := r.Method + " " + r.Path
		require.Len(t, cells[name], len(callers), name)
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.Join(cells[name], " | "))
	}
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(matrixPath, []byte(b.String()), 0o644))
		return
	}
	want, err := os.ReadFile(matrixPath)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "run go generate ./gateway/rest if the change is meant")
}

const matrixHead = `# Who may call what

Made by TestAuthorisationMatrix, which sends each request: one that succeeds for somebody, as everybody. ✓: it was answered,
or the contracts endorsed it; ✓ empty: a list without an item, for lists show only what the caller may see; otherwise the
reason of the problem (ledger.unreachable, offline.form: got as far as that). *Own* is whom the request is about: the citizen
whose case it is, the agency whose step it is.

`

const in = "✓"

// probe asks as one caller and gives the cell.
func (t *tour) probe(r rest.Route, s stop, c caller) string {
	t.Helper()
	own := concerned
	if _, code, ok := strings.Cut(s.as, "."); ok {
		own = code
	}
	other := cmp.Or(strangers[s.route], others[own])
	endorsed := 0
	for _, g := range t.city.Gateways {
		g.Ledger.Dry = true
		defer func() { g.Ledger.Dry = false }()
		endorsed -= g.Ledger.Endorsed
	}
	status, answer := t.send(s, c.as(own, other))
	for _, g := range t.city.Gateways {
		endorsed += g.Ledger.Endorsed
	}
	var said struct {
		Reason string
		Items  *[]json.RawMessage
	}
	if len(answer) > 0 {
		require.NoError(t, json.Unmarshal(answer, &said))
	}
	cell := said.Reason
	switch {
	case endorsed > 0:
		cell = in
	case status < http.StatusBadRequest && said.Items != nil && len(*said.Items) == 0:
		cell = in + " empty"
	case status < http.StatusBadRequest:
		cell = in
	}
	// What the row says of roles is what the handler does.
	switch {
	case r.Open():
		require.Contains(t, cell, in, "%s as %s", s.route, c.title)
	case c.role == app.Public:
		require.Equal(t, "token.missing", cell, s.route)
	default:
		require.Equal(t, !slices.Contains(r.Roles, c.role), cell == "access.role", "%s as %s: %s", s.route, c.title, answer)
	}
	return cell
}
