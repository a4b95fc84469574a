package follow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

const patience = 5 * time.Second

// memory is a projection that keeps block references only.
type memory struct {
	mu      sync.Mutex
	refs    []block.Ref
	portion []int // how many blocks came together
	fail    error
	gate    chan struct{} // if set, Apply waits for it
}

func (m *memory) Checkpoint(context.Context) (block.Ref, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.refs) == 0 {
		return block.Ref{}, false, nil
	}
	return m.refs[len(m.refs)-1], true, nil
}

func (m *memory) HashAt(_ context.Context, n uint64) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n >= uint64(len(m.refs)) {
		return nil, false, nil
	}
	return m.refs[n].Hash, true, nil
}

func (m *memory) Apply(ctx context.Context, blocks []block.Block) error {
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for _, b := range blocks {
		if b.Number != uint64(len(m.refs)) {
			return fmt.Errorf("%w: block %d applied as number %d", follow.ErrUnfoldable, b.Number, len(m.refs))
		}
		m.refs = append(m.refs, block.Ref{Number: b.Number, Hash: b.Hash})
	}
	m.portion = append(m.portion, len(blocks))
	return nil
}

func (m *memory) height() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.refs)
}

// flaky is a source whose streams end or go wrong on demand.
type flaky struct {
	*blocktest.Chain
	mu      sync.Mutex
	streams int
	change  func(stream, n int, b *common.Block) (*common.Block, error) // n-th block of a stream, both from 1
}

func (f *flaky) Blocks(ctx context.Context, from, to uint64) iter.Seq2[*common.Block, error] {
	f.mu.Lock()
	f.streams++
	stream := f.streams
	f.mu.Unlock()
	return func(yield func(*common.Block, error) bool) {
		n := 0
		for b, err := range f.Chain.Blocks(ctx, from, to) {
			if n++; err == nil {
				b, err = f.change(stream, n, b)
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func chain(length int) *blocktest.Chain {
	c := new(blocktest.Chain)
	c.Add(blocktest.Tx{Config: true})
	for range length - 1 {
		c.Add(blocktest.Tx{Chaincode: "exchange"})
	}
	return c
}

// running is a follower under test.
type running struct {
	*follow.Follower
	commits  *follow.Commits
	registry *prometheus.Registry
	stop     func() error // ends Run and gives its error
	ended    chan error
}

func run(t *testing.T, source follow.Source, p follow.Projection, batch int) *running {
	t.Helper()
	r := &running{commits: follow.NewCommits(), registry: prometheus.NewRegistry(), ended: make(chan error, 1)}
	var err error
	r.Follower, err = follow.New(source, r.commits, p, batch, slog.New(slog.DiscardHandler), r.registry)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { r.ended <- r.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return r.end(t) })
	t.Cleanup(func() { cancel(); r.stop() })
	return r
}

// place is the status without how long anything took.
func (r *running) place() follow.Status {
	s := r.Status()
	s.Took = 0
	return s
}

func (r *running) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err
		return err
	case <-time.After(patience):
		t.Fatal("Run does not end")
		return nil
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, time.Millisecond, what)
}

func TestCatchUpThenLive(t *testing.T) {
	c, m := chain(20), &memory{}
	r := run(t, c, m, 8)
	eventually(t, "catches up", func() bool { return m.height() == 20 })
	c.Add(blocktest.Tx{})
	eventually(t, "goes on", func() bool { return m.height() == 21 })
	eventually(t, "says so", func() bool { return r.place() == follow.Status{Streaming: true, Known: 20, Received: 20, Applied: 20} })
	require.NoError(t, r.Ready(context.Background(), 0, time.Minute))
	for _, n := range m.portion {
		require.LessOrEqual(t, n, 8)
	}
	require.NoError(t, r.stop())
	require.Zero(t, gauge(t, r.registry, "hutong_projection_lag_blocks"))
	require.EqualValues(t, 20, gauge(t, r.registry, "hutong_projection_applied_block"))
}

// gauge reads one gauge of a registry.
func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestWaitingBlocksAreAppliedTogether(t *testing.T) {
	c, m := chain(20), &memory{gate: make(chan struct{})}
	r := run(t, c, m, 8)
	eventually(t, "everything is received while nothing is applied", func() bool { return r.Status().Received == 19 })
	require.Error(t, r.Ready(context.Background(), 5, time.Minute))
	require.ErrorContains(t, r.Ready(context.Background(), 1000, time.Minute), "catches up to block 19", "however much lag is allowed afterwards")
	close(m.gate)
	eventually(t, "all are applied", func() bool { return m.height() == 20 })
	require.Less(t, len(m.portion), 20)
	require.Contains(t, m.portion, 8)
}

func TestCommitsComeBeforeTheFold(t *testing.T) {
	c, m := chain(1), &memory{gate: make(chan struct{})}
	r := run(t, c, m, 8)
	eventually(t, "the stream is live", func() bool { return live(r.commits) })
	var next blocktest.Chain // to learn ids beforehand
	probe := next.Add(blocktest.Tx{}, blocktest.Tx{Code: peer.TxValidationCode_MVCC_READ_CONFLICT})
	outcomes, err := block.Outcomes(probe)
	require.NoError(t, err)
	good, stopGood := r.commits.Await(outcomes[0].ID)
	defer stopGood()
	bad, stopBad := r.commits.Await(outcomes[1].ID)
	defer stopBad()
	other, stopOther := r.commits.Await("somebody else's")
	c.Add(blocktest.Tx{Raw: probe.Data.Data[0]}, blocktest.Tx{Raw: probe.Data.Data[1], Code: peer.TxValidationCode_MVCC_READ_CONFLICT})
	require.Equal(t, follow.Commit{Tx: outcomes[0].ID, Block: 1, Code: block.Valid}, receive(t, good))
	require.Equal(t, follow.Commit{Tx: outcomes[1].ID, Block: 1, Code: block.MVCCConflict}, receive(t, bad))
	require.Zero(t, m.height(), "nothing is folded yet")
	require.Empty(t, other)
	require.Equal(t, 1, r.commits.Waiting())
	stopOther()
	require.Zero(t, r.commits.Waiting())
}

func receive(t *testing.T, c <-chan follow.Commit) follow.Commit {
	t.Helper()
	select {
	case commit := <-c:
		return commit
	case <-time.After(patience):
		t.Fatal("nobody was told")
		return follow.Commit{}
	}
}

func live(c *follow.Commits) bool {
	select {
	case <-c.Lost():
		return false
	default:
		return true
	}
}

func TestLiveness(t *testing.T) {
	c := follow.NewCommits()
	require.False(t, live(c))
	c.SetLive(true)
	lost := c.Lost()
	require.True(t, live(c))
	c.SetLive(false)
	c.SetLive(false)
	select {
	case <-lost:
	default:
		t.Fatal("those who wait must learn that the stream is lost")
	}
	c.SetLive(true)
	require.True(t, live(c))
}

func TestLostStreamIsTakenUpAgain(t *testing.T) {
	gone := errors.New("the peer is gone")
	m := &memory{}
	source := &flaky{Chain: chain(10), change: func(stream, n int, b *common.Block) (*common.Block, error) {
		if stream <= 3 && n == 4 {
			return nil, gone
		}
		return b, nil
	}}
	r := run(t, source, m, 3)
	eventually(t, "all blocks, each once", func() bool { return m.height() == 10 })
	require.GreaterOrEqual(t, source.streams, 3)
	eventually(t, "live again", func() bool { return live(r.commits) })
	require.NoError(t, r.stop())
	require.False(t, live(r.commits), "a follower that has ended tells nobody anything")
}

func TestGapIsRefused(t *testing.T) {
	for name, change := range map[string]func(c *blocktest.Chain, n int, b *common.Block) *common.Block{
		"a block left out":    func(c *blocktest.Chain, n int, b *common.Block) *common.Block { return later(c, n, 3, b, 1) },
		"a block again":       func(c *blocktest.Chain, n int, b *common.Block) *common.Block { return earlier(c, n, 3, b) },
		"the first left out":  func(c *blocktest.Chain, n int, b *common.Block) *common.Block { return later(c, n, 1, b, 1) },
		"the first one wrong": func(c *blocktest.Chain, n int, b *common.Block) *common.Block { return later(c, n, 1, b, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			m, c := &memory{}, chain(10)
			var once sync.Once
			source := &flaky{Chain: c}
			source.change = func(stream, n int, b *common.Block) (*common.Block, error) {
				if stream == 1 {
					return change(c, n, b), nil
				}
				once.Do(func() { require.Less(t, m.height(), 10) })
				return b, nil
			}
			r := run(t, source, m, 3)
			eventually(t, "the second stream gives all", func() bool { return m.height() == 10 })
			require.GreaterOrEqual(t, source.streams, 2)
			require.NoError(t, r.stop())
		})
	}
}

func later(c *blocktest.Chain, n, from int, b *common.Block, by uint64) *common.Block {
	if n >= from && b.Header.Number+by < 10 {
		return c.Block(b.Header.Number + by)
	}
	return b
}

func earlier(c *blocktest.Chain, n, from int, b *common.Block) *common.Block {
	if n >= from {
		return c.Block(b.Header.Number - 1)
	}
	return b
}

func TestAnotherLedgerIsRefused(t *testing.T) {
	followed := func(length int) *memory {
		m := &memory{}
		r := run(t, chain(length), m, 8)
		eventually(t, "followed", func() bool { return m.height() == length })
		require.NoError(t, r.stop())
		return m
	}
	for name, length := range map[string]int{"longer": 12, "as long": 8, "shorter": 3} {
		t.Run(name, func(t *testing.T) {
			m := followed(8)
			before := m.refs[7]
			r := run(t, chain(length), m, 8) // made anew: every hash differs
			err := r.end(t)
			require.ErrorIs(t, err, follow.ErrOtherLedger)
			require.ErrorContains(t, err, "remove the gateway's projection")
			require.Equal(t, 8, m.height())
			require.True(t, bytes.Equal(before.Hash, m.refs[7].Hash))
			require.Contains(t, r.Status().Err, "another ledger")
			require.Error(t, r.Ready(context.Background(), 100, time.Minute))
		})
	}
	t.Run("a fork in the stream", func(t *testing.T) {
		m, fork := &memory{}, chain(10)
		source := &flaky{Chain: chain(10), change: func(_, n int, b *common.Block) (*common.Block, error) {
			if b.Header.Number >= 5 {
				return fork.Block(b.Header.Number), nil
			}
			return b, nil
		}}
		require.ErrorIs(t, run(t, source, m, 8).end(t), follow.ErrOtherLedger)
		require.Equal(t, 5, m.height())
	})
}

func TestPeerBehindTheProjectionIsWaitedFor(t *testing.T) {
	m, c := &memory{}, chain(8)
	r := run(t, c, m, 8)
	eventually(t, "followed", func() bool { return m.height() == 8 })
	require.NoError(t, r.stop())

	behind := new(blocktest.Chain) // the same ledger on a peer that catches up
	for n := range uint64(5) {
		behind.Copy(c.Block(n))
	}
	r = run(t, behind, m, 8)
	eventually(t, "a stream", func() bool { return r.Status().Streaming })
	require.Equal(t, follow.Status{Streaming: true, Known: 7, Received: 7, Applied: 7}, r.place())
	for n := range uint64(3) {
		behind.Copy(c.Block(5 + n))
	}
	behind.Add(blocktest.Tx{})
	eventually(t, "it goes on", func() bool { return m.height() == 9 })
}

func TestFinalTroubleEndsTheFollower(t *testing.T) {
	m := &memory{fail: fmt.Errorf("%w: a record of no form", follow.ErrUnfoldable)}
	require.ErrorIs(t, run(t, chain(3), m, 8).end(t), follow.ErrUnfoldable)

	source := &flaky{Chain: chain(3), change: func(_, _ int, b *common.Block) (*common.Block, error) {
		return &common.Block{Header: b.Header}, nil
	}}
	require.ErrorIs(t, run(t, source, &memory{}, 8).end(t), follow.ErrUnfoldable)
}

func TestPassingTroubleDoesNot(t *testing.T) {
	m := &memory{fail: errors.New("the disk is full")}
	r := run(t, chain(3), m, 8)
	eventually(t, "it says so", func() bool { return !r.Status().Streaming && r.Status().Err == "the disk is full" })
	require.ErrorContains(t, r.Ready(context.Background(), 9, time.Minute), "the disk is full")
	m.mu.Lock()
	m.fail = nil
	m.mu.Unlock()
	eventually(t, "it goes on", func() bool { return m.height() == 3 })
}

// slow holds back what it applies.
type slow struct {
	*memory
	release chan struct{}
}

func (s slow) Apply(ctx context.Context, blocks []block.Block) error {
	<-s.release
	return s.memory.Apply(ctx, blocks)
}

func TestLagIsFromReceivingToReading(t *testing.T) {
	c, m := chain(3), slow{&memory{}, make(chan struct{})}
	r := run(t, c, m, 8)
	for m.height() < 3 { // as many portions as it takes
		select {
		case m.release <- struct{}{}:
		case <-time.After(time.Millisecond):
		}
	}
	c.Add(blocktest.Tx{})
	eventually(t, "a block waits", func() bool { return r.Status().Waiting > 20*time.Millisecond })
	require.ErrorContains(t, r.Ready(context.Background(), 9, 20*time.Millisecond), "is not readable yet; ready within 20ms")
	require.NoError(t, r.Ready(context.Background(), 9, time.Minute))
	close(m.release)
	eventually(t, "none waits", func() bool { return m.height() == 4 && r.Status().Waiting == 0 })
	require.NoError(t, r.Ready(context.Background(), 9, time.Millisecond))
	require.Positive(t, r.Status().Took)
}

func TestUnreachablePeer(t *testing.T) {
	c, m := new(blocktest.Chain), &memory{} // an empty chain has no tip: as a peer that is not there
	r := run(t, c, m, 8)
	eventually(t, "it says so", func() bool { return r.Status().Err != "" })
	require.Error(t, r.Ready(context.Background(), 9, time.Minute))
	c.Add(blocktest.Tx{Config: true})
	eventually(t, "it goes on", func() bool { return m.height() == 1 })
}
