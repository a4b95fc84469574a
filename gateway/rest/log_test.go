package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
)

func TestLinesHaveASharePerStatus(t *testing.T) {
	l, now := newLines(2), time.Unix(1000, 0)
	count := func(status, n int, at time.Time) (written, left int) {
		for range n {
			if before, due := l.due(status, at); due {
				written, left = written+1, left+before
			}
		}
		return written, left
	}
	for _, c := range []struct {
		name          string
		status, n     int
		after         time.Duration
		written, left int
	}{
		{"many successes", 200, 100, 0, 2, 0},
		{"a rare refusal is seen all the same", 409, 1, 0, 1, 0},
		{"a flood of refusals for load", 503, 1000, 0, 2, 0},
		{"the gateway's own failures, all", 500, 50, 0, 50, 0},
		{"and time-outs", 504, 50, 0, 50, 0},
		{"the next second says what was left out", 200, 100, time.Second, 2, 98},
		{"and the one after", 200, 1, 2 * time.Second, 1, 98},
		{"a status that is none", -1, 3, 0, 2, 0},
	} {
		written, left := count(c.status, c.n, now.Add(c.after))
		require.Equal(t, []int{c.written, c.left}, []int{written, left}, c.name)
	}
}

func TestLineOfAWrite(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Routes = append(c.Routes, Route{Method: "POST", Path: "/v1/badges", Roles: []string{app.Officer}, Doc: Doc{Tag: "badges", Summary: "Write"},
			Handler: Handle(func(context.Context, app.Actor, struct{}) (app.Receipt, error) {
				return app.Receipt{ID: "b", Tx: "tx-1"}, nil
			})})
	})
	require.Equal(t, http.StatusOK, w.send("POST", "/v1/badges", "token-officer", "", key, "X-Request-Id: request-1").Code)
	require.Equal(t, http.StatusInternalServerError, w.send("GET", "/v1/failures/plain", "token-auditor", "").Code)
	var lines []map[string]any
	for text := range strings.Lines(w.log.String()) {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		lines = append(lines, line)
	}
	require.Len(t, lines, 2, "one line a request")
	for name, want := range map[string]any{"level": "INFO", "request_id": "request-1", "route": "/v1/badges", "status": 200.0, "role": app.Officer, "agency": "market.tax", "tx_id": "tx-1"} {
		require.Equal(t, want, lines[0][name], name)
	}
	for name, want := range map[string]any{"level": "ERROR", "status": 500.0, "reason": "gateway.internal", "error": "the file /var/lib/secret is gone"} {
		require.Equal(t, want, lines[1][name], name)
	}
}

// BenchmarkRequest is what a request costs besides its application function, with every line written and with the default.
func BenchmarkRequest(b *testing.B) {
	for name, perSecond := range map[string]int{"every line": 1 << 30, "default": 0} {
		b.Run(name, func(b *testing.B) {
			var sink bytes.Buffer
			s, err := New(Config{Routes: table(), Authenticate: testTokens, Registry: prometheus.NewRegistry(), Lines: perSecond,
				Log: slog.New(slog.NewJSONHandler(&sink, nil))})
			require.NoError(b, err)
			r := httptest.NewRequestWithContext(b.Context(), "GET", "/v1/badges/b/picture", nil)
			r.Header.Set("Authorization", "Bearer token-citizen")
			b.ReportAllocs()
			for b.Loop() {
				s.Handler().ServeHTTP(httptest.NewRecorder(), r)
				sink.Reset()
			}
		})
	}
}
