package ledger

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/pause"
)

// group is the commands that travel in one transaction.
//
//	run ──▶ endorse ──▶ order ──▶ block ──▶ each call is told
//	 ▲         └── lost a race, or refused as a whole ──┐
//	 └───────────── in halves, until it is one ◀────────┘
//
// A command that the contract refuses is told so and does not touch its neighbours. A transaction that loses a race is run
// again in two halves, so that one command on a record everybody wants holds up fewer others each time; so is one that is
// refused as a whole, at once, until the command that spoils it is alone. Halves that run side by side have no record in
// common.
type group struct {
	ledger    *Ledger
	as        Signer
	chaincode string
	whole     bool // the caller asked for one transaction: it is not split
	beside    Private

	released func([]*call)   // told of calls before they are told what became of them; may be nil
	endorsed func()          // told once, when the first transaction is endorsed or will not be
	before   <-chan struct{} // closed when the group that left before has been handed over or will not be; may be nil
	handed   chan struct{}   // the same of this one; may be nil

	mu      sync.Mutex
	calls   []*call // changed under mu, by run alone
	sending bool    // from here on it is not interrupted
	cancel  context.CancelFunc
	id      atomic.Pointer[string]
}

// tx is the transaction the group travels in; empty before there is one.
func (g *group) tx() string {
	if id := g.id.Load(); id != nil {
		return *id
	}
	return ""
}

// abandoned says whether the group ends now because its last caller left and nothing is sent.
func (g *group) abandoned() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sending || g.cancel == nil || slices.ContainsFunc(g.calls, func(c *call) bool { return !c.left.Load() }) {
		return false
	}
	g.cancel()
	return true
}

func (g *group) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// run carries the group from beginning to end and tells every call. try counts the races lost before.
func (g *group) run(try int) {
	once := sync.OnceFunc(g.endorsed)
	defer once()
	defer g.hand()
	ctx, step := g.step(try)
	defer step.End()
	// What is under way ends by its own limits.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.set(func() { g.cancel = cancel })
	for _, c := range g.calls {
		c.group.Store(g)
	}
	pauses := backoff.ExponentialBackOff{InitialInterval: firstPause, MaxInterval: longestPause, Multiplier: pauseFactor, RandomizationFactor: pauseSpread}
	for range try {
		pauses.NextBackOff()
	}
	for ; ; try++ {
		a, failed := g.attempt(ctx, once)
		g.hand()
		switch {
		case failed.spoilt() && len(g.calls) > 1 && !g.whole:
			once()
			g.apart()
			return
		case failed.again() && try < g.ledger.limits.MaxRetries && g.stay() && pause.For(ctx, pauses.NextBackOff()):
			g.ledger.metrics.retries.WithLabelValues(g.chaincode, string(failed.verdict)).Inc()
			once()
			if g.split(try + 1) {
				return
			}
			g.set(func() { g.sending = false })
			continue
		}
		g.settle(a, failed)
		return
	}
}

// turnPatience is how long a group waits for the one before it.
const turnPatience = 1 * time.Second

// turn waits until the group that left before has been handed to an orderer: what came first is to be in a block first, as
// far as this gateway can see to it.
func (g *group) turn() {
	if g.before == nil {
		return
	}
	select {
	case <-g.before:
	case <-time.After(turnPatience):
	}
	g.before = nil
}

// hand lets the next group go.
func (g *group) hand() {
	if g.handed != nil {
		close(g.handed)
		g.handed = nil
	}
}

// carrier is a transaction for the group that tells it, and its callers, how far it is.
func (g *group) carrier(endorsed func()) *attempt {
	a := &attempt{ledger: g.ledger, chaincode: g.chaincode, size: len(g.calls), beside: g.beside, endorsed: endorsed,
		proposed: func(tx string) { g.id.Store(&tx) },
		sending: func() {
			g.turn()
			g.set(func() { g.sending = true })
			g.journey()
		},
	}
	a.ordered = func() {
		g.hand()
		for i, c := range g.calls {
			if _, async := AnswerBy(c.ctx); async {
				c.ordered(a.pending(a.outcomes[i]))
			}
		}
	}
	return a
}

// attempt makes one transaction of the group.
func (g *group) attempt(ctx context.Context, endorsed func()) (*attempt, failure) {
	a := g.carrier(endorsed)
	var err error
	if a.who, err = g.ledger.member(g.as); err == nil {
		if len(g.calls) == 1 && !g.whole {
			a.read, a.function = readReceipt, g.calls[0].command.Function
			a.argument, err = g.calls[0].alone()
		} else {
			a.read, a.function, a.argument = readOutcomes(len(g.calls)), kernel.BatchFunction, list(g.calls)
		}
	}
	if err != nil {
		return a, failure{verdict: unsent, err: err}
	}
	g.ledger.metrics.sizes.Observe(float64(len(g.calls)))
	return a, a.run(ctx)
}

// again says whether the same may come to something else when it is tried again.
func (f failure) again() bool {
	return f.verdict == raced || f.verdict == disagreed || f.verdict == untimely
}

// spoilt says whether the failure of a whole transaction may be the doing of one command in it.
func (f failure) spoilt() bool {
	return f.verdict == untimely || f.verdict == refused && (f.fault.Kind == fault.Internal || f.fault.Kind == fault.Limit)
}

// stay drops the calls whose callers have an answer already: what they were told of is not sent again under another name.
// false: nobody is left.
func (g *group) stay() bool {
	var staying, answered []*call
	for _, c := range g.calls {
		if c.left.Load() {
			answered = append(answered, c)
		} else {
			staying = append(staying, c)
		}
	}
	if len(staying) > 0 && len(answered) > 0 && !g.whole {
		g.release(answered)
		g.set(func() { g.calls = staying })
	}
	return len(staying) > 0
}

// split runs the group in two parts side by side and says whether there are two.
func (g *group) split(try int) bool {
	sides := sides(g.calls)
	if g.whole || len(sides[0]) == 0 || len(sides[1]) == 0 {
		return false
	}
	first, second := g.part(sides[0]), g.part(sides[1])
	var both sync.WaitGroup
	both.Go(func() { first.run(try) })
	both.Go(func() { second.run(try) })
	both.Wait()
	return true
}

// sides are about half of the calls each, in their order. Commands on one record are on one side.
func sides(calls []*call) (sides [2][]*call) {
	chosen := map[string]int{}
	for i, c := range calls {
		at := i * len(sides) / len(calls)
		if record := c.command.Record; record != "" {
			if before, seen := chosen[record]; seen {
				at = before
			}
			chosen[record] = at
		}
		sides[at] = append(sides[at], c)
	}
	return sides
}

// apart runs the group in two halves one after the other: something in it spoils it whole.
func (g *group) apart() {
	middle := len(g.calls) / 2
	g.part(g.calls[:middle]).run(0)
	g.part(g.calls[middle:]).run(0)
}

func (g *group) part(calls []*call) *group {
	return &group{ledger: g.ledger, as: g.as, chaincode: g.chaincode, calls: calls, endorsed: func() {}, released: g.released}
}

// release says that calls are not under way any more.
func (g *group) release(calls []*call) {
	if g.released != nil {
		g.released(calls)
	}
}

// settle tells every call.
func (g *group) settle(a *attempt, failed failure) {
	g.release(g.calls)
	if failed.verdict == unsent {
		for _, c := range g.calls {
			g.tell(c, Outcome{}, failed.err)
		}
		return
	}
	for i, outcome := range a.settle(failed) {
		g.tell(g.calls[i], outcome, nil)
	}
}

func (g *group) tell(c *call, outcome Outcome, err error) {
	state := string(outcome.State)
	if err != nil {
		state = stateUnsent
	}
	g.ledger.metrics.submits.WithLabelValues(g.chaincode, state).Inc()
	c.tell(outcome, err)
}
