package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/webhook/receive"
	"github.com/hutong-gov/hutong/network/topology"
	"github.com/hutong-gov/hutong/test/story"
)

// down is how long the receiver is down; `make test-webhooks` makes it a minute.
var down = flag.Duration("down", 3*time.Second, "how long the receiver of TestNetworkEventsArrive is down")

// receiver is a portal's: it verifies what comes, and remembers it in the order it came.
type receiver struct {
	t        *testing.T
	address  string
	pair     tls.Certificate
	verifies *receive.Receiver

	mu       sync.Mutex
	server   *http.Server
	events   []string        // in the order they first came
	seen     map[string]bool // delivery ids
	repeated int
}

// newReceiver makes one whose certificate the gateway of an organisation trusts, and opens its door.
func newReceiver(t *testing.T, c *testCity, organisation string, keys []byte) *receiver {
	t.Helper()
	at := slices.IndexFunc(c.network.Topology.Organisations, func(o topology.Organisation) bool { return o.Name == organisation })
	files := c.network.Layout.Organisation(c.network.Topology.Organisations[at]).Gateway().TLS()
	pair, err := tls.LoadX509KeyPair(files.Certificate(), files.Key())
	require.NoError(t, err)
	r := &receiver{t: t, address: "127.0.0.1:0", pair: pair, seen: map[string]bool{}}
	r.up()
	r.verifies, err = receive.New(r.url(), keys)
	require.NoError(t, err)
	t.Cleanup(r.down)
	return r
}

func (r *receiver) url() string { return "https://" + r.address + "/hooks/hutong" }

func (r *receiver) up() {
	door, err := net.Listen("tcp", r.address)
	require.NoError(r.t, err)
	r.address = door.Addr().String()
	r.server = &http.Server{Handler: r, TLSConfig: &tls.Config{Certificates: []tls.Certificate{r.pair}, MinVersion: tls.VersionTLS12}, ReadHeaderTimeout: time.Second}
	go func() { _ = r.server.ServeTLS(door, "", "") }()
}

func (r *receiver) down() { _ = r.server.Close() }

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.verifies.Open(request)
	if err != nil {
		r.t.Errorf("a delivery that cannot be verified: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var e feed.Event
	if err := json.Unmarshal(d.Body, &e); err != nil {
		r.t.Error(err)
	}
	if r.seen[d.ID] {
		r.repeated++
	} else {
		r.seen[d.ID] = true
		r.events = append(r.events, e.ID)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) got() ([]string, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events), r.repeated
}

// TestNetworkEventsArrive has certificates issued while somebody follows the stream of events and somebody else is sent them.
// The receiver is down for a while, and the gateway is killed meanwhile. Both get every event, in the ledger's order; the
// receiver each delivery id once, as far as it counts.
func TestNetworkEventsArrive(t *testing.T) {
	_, c := real(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+3**down)
	defer cancel()
	person, _, err := story.SignIn(ctx, c, "citizen2", c.keys)
	require.NoError(t, err)
	auditor := c.signIn(ctx, t, "market", "auditor")
	s := &storm{city: c, subject: person.Me.Pseudonym, acknowledged: map[string]app.Issued{}}

	keys, err := client.Do[[]byte](ctx, auditor, http.MethodGet, "/v1/signing-keys", nil)
	require.NoError(t, err)
	r := newReceiver(t, c, "market", keys)
	hook, err := client.Do[app.Webhook](ctx, auditor, http.MethodPost, "/v1/webhooks", map[string]any{"url": r.url()})
	require.NoError(t, err)
	defer func() {
		_, err := client.Do[any](ctx, auditor, http.MethodDelete, "/v1/webhooks/"+hook.ID, nil)
		require.NoError(t, err)
	}()
	followed := make(chan string, 1000)
	following, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for e, err := range client.FollowAs[feed.Event](following, auditor, "/v1/events", hook.Checkpoint) {
			if err != nil {
				if following.Err() == nil {
					t.Error(err)
				}
				return
			}
			followed <- e.ID
		}
	}()

	issue := func(phase string, n int) {
		for i := range n {
			s.one(ctx, t, fmt.Sprintf("events.%s.%d", phase, i))
		}
	}
	issue("before", 3)
	r.down()
	closed := time.Now()
	issue("down", 4)
	kill(t, c, "market-gateway")
	require.NoError(t, c.network.Up(ctx))
	issue("killed", 4)
	time.Sleep(time.Until(closed.Add(*down)))
	stands, err := client.Do[app.Webhook](ctx, auditor, http.MethodGet, "/v1/webhooks/"+hook.ID, nil)
	require.NoError(t, err)
	require.Equal(t, "unreachable", stands.LastFailure)
	require.Positive(t, stands.Backlog)
	r.up()
	opened := time.Now()
	issue("after", 3)

	var all []string
	for token := ""; ; {
		page, err := client.Do[app.EventPage](ctx, auditor, http.MethodGet, fmt.Sprintf("/v1/events?page_size=5&after=%s&page_token=%s&min_block=%d", hook.Checkpoint, token, s.lastBlock()), nil)
		require.NoError(t, err)
		for _, e := range page.Items {
			all = append(all, e.ID)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	require.GreaterOrEqual(t, len(all), 14)
	require.Eventually(t, func() bool {
		got, _ := r.got()
		return len(got) >= len(all)
	}, *down*3+time.Minute, 20*time.Millisecond, "the receiver has not got everything")
	got, repeated := r.got()
	require.Equal(t, all, got, "every event, in the ledger's order, once each")
	require.LessOrEqual(t, repeated, 1, "only what was under way when the gateway was killed")
	var heard []string
	for range all {
		heard = append(heard, <-followed)
	}
	require.Equal(t, all, heard, "so does the stream")
	t.Logf("%d events; the receiver was down for %.0f s, and had all %.1f s after it was back; %d delivered again", len(all), down.Seconds(), time.Since(opened).Seconds(), repeated)
}
