package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/process"
)

// run runs the command line and gives what it printed.
func run(ctx context.Context, out *buffer, args ...string) error {
	c := command()
	c.SetArgs(args)
	c.SetOut(out)
	return c.ExecuteContext(ctx)
}

// buffer may be read while a command writes to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestEveryStageIsACommand(t *testing.T) {
	for _, stage := range network.Stages() {
		c, _, err := command().Find([]string{string(stage)})
		require.NoError(t, err)
		require.Equal(t, string(stage), c.Name())
		require.NotEmpty(t, c.Short, stage)
	}
}

func TestStatusOfWhatDoesNotRun(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	out := &buffer{}
	require.ErrorContains(t, run(t.Context(), out, "status", "--state", state), "`hutong up` makes it")
	require.NoDirExists(t, state, "status changes nothing")

	require.NoError(t, run(t.Context(), out, "material", "--state", state))
	require.Contains(t, out.String(), "identities of 4 organisations and 55 agencies")
	out = &buffer{}
	require.ErrorIs(t, run(t.Context(), out, "status", "--state", state), errNotUp)
	require.Contains(t, out.String(), "services-peer0")
	require.Contains(t, out.String(), "is not up")

	out = &buffer{}
	require.ErrorIs(t, run(t.Context(), out, "status", "--state", state, "--json"), errNotUp)
	var s network.Status
	require.NoError(t, json.Unmarshal([]byte(out.String()), &s))
	require.Len(t, s.Processes, 16)
	for _, p := range s.Processes {
		require.Equal(t, network.Absent, p.State)
	}

	out = &buffer{}
	require.NoError(t, run(t.Context(), out, "down", "--purge", "--state", state))
	require.NoDirExists(t, state)
}

func TestStatusTable(t *testing.T) {
	out := &buffer{}
	require.NoError(t, show(out, network.Status{
		Network: "test", Channel: "government", State: "/s", MemoryBytes: 64 << 20, HeightsAgree: true,
		Processes: []network.ProcessStatus{
			{Name: "services-peer0", State: network.Ready, PID: 4711, Version: "v2.5.9", UptimeSeconds: 61, MemoryBytes: 64 << 20, Height: 7,
				Ports: []process.Port{{Number: 17005}, {Number: 17006}}},
			{Name: "audit-peer0", State: network.Dead, Problem: "pid 12 has ended"},
		},
	}, false))
	var words [][]string
	for line := range strings.Lines(out.String()) {
		words = append(words, strings.Fields(line))
	}
	require.Equal(t, []string{"services-peer0", "ready", "4711", "17005,17006", "v2.5.9", "1m1s", "64", "MiB", "7"}, words[1])
	require.Equal(t, "audit-peer0: pid 12 has ended", strings.Join(words[3], " "))
	require.Contains(t, out.String(), "test (channel government) is not up; heights agree; 64 MiB in all")
}

func TestLogs(t *testing.T) {
	state := t.TempDir()
	logs := filepath.Join(state, "logs")
	require.NoError(t, os.Mkdir(logs, 0o700))
	for name, text := range map[string]string{"a": "1\n2\n3\n", "b": "4\nhalf a li"} {
		require.NoError(t, os.WriteFile(filepath.Join(logs, name+".log"), []byte(text), 0o600))
	}
	out := &buffer{}
	require.NoError(t, run(t.Context(), out, "logs", "a", "-n", "2", "--state", state))
	require.Equal(t, "2\n3\n", out.String())
	require.ErrorContains(t, run(t.Context(), out, "logs", "c", "--state", state), "[a b]")

	out = &buffer{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- run(ctx, out, "logs", "-f", "-n", "1", "--state", state) }()
	require.Eventually(t, func() bool { return out.String() == "a: 3\nb: 4\n" }, 5*time.Second, time.Millisecond)
	file, err := os.OpenFile(filepath.Join(logs, "b.log"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString("ne\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Eventually(t, func() bool { return strings.HasSuffix(out.String(), "b: half a line\n") }, 5*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

// TestAnnounce: whoever has brought a network up is told where to go.
func TestAnnounce(t *testing.T) {
	n, err := network.Open(network.Options{Topology: network.DefaultTopology(), State: "/s"})
	require.NoError(t, err)
	out := &buffer{}
	announce(out, n, time.Second)
	for _, line := range []string{
		"hutong is ready after 1.0 s",
		"services  https://127.0.0.1:17000/docs",
		"services.hall, services.police, services.civil, services.social, services.disabled, and 16 that only publish",
		"audit     https://127.0.0.1:17150/docs",
		"sign in   https://127.0.0.1:17004",
		"/s/public/*/tlsca.pem",
		"hutong status · hutong logs · hutong down",
	} {
		require.Contains(t, out.String(), line)
	}

	n.Topology.Gateways, n.Topology.DevIDP = false, false
	out = &buffer{}
	announce(out, n, time.Second)
	require.NotContains(t, out.String(), "https://")

	n.Options.Until = network.StageDeploy
	out = &buffer{}
	announce(out, n, time.Second)
	require.Equal(t, "hutong is up to stage deploy after 1.0 s\n", out.String())
}

// TestHelpForNewcomers: the commands one needs first stand first, the stages in
// their order.
func TestHelpForNewcomers(t *testing.T) {
	out := &buffer{}
	require.NoError(t, run(t.Context(), out, "help"))
	last := -1
	for _, name := range []string{"up", "status", "logs", "down", "build", "material", "start", "channel", "deploy", "gateways", "ready"} {
		at := strings.Index(out.String(), "\n  "+name+" ")
		require.Greater(t, at, last, name)
		last = at
	}
}

func TestNothingThere(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	out := &buffer{}
	require.NoError(t, run(t.Context(), out, "down", "--state", state))
	require.Contains(t, out.String(), "there is no network in "+state)
	for _, args := range [][]string{{"logs"}, {"logs", "services-peer0"}} {
		require.ErrorContains(t, run(t.Context(), out, append(args, "--state", state)...), "`hutong up` starts them")
	}
	require.NoDirExists(t, state)
}
