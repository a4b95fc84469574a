package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/network/block"
)

// Source gives blocks; the ledger package is one.
type Source interface {
	// Blocks yields blocks in order; the last element may be an error. It ends when ctx does.
	Blocks(ctx context.Context, from, to uint64) iter.Seq2[*common.Block, error]
	// Tip is the last block of the ledger.
	Tip(ctx context.Context) (block.Ref, error)
}

// Projection takes blocks in order.
type Projection interface {
	// Checkpoint is the last block applied; ok is false if there is none.
	Checkpoint(ctx context.Context) (at block.Ref, ok bool, err error)
	// HashAt is the hash of an earlier block that was applied.
	HashAt(ctx context.Context, number uint64) (hash []byte, ok bool, err error)
	// Apply folds blocks, all or none, and moves the checkpoint. An error that wraps ErrUnfoldable is final.
	Apply(ctx context.Context, blocks []block.Block) error
}

// ErrOtherLedger says that the peer's ledger is not the one that was followed before.
var ErrOtherLedger = errors.New("the projection belongs to another ledger")

// ErrUnfoldable says that a block cannot be applied, now or later.
var ErrUnfoldable = errors.New("a block cannot be applied")

// errGap says that a stream skipped or repeated a block. The stream is taken up anew at the checkpoint.
var errGap = errors.New("the peer's block stream has a gap")

// Pauses between attempts to take up a lost stream.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// tipTimeout bounds the question for the tip when a stream is taken up.
const tipTimeout = 5 * time.Second

// applyTimeout bounds one SQL transaction of the projection, however many blocks wait: a database that does not answer any
// more is asked again over a new connection.
const applyTimeout = 5 * time.Minute

// queueLength is how many blocks may wait for the projection before the stream has to wait too.
const queueLength = 256

// Follower follows one peer's blocks.
type Follower struct {
	source     Source
	commits    *Commits
	projection Projection
	batch      int // blocks applied together at most
	log        *slog.Logger
	metrics    *metrics

	mu      sync.Mutex
	status  Status
	waiting []time.Time // when the blocks that are not readable yet were received
	begun   bool        // a stream has been open since the start
	first   uint64      // the last block of the ledger then
}

// Status is how a follower stands.
type Status struct {
	Streaming bool   // a stream is open
	Known     uint64 // the last block known to be on the ledger
	Received  uint64 // the last block the stream gave
	Applied   uint64 // the last block in the projection
	// Waiting is how long the block that waits longest has been received and not yet readable; 0 while none waits.
	Waiting time.Duration
	// Took is how long it took with the last that was applied.
	Took time.Duration
	Err  string // why the last stream ended, while none is open
}

// New makes a follower. batch is how many waiting blocks are applied together at most.
func New(source Source, commits *Commits, projection Projection, batch int, log *slog.Logger, registry prometheus.Registerer) (*Follower, error) {
	f := &Follower{source: source, commits: commits, projection: projection, batch: max(batch, 1), log: log}
	m, err := newMetrics(registry, f)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	f.metrics = m
	return f, nil
}

// Status says how the follower stands.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	if len(f.waiting) > 0 {
		s.Waiting = time.Since(f.waiting[0])
	}
	return s
}

func (f *Follower) update(change func(*Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.status)
}

// Run follows until ctx ends, and then returns nil. It takes up a lost stream again. It returns ErrOtherLedger or
// ErrUnfoldable where going on would be wrong.
func (f *Follower) Run(ctx context.Context) error {
	defer f.commits.SetLive(false)
	pauses := backoff.ExponentialBackOff{InitialInterval: firstPause, MaxInterval: longestPause, Multiplier: 2, RandomizationFactor: .5}
	for {
		before := f.Status().Received
		err := f.once(ctx)
		f.commits.SetLive(false)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrOtherLedger), errors.Is(err, ErrUnfoldable):
			f.lost(err)
			return err
		}
		if f.Status().Received > before {
			pauses.Reset() // it worked for a while
		}
		wait := pauses.NextBackOff()
		f.lost(err)
		f.metrics.reconnects.Inc()
		f.log.Warn("block stream lost", "error", err, "again_in", wait.Round(time.Millisecond))
		if !pause.For(ctx, wait) {
			return nil
		}
	}
}

func (f *Follower) lost(err error) {
	f.update(func(s *Status) { s.Streaming, s.Err = false, err.Error() })
}

// once takes up the stream and follows it until it ends.
func (f *Follower) once(ctx context.Context) error {
	at, started, err := f.projection.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	asking, cancel := context.WithTimeout(ctx, tipTimeout)
	tip, err := f.source.Tip(asking)
	cancel()
	if err != nil {
		return fmt.Errorf("height of the ledger: %w", err)
	}
	if err := f.same(ctx, at, started, tip); err != nil {
		return err
	}
	f.update(func(s *Status) {
		s.Streaming, s.Err, s.Applied, s.Received, s.Known = true, "", at.Number, at.Number, max(tip.Number, at.Number)
		f.waiting = nil // what was received and not applied is received again
		if !f.begun {
			f.begun, f.first = true, tip.Number
		}
	})
	return f.stream(ctx, at, started, tip)
}

// same compares what was followed with what the peer has, where both have blocks. A peer that is behind the projection is
// one that catches up itself; it is waited for.
func (f *Follower) same(ctx context.Context, at block.Ref, started bool, tip block.Ref) error {
	if !started || tip.Number > at.Number { // the stream starts with the checkpoint's block and is compared there
		return nil
	}
	mine, ok, err := f.projection.HashAt(ctx, tip.Number)
	if err != nil {
		return err
	}
	if !ok || !bytes.Equal(mine, tip.Hash) {
		return otherLedger(tip.Number)
	}
	return nil
}

func otherLedger(number uint64) error {
	return fmt.Errorf("%w: block %d on the peer is not the block %d that was followed before; if the network was made anew, remove the gateway's projection and it is built again; if it was not, do not, and ask who changed the ledger", ErrOtherLedger, number, number)
}

// stream reads blocks and hands them on: outcomes at once, the rest to the projection through a bounded queue.
func (f *Follower) stream(ctx context.Context, at block.Ref, started bool, tip block.Ref) error {
	ctx, cancel := context.WithCancelCause(ctx)
	queue := make(chan *common.Block, queueLength)
	folded := make(chan struct{})
	go func() {
		defer close(folded)
		if err := f.fold(ctx, queue); err != nil {
			cancel(err)
		}
	}()
	err := f.read(ctx, at, started, tip, queue)
	close(queue) // what was received is still applied
	<-folded
	if failed := context.Cause(ctx); failed != nil {
		err = failed // the projection's own trouble comes before the stream's
	}
	cancel(nil)
	return err
}

func (f *Follower) read(ctx context.Context, last block.Ref, started bool, tip block.Ref, queue chan<- *common.Block) error {
	caughtUp := func() {
		if last.Number >= tip.Number {
			f.commits.SetLive(true)
		}
	}
	overlap := started
	if started {
		caughtUp()
	}
	for b, err := range f.source.Blocks(ctx, last.Number, math.MaxUint64) {
		if err != nil {
			return err
		}
		outcomes, err := block.Outcomes(b)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnfoldable, err)
		}
		number, hash := b.GetHeader().GetNumber(), block.HeaderHash(b.GetHeader())
		if overlap { // the checkpoint's own block
			if overlap = false; number != last.Number {
				return fmt.Errorf("%w: block %d came where %d was due", errGap, number, last.Number)
			}
			if !bytes.Equal(hash, last.Hash) {
				return otherLedger(number)
			}
			continue
		}
		if err := next(last, started, b); err != nil {
			return err
		}
		last, started = block.Ref{Number: number, Hash: hash}, true
		f.traceReceived(number, outcomes)
		f.commits.Resolve(number, outcomes)
		caughtUp()
		f.update(func(s *Status) {
			s.Received, s.Known = number, max(s.Known, number)
			f.waiting = append(f.waiting, time.Now())
		})
		f.metrics.received(outcomes)
		select {
		case queue <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return errors.New("the block stream ended")
}

// next refuses a block that does not follow the last one.
func next(last block.Ref, started bool, b *common.Block) error {
	number := b.GetHeader().GetNumber()
	want := last.Number + 1
	if !started {
		want = 0
	}
	if number != want {
		return fmt.Errorf("%w: block %d came where %d was due", errGap, number, want)
	}
	if started && !bytes.Equal(b.GetHeader().GetPreviousHash(), last.Hash) {
		return otherLedger(last.Number)
	}
	return nil
}

// fold applies what is queued, together where several blocks wait.
func (f *Follower) fold(ctx context.Context, queue <-chan *common.Block) error {
	var decoder block.Decoder
	for b := range queue {
		var blocks []block.Block
		for more := true; more; {
			decoded, err := decoder.Decode(b)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrUnfoldable, err)
			}
			blocks = append(blocks, decoded)
			if len(blocks) == f.batch {
				break
			}
			select {
			case b, more = <-queue:
			default:
				more = false
			}
		}
		start := time.Now()
		if err := f.apply(ctx, blocks); err != nil {
			return err
		}
		f.traceApplied(blocks, start)
		f.metrics.applied(len(blocks), time.Since(start))
		f.update(func(s *Status) {
			s.Applied, s.Took = blocks[len(blocks)-1].Number, time.Since(f.waiting[0])
			f.waiting = f.waiting[len(blocks):]
		})
	}
	return nil
}

func (f *Follower) apply(ctx context.Context, blocks []block.Block) error {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	return f.projection.Apply(ctx, blocks)
}

// Ready says whether the projection has caught up once since the start, is within maxLag blocks of what the peer has, and no
// block has been received longer than maxWait ago and is not readable yet.
func (f *Follower) Ready(ctx context.Context, maxLag int, maxWait time.Duration) error {
	tip, err := f.source.Tip(ctx)
	if err != nil {
		return fmt.Errorf("the peer does not answer: %w", err)
	}
	s := f.Status()
	f.mu.Lock()
	first := f.first
	f.mu.Unlock()
	switch {
	case !s.Streaming:
		return fmt.Errorf("blocks are not followed: %s", s.Err)
	case s.Applied < first: // a gateway with new tables would answer that records are missing
		return fmt.Errorf("the projection has block %d and catches up to block %d, the last one when the gateway started", s.Applied, first)
	case tip.Number > s.Applied && tip.Number-s.Applied > uint64(maxLag):
		return fmt.Errorf("the projection is %d blocks behind; ready within %d", tip.Number-s.Applied, maxLag)
	case s.Waiting > maxWait:
		return fmt.Errorf("a block was received %s ago and is not readable yet; ready within %s", s.Waiting.Round(time.Millisecond), maxWait)
	}
	return nil
}
