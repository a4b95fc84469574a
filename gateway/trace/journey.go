package trace

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// MaxJourneys bounds the transactions whose block is awaited for their traces. Beyond, the oldest is forgotten: its trace
// ends with the write.
const MaxJourneys = 10_000

// Journeys are the traced transactions that were sent and are not in the tables yet. The ledger's side begins them, the
// follower's side continues them. The zero value is ready; where nothing is traced its methods cost an atomic load.
type Journeys struct {
	open atomic.Int64

	mu    sync.Mutex
	known map[string]*journey
	order []string // of their beginning; those that are over may still stand in it
}

// journey is one transaction's way: a context and a step for each caller's trace.
type journey struct {
	callers []context.Context
	steps   []Span
}

// Begin says that a transaction carries what these contexts are about. Contexts that are not traced are left out.
func (j *Journeys) Begin(tx string, callers ...context.Context) {
	var traced []context.Context
	for _, ctx := range callers {
		if Of(ctx).Recorded() {
			traced = append(traced, context.WithoutCancel(ctx))
		}
	}
	if len(traced) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.known == nil {
		j.known = map[string]*journey{}
	}
	if _, again := j.known[tx]; !again {
		j.order = append(j.order, tx)
	}
	j.known[tx] = &journey{callers: traced}
	for len(j.order) > MaxJourneys {
		delete(j.known, j.order[0])
		j.order = j.order[1:]
	}
	j.open.Store(int64(len(j.known)))
}

// Drop forgets a transaction that will be in no block.
func (j *Journeys) Drop(tx string) {
	if j.open.Load() == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(tx)
}

// Any says whether any transaction is awaited.
func (j *Journeys) Any() bool { return j.open.Load() > 0 }

// Received begins the step from a transaction's block to the tables.
func (j *Journeys) Received(tx string, block uint64) {
	j.each(tx, func(one *journey) {
		for i, ctx := range one.callers {
			ctx, step := Start(ctx, "block")
			step.Text("hutong.tx_id", tx)
			step.Number("hutong.block", int64(block))
			one.callers[i], one.steps = ctx, append(one.steps, step)
		}
	})
}

// Projected says that the transaction's rows have been in the tables since now, its changes can be read, and whoever listens
// is told; types are those of its events. Applying its block began at a time. Its journey is over.
func (j *Journeys) Projected(tx string, began time.Time, types ...string) {
	j.each(tx, func(one *journey) {
		for i, ctx := range one.callers {
			within, step := startAt(ctx, "project", began)
			step.End()
			for _, t := range types {
				_, step := Start(within, "announce")
				step.Text("hutong.event", t)
				step.End()
			}
			if i < len(one.steps) {
				one.steps[i].End()
			}
		}
		j.forget(tx)
	})
}

// each finds a journey.
func (j *Journeys) each(tx string, do func(*journey)) {
	if !j.Any() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if one, ok := j.known[tx]; ok {
		do(one)
	}
}

// forget takes a transaction out; j.mu is held.
func (j *Journeys) forget(tx string) {
	delete(j.known, tx)
	if len(j.known) == 0 {
		j.order = nil
	}
	j.open.Store(int64(len(j.known)))
}
