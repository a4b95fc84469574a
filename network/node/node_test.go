package node_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/topology"
)

// fabric is the nodes of the default network in a folder with an awkward name.
func fabric(t *testing.T) *node.Fabric {
	t.Helper()
	state := filepath.Join(t.TempDir(), `a "state" folder`)
	top, l := network.DefaultTopology(), material.At(state)
	issuer := func(org topology.Organisation) (material.Issuer, error) { return material.NewLocal(l, org) }
	require.NoError(t, material.Make(t.Context(), top, l, issuer))
	f := &node.Fabric{Topology: top, Layout: l, State: state, Binaries: "/bin"}
	require.NoError(t, f.Configure())
	return f
}

func read(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var content map[string]any
	require.NoError(t, yaml.Unmarshal(text, &content))
	return content
}

// at follows a path of keys.
func at(t *testing.T, content any, path ...string) any {
	t.Helper()
	for _, key := range path {
		table, ok := content.(map[string]any)
		require.True(t, ok, "%v at %s", path, key)
		content, ok = table[key]
		require.True(t, ok, "%v at %s", path, key)
	}
	return content
}

func TestPeerConfiguration(t *testing.T) {
	f := fabric(t)
	org := f.Topology.Organisations[1]
	folder := f.Layout.Organisation(org).Node("peer0")
	core := read(t, folder.File("core.yaml"))
	require.Equal(t, "planning-peer0", at(t, core, "peer", "id"))
	require.Equal(t, "127.0.0.1:17055", at(t, core, "peer", "address"))
	require.Equal(t, "127.0.0.1:17056", at(t, core, "peer", "chaincodeListenAddress"))
	require.Equal(t, "127.0.0.1:17057", at(t, core, "operations", "listenAddress"))
	require.Equal(t, "PlanningMSP", at(t, core, "peer", "localMspId"))
	require.Equal(t, folder.MSP().Dir(), at(t, core, "peer", "mspConfigPath"))
	require.Equal(t, "", at(t, core, "vm", "endpoint"))
	require.Equal(t, true, at(t, core, "peer", "gossip", "orgLeader"))
	require.Equal(t, false, at(t, core, "peer", "gossip", "useLeaderElection"))
	root, ok := at(t, core, "ledger", "snapshots", "rootDir").(string)
	require.True(t, ok)
	require.True(t, filepath.IsAbs(root))
}

func TestOrdererConfiguration(t *testing.T) {
	f := fabric(t)
	config := read(t, f.Layout.Organisation(f.Topology.Organisations[2]).Node("orderer0").File("orderer.yaml"))
	require.EqualValues(t, 17117, at(t, config, "General", "ListenPort"))
	require.Equal(t, "none", at(t, config, "General", "BootstrapMethod"))
	require.Equal(t, true, at(t, config, "ChannelParticipation", "Enabled"))
	require.Equal(t, "127.0.0.1:17118", at(t, config, "Admin", "ListenAddress"))
	require.Equal(t, true, at(t, config, "Admin", "TLS", "ClientAuthRequired"))
}

// TestBuilder runs the external builder's scripts as a peer does.
func TestBuilder(t *testing.T) {
	f := fabric(t)
	bin := filepath.Join(f.State, "builder", "bin")
	dir := t.TempDir()
	for _, name := range []string{"source", "metadata", "output", "release"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(path("source/connection.json"), []byte(`{"address":"a"}`), 0o600))
	for content, detected := range map[string]bool{
		`{"type":"ccaas","label":"x"}`: true, `{"type":"golang","label":"ccaas"}`: false,
	} {
		require.NoError(t, os.WriteFile(path("metadata/metadata.json"), []byte(content), 0o600))
		err := exec.Command(filepath.Join(bin, "detect"), path("source"), path("metadata")).Run()
		require.Equal(t, detected, err == nil, content)
	}
	require.NoError(t, exec.Command(filepath.Join(bin, "build"), path("source"), path("metadata"), path("output")).Run())
	require.NoError(t, exec.Command(filepath.Join(bin, "release"), path("output"), path("release")).Run())
	text, err := os.ReadFile(path("release/chaincode/server/connection.json"))
	require.NoError(t, err)
	require.Equal(t, `{"address":"a"}`, string(text))
}

// TestEnvironmentIsNotInherited: a variable of Fabric's in somebody's shell
// must not override a configuration file.
func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("CORE_PEER_ADDRESS", "elsewhere:1")
	t.Setenv("ORDERER_GENERAL_LISTENPORT", "1")
	t.Setenv("https_proxy", "http://elsewhere:3128")
	f := fabric(t)
	peers, err := f.Peers()
	require.NoError(t, err)
	orderers, err := f.Orderers()
	require.NoError(t, err)
	for _, spec := range append(peers, orderers...) {
		for _, variable := range spec.Env {
			require.NotContains(t, variable, "elsewhere", spec.Name)
			require.NotRegexp(t, `^(CORE|ORDERER)_`, variable)
		}
	}
}
