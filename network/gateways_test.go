package network

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/devidp"
	"github.com/hutong-gov/hutong/network/process"
)

// prepared is the default network with its material and nothing running.
func prepared(t *testing.T) *Network {
	t.Helper()
	n, err := Open(Options{State: t.TempDir(), Bin: t.TempDir(), FabricBin: t.TempDir(), Topology: DefaultTopology()})
	require.NoError(t, err)
	require.NoError(t, n.Run(t.Context(), StageMaterial))
	return n
}

func specNamed(t *testing.T, n *Network, name string) process.Spec {
	t.Helper()
	specs, err := n.gatewaySpecs()
	require.NoError(t, err)
	for _, spec := range specs {
		if spec.Name == name {
			return spec
		}
	}
	t.Fatalf("no process %s", name)
	return process.Spec{}
}

// TestGatewayReadsItsConfiguration parses what is written for every
// organisation with the gateway's own reader, and finds every file named in it
// inside the organisation's own folder or the public one.
func TestGatewayReadsItsConfiguration(t *testing.T) {
	n := prepared(t)
	for _, org := range n.Topology.Organisations {
		spec := specNamed(t, n, org.GatewayProcess())
		c, err := config.Parse(spec.Configs[0].Content, "/")
		require.NoError(t, err)
		require.Equal(t, org.MSP, c.MSP)
		require.Equal(t, []string{"ServicesMSP", "PlanningMSP", "MarketMSP"}, c.EndorsingMSPs)
		require.Len(t, c.Directory, 3)
		require.Equal(t, org.Name == "services", c.PseudonymKey != "")

		own, public := n.Layout.Organisation(org).Dir(), n.Layout.PublicRoot()
		secrets := []string{c.TLS.Cert, c.TLS.Key}
		for _, id := range c.Identities {
			secrets = append(secrets, filepath.Join(id.MSPDir, "signcerts", "cert.pem"), filepath.Join(id.MSPDir, "keystore", "key.pem"))
		}
		for _, k := range c.ExchangeKeys {
			secrets = append(secrets, k.Private)
		}
		for _, file := range secrets {
			require.FileExists(t, file)
			requireUnder(t, own, file)
		}
		roots := []string{c.Peers[0].TLSRoot, c.OIDC.TLSRoot}
		for _, neighbour := range c.Directory {
			roots = append(roots, neighbour.TLSRoot)
		}
		for _, file := range roots {
			require.FileExists(t, file)
			requireUnder(t, public, file)
		}
	}
}

func requireUnder(t *testing.T, folder, file string) {
	t.Helper()
	relative, err := filepath.Rel(folder, file)
	require.NoError(t, err)
	require.True(t, filepath.IsLocal(relative), "%s is not under %s", file, folder)
}

func TestIdentityProviderReadsItsConfiguration(t *testing.T) {
	n := prepared(t)
	spec := specNamed(t, n, "devidp")
	file := filepath.Join(t.TempDir(), "devidp.yaml")
	require.NoError(t, os.WriteFile(file, spec.Configs[0].Content, 0o600))
	c, err := devidp.LoadConfig(file)
	require.NoError(t, err)
	require.Equal(t, "https://127.0.0.1:17004", c.PublicURL)
	require.Equal(t, audience, c.Audience)
}

// TestOwnUsers: a list of users laid into the provider's folder replaces its own.
func TestOwnUsers(t *testing.T) {
	n := prepared(t)
	file := n.Layout.Organisation(n.Topology.Organisations[0]).IdentityProvider().File(usersFile)
	require.NoError(t, os.WriteFile(file, []byte("users: []\n"), 0o600))
	spec := specNamed(t, n, "devidp")
	require.Len(t, spec.Configs, 2)
	require.Contains(t, string(spec.Configs[0].Content), "users: "+file)
}

// TestConnectors: definitions laid into a gateway's folder are given to it,
// and a changed one makes it start anew.
func TestConnectors(t *testing.T) {
	n := prepared(t)
	org := n.Topology.Organisations[1]
	folder := n.Layout.Organisation(org).Gateway().File(connectorsFolder)
	require.Len(t, specNamed(t, n, org.GatewayProcess()).Configs, 1)
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "premises.yaml"), []byte("dataset: premises\n"), 0o600))
	spec := specNamed(t, n, org.GatewayProcess())
	require.Len(t, spec.Configs, 2)
	c, err := config.Parse(spec.Configs[0].Content, "/")
	require.NoError(t, err)
	require.Equal(t, folder, c.Connectors)
}

func TestMissingGatewayBinaryIsToldBeforeAnythingStarts(t *testing.T) {
	n := prepared(t)
	err := n.Run(t.Context(), StageGateways)
	require.ErrorContains(t, err, "stage gateways: devidp cannot start")
	require.ErrorContains(t, err, "hutong up --until deploy")
	records, err := n.Records()
	require.NoError(t, err)
	require.Empty(t, records)
}

func TestPurgeSparesAFolderThatIsNoState(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "thesis.txt")
	require.NoError(t, os.WriteFile(file, []byte("three years of work"), 0o600))
	n, err := Open(Options{State: folder, Topology: DefaultTopology()})
	require.NoError(t, err)
	require.ErrorContains(t, n.Down(t.Context(), Purge), "it is not a network's state folder")
	require.FileExists(t, file)
}

func TestGivenFabricBinariesMustBeThere(t *testing.T) {
	t.Setenv(FabricBinVariable, t.TempDir())
	n, err := Open(Options{State: t.TempDir(), Topology: DefaultTopology()})
	require.NoError(t, err)
	err = n.Run(t.Context(), StageBuild)
	require.ErrorContains(t, err, FabricBinVariable+"=")
	require.ErrorContains(t, err, "orderer")
}

// TestManifestOfAStateFolder: a state folder alone says which network it is.
func TestManifestOfAStateFolder(t *testing.T) {
	top := DefaultTopology()
	top.Name = "other"
	state := t.TempDir()
	n, err := Open(Options{State: state, Topology: top, BasePort: 23000})
	require.NoError(t, err)
	require.NoError(t, n.Run(t.Context(), StageMaterial))
	again, err := Open(Options{State: state})
	require.NoError(t, err)
	require.Equal(t, "other", again.Topology.Name)
	require.Equal(t, 23000, again.Topology.BasePort)
}

func TestUnknownStage(t *testing.T) {
	_, err := Open(Options{Until: "heaven"})
	require.ErrorContains(t, err, `there is no stage "heaven"`)
}

// TestStagesThatNeedNodesDoNotWaitInVain for a network that is not running.
func TestStagesThatNeedNodesDoNotWaitInVain(t *testing.T) {
	n := prepared(t)
	for _, stage := range []Stage{StageChannel, StageDeploy, StageReady} {
		require.ErrorContains(t, n.Run(t.Context(), stage), "services-orderer0 does not run: run `hutong start` first", stage)
	}
	s, err := n.Status(t.Context())
	require.NoError(t, err)
	require.False(t, s.Up)
	require.False(t, s.HeightsAgree)
}
