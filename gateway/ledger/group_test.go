package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/network/block"
)

// crowd lets many callers submit at once and gives their outcomes by key.
func crowd(t *testing.T, l *Ledger, n int, record func(int) string) map[string]Outcome {
	t.Helper()
	var mu sync.Mutex
	outcomes := map[string]Outcome{}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			key := fmt.Sprintf("k%03d", i)
			outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: key, Request: json.RawMessage(`{}`), Record: record(i)})
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			outcomes[key] = outcome
		})
	}
	all.Wait()
	return outcomes
}

func newThing(int) string { return "" }

func TestCommandsShareTransactions(t *testing.T) {
	l, fake := newLedger(t, config.Limits{MaxInFlight: 1000})
	fake.think = 20 * time.Millisecond
	fake.judge = func(c kernel.BatchCommand) error {
		if strings.HasSuffix(c.IdempotencyKey, "7") {
			return revoked
		}
		return nil
	}
	outcomes := crowd(t, l, 300, newThing)
	require.Len(t, outcomes, 300)
	for key, o := range outcomes {
		switch {
		case o.Receipt.ID == "r1": // went alone, and the fake answers so
		case strings.HasSuffix(key, "7"):
			require.Equal(t, Rejected, o.State, key)
			require.ErrorIs(t, o.Fault, revoked)
		default:
			require.Equal(t, Committed, o.State, "a neighbour's fault does not touch it")
			require.Equal(t, key, o.Receipt.ID, "each has an outcome of its own")
			require.NotZero(t, o.Block)
		}
	}
	endorsed, _, _ := fake.counts()
	require.Less(t, endorsed, 30)
	for _, commands := range fake.batches {
		require.LessOrEqual(t, len(commands), MaxGroup)
	}
}

func TestACallerAloneDoesNotWait(t *testing.T) {
	l, fake := newLedger(t, config.Limits{})
	for i := range 20 {
		_, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: fmt.Sprint(i)})
		require.NoError(t, err)
	}
	require.Equal(t, 20, fake.alone)
	require.Empty(t, fake.batches, "not even in a batch of one")
	n := l.lane(signer, "exchange")
	require.Equal(t, 1, n.crowd, "who waited for the answer is not still under way")
}

func TestGroupsAreBoundedInBytes(t *testing.T) {
	l, fake := newLedger(t, config.Limits{MaxInFlight: 1000, MaxInFlightBytes: 64 << 20})
	fake.think = 50 * time.Millisecond
	request, err := json.Marshal(strings.Repeat("x", 40<<10))
	require.NoError(t, err)
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: fmt.Sprint(i), Request: request})
			require.NoError(t, err)
			require.Equal(t, Committed, outcome.State, "%v", outcome.Fault)
		})
	}
	all.Wait()
	most := 0
	for _, commands := range fake.batches {
		most = max(most, len(commands))
	}
	require.LessOrEqual(t, most, MaxGroupBytes/(40<<10))
	require.Greater(t, most, 1)
}

// TestRecordsKeepTheirOrder: commands on one record are never in two transactions at once, and arrive as they were sent. What
// only adds to a record goes together.
func TestRecordsKeepTheirOrder(t *testing.T) {
	l, fake := newLedger(t, config.Limits{MaxInFlight: 1000})
	fake.think = 5 * time.Millisecond
	n := l.lane(signer, "exchange")
	var calls []*call
	for i := range 120 {
		c, err := newCall(context.Background(), kernel.BatchCommand{Function: "f:F", Command: kernel.Command{
			IdempotencyKey: fmt.Sprintf("r%d-%03d", i%3, i), Request: json.RawMessage(`{}`), Record: fmt.Sprintf("thing/%d", i%3), Appends: i%3 == 2}})
		require.NoError(t, err)
		calls = append(calls, c)
		n.add(c)
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for _, c := range calls {
		outcome, err := c.wait()
		require.NoError(t, err)
		require.Equal(t, Committed, outcome.State)
	}
	last := map[string]string{}
	together := 0
	for _, commands := range fake.batches {
		in := map[string]bool{}
		for _, c := range commands {
			record, _, _ := strings.Cut(c.IdempotencyKey, "-")
			require.Less(t, last[record], c.IdempotencyKey)
			last[record] = c.IdempotencyKey
			if in[record] {
				require.Equal(t, "r2", record, "a record's history would skip a state")
				together++
			}
			in[record] = true
		}
	}
	require.Greater(t, together, 10, "what only adds shares transactions")
	n.mu.Lock()
	defer n.mu.Unlock()
	require.Empty(t, n.records, "nothing is held for ever")
	require.Empty(t, n.waiting)
	require.Zero(t, n.busy)
}

// TestSides: parts of a group that run side by side have no record in common and keep the order.
func TestSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var calls []*call
		for i := range rapid.IntRange(1, 30).Draw(t, "calls") {
			record := rapid.SampledFrom([]string{"", "log/a", "log/b", "log/c"}).Draw(t, "record")
			calls = append(calls, &call{command: kernel.BatchCommand{Command: kernel.Command{IdempotencyKey: fmt.Sprintf("%03d", i), Record: record, Appends: true}}})
		}
		where, count := map[string]int{}, 0
		for i, side := range sides(calls) {
			count += len(side)
			require.True(t, slices.IsSortedFunc(side, func(a, b *call) int {
				return strings.Compare(a.command.IdempotencyKey, b.command.IdempotencyKey)
			}))
			for _, c := range side {
				if c.command.Record != "" {
					where[c.command.Record] |= 1 << i
				}
			}
		}
		require.Equal(t, len(calls), count)
		for record, side := range where {
			require.NotEqual(t, 3, side, "%s is on both sides", record)
		}
	})
}

// TestAGroupThatLosesRaces is run in halves until what everybody wants is alone.
func TestAGroupThatLosesRaces(t *testing.T) {
	l, fake := newLedger(t, config.Limits{MaxInFlight: 1000, MaxRetries: 8})
	fake.think = 20 * time.Millisecond
	hot := "k013"
	fake.code = func(n int) block.Code { // the n-th transaction that was submitted, of those endorsed in this order
		if len(fake.batches) == 0 {
			return block.Valid
		}
		submitted := fake.batches[len(fake.batches)-1]
		if len(submitted) > 1 && slices.ContainsFunc(submitted, func(c kernel.BatchCommand) bool { return c.IdempotencyKey == hot }) {
			return block.MVCCConflict
		}
		return block.Valid
	}
	outcomes := crowd(t, l, 40, newThing)
	for key, o := range outcomes {
		require.Equal(t, Committed, o.State, "%s: %v", key, o.Fault)
	}
}

// TestACommandThatSpoilsItsTransaction is found and refused alone.
func TestACommandThatSpoilsItsTransaction(t *testing.T) {
	for _, poison := range []*fault.Fault{
		fault.New(fault.Internal, kernel.ReasonPanicked, "the contract has an error"),
		fault.New(fault.Limit, kernel.ReasonPanicked, "the contract has an error"),
		fault.New(fault.Refused, kernel.ReasonOutOfTime, "what one of them rests on is over"),
	} {
		l, fake := newLedger(t, config.Limits{MaxInFlight: 1000, MaxRetries: 1})
		fake.think = 10 * time.Millisecond
		spoilt := func(c kernel.BatchCommand) bool { return c.IdempotencyKey == "k021" }
		fake.whole = func(commands []kernel.BatchCommand) error {
			if slices.ContainsFunc(commands, spoilt) {
				return rpc(codes.Aborted, "failed", said("ServicesMSP", chaincodeSays(poison)))
			}
			return nil
		}
		outcomes := crowd(t, l, 60, newThing)
		for key, o := range outcomes {
			if key == "k021" {
				require.Equal(t, Rejected, o.State)
				require.Equal(t, poison.Reason, o.Fault.Reason)
				continue
			}
			require.Equal(t, Committed, o.State, "%s: %v", key, o.Fault)
		}
	}
}

// TestCallersWhoLeaveACrowd: what is not sent yet is taken out, what travels with others goes on.
func TestCallersWhoLeaveACrowd(t *testing.T) {
	l, fake := newLedger(t, config.Limits{MaxInFlight: 1000})
	fake.think = 30 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	errs, outcomes := make([]error, 100), make([]Outcome, 100)
	for i := range 100 {
		all.Go(func() {
			own := context.Background()
			if i%2 == 1 {
				own = ctx
			}
			outcomes[i], errs[i] = l.Submit(own, signer, "exchange", "f:F", kernel.Command{IdempotencyKey: fmt.Sprintf("k%03d", i), Request: json.RawMessage(`{}`)})
		})
	}
	time.Sleep(15 * time.Millisecond)
	cancel()
	all.Wait()
	sent := map[string]bool{}
	for _, commands := range fake.batches {
		for _, c := range commands {
			sent[c.IdempotencyKey] = true
		}
	}
	for i := range 100 {
		key := fmt.Sprintf("k%03d", i)
		switch {
		case i%2 == 0:
			require.NoError(t, errs[i])
			require.Equal(t, Committed, outcomes[i].State)
		case errs[i] != nil:
			require.ErrorIs(t, errs[i], context.Canceled)
			require.False(t, sent[key], "an error says that nothing was sent")
		default:
			require.Contains(t, []State{Committed, Unknown}, outcomes[i].State)
		}
	}
}

// TestCallersWhoLeaveAStoppingGateway: what waits is refused and its caller may leave at that moment.
func TestCallersWhoLeaveAStoppingGateway(t *testing.T) {
	l, _ := newLedger(t, config.Limits{})
	n := l.lane(signer, "exchange")
	ctx, cancel := context.WithCancel(context.Background())
	c, err := newCall(ctx, kernel.BatchCommand{Function: "f:F", Command: kernel.Command{IdempotencyKey: "k", Request: json.RawMessage(`{}`)}})
	require.NoError(t, err)
	c.lane = n
	n.mu.Lock()
	n.waiting = append(n.waiting, c)
	n.mu.Unlock()
	n.stop()
	cancel()
	_, err = c.leave()
	require.ErrorIs(t, err, Stopping)
}
