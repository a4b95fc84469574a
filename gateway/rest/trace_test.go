package rest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/hutong-gov/hutong/gateway/trace"
)

// TestTracedRequest: the step, the log's line and the metric's example name the same trace; what was sent is in none.
func TestTracedRequest(t *testing.T) {
	memory := tracetest.NewInMemoryExporter()
	w := newWorld(t, func(c *Config) { c.Tracer = trace.NewTracer(sdk.NewTracerProvider(sdk.WithSyncer(memory))) })
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent := "traceparent: 00-" + theirs + "-00f067aa0ba902b7-01"
	require.Equal(t, http.StatusOK, w.send("GET", "/v1/badges/secret/picture?", "token-citizen", "", traceparent).Code)
	require.Equal(t, http.StatusInternalServerError, w.send("GET", "/v1/failures/plain", "token-auditor", "", traceparent).Code)
	names := map[string]string{}
	for _, s := range memory.GetSpans() {
		require.Equal(t, theirs, s.SpanContext.TraceID().String())
		names[s.Name] = s.Status.Description
		for _, a := range s.Attributes {
			require.NotContains(t, a.Value.String(), "secret")
		}
	}
	require.Contains(t, names, "GET /v1/badges/{id}/picture")
	require.Equal(t, "gateway.internal", names["GET /v1/failures/{kind}"])
	require.Contains(t, w.log.String(), `"trace_id":"`+theirs+`"`)
	metrics := w.send("GET", "/metrics", "", "", "Accept: application/openmetrics-text; version=1.0.0").Body.String()
	require.Contains(t, metrics, `# {trace_id="`+theirs+`"}`)
	require.NotContains(t, w.send("GET", "/metrics", "", "").Body.String(), theirs, "the older form has no place for it")
}
