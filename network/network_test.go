package network_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// register is the test chaincode in testdata/register.
const register = "register"

// binaries gives a folder with the test chaincode's server and one with copies
// of Fabric's binaries: nothing else of a build is within reach, so a network
// that comes up with them uses nothing else.
func binaries(t *testing.T) (bin, fabric string) {
	t.Helper()
	bin = t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "./testdata/register")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return bin, copied(t, network.DefaultTopology(), "peer", "orderer")
}

// copied is a folder with those of the binaries that are built for a network,
// and nothing else.
func copied(t *testing.T, top *topology.Topology, names ...string) string {
	t.Helper()
	fabric := t.TempDir()
	n, err := network.Open(network.Options{Topology: top, State: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, n.Run(t.Context(), network.StageBuild))
	for _, name := range names {
		require.NoError(t, os.Link(filepath.Join(n.Options.FabricBin, name), filepath.Join(fabric, name)))
	}
	return fabric
}

// manifest is the default network with the test chaincode instead of ours.
func manifest() *topology.Topology {
	top := network.DefaultTopology()
	top.Name, top.Gateways, top.DevIDP = "test", false, false
	top.Chaincodes = []topology.Chaincode{{Name: register, Version: "1", Binary: register, Policy: top.Chaincodes[0].Policy}}
	return top
}

// options are of a network at ports of its own, taken down with the test.
func options(t *testing.T, top *topology.Topology, bin, fabric string) network.Options {
	t.Helper()
	base, err := network.FreeBasePort(top)
	require.NoError(t, err)
	o := network.Options{Topology: top, State: filepath.Join(t.TempDir(), "state"), Bin: bin, FabricBin: fabric, BasePort: base}
	t.Cleanup(func() {
		n, err := network.Open(o)
		require.NoError(t, err)
		if t.Failed() {
			logs(t, n)
		}
		require.NoError(t, n.Down(context.Background(), network.Purge))
	})
	return o
}

// logs shows the end of every log of a network whose test has failed.
func logs(t *testing.T, n *network.Network) {
	records, err := n.Records()
	require.NoError(t, err)
	for _, r := range records {
		text, err := os.ReadFile(n.Log(r.Name))
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		t.Logf("%s:\n%s", r.Name, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// clientOf speaks to an organisation's peer in an agency's name.
type clientOf struct {
	*client.Contract
	close func()
}

func connect(t *testing.T, n *network.Network, org, agency, role string) clientOf {
	t.Helper()
	msp, err := n.Identity(org, agency, role)
	require.NoError(t, err)
	return connectAs(t, n, org, msp)
}

func connectAs(t *testing.T, n *network.Network, org string, msp material.MSP) clientOf {
	t.Helper()
	text, err := os.ReadFile(msp.Certificate())
	require.NoError(t, err)
	certificate, err := identity.CertificateFromPEM(text)
	require.NoError(t, err)
	o, ok := n.Topology.Organisation(org)
	require.True(t, ok)
	id, err := identity.NewX509Identity(o.MSP, certificate)
	require.NoError(t, err)
	text, err = os.ReadFile(msp.Key())
	require.NoError(t, err)
	key, err := identity.PrivateKeyFromPEM(text)
	require.NoError(t, err)
	sign, err := identity.NewPrivateKeySign(key)
	require.NoError(t, err)
	conn, err := n.Dial(org)
	require.NoError(t, err)
	gateway, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(conn))
	require.NoError(t, err)
	return clientOf{gateway.GetNetwork(n.Topology.Channel).GetContract(register), func() { gateway.Close(); conn.Close() }}
}

func (c clientOf) put(ctx context.Context, key, value string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := c.SubmitWithContext(ctx, "put", client.WithArguments(key, value))
	return err
}

func read(t *testing.T, n *network.Network, org, agency, role, key string) string {
	t.Helper()
	c := connect(t, n, org, agency, role)
	defer c.close()
	value, err := c.EvaluateWithContext(t.Context(), "get", client.WithArguments(key))
	require.NoError(t, err)
	return string(value)
}

func status(t *testing.T, n *network.Network) network.Status {
	t.Helper()
	s, err := n.Status(t.Context())
	require.NoError(t, err)
	return s
}

// requireUp wants every process ready and every node at the same height.
func requireUp(t *testing.T, n *network.Network) {
	t.Helper()
	s := status(t, n)
	require.True(t, s.Up, "%+v", s)
	require.True(t, s.HeightsAgree, "%+v", s)
	require.Less(t, s.MemoryBytes, int64(1<<30))
	for _, p := range s.Processes {
		if p.Kind == "orderer" || p.Kind == "peer" {
			require.NotEmpty(t, p.Version, p.Name)
			require.NotZero(t, p.Height, p.Name)
		}
	}
}

// kill ends processes as a power cut would, all if none is named.
func kill(t *testing.T, n *network.Network, names ...string) {
	t.Helper()
	records, err := n.Records()
	require.NoError(t, err)
	for _, r := range records {
		if len(names) > 0 && !slices.Contains(names, r.Name) {
			continue
		}
		require.True(t, r.Alive(), r.Name)
		require.NoError(t, syscall.Kill(r.PID, syscall.SIGKILL))
		require.Eventually(t, func() bool { return !r.Alive() }, 5*time.Second, time.Millisecond)
	}
}

// TestNetworkHeals kills one process of each kind and then everything, each
// time with writes going on, and wants every acknowledged write to be there
// once `up` has run again.
func TestNetworkHeals(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a network")
	}
	bin, fabric := binaries(t)
	o := options(t, manifest(), bin, fabric)
	n, err := network.Up(t.Context(), o)
	require.NoError(t, err)
	requireUp(t, n)

	kept := map[string]string{}
	for _, victims := range [][]string{{"services-peer0"}, {"planning-orderer0"}, {"market-register"}, {"services-orderer0", "audit-peer0"}, nil} {
		round := fmt.Sprint(victims)
		for key, value := range writeThrough(t, n, round, func() { kill(t, n, victims...) }) {
			kept[key] = value
		}
		require.False(t, status(t, n).Up, round)
		began := time.Now()
		require.NoError(t, n.Up(t.Context()), round)
		t.Logf("healed after the loss of %s in %.1f s", round, time.Since(began).Seconds())
		requireUp(t, n)
	}
	require.NotEmpty(t, kept)
	for key, value := range kept {
		require.Equal(t, value, read(t, n, "audit", "office", "auditor", key))
	}
	t.Logf("%d acknowledged writes are all there", len(kept))
}

// writeThrough writes from two organisations while something is done to the
// network, and gives the writes that were acknowledged.
func writeThrough(t *testing.T, n *network.Network, prefix string, do func()) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	acknowledged := map[string]string{}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	var writers sync.WaitGroup
	for _, who := range [][2]string{{"planning", "housing"}, {"market", "tax"}} {
		c := connect(t, n, who[0], who[1], "agency")
		defer c.close()
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key, value := fmt.Sprintf("%s/%s/%d", prefix, who[0], i), fmt.Sprint(time.Now().UnixNano())
				if c.put(ctx, key, value) == nil {
					mu.Lock()
					acknowledged[key] = value
					mu.Unlock()
				}
			}
		})
	}
	require.Eventually(t, func() bool { return count() >= 4 }, 30*time.Second, 10*time.Millisecond)
	do()
	time.Sleep(300 * time.Millisecond) // writes go on for a moment, into whatever is left
	cancel()
	writers.Wait()
	return acknowledged
}

// TestNetworkLife takes a network through what an operator does to it: another
// network beside it, a second launcher, another agency, another policy, down
// and up again.
func TestNetworkLife(t *testing.T) {
	if testing.Short() {
		t.Skip("runs two networks")
	}
	bin, fabric := binaries(t)
	o := options(t, manifest(), bin, fabric)
	n, err := network.Up(t.Context(), o)
	require.NoError(t, err)
	requireUp(t, n)
	c := connect(t, n, "services", "police", "agency")
	defer c.close()
	require.NoError(t, c.put(t.Context(), "a", "1"))

	t.Run("the auditor reads and cannot write", func(t *testing.T) {
		auditor := connect(t, n, "audit", "office", "auditor")
		defer auditor.close()
		require.Equal(t, "1", read(t, n, "audit", "office", "auditor", "a"))
		err := auditor.put(t.Context(), "a", "2")
		require.ErrorContains(t, err, "submit error")
		require.Equal(t, "1", read(t, n, "services", "police", "agency", "a"))
	})

	t.Run("one launcher at a time", func(t *testing.T) {
		release, err := process.Lock(o.State)
		require.NoError(t, err)
		defer release()
		require.ErrorIs(t, n.Up(t.Context()), process.ErrLocked)
	})

	t.Run("a launcher killed before it recorded a start", func(t *testing.T) {
		before, err := n.Records()
		require.NoError(t, err)
		// What it leaves is the intent instead of the record.
		run := filepath.Join(o.State, "run")
		require.NoError(t, os.Rename(filepath.Join(run, "audit-peer0.json"), filepath.Join(run, "audit-peer0.intent")))
		require.NoError(t, n.Up(t.Context()))
		after, err := n.Records()
		require.NoError(t, err)
		require.Equal(t, before, after, "taken over, not started again")
		requireUp(t, n)
	})

	t.Run("another network beside it", func(t *testing.T) {
		top := manifest()
		top.Name, top.Organisations = "beside", top.Organisations[:1]
		top.Chaincodes[0].Policy = "OR('ServicesMSP.peer')"
		m, err := network.Up(t.Context(), options(t, top, bin, fabric))
		require.NoError(t, err)
		requireUp(t, m)
		d := connect(t, m, "services", "police", "agency")
		defer d.close()
		require.NoError(t, d.put(t.Context(), "a", "beside"))
		require.Equal(t, "1", read(t, n, "services", "police", "agency", "a"))
		require.NoError(t, m.Down(t.Context(), network.Purge))
		require.NoDirExists(t, m.Options.State)
		requireUp(t, n)
	})

	t.Run("ports of another network are refused", func(t *testing.T) {
		other := o
		other.State = filepath.Join(t.TempDir(), "other")
		other.Until = network.StageStart
		_, err := network.Up(t.Context(), other)
		require.ErrorContains(t, err, fmt.Sprintf("port %d, which services-orderer0 needs for its service, is held by", o.BasePort+17))
	})

	t.Run("another agency and another policy", func(t *testing.T) {
		next := o
		next.Topology = n.Topology.Clone()
		next.Topology.Organisations[0].Agencies = append(next.Topology.Organisations[0].Agencies,
			topology.Agency{Code: "customs", Roles: []string{topology.RoleAgency}})
		next.Topology.Chaincodes[0].Policy = "OutOf(3, 'ServicesMSP.peer', 'PlanningMSP.peer', 'MarketMSP.peer')"
		m, err := network.Up(t.Context(), next)
		require.NoError(t, err)
		newcomer := connect(t, m, "services", "customs", "agency")
		defer newcomer.close()
		require.NoError(t, newcomer.put(t.Context(), "b", "2"))
		o = next
	})

	t.Run("what cannot change is refused", func(t *testing.T) {
		next := o
		next.BasePort += topology.PortsPerOrganisation
		_, err := network.Up(t.Context(), next)
		require.ErrorContains(t, err, "base_port")
	})

	t.Run("down leaves nothing, up brings all back", func(t *testing.T) {
		n, err := network.Open(o)
		require.NoError(t, err)
		records, err := n.Records()
		require.NoError(t, err)
		require.Len(t, records, 11)
		require.NoError(t, n.Down(t.Context(), false))
		for _, r := range records {
			require.ErrorIs(t, syscall.Kill(r.PID, 0), syscall.ESRCH, r.Name)
		}
		for port := o.BasePort; port < o.BasePort+n.Topology.Span(); port++ {
			require.False(t, process.Busy(port), port)
		}
		require.NoError(t, n.Up(t.Context()))
		requireUp(t, n)
		require.Equal(t, "1", read(t, n, "planning", "housing", "agency", "a"))
		require.Equal(t, "2", read(t, n, "market", "tax", "agency", "b"))
	})
}
