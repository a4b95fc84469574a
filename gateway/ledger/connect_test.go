package ledger

import (
	"context"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/hutong-gov/hutong/gateway/config"
)

func TestPoolKeepsStreamsApart(t *testing.T) {
	for _, c := range []struct{ connections, calls int }{{1, 1}, {2, 1}, {4, 3}} {
		p, err := dialWith("127.0.0.1:1", c.connections, 1<<20, insecure.NewCredentials())
		require.NoError(t, err)
		require.Len(t, p.calls, c.calls)
		require.Equal(t, c.connections == 1, slices.Contains(p.calls, p.streams), "a single one carries both")
		require.NoError(t, p.Close())
		for _, connection := range append(p.calls, p.streams) {
			require.Equal(t, connectivity.Shutdown, connection.GetState())
		}
	}
}

// TestCallsAndStreamsTakeTheirOwnConnections: blocks come on one connection, and calls leave it alone.
func TestCallsAndStreamsTakeTheirOwnConnections(t *testing.T) {
	l, fake := newLedger(t, config.Limits{})
	fake.evaluate = func() ([]byte, error) { return []byte(`{}`), nil }
	for range 4 {
		require.NoError(t, l.Evaluate(t.Context(), signer, "exchange", "agency:Get", map[string]string{"id": "x"}, nil))
	}
	require.Equal(t, connectivity.Ready, l.peers.peers[0].calls[0].GetState())
	require.Equal(t, connectivity.Idle, l.peers.peers[0].streams.GetState(), "no stream was opened yet")
	fake.deliver = func(stream peer.Deliver_DeliverServer) error { <-stream.Context().Done(); return nil }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := l.deliver(ctx, l.peers.now.Load(), 0)
	require.NoError(t, err)
	require.Equal(t, connectivity.Ready, l.peers.peers[0].streams.GetState())
}
