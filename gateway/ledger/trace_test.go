package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/trace"
)

// TestTraceOfAGroup lets many traced callers share transactions: each write is in its caller's trace, gathered and awaited;
// each group is in the trace of one of its callers and linked with the others'.
func TestTraceOfAGroup(t *testing.T) {
	memory := tracetest.NewInMemoryExporter()
	tracer := trace.NewTracer(sdk.NewTracerProvider(sdk.WithSyncer(memory)))
	l, fake := newLedger(t, config.Limits{MaxInFlight: 1000})
	fake.think = 20 * time.Millisecond
	const callers = 40
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			ctx, request := tracer.Serve(context.Background(), http.Header{}, "POST", "/v1/x")
			defer request.End()
			_, err := l.Submit(ctx, signer, "exchange", "f:F", kernel.Command{IdempotencyKey: fmt.Sprintf("secret-%d", i), Request: json.RawMessage(`{"name":"secret"}`)})
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { // a caller is answered before the group's goroutine is through
		open := 0
		for _, s := range memory.GetSpans() {
			open += map[string]int{"group": 1, "commit": -1}[s.Name]
		}
		return open == 0
	}, 5*time.Second, time.Millisecond)
	require.True(t, fake.commits.Journeys.Any(), "the block's side goes on with it")
	spans := map[string][]tracetest.SpanStub{}
	writes := map[string]tracetest.SpanStub{} // by span id
	for _, s := range memory.GetSpans() {
		spans[s.Name] = append(spans[s.Name], s)
		if s.Name == "write" {
			writes[s.SpanContext.SpanID().String()] = s
		}
		require.NotContains(t, fmt.Sprint(s), "secret")
	}
	require.Len(t, spans["write"], callers)
	require.Len(t, spans["gather"], callers)
	require.Less(t, len(spans["group"]), callers, "they share")
	told := 0
	for _, g := range spans["group"] {
		require.Contains(t, writes, g.Parent.SpanID().String())
		told += 1 + len(g.Links)
		for _, link := range g.Links {
			w, ok := writes[link.SpanContext.SpanID().String()]
			require.True(t, ok)
			require.Equal(t, g.SpanContext.SpanID(), w.Links[0].SpanContext.SpanID(), "and the write knows its group")
		}
	}
	require.Equal(t, callers, told, "every write is in one group")
	for _, stage := range []string{"endorse", "order", "commit"} {
		require.Len(t, spans[stage], len(spans["group"]), stage)
	}
}

// TestWhatWaitsIsRefusedAtTheEnd stops a ledger while a group is with the endorsers and others wait: what was sent is
// answered with its outcome, everything else with gateway.stopping, and nothing of it reaches the ledger.
func TestWhatWaitsIsRefusedAtTheEnd(t *testing.T) {
	l, fake := newLedger(t, config.Limits{MaxInFlight: 1000})
	inside, goOn := make(chan struct{}, 100), make(chan struct{})
	fake.endorse = func(int) error { inside <- struct{}{}; <-goOn; return nil }
	const callers = 30
	var mu sync.Mutex
	var committed, refused int
	var all sync.WaitGroup
	submit := func(i int) {
		outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: fmt.Sprint(i), Request: json.RawMessage(`{}`), Record: "one"})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.Is(err, Stopping):
			refused++
		case err == nil && outcome.State == Committed:
			committed++
		default:
			t.Errorf("%d: %v %v", i, outcome, err)
		}
	}
	for i := range callers {
		all.Go(func() { submit(i) })
	}
	<-inside
	require.Eventually(t, func() bool { return l.commands.Load() == callers }, 5*time.Second, time.Millisecond)
	time.Sleep(5 * gatherLongest) // they wait for the record, whatever the gathering thinks
	l.Refuse()
	submit(callers)
	close(goOn)
	all.Wait()
	require.Equal(t, callers+1, committed+refused)
	require.Positive(t, committed)
	require.Greater(t, refused, 1)
	_, submitted, _ := fake.counts()
	require.Equal(t, 1, submitted)
}
