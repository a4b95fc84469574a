package deploy_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/serve"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/deploy"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

// TestServersReadTheirConfiguration writes the servers' configurations and
// reads them with the servers' own reader.
func TestServersReadTheirConfiguration(t *testing.T) {
	top := network.DefaultTopology()
	top.Chaincodes = append(top.Chaincodes, topology.Chaincode{
		Name: "baseline", Version: "1", Binary: "baseline", Policy: top.Chaincodes[0].Policy,
	})
	l := material.At(t.TempDir())
	issuer := func(org topology.Organisation) (material.Issuer, error) { return material.NewLocal(l, org) }
	require.NoError(t, material.Make(t.Context(), top, l, issuer))
	specs, err := deploy.Servers(top, l, "/bin")
	require.NoError(t, err)
	require.Len(t, specs, 8)
	contracts := map[string]int{}
	for _, spec := range specs {
		file := filepath.Join(t.TempDir(), "config.json")
		require.NoError(t, os.WriteFile(file, spec.Configs[0].Content, 0o600))
		config, err := serve.ReadConfig(file)
		require.NoError(t, err)
		require.FileExists(t, config.TLSCert)
		require.FileExists(t, config.TLSKey)
		require.Len(t, spec.Ports, len(config.Servers))
		for _, s := range config.Servers {
			contracts[s.Contract]++
		}
	}
	require.Equal(t, map[string]int{"exchange": 4, "collaboration": 4, "certificate": 4, "baseline": 4}, contracts)
}
