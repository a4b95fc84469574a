package ledger

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/gateway/trace"
)

// Pauses between the tries of a write that lost a race: about a block's time, growing, spread at random so that those
// who collided do not collide again.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 1 * time.Second
	pauseFactor  = 2
	pauseSpread  = 0.5
)

// perhapsPatience is how long a transaction is handed over and looked for of which it is not certain that an orderer has it:
// longer than an election among the orderers.
const perhapsPatience = 10 * time.Second

// When a transaction that an orderer took is handed over again, because it must have been lost: as soon as one is in a block
// that was handed over so much later (orderers pass on what they take within milliseconds), or where none is, after
// unheardPatience, about as long as an election.
const (
	overtakenBy     = 1 * time.Second
	unheardPatience = 4 * time.Second
	missedEvery     = 250 * time.Millisecond // how often it is looked whether it is time
)

// lastLook bounds the one call to the peer before an outcome is called unknown. A peer that has the transaction answers
// at once.
const lastLook = 2 * time.Second

// submit takes a command to the ledger in the next group of its lane.
func (l *Ledger) submit(ctx context.Context, as Signer, chaincode string, command kernel.BatchCommand) (outcome Outcome, err error) {
	ctx, step := traced(ctx, chaincode, command.Function)
	defer func() { told(step, outcome, err) }()
	c, leave, err := l.admit(ctx, as, command)
	if err != nil {
		l.metrics.submits.WithLabelValues(chaincode, stateUnsent).Inc()
		return Outcome{}, err
	}
	defer leave()
	c.lane = l.lane(as, chaincode)
	c.lane.add(c)
	return c.wait()
}

// together takes commands to the ledger in one transaction of their own, with what travels beside it if anything does.
func (l *Ledger) together(ctx context.Context, as Signer, chaincode string, commands []kernel.BatchCommand, beside Private) ([]Outcome, error) {
	ctx, step := traced(ctx, chaincode, kernel.BatchFunction)
	defer step.End()
	g := &group{ledger: l, as: as, chaincode: chaincode, whole: true, beside: beside, endorsed: func() {}}
	for _, command := range commands {
		c, leave, err := l.admit(ctx, as, command)
		if err != nil {
			l.metrics.submits.WithLabelValues(chaincode, stateUnsent).Inc()
			return nil, err
		}
		defer leave()
		c.group.Store(g)
		g.calls = append(g.calls, c)
	}
	calls := g.calls
	go g.run(0)
	outcomes := make([]Outcome, len(calls))
	for i, c := range calls {
		var err error
		if outcomes[i], err = c.wait(); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// admit takes a command in. Faults: gateway.not_served, gateway.busy, gateway.stopping, a request without canonical form.
func (l *Ledger) admit(ctx context.Context, as Signer, command kernel.BatchCommand) (c *call, leave func(), err error) {
	if _, err := l.member(as); err != nil {
		return nil, nil, err
	}
	if c, err = newCall(ctx, command); err != nil {
		return nil, nil, err
	}
	leave, err = l.seat(int64(len(c.text)))
	return c, leave, err
}

// seat takes a place among the writes under way, for so many bytes, unless the gateway has as much under way as it may
// have: what waits is in memory. Faults: gateway.busy, gateway.stopping.
func (l *Ledger) seat(size int64) (leave func(), err error) {
	if l.stopping.Load() {
		return nil, Stopping
	}
	commands, bytes := l.commands.Add(1), l.bytes.Add(size)
	l.metrics.inFlight.Inc()
	leave = func() {
		l.commands.Add(-1)
		l.bytes.Add(-size)
		l.metrics.inFlight.Dec()
	}
	if commands > int64(l.limits.MaxInFlight) || bytes > l.limits.MaxInFlightBytes {
		leave()
		return nil, fault.New(fault.Limit, ReasonBusy, "too many writes are under way; send the request again later").On("gateway", "max_in_flight")
	}
	return leave, nil
}

// lane is where commands of an identity for a contract gather.
func (l *Ledger) lane(as Signer, chaincode string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := laneID{as, chaincode}
	n, ok := l.lanes[id]
	if !ok {
		n = &lane{ledger: l, as: as, chaincode: chaincode, records: map[string]int{}}
		l.lanes[id] = n
	}
	return n
}

type laneID struct {
	as        Signer
	chaincode string
}

// attempt is one transaction on its way.
type attempt struct {
	ledger              *Ledger
	who                 *member
	chaincode, function string
	argument            []byte
	size                int // commands in it
	beside              Private
	read                reader
	// What the group wants to know as it happens.
	proposed func(tx string)
	endorsed func() // or not: the endorsers have done what they will
	sending  func() // may wait for its turn
	ordered  func() // an orderer has it, or may have

	tx       string
	block    uint64
	outcomes []Outcome // as the contract answered
}

// run takes the transaction through its stages.
func (a *attempt) run(ctx context.Context) failure {
	transaction, failed := a.endorse(ctx)
	a.argument = nil // may be large, and the wait long
	a.endorsed()
	if transaction == nil {
		return failed
	}
	if nothingNew(a.outcomes) {
		a.locate(ctx)
		return failure{verdict: done}
	}
	return a.commit(ctx, transaction)
}

// commit orders an endorsed transaction and waits for its block.
func (a *attempt) commit(ctx context.Context, transaction *client.Transaction) failure {
	commit, forget := a.ledger.commits.Await(a.tx) // before it is sent: its block may be faster than the answer
	defer forget()
	patience := a.ledger.limits.CommitTimeout.Std()
	began := time.Now()
	failed := a.order(ctx, transaction)
	switch failed.verdict {
	case done:
		a.ordered()
	case ambiguous:
		patience = min(patience, perhapsPatience)
	default:
		return failed
	}
	minding, stop := context.WithTimeout(ctx, patience)
	defer stop()
	go a.mind(minding, transaction, failed.verdict == done)
	found, ok := a.await(ctx, commit, patience)
	if !ok {
		return failure{verdict: ambiguous}
	}
	a.ledger.heard.of(began)
	return a.judge(ctx, found)
}

// mind hands a transaction over again, until ctx ends, while no orderer has certainly taken it, and whenever it must have
// been lost: an orderer that took it and died before it told the others has lost it. It is the same transaction, which the
// ledger takes once. What becomes of it is seen in a block.
func (a *attempt) mind(ctx context.Context, transaction *client.Transaction, taken bool) {
	for handed := time.Now(); pause.For(ctx, missedEvery); {
		if taken && !a.ledger.heard.since(handed.Add(overtakenBy)) && time.Since(handed) < unheardPatience {
			continue
		}
		a.ledger.metrics.retries.WithLabelValues(a.chaincode, causeUnheard).Inc()
		taken, handed = a.handOver(ctx, transaction) == nil, time.Now()
	}
}

// heard is when the latest transaction that is in a block was about to be handed over.
type heard struct{ latest atomic.Int64 }

func (h *heard) of(began time.Time) {
	for at := began.UnixNano(); ; {
		latest := h.latest.Load()
		if latest >= at || h.latest.CompareAndSwap(latest, at) {
			return
		}
	}
}

func (h *heard) since(t time.Time) bool { return h.latest.Load() > t.UnixNano() }

// judge decides by the block the transaction is in.
func (a *attempt) judge(ctx context.Context, commit follow.Commit) failure {
	if commit.Code == duplicate { // it was sent before: what became of it then is what counts
		if first, err := a.who.status(ctx, a.tx); err == nil {
			commit = first
		}
	}
	a.block = commit.Block
	failed := decodeCommit(commit.Code)
	if failed.verdict == done {
		a.locate(ctx)
	}
	return failed
}

// named gives the transaction its id.
func (a *attempt) named(tx string) {
	a.tx = tx
	a.proposed(tx)
}

// endorse collects what the policy asks for: the own peer first, then as many others as are needed.
func (a *attempt) endorse(ctx context.Context) (*client.Transaction, failure) {
	defer a.ledger.metrics.stage(string(Endorsing), time.Now())
	ctx, step := trace.Start(ctx, string(Endorsing))
	defer step.End()
	options := append(a.beside.options(), client.WithBytesArguments(a.argument))
	proposal, err := a.who.network.GetContract(a.chaincode).NewProposal(a.function, options...)
	if err != nil {
		return nil, failure{verdict: unsent, err: err}
	}
	a.named(proposal.TransactionID())
	ctx, cancel := context.WithTimeout(ctx, a.ledger.limits.EndorseTimeout.Std())
	defer cancel()
	transaction, err := proposal.EndorseWithContext(ctx)
	if err != nil {
		return nil, decodeEndorse(ctx, a.ledger.msp, err)
	}
	if a.outcomes, err = a.read(transaction.Result()); err != nil {
		return nil, failure{verdict: refused, fault: fault.From(err)}
	}
	return transaction, failure{verdict: done}
}

// order sends the transaction to the ordering service. A caller who gives up does not interrupt it: half sent is the one
// state nobody wants.
func (a *attempt) order(ctx context.Context, transaction *client.Transaction) failure {
	a.sending()
	if ctx.Err() != nil {
		return failure{verdict: unsent, err: ctx.Err()}
	}
	defer a.ledger.metrics.stage(string(Ordering), time.Now())
	ctx, step := trace.Start(ctx, string(Ordering))
	defer step.End()
	if err := a.handOver(ctx, transaction); err != nil {
		return decodeOrder(context.WithoutCancel(ctx), err)
	}
	return failure{verdict: done}
}

func (a *attempt) handOver(ctx context.Context, transaction *client.Transaction) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.ledger.limits.SubmitTimeout.Std())
	defer cancel()
	_, err := transaction.SubmitWithContext(ctx)
	return err
}

// await waits for the transaction's block: from the stream, and from the peer if the stream is not live. false: not known.
func (a *attempt) await(ctx context.Context, commit <-chan follow.Commit, patience time.Duration) (follow.Commit, bool) {
	defer a.ledger.metrics.stage("commit", time.Now())
	ctx, step := trace.Start(ctx, "commit")
	defer step.End()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	lost := a.ledger.commits.Lost()
	var asked chan follow.Commit
	until := time.Now().Add(patience)
	for {
		select {
		case found := <-commit:
			return found, true
		case found, ok := <-asked:
			if ok {
				return found, true
			}
			asked = nil // the peer could not say; the stream may come back
		case <-lost:
			lost, asked = nil, make(chan follow.Commit, 1)
			asking, cancel := context.WithDeadline(ctx, until)
			defer cancel() // once: lost is nil from here on
			go a.ask(asking, asked)
		case <-timer.C:
			last, cancel := context.WithTimeout(ctx, lastLook)
			defer cancel()
			found, err := a.who.status(last, a.tx)
			return found, err == nil
		case <-ctx.Done():
			select {
			case found := <-commit: // it came at the same moment
				return found, true
			default:
				return follow.Commit{}, false
			}
		}
	}
}

// ask asks the peer and closes answer; it is empty if the peer could not say.
func (a *attempt) ask(ctx context.Context, answer chan<- follow.Commit) {
	defer close(answer)
	if found, err := a.who.status(ctx, a.tx); err == nil {
		answer <- found
	}
}

// locate finds the blocks of what was done before, so that a caller can wait for them in the projection. If the peer
// cannot say, they stay 0.
func (a *attempt) locate(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastLook)
	defer cancel()
	blocks := map[string]uint64{}
	for i := range a.outcomes {
		tx := a.outcomes[i].Receipt.Tx
		if !a.outcomes[i].Receipt.Replayed || tx == a.tx {
			continue
		}
		if _, asked := blocks[tx]; !asked {
			blocks[tx] = 0
			if found, err := a.who.status(ctx, tx); err == nil {
				blocks[tx] = found.Block
			}
		}
		a.outcomes[i].Block = blocks[tx]
	}
}

// settle makes the final outcomes of the last attempt.
func (a *attempt) settle(failed failure) []Outcome {
	outcomes := make([]Outcome, a.size)
	for i := range outcomes {
		switch failed.verdict {
		case done:
			outcomes[i] = a.settled(a.outcomes[i])
		case ambiguous:
			outcomes[i] = Outcome{State: Unknown, Tx: a.tx}
		default:
			outcomes[i] = Outcome{State: Rejected, Fault: failed.fault, Block: a.block}
			if a.block > 0 {
				outcomes[i].Tx = a.tx
			}
		}
	}
	return outcomes
}

// settled completes a command's outcome once the transaction is in a block, or need not be.
func (a *attempt) settled(o Outcome) Outcome {
	switch {
	case o.Receipt.Replayed && o.Receipt.Tx != a.tx:
		o.Tx = o.Receipt.Tx // and the block it was found in
	case a.block > 0:
		o.Tx, o.Block = a.tx, a.block
	}
	return o
}

// pending is the outcome of a command that was endorsed and ordered, and whose block nobody waited for. What the contract
// refused, or had done before, stays so whatever becomes of the transaction.
func (a *attempt) pending(o Outcome) Outcome {
	if o.State == Committed && !o.Receipt.Replayed {
		return Outcome{State: Pending, Tx: a.tx, Receipt: o.Receipt}
	}
	return a.settled(o)
}

// Look asks the peer for a transaction whose outcome was unknown. found is false if the peer does not have it now; it may
// still come.
func (l *Ledger) Look(ctx context.Context, tx string) (commit follow.Commit, found bool, err error) {
	return l.look(ctx, func(ctx context.Context) (follow.Commit, error) { return l.reader.Get().status(ctx, tx) })
}

// look asks the peer once and gives it lastLook to answer.
func (l *Ledger) look(ctx context.Context, ask func(context.Context) (follow.Commit, error)) (commit follow.Commit, found bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, lastLook)
	defer cancel()
	commit, err = ask(waiting)
	switch {
	case err == nil:
		return commit, true, nil
	case stranger(err):
		return commit, false, untrusted()
	case ctx.Err() != nil:
		return commit, false, ctx.Err()
	case errors.Is(waiting.Err(), context.DeadlineExceeded), status.Code(err) == codes.DeadlineExceeded:
		return commit, false, nil // the peer's clock for the call may run out a moment before ours
	}
	return commit, false, &UnreachableError{Stage: Evaluating, Err: err}
}
