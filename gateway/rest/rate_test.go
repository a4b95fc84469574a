package rest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/config"
)

// from makes a request as it comes from an address.
func (w *world) from(remote, method, target, token string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, target, nil)
	r.RemoteAddr = remote
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.s.Handler().ServeHTTP(recorder, r)
	return recorder
}

// slow refills nothing while a test runs.
var slow = config.Rates{Client: config.Rate{PerSecond: 0.01, Burst: 3}, Address: config.Rate{PerSecond: 0.01, Burst: 2}, MaxClients: 100}

func TestClientsAreBoundedEachOnItsOwn(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Rates = slow })
	picture := func(token string) *httptest.ResponseRecorder {
		return w.from("192.0.2.1:1000", "GET", "/v1/badges/b/picture", token)
	}
	for i := range 3 {
		answer := picture("token-citizen")
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, `"client";q=3;w=300`, answer.Header().Get("RateLimit-Policy"))
		require.Equal(t, fmt.Sprintf(`"client";r=%d;t=%d`, 2-i, 100*(i+1)), answer.Header().Get("RateLimit"))
	}
	answer := picture("token-citizen")
	require.Equal(t, http.StatusTooManyRequests, answer.Code)
	require.Equal(t, "request.rate", problemOf(t, answer).Reason)
	require.Equal(t, "100", answer.Header().Get("Retry-After"))
	require.Equal(t, http.StatusForbidden, picture("token-officer").Code, "another caller is as free as before")
	for range 2 {
		require.Equal(t, http.StatusForbidden, picture("token-officer").Code, "what is refused counts too")
	}
	require.Equal(t, http.StatusTooManyRequests, picture("token-officer").Code)
	require.InDelta(t, 2, testutil.ToFloat64(w.s.metrics.limited.WithLabelValues("client")), 0)
	require.Equal(t, http.StatusOK, w.from("192.0.2.1:1000", "GET", "/v1/badges", "").Code, "the address has a bucket of its own")
}

func TestAddressesAreBounded(t *testing.T) {
	for _, c := range []struct {
		name, target, token string
		status              int
	}{
		{"public route", "/v1/badges", "", 200},
		{"token that is none", "/v1/badges/b/picture", "forged", 401},
		{"no token", "/v1/badges/b/picture", "", 401},
		{"page", "/problems", "", 200},
		{"no route", "/v2", "", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Rates = slow })
			for range 2 {
				require.Equal(t, c.status, w.from("192.0.2.1:1000", "GET", c.target, c.token).Code)
			}
			answer := w.from("192.0.2.1:2000", "GET", c.target, c.token)
			require.Equal(t, "request.rate", problemOf(t, answer).Reason)
			require.Equal(t, c.status, w.from("192.0.2.2:1000", "GET", c.target, c.token).Code)
			require.Equal(t, http.StatusOK, w.from("192.0.2.1:2000", "GET", "/healthz", "").Code, "machines that poll are not bounded")
			require.Equal(t, http.StatusOK, w.from("192.0.2.1:2000", "GET", "/v1/badges/b/picture", "token-citizen").Code, "nor is who signs in")
		})
	}
}

func TestWhatTellsAddressesApart(t *testing.T) {
	for _, c := range []struct {
		name, first, second, forwarded1, forwarded2 string
		same                                        bool
	}{
		{"IPv4", "192.0.2.1:1", "192.0.2.2:1", "", "", false},
		{"IPv4 as IPv6", "192.0.2.1:1", "[::ffff:192.0.2.1]:1", "", "", true},
		{"one network of IPv6", "[2001:db8::1]:1", "[2001:db8::ffff:2]:1", "", "", true},
		{"two networks of IPv6", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", "", "", false},
		{"a stranger who claims to forward", "192.0.2.1:1", "192.0.2.1:1", "198.51.100.1", "198.51.100.2", true},
		{"the balancer forwards", "10.1.0.1:1", "10.1.0.1:1", "198.51.100.1", "198.51.100.2", false},
		{"the balancer forwards a claim", "10.1.0.1:1", "10.1.0.1:1", "1.1.1.1, 198.51.100.1", "2.2.2.2, 198.51.100.1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(x *Config) {
				x.Rates = config.Rates{Address: config.Rate{PerSecond: 0.01, Burst: 1}, Proxies: []string{"10.0.0.0/8"}, MaxClients: 10}
			})
			ask := func(remote, forwarded string) int {
				return w.from(remote, "GET", "/v1/badges", "", "X-Forwarded-For", forwarded).Code
			}
			require.Equal(t, http.StatusOK, ask(c.first, c.forwarded1))
			require.Equal(t, http.StatusTooManyRequests, ask(c.first, c.forwarded1))
			want := http.StatusOK
			if c.same {
				want = http.StatusTooManyRequests
			}
			require.Equal(t, want, ask(c.second, c.forwarded2))
		})
	}
}
