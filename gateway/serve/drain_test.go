package serve

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/rest"
)

// TestDrain follows a gateway through the stages of its end: not ready at once, serving on for the delay, asking clients to
// part in the end of it, gone afterwards.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	c := w.config(0)
	c.Limits.ShutdownDelay = config.Duration(partingTime + 500*time.Millisecond)
	r := w.run(c)
	began := time.Now()
	r.stop()
	readiness := func() (closing bool, answer rest.Readiness) {
		get := http.Client{Transport: &http.Transport{TLSClientConfig: client.Transport(w.roots).TLSClientConfig}, Timeout: 5 * time.Second} // HTTP/1.1
		defer get.CloseIdleConnections()
		response, err := get.Get(r.url + "/readyz")
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		require.NoError(t, json.Unmarshal(body, &answer))
		return response.Close, answer
	}
	var closing bool
	var answer rest.Readiness
	require.Eventually(t, func() bool {
		closing, answer = readiness()
		return answer.Checks[len(answer.Checks)-1] == rest.State{Name: "serving", Reason: "the gateway stops"}
	}, time.Second, time.Millisecond)
	require.False(t, closing)
	status, _ := w.get(r.url + "/openapi.json")
	require.Equal(t, http.StatusOK, status, "everything is served as before")
	require.Eventually(t, func() bool { closing, _ = readiness(); return closing }, 3*time.Second, 10*time.Millisecond, "clients are asked to part")
	status, _ = w.get(r.url + "/openapi.json")
	require.Equal(t, http.StatusOK, status, "and served still")
	select {
	case err := <-r.done:
		require.NoError(t, err)
	case <-time.After(15 * time.Second):
		require.Fail(t, "the gateway does not stop")
	}
	require.GreaterOrEqual(t, time.Since(began), c.Limits.ShutdownDelay.Std())
	_, err := net.DialTimeout("tcp", strings.TrimPrefix(r.url, "https://"), time.Second)
	require.Error(t, err)
}
