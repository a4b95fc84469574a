package ledger

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// call is one command on its way and the caller who waits for it.
//
// The caller's goroutine makes it and waits; the group that carries it tells it, at most once, what became of it. A caller
// who leaves is not waited for: what is sent stays sent.
type call struct {
	ctx     context.Context
	command kernel.BatchCommand
	text    []byte // as it stands in a batch, in canonical form
	since   time.Time

	lane  *lane                 // where it waits; nil if it never did
	group atomic.Pointer[group] // that carries it; nil while it waits for one
	left  atomic.Bool           // nobody waits for it any more
	taken chan Outcome          // an orderer has it: what it will be; the latest counts
	done  chan result
}

// result is what became of a call.
type result struct {
	outcome Outcome
	err     error
}

// newCall prepares a command. Fault: a request without canonical form.
func newCall(ctx context.Context, command kernel.BatchCommand) (*call, error) {
	text, err := canonical.Marshal(command)
	if err != nil {
		return nil, fault.From(err)
	}
	c := newCaller(ctx)
	c.command, c.text = command, text
	return c, nil
}

// newCaller is a call without a command: the caller's side of it.
func newCaller(ctx context.Context) *call {
	return &call{ctx: ctx, since: time.Now(), taken: make(chan Outcome, 1), done: make(chan result, 1)}
}

// tell says what became of the call. The first word counts.
func (c *call) tell(outcome Outcome, err error) {
	select {
	case c.done <- result{outcome, err}:
	default:
	}
}

// ordered says that an orderer has the call.
func (c *call) ordered(outcome Outcome) {
	select {
	case <-c.taken: // what an earlier transaction would have made of it
	default:
	}
	c.taken <- outcome // has room: there is one group at a time
}

// wait waits until it is known what became of the call, or for as long as the caller wants to.
func (c *call) wait() (Outcome, error) {
	var pending Outcome
	var early <-chan time.Time
	for {
		select {
		case r := <-c.done:
			return r.outcome, r.err
		case pending = <-c.taken:
			if by, async := AnswerBy(c.ctx); async && early == nil {
				timer := time.NewTimer(time.Until(by))
				defer timer.Stop()
				early = timer.C
			}
		case <-early:
			select {
			case pending = <-c.taken:
			default:
			}
			c.left.Store(true)
			return pending, nil
		case <-c.ctx.Done():
			return c.leave()
		}
	}
}

// leave is the answer for a caller who gives up.
func (c *call) leave() (Outcome, error) {
	c.left.Store(true)
	if c.lane != nil && c.lane.drop(c) {
		return Outcome{}, c.ctx.Err()
	}
	g := c.group.Load()
	if g == nil || g.abandoned() { // it is not sent, and says so
		r := <-c.done
		return r.outcome, r.err
	}
	select {
	case r := <-c.done: // it came at the same moment
		return r.outcome, r.err
	default:
		return Outcome{State: Unknown, Tx: g.tx()}, nil
	}
}

// list is the argument of a batch.
func list(calls []*call) []byte {
	size := len(batchHead) + len(batchTail)
	for _, c := range calls {
		size += len(c.text) + 1
	}
	text := append(make([]byte, 0, size), batchHead...)
	for i, c := range calls {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, c.text...)
	}
	return append(text, batchTail...)
}

const (
	batchHead = `{"commands":[`
	batchTail = `]}`
)

// alone is a call's argument where it goes in a transaction of its own.
func (c *call) alone() ([]byte, error) { return canonical.Marshal(c.command.Command) }
