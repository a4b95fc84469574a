// Package export sends traces to an OpenTelemetry collector. It is apart from package trace, so that what only takes part in
// a trace, such as the client, does not bring the exporter with it.
package export

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/time/rate"

	"github.com/hutong-gov/hutong/gateway/trace"
)

// Limits of the export. Steps that the collector does not take in time are dropped: tracing never holds up a request.
const (
	ExportTimeout = 10 * time.Second
	MaxQueued     = 4096 // steps
	MaxAttributes = 16   // of a step
	MaxLinks      = 256  // of a step: a group's callers
	closeTimeout  = 3 * time.Second
	complainEvery = time.Minute
)

// Exporter sends traces to a collector by OTLP over HTTP.
type Exporter struct {
	*trace.Tracer
	provider *sdk.TracerProvider
	log      *slog.Logger
}

// Collector says where traces go and which.
type Collector struct {
	Endpoint     string         // "https://collector:4318/v1/traces"
	Roots        *x509.CertPool // nil: the system's
	Ratio        float64        // of the requests that come without a decision of their caller's
	Organisation string         // whose gateway this is
	Version      string
}

// Open begins to export. The collector need not be there.
func Open(ctx context.Context, c Collector, log *slog.Logger) (*Exporter, error) {
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(c.Endpoint), otlptracehttp.WithTimeout(ExportTimeout)}
	if strings.HasPrefix(c.Endpoint, "https:") {
		options = append(options, otlptracehttp.WithTLSClientConfig(&tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}))
	}
	to, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("otlp_endpoint: %w", err)
	}
	seldom := rate.Sometimes{Interval: complainEvery}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		seldom.Do(func() { log.Warn("traces do not reach the collector", "error", err.Error()) })
	}))
	limits := sdk.NewSpanLimits()
	limits.AttributeCountLimit, limits.LinkCountLimit = MaxAttributes, MaxLinks
	provider := sdk.NewTracerProvider(sdk.WithBatcher(to, sdk.WithMaxQueueSize(MaxQueued)), sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Ratio))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "hutong-gateway"),
			attribute.String("service.namespace", c.Organisation), attribute.String("service.version", c.Version))))
	return &Exporter{trace.NewTracer(provider), provider, log}, nil
}

// Close sends what is left, as far as the collector takes it in time. Traces that are lost are no reason for a gateway to
// say that it failed: the error is logged, and Close gives nil.
func (e *Exporter) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := e.provider.Shutdown(ctx); err != nil {
		e.log.Warn("the last traces did not reach the collector", "error", err.Error())
	}
	return nil
}
