package ledger_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/network/topology"
)

// TestNetworkTwoPeersOfOneOrganisation kills the peer in use amid writes, then the other, with a return in between. No
// write fails, none is lost or there twice, and the block stream does not end.
func TestNetworkTwoPeersOfOneOrganisation(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	c := build(t, func(top *topology.Topology) { top.Organisations[0].Peers = 2 })
	require.Len(t, c.config.Peers, 2)
	require.NoError(t, c.ledger.EndorseEverywhere(t.Context(), exchange.Name, collaboration.Name, certificate.Name))
	first, second := c.config.Peers[0].Endpoint, c.config.Peers[1].Endpoint
	require.Equal(t, first+" in use; "+second+" up", c.ledger.Peers())

	before, written := c.height(), map[string]ledger.Outcome{}
	c.storm("first", written, "services-peer0")
	require.Contains(t, c.ledger.Peers(), second+" in use")
	require.EqualValues(t, 1, c.metric("hutong_ledger_peer_up"))
	require.NoError(t, c.follower.Ready(t.Context(), 10, time.Minute))

	require.NoError(t, c.network.Up(t.Context()))
	c.eventually("the first of the list is used again", func() bool { return c.ledger.Peers() == first+" in use; "+second+" up" })
	c.storm("second", written, "services-peer1")
	require.Contains(t, c.ledger.Peers(), first+" in use")
	require.NoError(t, c.network.Up(t.Context()))
	c.eventually("both are up again", func() bool { return c.metric("hutong_ledger_peer_up") == 2 })
	c.storm("third", written, "services-peer0")

	require.EqualValues(t, 3, c.metric("hutong_ledger_peer_moves_total"), "away, back, and away")
	require.Zero(t, c.metric("hutong_follow_reconnects_total"), "the stream went on at the other peer")
	store := c.projection.Store()
	require.NoError(t, store.WaitBlock(t.Context(), c.height()))
	for code, outcome := range written {
		require.Greater(t, outcome.Block, before)
		record, found, err := store.Get(t.Context(), "type", code)
		require.NoError(t, err)
		require.True(t, found, code)
		require.Equal(t, []any{outcome.Tx, outcome.Block, 1}, []any{record.Tx, record.Block, record.Version}, code)
	}
	chainIsWhole(c)
}

// storm writes from many sides, a little apart, and kills a process once some writes are acknowledged.
func (c *city) storm(name string, written map[string]ledger.Outcome, kill string) {
	c.Helper()
	const writers, acknowledged, apart = 80, 20, 25 * time.Millisecond
	pid, answers := c.pid(kill), make(chan struct{}, writers)
	var mu sync.Mutex
	var all sync.WaitGroup
	slowest := time.Duration(0)
	for i := range writers {
		all.Go(func() {
			time.Sleep(time.Duration(i) * apart)
			request, began := certificateType(fmt.Sprintf("%s-%d", name, i)), time.Now()
			outcome, err := c.ledger.Submit(c.Context(), hallAdmin, certificate.Name, certificate.TypePublish, command(c, request.Code, request))
			answers <- struct{}{}
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(began))
			if err != nil || outcome.State != ledger.Committed || outcome.Receipt.Replayed {
				c.Errorf("%s: %v %+v", request.Code, err, outcome)
			}
			written[request.Code] = outcome
		})
	}
	for range acknowledged {
		<-answers
	}
	c.kill(pid)
	all.Wait()
	c.Logf("%s: %d writes while %s was killed, the slowest took %.2f s; %s", name, writers, kill, slowest.Seconds(), c.ledger.Peers())
}
