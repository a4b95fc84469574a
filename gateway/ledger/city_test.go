package ledger_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/reload"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/topology"
)

// patience bounds what a busy machine may take.
const patience = 60 * time.Second

// city is a real network with the read and write sides of a gateway of the Services organisation on it.
type city struct {
	*testing.T
	network  *network.Network
	config   *config.Config
	registry *prometheus.Registry

	files      *reload.Set
	ledger     *ledger.Ledger
	projection *projection.Projection
	follower   *follow.Follower
	stop       func()
}

// binaries builds the chaincode server, and Fabric if it is not built yet.
func binaries(t *testing.T) (bin, fabric string) {
	t.Helper()
	bin = t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "github.com/hutong-gov/hutong/chaincode/cmd/chaincode")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	n, err := network.Open(network.Options{State: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, n.Run(t.Context(), network.StageBuild))
	return bin, n.Options.FabricBin
}

// build brings the network up. change, where given, changes its manifest first.
func build(t *testing.T, change func(*topology.Topology)) *city {
	t.Helper()
	bin, fabric := binaries(t)
	top := network.DefaultTopology()
	top.Name, top.Gateways, top.DevIDP = "ledgertest", false, false
	if change != nil {
		change(top)
	}
	base, err := network.FreeBasePort(top)
	require.NoError(t, err)
	n, err := network.Up(t.Context(), network.Options{Topology: top, BasePort: base, State: filepath.Join(t.TempDir(), "state"), Bin: bin, FabricBin: fabric})
	t.Cleanup(func() {
		if n != nil {
			require.NoError(t, n.Down(context.Background(), network.Purge))
		}
	})
	require.NoError(t, err)
	c := &city{T: t, network: n, config: configuration(t, n, t.TempDir())}
	c.start()
	t.Cleanup(func() { c.stop() })
	return c
}

// configuration is the gateway's of the Services organisation.
func configuration(t *testing.T, n *network.Network, data string) *config.Config {
	t.Helper()
	org, ok := n.Topology.Organisation("services")
	require.True(t, ok)
	folder := n.Layout.Organisation(org)
	c := &config.Config{
		Organisation: org.Name, MSP: org.MSP, Channel: n.Topology.Channel, DataDir: data,
		Listen: "127.0.0.1:0", PublicURL: "https://127.0.0.1",
		TLS:    config.TLS{Cert: folder.Gateway().TLS().Certificate(), Key: folder.Gateway().TLS().Key()},
		OIDC:   config.OIDC{Issuer: "https://127.0.0.1", Audience: "none"},
		Limits: config.Limits{CommitTimeout: config.Duration(10 * time.Second)},
	}
	for _, p := range n.Topology.PeersOf(org) {
		c.Peers = append(c.Peers, config.Peer{Endpoint: p.Endpoint(), TLSRoot: n.Layout.Public(org).TLSRoot(), ServerName: p.Host})
	}
	for _, o := range n.Topology.Organisations {
		c.AllMSPs = append(c.AllMSPs, o.MSP)
		if o.Endorses {
			c.EndorsingMSPs = append(c.EndorsingMSPs, o.MSP)
		}
	}
	for _, a := range org.Agencies {
		for _, role := range a.Roles {
			c.Identities = append(c.Identities, config.Identity{Agency: org.AgencyID(a), Role: access.Role(role), MSPDir: folder.Agency(a, role).Dir()})
		}
	}
	kept := databasetest.Chosen(t)
	c.Database, c.DatabasePassword = kept.URL, kept.PasswordFile
	text, err := c.Marshal()
	require.NoError(t, err)
	c, err = config.Parse(text, data)
	require.NoError(t, err)
	return c
}

// start starts the gateway's two sides, stop ends them. Between the two, nothing is kept but the projection's file.
func (c *city) start() {
	c.Helper()
	c.registry = prometheus.NewRegistry()
	commits := follow.NewCommits()
	var err error
	c.files, err = reload.NewSet(slog.New(slog.DiscardHandler), c.registry)
	require.NoError(c, err)
	c.ledger, err = ledger.Open(c.config, commits, c.files, c.registry)
	require.NoError(c, err)
	c.projection, err = projection.Open(c.Context(), c.config.Kept(), 2, projection.Contracts())
	require.NoError(c, err)
	c.follower, err = follow.New(c.ledger, commits, c.projection, c.config.Limits.BlocksPerCommit, slog.New(slog.DiscardHandler), c.registry)
	require.NoError(c, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.follower.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(c, <-ended)
		require.NoError(c, c.ledger.Close())
		require.NoError(c, c.projection.Close())
	})
	c.eventually("the projection has caught up", func() bool { return c.follower.Ready(c.Context(), 0, time.Minute) == nil })
}

func (c *city) eventually(what string, condition func() bool) {
	c.Helper()
	require.Eventually(c, condition, patience, 20*time.Millisecond, what)
}

func (c *city) height() uint64 {
	c.Helper()
	tip, err := c.ledger.Tip(c.Context())
	require.NoError(c, err)
	return tip.Number
}

// pid finds a process of the network.
func (c *city) pid(name string) int {
	c.Helper()
	status, err := c.network.Status(c.Context())
	require.NoError(c, err)
	for _, p := range status.Processes {
		if p.Name == name && p.PID != 0 {
			return p.PID
		}
	}
	c.Fatalf("there is no process %s", name)
	return 0
}

// kill ends a process the hard way.
func (c *city) kill(pid int) {
	c.Helper()
	require.NoError(c, syscall.Kill(pid, syscall.SIGKILL))
}

// metric adds up what a counter or gauge says under all its labels.
func (c *city) metric(name string) (n float64) {
	families, err := c.registry.Gather()
	require.NoError(c, err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return n
}

// retries reads the counter of writes sent again.
func (c *city) retries() float64 { return c.metric("hutong_ledger_retries_total") }

var (
	hallAdmin   = ledger.Signer{Agency: "services.hall", Role: access.Admin}
	policeAdmin = ledger.Signer{Agency: "services.police", Role: access.Admin}
)

func command(t testing.TB, key string, request any) kernel.Command {
	t.Helper()
	raw, err := json.Marshal(request)
	require.NoError(t, err)
	return kernel.Command{IdempotencyKey: key, Request: raw}
}

func agency(t testing.TB, code string) exchange.RegisterAgency {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := signed.KeyOf(&key.PublicKey)
	require.NoError(t, err)
	return exchange.RegisterAgency{Code: code, Name: exchange.Text{Zh: "大厅", En: "Hall"}, ExchangeKey: public, Gateway: "https://gateway.test:443"}
}

func certificateType(code string) certificate.PublishType {
	return certificate.PublishType{Code: code, Name: exchange.Text{Zh: "执照", En: "Licence"}, ValidDays: 365,
		Fields: []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "号", En: "Number"}, Type: "string"}}}
}

func (c *city) submit(key, chaincode, function string, request any) ledger.Outcome {
	c.Helper()
	outcome, err := c.ledger.Submit(c.Context(), hallAdmin, chaincode, function, command(c, key, request))
	require.NoError(c, err)
	return outcome
}
