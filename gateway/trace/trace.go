// Package trace follows a request through the gateway, to the ledger and back: OpenTelemetry spans from the HTTP request to
// the moment at which what it wrote can be read here and has been announced.
//
//	request ── app ── write ── group ── endorse, order, commit          while the caller waits
//	                    └── block ── project ── announce                after the block has come
//
// A group is one transaction for many callers' commands: its spans belong to the trace of the first of them that is traced,
// and the others' are linked with it. Block, project and announce are in each caller's own trace.
//
// A span is made only below a span that is recorded, so a request that is not traced costs one look into its context and
// allocates nothing; a gateway without a collector traces none. Attributes are names from the code and numbers: never a
// value that somebody sent, an identifier of a person or a token.
package trace

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation.
const scope = "github.com/hutong-gov/hutong/gateway"

// Span is a step under way. The zero Span is one that is not recorded: its methods do nothing.
type Span struct{ span trace.Span }

// Start begins a step of what ctx is about.
func Start(ctx context.Context, name string) (context.Context, Span) {
	if !traced(ctx) {
		return ctx, Span{}
	}
	return startAt(ctx, name, time.Now())
}

// startAt begins a step that has been under way since a time.
func startAt(ctx context.Context, name string, began time.Time) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithTimestamp(began))
	return ctx, Span{span}
}

// Since records a step that began at a time and ends now.
func Since(ctx context.Context, name string, began time.Time) {
	if traced(ctx) {
		_, step := startAt(ctx, name, began)
		step.End()
	}
}

// Of is the step that ctx is in.
func Of(ctx context.Context) Span {
	if !traced(ctx) {
		return Span{}
	}
	return Span{trace.SpanFromContext(ctx)}
}

// traced says whether ctx is in a trace that is recorded, also if its step has ended: what a write caused may come later.
func traced(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsSampled() }

// ID of the trace that ctx is in, 32 hexadecimal digits; empty if it is not recorded.
func ID(ctx context.Context) string {
	if s := Of(ctx); s.span != nil {
		return s.span.SpanContext().TraceID().String()
	}
	return ""
}

// Recorded says whether the step is recorded: only then is it worth preparing what is told of it.
func (s Span) Recorded() bool { return s.span != nil }

// Text adds an attribute. The value is a name from the code or the ledger's, never a caller's.
func (s Span) Text(name, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(name, value))
	}
}

// Number adds an attribute.
func (s Span) Number(name string, value int64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int64(name, value))
	}
}

// Failed marks the step as failed. reason is a fault's permanent reason or the name of a stage.
func (s Span) Failed(reason string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, reason)
	}
}

// Link says that another step belongs to this one.
func (s Span) Link(other Span) {
	if s.span != nil && other.span != nil {
		s.span.AddLink(trace.Link{SpanContext: other.span.SpanContext()})
	}
}

// End ends the step.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// Tracer begins traces.
type Tracer struct{ tracer trace.Tracer }

// NewTracer makes a tracer of a provider.
func NewTracer(provider trace.TracerProvider) *Tracer { return &Tracer{provider.Tracer(scope)} }

// propagator knows the header fields of W3C Trace Context.
var propagator propagation.TraceContext

// Serve begins the step of a request that came in. A caller's traceparent (W3C Trace Context) makes it part of the caller's
// trace; its tracestate is not taken over, for it could hold anything. name is the method and the route of the table. A
// nil Tracer traces nothing.
func (t *Tracer) Serve(ctx context.Context, header http.Header, method, route string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if header.Get("traceparent") != "" {
		from := trace.SpanContextFromContext(propagator.Extract(ctx, propagation.HeaderCarrier(header)))
		ctx = trace.ContextWithRemoteSpanContext(ctx, from.WithTraceState(trace.TraceState{}))
	}
	ctx, span := t.tracer.Start(ctx, method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route)))
	if !span.IsRecording() {
		return ctx, Span{}
	}
	return ctx, Span{span}
}

// Inject adds the trace that ctx is in to a request that goes out.
func Inject(ctx context.Context, header http.Header) {
	if Of(ctx).Recorded() {
		propagator.Inject(ctx, propagation.HeaderCarrier(header))
	}
}
