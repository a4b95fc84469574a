package export

import (
	"compress/gzip"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/gateway/reload"
	"github.com/hutong-gov/hutong/gateway/trace"
)

func TestSpansReachACollector(t *testing.T) {
	got := make(chan *collector.ExportTraceServiceRequest, 8)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		raw, err := io.ReadAll(body)
		request := new(collector.ExportTraceServiceRequest)
		if err != nil || proto.Unmarshal(raw, request) != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("not an export: %v %s", err, r.URL)
			return
		}
		got <- request
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "root.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	roots, err := reload.Roots(file)
	require.NoError(t, err)
	e, err := Open(t.Context(), Collector{Endpoint: server.URL + "/v1/traces", Roots: roots, Ratio: 1, Organisation: "services", Version: "v1"}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, request := e.Serve(t.Context(), http.Header{}, "GET", "/v1/cases")
	_, step := trace.Start(ctx, "write")
	step.End()
	request.End()
	require.NoError(t, e.Close(), "what is left is sent")
	spans := (<-got).GetResourceSpans()[0]
	require.Contains(t, spans.GetResource().String(), "hutong-gateway")
	require.Len(t, spans.GetScopeSpans()[0].GetSpans(), 2)
}

func TestNoCollectorHoldsNothingUp(t *testing.T) {
	var log strings.Builder
	e, err := Open(t.Context(), Collector{Endpoint: "http://127.0.0.1:9/v1/traces", Ratio: 1}, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	_, request := e.Serve(t.Context(), http.Header{}, "GET", "/v1/cases")
	request.End()
	require.NoError(t, e.Close())
	require.Contains(t, log.String(), "reach the collector")
}
