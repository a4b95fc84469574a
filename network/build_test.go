package network

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network/authority"
	"github.com/hutong-gov/hutong/network/topology"
)

// TestPins: the launcher builds what the modules beside it require.
func TestPins(t *testing.T) {
	for _, test := range []struct {
		product product
		version string
	}{
		{fabric, "v0.0.0-20240618194258-7c3876255bf0"}, // the commit of v2.5.9
		{fabricCA, fabricCA.version},
	} {
		version, err := test.product.pin(test.product.folder)
		require.NoError(t, err)
		require.Equal(t, test.version, version)
	}
	_, err := fabric.pin(fabricCA.folder)
	require.ErrorContains(t, err, "does not require github.com/hyperledger/fabric")
}

// TestBuilt takes a binary for built only if it is whole and of the pinned
// module.
func TestBuilt(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, authority.Binary)
	require.False(t, fabricCA.built(dir, ""), "nothing there")
	require.NoError(t, os.WriteFile(file, []byte("half a binary"), 0o700))
	require.False(t, fabricCA.built(dir, fabricCA.version))
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Symlink(os.Args[0], file))
	require.True(t, fabricCA.built(dir, ""), "without a source, any version will do")
	require.False(t, fabricCA.built(dir, fabricCA.version), "this test is not Fabric CA")
}

// TestGivenBinaries are taken as they are; what is missing among them is named,
// and a Fabric CA that is missing is one's own.
func TestGivenBinaries(t *testing.T) {
	given := t.TempDir()
	top := DefaultTopology()
	top.Identities = topology.IdentitiesFabricCA
	n, err := Open(Options{State: t.TempDir(), Bin: t.TempDir(), FabricBin: given, Topology: top})
	require.NoError(t, err)
	_, err = n.build(t.Context())
	require.ErrorContains(t, err, FabricBinVariable+"="+given)
	require.ErrorContains(t, err, "orderer")
	require.Equal(t, filepath.Join(n.Options.Bin, "fabric", authority.Binary), n.authorityBinary())

	for _, name := range []string{"orderer", "peer", authority.Binary} {
		require.NoError(t, os.WriteFile(filepath.Join(given, name), []byte("#!/bin/sh\n"), 0o700))
	}
	require.Equal(t, filepath.Join(given, authority.Binary), n.authorityBinary())
	said, err := n.build(t.Context())
	require.NoError(t, err)
	require.Contains(t, said, "Fabric CA given: "+given)
	require.NoDirExists(t, filepath.Join(n.Options.Bin, "fabric"))
}
