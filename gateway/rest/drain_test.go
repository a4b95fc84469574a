package rest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStagesOfStopping(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name                   string
		enter                  func()
		status, ready, healthy int
		closes                 bool
	}{
		{"serving", func() {}, 200, 200, 200, false},
		{"leaving", w.s.Leave, 200, 503, 200, false},
		{"parting", w.s.Part, 200, 503, 200, true},
		{"refusing", w.s.Refuse, 503, 503, 200, true},
	} {
		c.enter()
		answer := w.send("GET", "/v1/badges", "", "")
		require.Equal(t, c.status, answer.Code, c.name)
		require.Equal(t, c.closes, answer.Header().Get("Connection") == "close", c.name)
		if c.status == http.StatusServiceUnavailable {
			require.Equal(t, "gateway.stopping", problemOf(t, answer).Reason)
			require.Equal(t, "1", answer.Header().Get("Retry-After"))
		}
		require.Equal(t, c.ready, w.send("GET", "/readyz", "", "").Code, c.name)
		require.Equal(t, c.healthy, w.send("GET", "/healthz", "", "").Code, c.name)
	}
}
