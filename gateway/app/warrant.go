package app

import (
	"context"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// warrants asks the ledger whether uses may be delivered now. Group commit brings uses in crowds, so those that come while a
// question is on its way go into the next one together: a crowd costs the peer one question, and who is alone does not wait.
type warrants struct {
	ask func(ctx context.Context, uses []string) (exchange.Warrants, error)

	mu      sync.Mutex
	waiting []*wanted
	asking  bool
}

// wanted is a use whose warrant somebody waits for.
type wanted struct {
	use  string
	done chan exchange.Judged // has room for the answer: who asks never waits for who wants
	err  error                // set before done is closed without an answer
}

// of gives the warrant of a use. The fault is that with which a delivery would be refused.
func (w *warrants) of(ctx context.Context, use string) (exchange.Warrant, error) {
	want := &wanted{use: use, done: make(chan exchange.Judged, 1)}
	w.mu.Lock()
	w.waiting = append(w.waiting, want)
	first := !w.asking
	w.asking = true
	w.mu.Unlock()
	if first {
		go w.run(context.WithoutCancel(ctx)) // others may be with it; the ledger bounds a question by itself
	}
	select {
	case answer, answered := <-want.done:
		switch {
		case !answered:
			return exchange.Warrant{}, want.err
		case answer.Fault != nil:
			return exchange.Warrant{}, answer.Fault
		}
		return *answer.Warrant, nil
	case <-ctx.Done():
		return exchange.Warrant{}, ctx.Err()
	}
}

// run asks until nobody waits.
func (w *warrants) run(ctx context.Context) {
	for {
		w.mu.Lock()
		batch := w.waiting[:min(len(w.waiting), exchange.MaxWarrants)]
		w.waiting = w.waiting[len(batch):]
		if len(batch) == 0 {
			w.asking, w.waiting = false, nil
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		uses := make([]string, len(batch))
		for i, want := range batch {
			uses[i] = want.use
		}
		answer, err := w.ask(ctx, uses)
		if err == nil && len(answer.Answers) != len(batch) {
			err = fault.New(fault.Internal, "ledger.failed", "the contract answered something else than was asked")
		}
		for i, want := range batch {
			if err == nil {
				want.done <- answer.Answers[i]
			}
			want.err = err
			close(want.done)
		}
	}
}
