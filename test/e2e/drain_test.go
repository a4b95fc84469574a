package e2e

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/network/topology"
	"github.com/hutong-gov/hutong/test/story"
)

// Size of the drain tests.
const (
	drainWorkers = 64
	drainAfter   = 200 // acknowledged writes before the signal
	drainDelay   = 1500 * time.Millisecond
)

// TestNetworkGatewayDrainsAmidSubmits sends SIGTERM to a gateway under a load of writes, with a balancer that asks /readyz
// and without one. Every request that reached it is answered: none loses its connection. It ends with exit code 0; what it
// acknowledged is on the ledger, and every request repeated after the restart gets its first answer.
func TestNetworkGatewayDrainsAmidSubmits(t *testing.T) {
	ctx, c := real(t)
	person, _, err := story.SignIn(ctx, c, "citizen3", c.keys)
	require.NoError(t, err)
	for _, balanced := range []bool{true, false} {
		t.Run(fmt.Sprintf("balanced=%t", balanced), func(t *testing.T) {
			delay := time.Duration(0)
			if balanced {
				delay = drainDelay
			}
			second := startSecond(ctx, t, c, delayed(delay))
			load := &drainLoad{second: second, storm: &storm{city: c, subject: person.Me.Pseudonym, acknowledged: map[string]app.Issued{}}, firsts: map[string]string{}}
			load.run(ctx, t, fmt.Sprintf("drain.%t", balanced), balanced)
			require.NoError(t, second.wait(t, 20*time.Second), "exit code 0")
			t.Logf("%d acknowledged, %d refused, %d pending, %d found nobody; stopped in %.2f s", len(load.firsts), load.refused.Load(), load.pending.Load(), load.nobody.Load(), time.Since(load.signalled).Seconds())
			require.GreaterOrEqual(t, len(load.firsts), drainAfter)
			load.storm.onceOnLedger(ctx, t)

			second = startSecond(ctx, t, c, delayed(0))
			for key, id := range load.firsts {
				again, err := client.Do[app.Issued](ctx, second.officer, http.MethodPost, "/v1/certificates", load.storm.request(), client.Key(key))
				require.NoError(t, err, key)
				require.Equal(t, id, again.ID)
				require.True(t, again.Replayed)
			}
			require.NoError(t, second.process.Process.Signal(syscall.SIGTERM))
			require.NoError(t, second.wait(t, 20*time.Second))
		})
	}
}

// TestNetworkSecondSignalStopsAtOnce: who asks twice does not want to wait.
func TestNetworkSecondSignalStopsAtOnce(t *testing.T) {
	ctx, c := real(t)
	second := startSecond(ctx, t, c, delayed(time.Minute))
	require.NoError(t, second.process.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return !second.ready(ctx) }, 5*time.Second, 10*time.Millisecond)
	select {
	case err := <-second.ended:
		require.NoError(t, err)
		require.Fail(t, "the gateway did not wait for the delay")
	case <-time.After(300 * time.Millisecond):
	}
	require.NoError(t, second.process.Process.Signal(syscall.SIGTERM))
	var exit *exec.ExitError
	require.ErrorAs(t, second.wait(t, 2*time.Second), &exit)
	require.Equal(t, syscall.SIGTERM, exit.Sys().(syscall.WaitStatus).Signal())
}

// gatewayProcess is a second gateway of the market's organisation: the same keys, a port and tables of its own.
type gatewayProcess struct {
	process *exec.Cmd
	ended   chan error
	url     string
	probe   *http.Client
	officer *client.Client
	log     string
}

func delayed(by time.Duration) func(*config.Config) {
	return func(c *config.Config) { c.Limits.ShutdownDelay = config.Duration(by) }
}

func startSecond(ctx context.Context, t *testing.T, c *testCity, change func(*config.Config)) *gatewayProcess {
	t.Helper()
	n := c.network
	settings, err := config.Load(filepath.Join(n.Options.State, "organisations", "market", "gateway", "gateway.yaml"))
	require.NoError(t, err)
	free, err := net.Listen("tcp", topology.Address(0))
	require.NoError(t, err)
	settings.Listen = free.Addr().String()
	require.NoError(t, free.Close())
	dir := t.TempDir()
	settings.DataDir = filepath.Join(dir, "data")
	change(settings)
	text, err := settings.Marshal()
	require.NoError(t, err)
	file := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))

	g := &gatewayProcess{ended: make(chan error, 1), url: "https://" + settings.Listen, log: filepath.Join(dir, "log")}
	log, err := os.Create(g.log)
	require.NoError(t, err)
	g.process = exec.Command(filepath.Join(n.Options.Bin, "gateway"), "--config", file)
	g.process.Stderr = log
	require.NoError(t, g.process.Start())
	go func() { g.ended <- errors.Join(g.process.Wait(), log.Close()) }()
	t.Cleanup(func() { _ = g.process.Process.Kill() })

	roots := rootsOf(t, c)
	g.probe = &http.Client{Transport: client.Transport(roots), Timeout: 5 * time.Second}
	require.Eventually(t, func() bool { return g.ready(ctx) }, 60*time.Second, 50*time.Millisecond, "the second gateway does not get ready")
	tokens, err := client.SignIn(ctx, n.Topology.IdentityProviderURL(), roots, "officer.regulation")
	require.NoError(t, err)
	g.officer, err = client.New(g.url, roots, tokens)
	require.NoError(t, err)
	return g
}

func rootsOf(t *testing.T, c *testCity) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	for _, organisation := range []string{"services", "market"} {
		file, err := c.network.TLSRoot(organisation)
		require.NoError(t, err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, roots.AppendCertsFromPEM(text))
	}
	return roots
}

// ready is what a balancer asks.
func (g *gatewayProcess) ready(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := g.probe.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// wait waits for the end of the process and gives its exit.
func (g *gatewayProcess) wait(t *testing.T, patience time.Duration) error {
	t.Helper()
	select {
	case err := <-g.ended:
		return err
	case <-time.After(patience):
		text, _ := os.ReadFile(g.log)
		require.Fail(t, "the gateway does not stop", "%s", text)
		return nil
	}
}

// drainLoad is officers who issue certificates, each request once.
type drainLoad struct {
	second    *gatewayProcess
	storm     *storm
	signalled time.Time

	mu                       sync.Mutex
	firsts                   map[string]string // certificate by idempotency key
	refused, pending, nobody atomic.Int64
}

func (l *drainLoad) run(ctx context.Context, t *testing.T, prefix string, balanced bool) {
	var open atomic.Bool
	open.Store(true)
	enough := make(chan struct{})
	var group sync.WaitGroup
	for worker := range drainWorkers {
		group.Go(func() {
			for i := 0; open.Load() && ctx.Err() == nil; i++ {
				if l.issue(ctx, t, fmt.Sprintf("%s.%d.%d", prefix, worker, i), enough) {
					return
				}
			}
		})
	}
	select {
	case <-enough:
	case <-ctx.Done():
	}
	l.signalled = time.Now()
	require.NoError(t, l.second.process.Process.Signal(syscall.SIGTERM))
	for balanced && open.Load() { // a balancer: it sends nobody there any more once it is not ready
		open.Store(l.second.ready(ctx))
		time.Sleep(50 * time.Millisecond)
	}
	group.Wait()
	if balanced {
		require.Zero(t, l.nobody.Load(), "the gateway listened no longer although the balancer still sent clients there")
	}
}

// issue sends one request and says whether nobody listens any more. Any answer is good; a connection lost is not.
func (l *drainLoad) issue(ctx context.Context, t *testing.T, key string, enough chan struct{}) (over bool) {
	issued, err := client.Do[app.Issued](ctx, l.second.officer, http.MethodPost, "/v1/certificates", l.storm.request(), client.Key(key), client.Once())
	var problem *client.Problem
	var pending *client.Pending
	switch {
	case err == nil:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.firsts[key] = issued.ID
		l.storm.acknowledged[issued.ID] = issued
		if len(l.firsts) == drainAfter {
			close(enough)
		}
	case errors.As(err, &pending):
		l.pending.Add(1)
	case errors.As(err, &problem) && problem.Status == http.StatusServiceUnavailable:
		l.refused.Add(1)
	case errors.Is(err, syscall.ECONNREFUSED):
		l.nobody.Add(1)
		return true
	default:
		t.Errorf("%s: neither answered nor refused: %v", key, err)
		return true
	}
	return false
}
