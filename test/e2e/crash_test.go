package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/test/story"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// Size of the test.
const (
	submits = 500
	workers = 32
	killAt  = submits / 3 // acknowledged submits before the gateway is killed
)

// TestNetworkGatewayKilledAmidSubmits kills a gateway in the middle of many submits and starts it again. Every submit that
// was acknowledged, before or after, is on the ledger once; the projection catches up with no gap and no double. Then every
// other process is killed, one after the other and all at once, and all of it is still there.
func TestNetworkGatewayKilledAmidSubmits(t *testing.T) {
	ctx, c := real(t)
	person, _, err := story.SignIn(ctx, c, "citizen3", c.keys)
	require.NoError(t, err)
	c.signIn(ctx, t, "market", "officer.regulation") // so that a token is at hand whatever is killed

	s := &storm{city: c, subject: person.Me.Pseudonym}
	began := time.Now()
	s.run(ctx, t)
	t.Logf("%d submits acknowledged in %.1f s, the gateway killed after %d; %d attempts failed on the way", len(s.acknowledged), time.Since(began).Seconds(), killAt, s.failed.Load())
	require.Equal(t, submits, len(s.acknowledged)) // not Len, which would print them all
	require.Positive(t, s.failed.Load(), "nobody noticed the kill: the test tests nothing")
	s.onceOnLedger(ctx, t)
	s.projectionWhole(ctx, t)

	for _, name := range []string{"services-orderer0", "planning-peer0", "market-chaincode", "devidp", "market-gateway"} {
		kill(t, c, name)
		require.NoError(t, c.network.Up(ctx), name)
		s.one(ctx, t, "after."+name)
	}
	kill(t, c)
	require.NoError(t, c.network.Up(ctx))
	s.one(ctx, t, "after.all")
	s.onceOnLedger(ctx, t)
	s.projectionWhole(ctx, t)
}

// storm issues many certificates at once.
type storm struct {
	city    *testCity
	subject string

	mu           sync.Mutex
	acknowledged map[string]app.Issued // by certificate
	failed       atomic.Int64
}

func (s *storm) run(ctx context.Context, t *testing.T) {
	s.acknowledged = map[string]app.Issued{}
	enough := make(chan struct{})
	work := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range work {
				s.submit(ctx, t, fmt.Sprintf("storm.%d", i), enough)
			}
		})
	}
	group.Go(func() {
		<-enough
		kill(t, s.city, "market-gateway")
		if err := s.city.network.Up(ctx); err != nil {
			t.Errorf("start the gateway again: %v", err)
		}
	})
	for i := range submits {
		work <- i
	}
	close(work)
	group.Wait()
}

// submit issues a certificate, asking again with the same key until it is acknowledged, as a careful client does.
func (s *storm) submit(ctx context.Context, t *testing.T, key string, enough chan struct{}) {
	officer, err := s.city.SignIn(ctx, "market", "officer.regulation")
	if err != nil {
		t.Error(err)
		return
	}
	for ctx.Err() == nil {
		issued, err := client.Do[app.Issued](ctx, officer, http.MethodPost, "/v1/certificates", s.request(), client.Key(key))
		if err == nil {
			s.mu.Lock()
			s.acknowledged[issued.ID] = issued
			if enough != nil && len(s.acknowledged) == killAt {
				close(enough)
			}
			s.mu.Unlock()
			return
		}
		var problem *client.Problem
		if errors.As(err, &problem) && problem.Status < 500 && problem.Reason != "transaction.contention" {
			t.Errorf("%s: %v", key, err)
			return
		}
		s.failed.Add(1)
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s was never acknowledged", key)
}

func (s *storm) request() object {
	return object{"type": "business-licence", "subject": s.subject, "values": object{
		"credit_code": "911101990000000000", "enterprise_name": "e2e", "legal_representative": "e2e", "premises_address": "e2e", "business_scope": "e2e",
		"registered_capital_yuan": 1, "established_on": "2026-01-01",
	}}
}

// one issues one more.
func (s *storm) one(ctx context.Context, t *testing.T, key string) {
	t.Helper()
	before := len(s.acknowledged)
	s.submit(ctx, t, key, nil)
	require.Equal(t, before+1, len(s.acknowledged))
}

// lastBlock is the last that has something that was acknowledged.
func (s *storm) lastBlock() (last uint64) {
	for _, a := range s.acknowledged {
		last = max(last, a.Block)
	}
	return last
}

// onceOnLedger reads every block of the auditor's peer: each acknowledged certificate was written once, by a valid
// transaction, and nothing was written that nobody asked for.
func (s *storm) onceOnLedger(ctx context.Context, t *testing.T) {
	t.Helper()
	last := s.lastBlock() // the auditor's peer may have it a moment later
	var written map[string]int
	require.Eventually(t, func() bool {
		written = map[string]int{}
		var decoder block.Decoder
		var there uint64
		_, err := story.EachBlock(ctx, s.city.network, func(b *common.Block) error {
			decoded, err := decoder.Decode(b)
			if err != nil {
				return err
			}
			there = decoded.Number
			for _, tx := range decoded.Transactions {
				if tx.Code == block.Valid {
					count(tx, written)
				}
			}
			return nil
		})
		require.NoError(t, err)
		return there >= last
	}, 30*time.Second, 100*time.Millisecond, "the auditor's peer has block %d", last)
	for id := range s.acknowledged {
		require.Equal(t, 1, written[id], "certificate %s", id)
	}
	for id, n := range written {
		require.Equal(t, 1, n, "certificate %s", id)
	}
}

// count counts the certificates that a transaction wrote.
func count(tx block.Transaction, written map[string]int) {
	for _, namespace := range tx.Writes {
		if namespace.Name != certificate.Name {
			continue
		}
		for _, w := range namespace.Writes {
			if noun, parts, ok := state.Split(w.Key); ok && noun == certificate.Certificates.Noun {
				written[parts[0]]++
			}
		}
	}
}

// projectionWhole looks into the gateway's own read model: blocks without a gap, no event twice, every acknowledged
// certificate once; and the same through its API.
func (s *storm) projectionWhole(ctx context.Context, t *testing.T) {
	t.Helper()
	var last uint64
	for _, a := range s.acknowledged {
		last = max(last, a.Block)
	}
	officer := s.city.signIn(ctx, t, "market", "officer.regulation")
	listed := map[string]bool{}
	path := fmt.Sprintf("/v1/certificates?page_size=200&type=business-licence&min_block=%d", last)
	for next := path; next != ""; {
		page, err := client.Do[app.Page[certificate.Certificate]](ctx, officer, http.MethodGet, next, nil)
		require.NoError(t, err)
		for _, item := range page.Items {
			require.False(t, listed[item.ID], "certificate %s is listed twice", item.ID)
			listed[item.ID] = true
		}
		if next = ""; page.Next != "" {
			next = path + "&page_token=" + page.Next
		}
	}
	for id := range s.acknowledged {
		require.True(t, listed[id], "certificate %s is not listed", id)
	}

	settings, err := s.city.network.GatewayConfig("market")
	require.NoError(t, err)
	db, err := database.Look(ctx, settings.Kept(), database.Part{Name: store.Part})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var blocks, first, tip int
	require.NoError(t, db.QueryRow(ctx, `SELECT count(*), min(number), max(number) FROM blocks`).Scan(&blocks, &first, &tip))
	require.Equal(t, 0, first)
	require.Equal(t, tip+1, blocks, "a gap in the blocks")
	require.GreaterOrEqual(t, tip, int(last))
	var events, distinct int
	require.NoError(t, db.QueryRow(ctx, `SELECT count(*), count(DISTINCT id) FROM changes WHERE type = ?`, certificate.EventIssued).Scan(&events, &distinct))
	require.Equal(t, distinct, events, "a certificate was announced twice")
	require.GreaterOrEqual(t, events, len(s.acknowledged))
}

// kill kills processes of the network with SIGKILL, all of them if none is named. Only what the launcher started is hit.
func kill(t *testing.T, c *testCity, names ...string) {
	t.Helper()
	records, err := c.network.Records()
	require.NoError(t, err)
	hit := 0
	for _, r := range records {
		for _, name := range append(names, map[bool]string{true: r.Name}[len(names) == 0]) {
			if r.Name == name && r.Alive() {
				require.NoError(t, syscall.Kill(r.PID, syscall.SIGKILL))
				require.Eventually(t, func() bool { return !r.Alive() }, 5*time.Second, time.Millisecond, r.Name)
				hit++
			}
		}
	}
	require.Positive(t, hit)
}
