package ledger

import (
	"context"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/follow"
)

// two makes a ledger on two fake peers of the organisation and lets it watch them.
func two(t *testing.T) (l *Ledger, peers [2]*fakePeer, addresses [2]string, stop [2]func()) {
	t.Helper()
	commits := follow.NewCommits()
	for i := range peers {
		peers[i] = &fakePeer{commits: commits, height: 10, answer: []byte(`{"id":"r1","status":"open","version":1,"at":"2026-03-01T08:00:00Z","tx_id":"t"}`)}
		addresses[i], stop[i] = peers[i].serve(t, "127.0.0.1:0")
	}
	l = newLedgerAt(t, config.Limits{}, commits, addresses[0], addresses[1])
	commits.SetLive(true)
	l.peers.Watch(l.reader.Get)
	require.Eventually(t, func() bool { return l.peers.isUp(l.peers.peers[0]) && l.peers.isUp(l.peers.peers[1]) }, 5*time.Second, time.Millisecond)
	return l, peers, addresses, stop
}

func (f *fakePeer) set(change func(*fakePeer)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// committed writes and wants it committed.
func committed(t *testing.T, l *Ledger, key string) Outcome {
	t.Helper()
	outcome, err := l.Submit(t.Context(), signer, "exchange", "x:Do", kernel.Command{IdempotencyKey: key})
	require.NoError(t, err)
	require.Equal(t, Committed, outcome.State, "%+v", outcome)
	return outcome
}

// TestOnePeerAtATime: the first of the list is used while it is up; when it goes the next is, at once, and when it has
// been back for long enough it is used again.
func TestOnePeerAtATime(t *testing.T) {
	l, peers, addresses, stop := two(t)
	committed(t, l, "a")
	require.Equal(t, 1, peers[0].submitted)
	require.Zero(t, peers[1].endorsed)
	require.Contains(t, l.Peers(), addresses[0]+" in use; "+addresses[1]+" up")

	stop[0]()
	committed(t, l, "b")
	require.Equal(t, 1, peers[1].submitted)
	require.Contains(t, l.Peers(), addresses[0]+" down: ")
	require.Contains(t, l.Peers(), addresses[1]+" in use")

	peers[0].serve(t, addresses[0])
	first := l.peers.peers[0]
	require.Eventually(t, func() bool { return l.peers.isUp(first) }, 10*time.Second, 10*time.Millisecond)
	committed(t, l, "c")
	require.Equal(t, 2, peers[1].submitted, "it has to be up for a while before it is used again")
	l.peers.mu.Lock()
	first.since = first.since.Add(-returnAfter)
	l.peers.mu.Unlock()
	require.Eventually(t, func() bool { return l.peers.now.Load().ownPeer == first }, 10*time.Second, 10*time.Millisecond)
	committed(t, l, "d")
	require.Equal(t, 2, peers[0].submitted)
}

// TestHandedOverTwiceIsOneTransaction: a peer that breaks off while it is handed a transaction may have passed it on. The
// same transaction, and no other, goes to the next peer; if that cannot take it either, it stays unknown.
func TestHandedOverTwiceIsOneTransaction(t *testing.T) {
	l, peers, _, stop := two(t)
	sent := make(chan string, 4)
	peers[0].set(func(f *fakePeer) {
		f.silent, f.sent = true, sent
		f.took = func(int) error { return rpc(codes.Unavailable, "error reading from server: EOF") }
	})
	peers[1].set(func(f *fakePeer) { f.sent = sent })
	outcome := committed(t, l, "a")
	require.Equal(t, <-sent, <-sent, "nothing is signed anew")
	require.Equal(t, 1, peers[1].submitted)
	require.Zero(t, peers[1].endorsed)
	require.NotEmpty(t, outcome.Tx)

	peers[1].set(func(f *fakePeer) { f.silent, f.sent = true, nil })
	peers[0].set(func(f *fakePeer) {
		f.sent = nil
		f.took = func(int) error { stop[1](); return rpc(codes.Unavailable, "error reading from server: EOF") }
	})
	outcome, err := l.Submit(t.Context(), signer, "exchange", "x:Do", kernel.Command{IdempotencyKey: "b"})
	require.NoError(t, err, "the second was certainly not reached, but the first perhaps passed it on")
	require.Equal(t, Unknown, outcome.State)
	require.NotEmpty(t, outcome.Tx)
}

// TestWhatIsAskedElsewhere: what endorsers and orderers said stands; what only the peer could not do is tried at another.
func TestWhatIsAskedElsewhere(t *testing.T) {
	const submit, endorse = "/gateway.Gateway/Submit", "/gateway.Gateway/Endorse"
	for _, c := range []struct {
		name, method string
		err          error
		want         bool
	}{
		{"it went away", endorse, rpc(codes.Unavailable, "error reading from server: EOF"), true},
		{"it was not reached", submit, rpc(codes.Unavailable, dialFailure), true},
		{"it knows no orderer", submit, rpc(codes.Unavailable, "no orderer nodes available"), true},
		{"the orderers could not", submit, rpc(codes.Unavailable, "no orderers could successfully process transaction", said("OrdererMSP", "x")), false},
		{"an orderer refused", submit, rpc(codes.Aborted, "received unsuccessful response from orderer"), false},
		{"it knows too few endorsers yet", endorse, rpc(codes.FailedPrecondition, "no combination of peers can be derived"), true},
		{"it does not take the transaction", submit, rpc(codes.FailedPrecondition, "x"), false},
		{"it has no room", endorse, rpc(codes.ResourceExhausted, "too many requests"), true},
		{"a contract refused", endorse, rpc(codes.Aborted, "failed", said("ServicesMSP", chaincodeSays(revoked))), false},
		{"it took too long", endorse, rpc(codes.DeadlineExceeded, "x"), false},
	} {
		require.Equal(t, c.want, elsewhere(c.method, c.err), c.name)
	}
}

// TestPeerThatIsBehindIsNotUsed, and one that says nothing for a while neither.
func TestPeerThatIsBehindIsNotUsed(t *testing.T) {
	l, peers, addresses, _ := two(t)
	peers[1].set(func(f *fakePeer) { f.height = 10 + maxBehind + 1 })
	require.Eventually(t, func() bool { return l.peers.now.Load().endpoint == addresses[1] }, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, l.Peers(), addresses[0]+" behind, at height 10")
	committed(t, l, "a")
	require.Equal(t, 1, peers[1].submitted)
}

// TestTheNextPeerCatchesUpFirst: what the stream has given is there before the next peer is asked anything.
func TestTheNextPeerCatchesUpFirst(t *testing.T) {
	l, peers, _, stop := two(t)
	l.peers.following(13)
	stop[0]()
	go func() {
		time.Sleep(300 * time.Millisecond)
		peers[1].set(func(f *fakePeer) { f.height = 13 })
	}()
	began := time.Now()
	committed(t, l, "a")
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
}

// TestStreamMovesWithThePeer: blocks go on at the next peer where they stopped, without a gap and without a double; a
// stream that ends while its peer is up ends.
func TestStreamMovesWithThePeer(t *testing.T) {
	l, peers, _, stop := two(t)
	from := func(f *fakePeer, first, last uint64, then func()) {
		f.deliver = func(stream peer.Deliver_DeliverServer) error {
			for n := first; n <= last; n++ {
				if err := stream.Send(&peer.DeliverResponse{Type: &peer.DeliverResponse_Block{Block: &common.Block{Header: &common.BlockHeader{Number: n}}}}); err != nil {
					return err
				}
			}
			then()
			return nil
		}
	}
	peers[0].set(func(f *fakePeer) {
		from(f, 3, 5, func() { time.Sleep(50 * time.Millisecond); go stop[0](); time.Sleep(time.Second) })
	})
	peers[1].set(func(f *fakePeer) { f.height = 20; from(f, 6, 8, func() {}) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []uint64
	var ended error
	for b, err := range l.Blocks(ctx, 3, NoEnd) {
		if ended = err; err == nil {
			got = append(got, b.GetHeader().GetNumber())
		}
	}
	require.Equal(t, []uint64{3, 4, 5, 6, 7, 8}, got)
	require.ErrorContains(t, ended, "ended the block stream")
	require.EqualValues(t, 9, l.peers.seen.Load())
}

// TestLostByAnOrderer: what an orderer took and no block has is handed over again, as the same transaction.
func TestLostByAnOrderer(t *testing.T) {
	l, fake := newLedger(t, config.Limits{CommitTimeout: config.Duration(30 * time.Second)})
	sent := make(chan string, 2)
	fake.set(func(f *fakePeer) {
		f.sent, f.silent = sent, true
		f.submit = func(n int) error { f.silent = n == 1; return nil } // the first copy is lost
	})
	outcome := committed(t, l, "a")
	first, second := <-sent, <-sent
	require.Equal(t, []string{first, outcome.Tx}, []string{second, first})
	endorsed, submitted, _ := fake.counts()
	require.Equal(t, []int{1, 2}, []int{endorsed, submitted})
}
