package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/network/block"
)

// TestCallerWhoDoesNotWait pairs when a caller wants an answer with what it is.
func TestCallerWhoDoesNotWait(t *testing.T) {
	refuse := func(f *fakePeer) {
		f.endorse = func(int) error { return rpc(codes.Aborted, "failed", said("ServicesMSP", chaincodeSays(revoked))) }
	}
	silent := func(f *fakePeer) { f.silent = true }
	for _, c := range []struct {
		name    string
		by      time.Duration // from now
		arrange func(*fakePeer)
		state   State
		awaited bool
	}{
		{"no block yet", 0, silent, Pending, true},
		{"no block in time", 30 * time.Millisecond, silent, Pending, true},
		{"a block in time", time.Minute, func(*fakePeer) {}, Committed, false},
		{"a race that was lost in time is run again", time.Minute, func(f *fakePeer) {
			f.code = func(n int) block.Code {
				if n == 1 {
					return block.MVCCConflict
				}
				return block.Valid
			}
		}, Committed, false},
		{"what the contract refuses is refused", 0, refuse, Rejected, false},
		{"what the orderer refuses is refused", 0, func(f *fakePeer) { f.submit = func(int) error { return rpc(codes.Aborted, "FORBIDDEN") } }, Rejected, false},
		{"what was done before is done", 0, func(f *fakePeer) {
			f.answer = []byte(`{"id":"r1","status":"open","version":1,"at":"2026-03-01T08:00:00Z","tx_id":"first","replayed":true}`)
			f.status = func(string) (uint64, error) { return 5, nil }
		}, Committed, false},
		{"an orderer that may have it is looked for", 0, func(f *fakePeer) {
			f.silent, f.took = true, func(int) error { return rpc(codes.Unavailable, "error reading from server: EOF") }
		}, Unknown, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, fake := newLedger(t, config.Limits{CommitTimeout: config.Duration(300 * time.Millisecond), MaxRetries: 2})
			c.arrange(fake)
			outcome, err := l.Submit(Async(context.Background(), time.Now().Add(c.by)), signer, "certificate", "certificate:Revoke", kernel.Command{IdempotencyKey: "k"})
			require.NoError(t, err)
			require.Equal(t, c.state, outcome.State, "%v", outcome.Fault)
			require.Equal(t, c.awaited, l.Awaited(outcome.Tx))
			if c.state == Pending {
				require.Equal(t, "r1", outcome.Receipt.ID, "what the contract answered")
				require.Zero(t, outcome.Block)
				require.Eventually(t, func() bool { return !l.Awaited(outcome.Tx) }, time.Minute, time.Millisecond, "nobody waits for ever")
			}
		})
	}
}

func TestBatchThatIsNotWaitedFor(t *testing.T) {
	receipt := `{"receipt":{"id":"%s","status":"open","version":1,"at":"2026-03-01T08:00:00Z","tx_id":"t"%s}}`
	l, fake := newLedger(t, config.Limits{})
	fake.silent = true
	fake.answer = []byte(`{"outcomes":[` + fmt.Sprintf(receipt, "a", "") + `,{"fault":` + revoked.Wire() + `},` + fmt.Sprintf(receipt, "c", `,"replayed":true`) + `]}`)
	outcomes, err := l.SubmitBatch(Async(context.Background(), time.Time{}), signer, "certificate", kernel.Batch{Commands: make([]kernel.BatchCommand, 3)})
	require.NoError(t, err)
	require.Equal(t, []State{Pending, Rejected, Committed}, []State{outcomes[0].State, outcomes[1].State, outcomes[2].State})
}
