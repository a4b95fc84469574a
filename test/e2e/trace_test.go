package e2e

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/test/story"
)

// collected are the spans that a collector was sent.
type collected struct {
	mu    sync.Mutex
	spans []*otlp.Span
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	raw, err := io.ReadAll(body)
	request := new(collector.ExportTraceServiceRequest)
	if err != nil || proto.Unmarshal(raw, request) != nil {
		http.Error(w, "not an export", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named gives the spans of a name, of one trace unless it is empty.
func (c *collected) named(name, trace string) (found []*otlp.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name && (trace == "" || hex.EncodeToString(s.GetTraceId()) == trace) {
			found = append(found, s)
		}
	}
	return found
}

// TestNetworkTraceOfAWrite follows a write by the spans a collector is sent: one trace shows it from the caller's own step
// over HTTP, endorsement, ordering and the block to the rows and the announced event. Writes that share a transaction are
// linked with it. Nothing that was sent is in any span.
func TestNetworkTraceOfAWrite(t *testing.T) {
	ctx, c := real(t)
	person, _, err := story.SignIn(ctx, c, "citizen3", c.keys)
	require.NoError(t, err)
	got := new(collected)
	server := httptest.NewServer(got)
	defer server.Close()
	second := startSecond(ctx, t, c, func(s *config.Config) {
		s.Telemetry = config.Telemetry{Endpoint: server.URL + "/v1/traces", SampleRatio: 1}
	})
	load := &storm{city: c, subject: person.Me.Pseudonym}
	const theirs, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	issued, err := client.Do[app.Issued](ctx, second.officer, http.MethodPost, "/v1/certificates", load.request(),
		client.Key("trace.one"), client.Header("traceparent", "00-"+theirs+"-"+parent+"-01"))
	require.NoError(t, err)
	var all sync.WaitGroup
	const many = 64
	for i := range many {
		all.Go(func() {
			_, err := client.Do[app.Issued](ctx, second.officer, http.MethodPost, "/v1/certificates", load.request(), client.Key(fmt.Sprintf("trace.many.%d", i)))
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { return len(got.named("announce", "")) >= many+1 }, 20*time.Second, 100*time.Millisecond, "what was written is announced in each caller's trace")
	require.NoError(t, second.process.Process.Signal(syscall.SIGTERM))
	require.NoError(t, second.wait(t, 20*time.Second))

	parents := map[string]string{ // the whole chain, each step under its cause
		"POST /v1/certificates": "", "write": "", "gather": "write", "group": "write", "endorse": "group", "order": "group", "commit": "group",
		"block": "write", "project": "block", "announce": "project",
	}
	ids := map[string]*otlp.Span{}
	for name := range parents {
		spans := got.named(name, theirs)
		require.Len(t, spans, 1, name)
		ids[name] = spans[0]
	}
	require.Equal(t, parent, hex.EncodeToString(ids["POST /v1/certificates"].GetParentSpanId()))
	for name, above := range parents {
		if above != "" {
			require.Equal(t, ids[above].GetSpanId(), ids[name].GetParentSpanId(), "%s is under %s", name, above)
		}
		require.LessOrEqual(t, ids[name].GetStartTimeUnixNano(), ids[name].GetEndTimeUnixNano(), name)
	}
	require.Contains(t, fmt.Sprint(ids["block"]), issued.Tx)
	require.Contains(t, fmt.Sprint(ids["announce"]), "certificate.issued.v1")

	links := 0
	for _, g := range got.named("group", "") {
		links += len(g.GetLinks())
	}
	groups := len(got.named("group", ""))
	require.Less(t, groups, many+1, "writes share transactions")
	require.Equal(t, many+1, groups+links, "each write is in a group or linked with it")
	for _, s := range got.spans {
		for _, secret := range []string{person.Me.Pseudonym, "911101990000000000", "legal_representative", "trace.many"} {
			require.NotContains(t, strings.ToLower(fmt.Sprint(s)), strings.ToLower(secret))
		}
	}
}
