package trace

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func recorder(ratio float64) (*Tracer, *tracetest.InMemoryExporter) {
	memory := tracetest.NewInMemoryExporter()
	sampler := sdk.ParentBased(sdk.TraceIDRatioBased(ratio))
	return NewTracer(sdk.NewTracerProvider(sdk.WithSyncer(memory), sdk.WithSampler(sampler))), memory
}

const (
	theirs  = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampled = "00-" + theirs + "-00f067aa0ba902b7-01"
)

func TestServeTakesTheCallersTraceOver(t *testing.T) {
	for _, c := range []struct {
		name, traceparent string
		ratio             float64
		recorded, theirs  bool
	}{
		{"own trace", "", 1, true, false},
		{"own trace, not drawn", "", 0, false, false},
		{"the caller traces", sampled, 0, true, true},
		{"the caller does not trace", sampled[:len(sampled)-1] + "0", 1, false, true},
		{"nonsense", "00-zz-zz-01", 1, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, memory := recorder(c.ratio)
			header := http.Header{}
			if c.traceparent != "" {
				header.Set("traceparent", c.traceparent)
				header.Set("tracestate", "portal=110101199001011234")
			}
			ctx, span := e.Serve(t.Context(), header, "GET", "/v1/cases/{id}")
			require.Equal(t, c.recorded, span.Recorded())
			require.Equal(t, c.recorded && c.theirs, ID(ctx) == theirs)
			out := http.Header{}
			Inject(ctx, out)
			require.Equal(t, c.recorded, out.Get("traceparent") != "")
			require.Empty(t, out.Get("tracestate"), "what a caller put there goes no further")
			span.End()
			require.Len(t, memory.GetSpans(), map[bool]int{true: 1}[c.recorded])
			for _, s := range memory.GetSpans() {
				require.Equal(t, "GET /v1/cases/{id}", s.Name)
				require.Empty(t, s.SpanContext.TraceState().String())
				require.NotContains(t, fmt.Sprint(s), "110101199001011234")
			}
		})
	}
}

func TestStepsAndLinks(t *testing.T) {
	e, memory := recorder(1)
	ctx, request := e.Serve(t.Context(), http.Header{}, "POST", "/v1/x")
	_, other := e.Serve(t.Context(), http.Header{}, "POST", "/v1/x")
	inner, step := Start(ctx, "write")
	step.Text("hutong.chaincode", "certificate")
	step.Number("hutong.commands", 2)
	step.Link(other)
	Since(inner, "gather", time.Now().Add(-time.Second))
	step.Failed("transaction.contention")
	step.End()
	request.End()
	other.End()
	spans := byName(memory)
	require.Equal(t, spans["POST /v1/x"][0].SpanContext.SpanID(), spans["write"][0].Parent.SpanID())
	require.Equal(t, spans["write"][0].SpanContext.SpanID(), spans["gather"][0].Parent.SpanID())
	require.InDelta(t, 1, spans["gather"][0].EndTime.Sub(spans["gather"][0].StartTime).Seconds(), .5)
	require.Equal(t, spans["POST /v1/x"][1].SpanContext.TraceID(), spans["write"][0].Links[0].SpanContext.TraceID())
	require.Equal(t, "transaction.contention", spans["write"][0].Status.Description)
	require.Len(t, spans["write"][0].Attributes, 2)
}

func TestJourney(t *testing.T) {
	e, memory := recorder(1)
	ctx, request := e.Serve(t.Context(), http.Header{}, "POST", "/v1/x")
	other, second := e.Serve(t.Context(), http.Header{}, "POST", "/v1/y")
	var j Journeys
	j.Begin("untraced", t.Context())
	require.False(t, j.Any())
	j.Begin("tx", ctx, t.Context(), other)
	request.End()
	second.End()
	j.Received("another", 7)
	j.Received("tx", 7)
	j.Projected("tx", time.Now(), "certificate.issued.v1")
	require.False(t, j.Any())
	spans := byName(memory)
	for _, name := range []string{"block", "project", "announce"} {
		require.Len(t, spans[name], 2, "in each caller's trace: %s", name)
	}
	require.NotEqual(t, spans["block"][0].SpanContext.TraceID(), spans["block"][1].SpanContext.TraceID())
	require.Equal(t, spans["project"][0].SpanContext.SpanID(), spans["announce"][0].Parent.SpanID())
	j.Projected("tx", time.Now())
	require.Len(t, byName(memory)["project"], 2, "a journey ends once")

	j.Begin("dropped", ctx)
	j.Drop("dropped")
	require.False(t, j.Any())
	for i := range MaxJourneys + 5 {
		j.Begin(fmt.Sprint(i), ctx)
	}
	require.Len(t, j.known, MaxJourneys)
	require.NotContains(t, j.known, "0")
}

func byName(memory *tracetest.InMemoryExporter) map[string][]tracetest.SpanStub {
	all := map[string][]tracetest.SpanStub{}
	for _, s := range memory.GetSpans() {
		all[s.Name] = append(all[s.Name], s)
	}
	return all
}

// TestNothingIsFree holds the promise that tracing costs nothing where it is off.
func TestNothingIsFree(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, 1), time.Hour)
	defer cancel()
	var j Journeys
	var none *Tracer
	header := http.Header{}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		serve, request := none.Serve(ctx, header, "GET", "/v1/x")
		within, step := Start(serve, "write")
		step.Text("a", "b")
		step.Number("c", 1)
		step.Failed("no")
		step.Link(request)
		Since(within, "gather", time.Time{})
		j.Begin("tx", within)
		j.Received("tx", 1)
		j.Projected("tx", time.Time{})
		Inject(within, header)
		step.End()
		request.End()
	}))
}

func BenchmarkOff(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		_, step := Start(ctx, "write")
		step.Text("a", "b")
		step.End()
	}
}

func BenchmarkOn(b *testing.B) {
	e := NewTracer(sdk.NewTracerProvider(sdk.WithBatcher(tracetest.NewNoopExporter())))
	ctx, request := e.Serve(b.Context(), http.Header{}, "GET", "/v1/x")
	defer request.End()
	b.ReportAllocs()
	for b.Loop() {
		_, step := Start(ctx, "write")
		step.Text("a", "b")
		step.End()
	}
}
