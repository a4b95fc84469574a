package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// TestPreferences pairs what a caller prefers with what the application is told: how many seconds after the request's
// arrival an answer is wanted.
func TestPreferences(t *testing.T) {
	const none = -1
	var told float64
	tell := Handle(func(ctx context.Context, _ app.Actor, _ nothing) (nothing, error) {
		told = none
		if by, ok := ledger.AnswerBy(ctx); ok {
			told = time.Until(by).Seconds()
		}
		return nothing{}, nil
	})
	doc := Doc{Tag: "badges", Summary: "Tell what the caller prefers"}
	w := newWorld(t, func(c *Config) {
		c.Routes = []Route{
			{Method: "POST", Path: "/v1/one", Roles: []string{app.Officer}, Doc: doc, Handler: tell},
			{Method: "POST", Path: "/v1/several", Roles: []string{app.Officer}, Doc: doc, Writes: Several, Handler: tell},
			{Method: "GET", Path: "/v1/poll", Roles: []string{app.Officer}, Doc: doc, Polls: true, Handler: tell},
			{Method: "GET", Path: "/v1/read", Roles: []string{app.Officer}, Doc: doc, Handler: tell},
		}
		c.Deadline = 40 * time.Second
	})
	const one, several, poll, read = "POST /v1/one", "POST /v1/several", "GET /v1/poll", "GET /v1/read"
	for _, c := range []struct {
		name, route string
		prefer      []string
		seconds     float64
		applied     string
	}{
		{"nothing", one, nil, none, ""},
		{"at once", one, []string{"respond-async"}, 0, "respond-async"},
		{"in other letters", one, []string{"Respond-Async"}, 0, "respond-async"},
		{"within a time", one, []string{"wait=5"}, 5, "wait=5"},
		{"within a time, quoted", one, []string{`wait = "5"`}, 5, "wait=5"},
		{"both", one, []string{"respond-async, wait=5"}, 5, "respond-async, wait=5"},
		{"in two fields", one, []string{"wait=5", "respond-async;x=y"}, 5, "respond-async, wait=5"},
		{"the first of two", one, []string{"wait=5, wait=7"}, 5, "wait=5"},
		{"not well formed", one, []string{"wait=soon, wait=-1, =, ;,"}, none, ""},
		{"something else", one, []string{"return=minimal"}, none, ""},
		{"longer than the gateway works on a request", one, []string{"wait=55"}, 38, "wait=38"},
		{"longer than the limit", one, []string{"wait=4000000000"}, none, ""},
		{"far longer than the limit", one, []string{"wait=2000000000"}, 38, "wait=38"},
		{"several writes", several, []string{"respond-async, wait=5"}, none, ""},
		{"a read that may wait", poll, []string{"respond-async, wait=5"}, 5, "wait=5"},
		{"a read that may wait, at once", poll, []string{"respond-async"}, none, ""},
		{"a read", read, []string{"respond-async, wait=5"}, none, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, _ := strings.Cut(c.route, " ")
			r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
			r.Header = http.Header{"Authorization": {"Bearer token-officer"}, keyHeader: {"k-1"}, preferHeader: c.prefer}
			answer := httptest.NewRecorder()
			w.s.Handler().ServeHTTP(answer, r)
			require.Equal(t, http.StatusOK, answer.Code, answer.Body.String())
			require.InDelta(t, c.seconds, told, 0.5)
			require.Equal(t, c.applied, answer.Header().Get("Preference-Applied"))
		})
	}
}
