package network_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
)

// otherBinaries names a folder with Fabric's `peer` and `orderer` of another
// release, for the test below.
const otherBinaries = "HUTONG_OTHER_FABRIC_BIN"

// TestNetworkOtherBinaries runs a network with Fabric binaries that were not
// built here, then moves it to ours and back. That nothing else of the pinned
// build is used shows in every network test: they run copies of the two
// binaries from a folder that holds nothing else.
func TestNetworkOtherBinaries(t *testing.T) {
	other := os.Getenv(otherBinaries)
	if other == "" {
		t.Skipf("%s names no folder with other binaries", otherBinaries)
	}
	bin, ours := binaries(t)
	o := options(t, manifest(), bin, "")
	t.Setenv(network.FabricBinVariable, other)
	n, err := network.Up(t.Context(), o)
	require.NoError(t, err)
	requireUp(t, n)
	requireVersion(t, n, other)
	require.NoDirExists(t, filepath.Join(bin, "fabric"), "nothing was built")
	c := connect(t, n, "planning", "housing", "agency")
	defer c.close()
	require.NoError(t, c.put(t.Context(), "a", "1"))

	for _, folder := range []string{ours, other} {
		t.Setenv(network.FabricBinVariable, folder)
		n, err = network.Up(t.Context(), o)
		require.NoError(t, err)
		requireUp(t, n)
		requireVersion(t, n, folder)
		require.Equal(t, "1", read(t, n, "audit", "office", "auditor", "a"))
	}
}

// requireVersion wants every Fabric node to state the version of the binaries
// in a folder.
func requireVersion(t *testing.T, n *network.Network, folder string) {
	t.Helper()
	stated := regexp.MustCompile(`(?m)^ Version: (\S+)$`)
	for _, p := range status(t, n).Processes {
		if p.Kind != "peer" && p.Kind != "orderer" {
			continue
		}
		out, err := exec.Command(filepath.Join(folder, p.Kind), "version").CombinedOutput()
		require.NoError(t, err, string(out))
		match := stated.FindSubmatch(out)
		require.NotNil(t, match, string(out))
		require.Equal(t, string(match[1]), p.Version, p.Name)
	}
}
