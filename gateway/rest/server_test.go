package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/rest/resttest"
)

// badge is a request with something from everywhere.
type badge struct {
	Key    string    `header:"Idempotency-Key"`
	ID     string    `path:"id" max:"20"`
	Colour string    `query:"colour" enum:"red,green"`
	Size   int       `query:"size" min:"1" max:"9"`
	Since  time.Time `query:"since"`
	Tags   []string  `query:"tag"`
	Name   string    `json:"name" min:"1" max:"10" doc:"what it says" example:"hello"`
	Owner  owner     `json:"owner"`
	Note   string    `json:"note,omitempty" pattern:"^[a-z]+$"`
	Count  *int      `json:"count"`
	Parts  []part    `json:"parts,omitempty" max:"2"`
}

type owner struct {
	Agency string     `json:"agency"`
	From   *time.Time `json:"from"`
}

type part struct {
	Weight int  `json:"weight" min:"1"`
	Fixed  bool `json:"fixed,omitempty"`
}

type badgeAnswer struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Role   string `json:"role"`
	Colour string `json:"colour,omitempty"`
	Size   int    `json:"size,omitempty"`
	Tags   int    `json:"tags,omitempty"`
}

type nothing struct{}

type picture struct{}

func (picture) MediaType() string { return "image/png" }
func (picture) FileName() string  { return "badge.png" }
func (picture) Content() []byte   { return []byte("PNG") }

const secretName = "Zhou Minhua"

// failures are what the row /v1/failures/{kind} answers.
var failures = map[string]error{
	"fault":       fault.New(fault.Refused, "certificate.already_revoked", "a revoked certificate stays revoked").On("certificate", "status:valid"),
	"unknown":     app.Unknown{Tx: "abc123"},
	"pending":     app.Pending{Receipt: app.Receipt{Tx: "abc123", ID: "b", Status: "worn", Version: 2, At: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}},
	"unreachable": &ledger.UnreachableError{Stage: ledger.Endorsing, Err: errors.New("dial tcp 10.0.0.7:7051")},
	"busy":        fault.New(fault.Limit, ledger.ReasonBusy, "too many writes are under way"),
	"plain":       errors.New("the file /var/lib/secret is gone"),
	"internal":    fault.New(fault.Internal, "ledger.failed", "something on 10.0.0.7 broke"),
	"missing":     fault.New(fault.Missing, "certificate.missing", "no such record").On("id", "exists"),
	"conflict":    fault.New(fault.Conflict, "certificate.conflict", "").On("idempotency_key", "same_content"),
	"limit":       fault.New(fault.Limit, "request.too_large", "make it smaller"),
}

type failing struct {
	Kind string `path:"kind"`
}

// table is a small API that has one of everything.
func table() []Route {
	doc := Doc{Tag: "badges", Summary: "Do something with a badge"}
	return []Route{
		{Method: "PUT", Path: "/v1/badges/{id}", Roles: []string{app.Officer, app.AgencyAdmin}, Doc: doc, Status: http.StatusCreated,
			Reasons: []string{"certificate.already_revoked"},
			Handler: Handle(func(_ context.Context, who app.Actor, r badge) (badgeAnswer, error) {
				return badgeAnswer{ID: r.ID, Name: r.Name, Role: who.Role, Colour: r.Colour, Size: r.Size, Tags: len(r.Tags)}, nil
			})},
		{Method: "GET", Path: "/v1/badges", Roles: []string{app.Public}, Doc: doc,
			Handler: Handle(func(_ context.Context, who app.Actor, _ nothing) (badgeAnswer, error) {
				return badgeAnswer{Role: who.Role}, nil
			})},
		{Method: "GET", Path: "/v1/badges/{id}/picture", Roles: []string{app.Citizen}, Doc: doc,
			Handler: Handle(func(context.Context, app.Actor, struct {
				ID string `path:"id"`
			}) (picture, error) {
				return picture{}, nil
			})},
		{Method: "GET", Path: "/v1/failures/{kind}", Roles: []string{app.Auditor}, Doc: doc, Writes: One,
			Reasons: []string{"certificate.already_revoked", "certificate.missing", "certificate.conflict"},
			Handler: Handle(func(ctx context.Context, _ app.Actor, r failing) (nothing, error) {
				switch r.Kind {
				case "panic":
					panic("a panic about " + secretName)
				case "slow":
					<-ctx.Done()
					return nothing{}, ctx.Err()
				}
				return nothing{}, failures[r.Kind]
			})},
	}
}

// testTokens are tokens that name a role.
func testTokens(_ context.Context, token string) (app.Actor, error) {
	switch role, ok := strings.CutPrefix(token, "token-"); {
	case token == "expired":
		return app.Actor{}, fault.New(fault.Denied, "token.expired", "sign in again")
	case ok && role == app.Citizen:
		return app.Actor{Role: role, Subject: "pseudonym"}, nil
	case ok:
		return app.Actor{Role: role, Agency: "market.tax", Staff: "S5001"}, nil
	}
	return app.Actor{}, fault.New(fault.Denied, "token.invalid", "sign in again")
}

type world struct {
	t        *testing.T
	s        *Server
	log      *bytes.Buffer
	document *resttest.Document
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, log: new(bytes.Buffer)}
	c := Config{Routes: table(), Authenticate: testTokens, MaxBody: 2000, Registry: prometheus.NewRegistry(),
		Log:   slog.New(slog.NewJSONHandler(w.log, nil)),
		About: About{Version: "v1.2.3", Organisation: "services", PublicURL: "https://127.0.0.1:17000", Issuer: "https://127.0.0.1:17004", ClientID: "console"}}
	for _, f := range change {
		f(&c)
	}
	var err error
	w.s, err = New(c)
	require.NoError(t, err)
	w.document, err = resttest.Load(w.s.openAPI)
	require.NoError(t, err)
	return w
}

// send makes a request; headers are "Name: value".
func (w *world) send(method, target, token, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	w.document.Handler(w.s.Handler(), func(err error) { w.t.Error(err) }).ServeHTTP(recorder, r)
	return recorder
}

func problemOf(t *testing.T, answer *httptest.ResponseRecorder) Problem {
	t.Helper()
	require.Equal(t, problemMedia, answer.Header().Get("Content-Type"), answer.Body.String())
	var p Problem
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &p))
	require.Equal(t, answer.Code, p.Status)
	require.Equal(t, "/problems/"+p.Reason, p.Type)
	require.NotEmpty(t, p.Title)
	require.Equal(t, "urn:hutong:request:"+answer.Header().Get("X-Request-Id"), p.Instance)
	return p
}

const key = "Idempotency-Key: k-1"

func TestGoodRequest(t *testing.T) {
	w := newWorld(t)
	answer := w.send("PUT", "/v1/badges/b%2F1?colour=red&size=3&tag=x&tag=y&since=2026-03-01T09:30:00Z", "token-officer",
		"  {\"owner\":{\"from\":null,\"agency\":\"market.tax\"},\n\"name\":\"hello\",\"note\":\"\",\"count\":null,\"parts\":[{\"weight\":1}]}", key)
	require.Equal(t, http.StatusCreated, answer.Code, answer.Body.String())
	require.JSONEq(t, `{"id":"b/1","name":"hello","role":"officer","colour":"red","size":3,"tags":2}`, answer.Body.String())
}

func TestRefusedRequests(t *testing.T) {
	const good = `{"name":"hello","owner":{"agency":"market.tax"}}`
	w := newWorld(t)
	for _, c := range []struct {
		name, target, body string
		headers            []string
		status             int
		reason, field      string
		rule               string
	}{
		{"no key", "/v1/badges/b", good, []string{"Idempotency-Key: "}, 422, "request.invalid", "Idempotency-Key", "required"},
		{"bad key", "/v1/badges/b", good, []string{"Idempotency-Key: a b"}, 422, "request.invalid", "Idempotency-Key", "pattern:" + keyForm.String()},
		{"long key", "/v1/badges/b", good, []string{"Idempotency-Key: " + strings.Repeat("k", 129)}, 422, "request.invalid", "Idempotency-Key", "max_length:128"},
		{"no body", "/v1/badges/b", "", nil, 422, "request.invalid", "name", "required"},
		{"not JSON", "/v1/badges/b", "name=hello", nil, 422, "request.invalid", "", "json"},
		{"other media", "/v1/badges/b", good, []string{"Content-Type: text/plain"}, 415, "request.media_type", "Content-Type", "equals:application/json"},
		{"two documents", "/v1/badges/b", good + good, nil, 422, "request.invalid", "", "single_document"},
		{"trailing text", "/v1/badges/b", good + "x", nil, 422, "request.invalid", "", "single_document"},
		{"array", "/v1/badges/b", "[]", nil, 422, "request.invalid", "", "type:object"},
		{"null", "/v1/badges/b", "null", nil, 422, "request.invalid", "", "required"},
		{"unknown member", "/v1/badges/b", `{"name":"hello","owner":{"agency":"a"},"colour":"red"}`, nil, 422, "request.invalid", "colour", "unknown"},
		{"unknown member inside", "/v1/badges/b", `{"name":"hello","owner":{"agency":"a","rank":1}}`, nil, 422, "request.invalid", "owner.rank", "unknown"},
		{"name in other case", "/v1/badges/b", `{"Name":"hello","owner":{"agency":"a"}}`, nil, 422, "request.invalid", "Name", "unknown"},
		{"odd name is not repeated", "/v1/badges/b", `{"` + secretName + `":1}`, nil, 422, "request.invalid", "?", "unknown"},
		{"path field in the body", "/v1/badges/b", `{"name":"hello","owner":{"agency":"a"},"ID":"c"}`, nil, 422, "request.invalid", "ID", "unknown"},
		{"duplicate member", "/v1/badges/b", `{"name":"hello","name":"hello","owner":{"agency":"a"}}`, nil, 422, "request.invalid", "name", "unique_name"},
		{"missing member", "/v1/badges/b", `{"name":"hello","owner":{}}`, nil, 422, "request.invalid", "owner.agency", "required"},
		{"null for a required member", "/v1/badges/b", `{"name":null,"owner":{"agency":"a"}}`, nil, 422, "request.invalid", "name", "required"},
		{"empty required member", "/v1/badges/b", `{"name":"","owner":{"agency":"a"}}`, nil, 422, "request.invalid", "name", "required"},
		{"wrong type", "/v1/badges/b", `{"name":7,"owner":{"agency":"a"}}`, nil, 422, "request.invalid", "name", "type:string"},
		{"wrong type inside", "/v1/badges/b", `{"name":"x","owner":"a"}`, nil, 422, "request.invalid", "owner", "type:object"},
		{"wrong type in a list", "/v1/badges/b", `{"name":"x","owner":{"agency":"a"},"parts":[{"weight":1},{"weight":"2"}]}`, nil, 422, "request.invalid", "parts[1].weight", "type:integer"},
		{"fraction", "/v1/badges/b", `{"name":"x","owner":{"agency":"a"},"count":1.5}`, nil, 422, "request.invalid", "count", "type:integer"},
		{"number that would change", "/v1/badges/b", `{"name":"x","owner":{"agency":"a"},"count":9007199254740993}`, nil, 422, "request.invalid", "count", "safe_integer"},
		{"time", "/v1/badges/b", `{"name":"x","owner":{"agency":"a","from":"yesterday"}}`, nil, 422, "request.invalid", "owner.from", "format:date-time"},
		{"too long", "/v1/badges/b", `{"name":"12345678901","owner":{"agency":"a"}}`, nil, 422, "request.invalid", "name", "max_length:10"},
		{"pattern", "/v1/badges/b", `{"name":"x","owner":{"agency":"a"},"note":"A"}`, nil, 422, "request.invalid", "note", "pattern:^[a-z]+$"},
		{"too many items", "/v1/badges/b", `{"name":"x","owner":{"agency":"a"},"parts":[{"weight":1},{"weight":1},{"weight":1}]}`, nil, 422, "request.invalid", "parts", "max_items:2"},
		{"too small", "/v1/badges/b", `{"name":"x","owner":{"agency":"a"},"parts":[{"weight":0}]}`, nil, 422, "request.invalid", "parts[0].weight", "min:1"},
		{"nested too deep", "/v1/badges/b", strings.Repeat(`[`, 40), nil, 422, "request.invalid", "", "type:object"},
		{"oversized", "/v1/badges/b", `{"name":"` + strings.Repeat("x", 3000) + `"}`, nil, 413, "request.too_large", "body", "max_bytes:2000"},
		{"unknown parameter", "/v1/badges/b?colur=red", good, nil, 422, "request.invalid", "query.colur", "unknown"},
		{"value not allowed", "/v1/badges/b?colour=blue", good, nil, 422, "request.invalid", "query.colour", "one_of:red,green"},
		{"parameter twice", "/v1/badges/b?colour=red&colour=green", good, nil, 422, "request.invalid", "query.colour", "single"},
		{"parameter's type", "/v1/badges/b?size=big", good, nil, 422, "request.invalid", "query.size", "type:integer"},
		{"parameter's limit", "/v1/badges/b?size=10", good, nil, 422, "request.invalid", "query.size", "max:9"},
		{"parameter's time", "/v1/badges/b?since=today", good, nil, 422, "request.invalid", "query.since", "format:date-time"},
		{"broken query", "/v1/badges/b?colour=%zz", good, nil, 422, "request.invalid", "query", "query"},
		{"path value too long", "/v1/badges/" + strings.Repeat("b", 21), good, nil, 422, "request.invalid", "path.id", "max_length:20"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := w.send("PUT", c.target, "token-officer", c.body, append([]string{key}, c.headers...)...)
			p := problemOf(t, answer)
			require.Equal(t, []any{c.status, c.reason, c.field, c.rule}, []any{p.Status, p.Reason, p.Field, p.Rule}, p.Detail)
			require.NotContains(t, answer.Body.String(), secretName)
		})
	}
	require.NotContains(t, w.log.String(), secretName)
}

func TestBodyWhereNoneIsTaken(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, http.StatusOK, w.send("GET", "/v1/badges", "", "").Code)
	require.Equal(t, http.StatusOK, w.send("GET", "/v1/badges", "", " {} ").Code)
	require.Equal(t, "absent", problemOf(t, w.send("GET", "/v1/badges", "", `{"a":1}`)).Rule)
}

func TestWhoMayCall(t *testing.T) {
	w := newWorld(t)
	const target, body = "/v1/badges/b", `{"name":"x","owner":{"agency":"a"}}`
	for _, c := range []struct {
		name, token string
		headers     []string
		status      int
		reason      string
		challenge   string
	}{
		{"nobody", "", nil, 401, "token.missing", `Bearer realm="hutong"`},
		{"other scheme", "", []string{"Authorization: Basic eDp5"}, 401, "token.missing", `Bearer realm="hutong"`},
		{"forged", "forged", nil, 401, "token.invalid", `Bearer realm="hutong", error="invalid_token"`},
		{"expired", "expired", nil, 401, "token.expired", `Bearer realm="hutong", error="invalid_token"`},
		{"wrong role", "token-citizen", nil, 403, "access.role", ""},
		{"auditor may not write", "token-auditor", nil, 403, "access.role", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := w.send("PUT", target, c.token, body, append([]string{key}, c.headers...)...)
			p := problemOf(t, answer)
			require.Equal(t, c.status, p.Status)
			require.Equal(t, c.reason, p.Reason)
			require.Equal(t, c.challenge, answer.Header().Get("WWW-Authenticate"))
		})
	}
	require.Equal(t, http.StatusCreated, w.send("PUT", target, "token-agency_admin", body, key).Code)
	open := w.send("GET", "/v1/badges", "forged", "")
	require.JSONEq(t, `{"id":"","name":"","role":"public"}`, open.Body.String(), "an open route takes no notice of a token")
}

func TestErrorsOfTheApplication(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Deadline = 50 * time.Millisecond })
	for _, c := range []struct {
		kind, reason string
		status       int
		detail       string
		retry        string
	}{
		{"fault", "certificate.already_revoked", 409, "a revoked certificate stays revoked", ""},
		{"missing", "certificate.missing", 404, "no such record", ""},
		{"conflict", "certificate.conflict", 409, "", ""},
		{"limit", "request.too_large", 413, "make it smaller", ""},
		{"unreachable", "ledger.unreachable", 503, errDown.Detail, "1"},
		{"busy", "gateway.busy", 503, "too many writes are under way", "1"},
		{"plain", "gateway.internal", 500, errPanic.Detail, ""},
		{"internal", "ledger.failed", 500, errPanic.Detail, ""},
		{"panic", "gateway.internal", 500, errPanic.Detail, ""},
		{"slow", "gateway.timeout", 504, errTimeout.Detail, ""},
	} {
		t.Run(c.kind, func(t *testing.T) {
			answer := w.send("GET", "/v1/failures/"+c.kind, "token-auditor", "")
			p := problemOf(t, answer)
			require.Equal(t, []any{c.status, c.reason, c.detail}, []any{p.Status, p.Reason, p.Detail})
			require.Equal(t, c.retry, answer.Header().Get("Retry-After"))
			require.NotContains(t, answer.Body.String(), "10.0.0.7")
			require.NotContains(t, answer.Body.String(), "/var/lib")
			if c.status >= 500 {
				require.Contains(t, w.log.String(), answer.Header().Get("X-Request-Id"), "the cause is in the log")
			}
		})
	}
	require.Contains(t, w.log.String(), "/var/lib/secret")
	require.NotContains(t, w.log.String(), secretName, "a panic's text may be data")
}

func TestUnknownOutcomeIsNotAFailure(t *testing.T) {
	answer := newWorld(t).send("GET", "/v1/failures/unknown", "token-auditor", "")
	require.Equal(t, http.StatusAccepted, answer.Code)
	require.Equal(t, "/v1/transactions/abc123", answer.Header().Get("Location"))
	require.JSONEq(t, `{"tx_id":"abc123","state":"unknown"}`, answer.Body.String())
	answer = newWorld(t).send("GET", "/v1/failures/pending", "token-auditor", "")
	require.Equal(t, http.StatusAccepted, answer.Code)
	require.Equal(t, "/v1/transactions/abc123", answer.Header().Get("Location"))
	require.JSONEq(t, `{"tx_id":"abc123","state":"pending","id":"b","status":"worn","version":2,"at":"2026-03-01T08:00:00Z"}`, answer.Body.String())
}

func TestCallerWhoLeft(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/failures/slow", nil)
	r.Header.Set("Authorization", "Bearer token-auditor")
	time.AfterFunc(20*time.Millisecond, cancel)
	w.s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	require.Contains(t, w.log.String(), `"status":499`)
}

func TestNoRouteAndNoMethod(t *testing.T) {
	w := newWorld(t)
	p := problemOf(t, w.send("GET", "/v1/"+strings.ReplaceAll(secretName, " ", "-"), "", ""))
	require.Equal(t, "route.missing", p.Reason)
	answer := w.send("DELETE", "/v1/badges", "", "")
	require.Equal(t, "route.method", problemOf(t, answer).Reason)
	require.Equal(t, "GET", answer.Header().Get("Allow"))
	require.NotContains(t, w.log.String(), "Minhua")
	require.Contains(t, w.log.String(), `"route":"unmatched"`)
	problemOf(t, w.send("GET", "/v1/badges/", "", "")) // no redirect to guess what was meant
}

func TestFile(t *testing.T) {
	answer := newWorld(t).send("GET", "/v1/badges/b/picture", "token-citizen", "")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "image/png", answer.Header().Get("Content-Type"))
	require.Equal(t, "attachment; filename=badge.png", answer.Header().Get("Content-Disposition"))
	require.Equal(t, "PNG", answer.Body.String())
}

func TestOverload(t *testing.T) {
	w := newWorld(t)
	for range MaxRequests {
		w.s.seats <- struct{}{}
	}
	answer := w.send("GET", "/v1/badges", "", "")
	require.Equal(t, "gateway.overloaded", problemOf(t, answer).Reason)
	require.Equal(t, "1", answer.Header().Get("Retry-After"))
}

func TestHeaders(t *testing.T) {
	w := newWorld(t)
	answer := w.send("GET", "/v1/badges", "", "", "X-Request-Id: abcdefgh-1")
	h := answer.Header()
	require.Equal(t, "abcdefgh-1", h.Get("X-Request-Id"))
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.NotEmpty(t, h.Get("Strict-Transport-Security"))
	other := w.send("GET", "/v1/badges", "", "", "X-Request-Id: <script>")
	require.Regexp(t, `^[A-Z2-7]{26}$`, other.Header().Get("X-Request-Id"))
}

func TestAccessLogAndMetrics(t *testing.T) {
	w := newWorld(t)
	w.send("PUT", "/v1/badges/identity-110101199001011234?colour=red", "token-officer", `{"name":"x","owner":{"agency":"a"}}`, key)
	var line map[string]any
	require.NoError(t, json.Unmarshal(w.log.Bytes(), &line))
	require.Equal(t, "/v1/badges/{id}", line["route"])
	require.Equal(t, "officer", line["role"])
	require.Equal(t, "market.tax", line["agency"])
	for _, secret := range []string{"110101199001011234", "colour", "token-officer", "S5001"} {
		require.NotContains(t, w.log.String(), secret)
	}
	w.send("BREW", "/v1/badges", "", "")
	body := w.send("GET", "/metrics", "", "").Body.String()
	require.Contains(t, body, `hutong_http_requests_total{class="4xx",method="PUT",route="/v1/badges/{id}"} 1`)
	require.Contains(t, body, `hutong_http_requests_total{class="4xx",method="other",route="unmatched"} 1`)
	require.Contains(t, body, `hutong_http_request_seconds_count{method="PUT",route="/v1/badges/{id}"} 1`)
	require.NotContains(t, body, "110101199001011234")
}

func TestHealthAndReadiness(t *testing.T) {
	var broken error = errors.New("the peer does not answer")
	w := newWorld(t, func(c *Config) {
		c.Checks = []Check{
			{Name: "projection", Run: func(context.Context) error { return nil }},
			{Name: "peer", Run: func(context.Context) error { return broken }, Note: func() string { return "one of two is down" }},
		}
	})
	require.Equal(t, http.StatusOK, w.send("GET", "/healthz", "", "").Code, "alive even if not ready")
	answer := w.send("GET", "/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.JSONEq(t, `{"ready":false,"checks":[{"name":"projection","ok":true},{"name":"peer","ok":false,"reason":"the peer does not answer","note":"one of two is down"}]}`, answer.Body.String())
	broken = nil
	require.Equal(t, http.StatusOK, w.send("GET", "/readyz", "", "").Code)
}

func TestReasonPages(t *testing.T) {
	w := newWorld(t)
	list := w.send("GET", "/problems", "", "")
	require.Contains(t, list.Body.String(), "certificate.already_revoked")
	page := w.send("GET", "/problems/certificate.already_revoked", "", "")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), "HTTP status: 409")
	require.Contains(t, page.Body.String(), "PUT /v1/badges/{id}")
	require.Equal(t, "problem.missing", problemOf(t, w.send("GET", "/problems/no.such", "", "")).Reason)
}

func TestPage(t *testing.T) {
	answer := newWorld(t).send("GET", "/docs", "", "")
	require.Equal(t, http.StatusOK, answer.Code)
	body := answer.Body.String()
	require.Contains(t, body, `data-issuer="https://127.0.0.1:17004"`)
	require.NotContains(t, body, "://cdn")
	require.NotContains(t, body, " src=", "everything is in the page")
	policy := answer.Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "connect-src 'self' https://127.0.0.1:17004;")
	for _, element := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(body, "<"+element+">")
		text, _, ok := strings.Cut(rest, "</"+element+">")
		require.True(t, ok)
		require.Contains(t, policy, digestOf(text), "the policy must allow the page's own "+element)
	}
}

func TestMistakesInATable(t *testing.T) {
	good := func() Route { return table()[1] }
	for _, c := range []struct {
		name string
		rows func() []Route
		want string
	}{
		{"double", func() []Route { return []Route{good(), good()} }, "twice"},
		{"no handler", func() []Route { r := good(); r.Handler = Handler{}; return []Route{r} }, "no handler"},
		{"no role", func() []Route { r := good(); r.Roles = nil; return []Route{r} }, "names no role"},
		{"unknown role", func() []Route { r := good(); r.Roles = []string{"king"}; return []Route{r} }, "unknown role"},
		{"public and more", func() []Route { r := good(); r.Roles = []string{app.Public, app.Citizen}; return []Route{r} }, "other roles besides"},
		{"not described", func() []Route { r := good(); r.Doc = Doc{}; return []Route{r} }, "not described"},
		{"unbound path name", func() []Route { r := good(); r.Path = "/v1/badges/{id}"; return []Route{r} }, "binds []"},
		{"unknown reason", func() []Route { r := good(); r.Reasons = []string{"no.such_reason"}; return []Route{r} }, "nothing answers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(Config{Routes: c.rows(), Registry: prometheus.NewRegistry()})
			require.ErrorContains(t, err, c.want)
		})
	}
	require.Panics(t, func() { Handle(func(context.Context, app.Actor, string) (nothing, error) { return nothing{}, nil }) })
	require.Panics(t, func() {
		Handle(func(context.Context, app.Actor, struct {
			X map[string]string `query:"x"`
		}) (nothing, error) {
			return nothing{}, nil
		})
	})
}
