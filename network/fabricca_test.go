package network_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/authority"
	"github.com/hutong-gov/hutong/network/topology"
)

// TestNetworkFabricCA brings up a network whose identities come from the
// organisations' Fabric CAs: nothing else of it may notice.
func TestNetworkFabricCA(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a network")
	}
	top := manifest()
	top.Identities = topology.IdentitiesFabricCA
	bin, _ := binaries(t)
	o := options(t, top, bin, copied(t, top, "peer", "orderer", authority.Binary))
	o.Until = network.StageDeploy
	began := time.Now()
	n, err := network.Up(t.Context(), o)
	require.NoError(t, err)
	t.Logf("up with Fabric CA in %.1f s", time.Since(began).Seconds())
	requireUp(t, n)
	require.Len(t, kinds(t, n)[authority.Kind], 4)

	t.Run("certificates carry who somebody is", func(t *testing.T) {
		for _, org := range n.Topology.Organisations {
			for _, agency := range org.Agencies {
				for _, role := range agency.Roles {
					require.Equal(t, org.MSP+" "+org.AgencyID(agency)+" "+role, who(t, n, org.Name, agency.Code, role))
				}
			}
		}
		// The network's administrator speaks for no agency.
		msp, err := n.AdminIdentity("services")
		require.NoError(t, err)
		admin := connectAs(t, n, "services", msp)
		defer admin.close()
		_, err = admin.EvaluateTransaction("who")
		require.ErrorContains(t, err, "access.no_agency")
	})

	t.Run("agencies write", func(t *testing.T) {
		c := connect(t, n, "planning", "housing", "agency")
		defer c.close()
		// What waits until the peers have heard what each of them serves comes after deployment, where this network stopped.
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			require.NoError(t, c.put(context.Background(), "a", "1"))
		}, 20*time.Second, 200*time.Millisecond)
		require.Equal(t, "1", read(t, n, "audit", "office", "auditor", "a"))
	})

	t.Run("again changes nothing", func(t *testing.T) {
		before := issued(t, o.State)
		require.NoError(t, n.Up(t.Context()))
		require.Equal(t, before, issued(t, o.State))
	})

	t.Run("a further agency adds only its identities", func(t *testing.T) {
		before := issued(t, o.State)
		o.Topology = n.Topology.Clone()
		o.Topology.Organisations[2].Agencies = append(o.Topology.Organisations[2].Agencies,
			topology.Agency{Code: "parks", Roles: []string{topology.RoleAgency, topology.RoleAdmin}})
		n, err = network.Up(t.Context(), o)
		require.NoError(t, err)
		after := issued(t, o.State)
		for path, content := range before {
			require.Equal(t, content, after[path], path)
			delete(after, path)
		}
		for path := range after {
			inside := strings.HasPrefix(path, "organisations/market/agencies/parks/") || path == "public/MarketMSP/exchange/parks.pem"
			require.True(t, inside, path)
		}
		require.NotEmpty(t, after)
		require.Equal(t, "MarketMSP market.parks agency", who(t, n, "market", "parks", "agency"))
	})

	t.Run("killed authorities are healed, and issue", func(t *testing.T) {
		kill(t, n, "services-ca", "market-ca")
		require.False(t, status(t, n).Up)
		// A certificate that has to be issued again by one that was killed.
		msp, err := n.Identity("market", "parks", "admin")
		require.NoError(t, err)
		require.NoError(t, os.Remove(msp.Certificate()))
		require.NoError(t, n.Up(t.Context()))
		requireUp(t, n)
		require.Equal(t, "MarketMSP market.parks admin", who(t, n, "market", "parks", "admin"))
	})

	t.Run("down ends them", func(t *testing.T) {
		require.NoError(t, n.Down(t.Context(), false))
		records, err := n.Records()
		require.NoError(t, err)
		require.Empty(t, records)
	})
}

// who is whom the chaincode takes an agency's identity for.
func who(t *testing.T, n *network.Network, org, agency, role string) string {
	t.Helper()
	c := connect(t, n, org, agency, role)
	defer c.close()
	answer, err := c.EvaluateTransaction("who")
	require.NoError(t, err)
	return string(answer)
}

// kinds are the names of the processes that run, by their kind.
func kinds(t *testing.T, n *network.Network) map[string][]string {
	t.Helper()
	records, err := n.Records()
	require.NoError(t, err)
	names := map[string][]string{}
	for _, r := range records {
		names[r.Kind] = append(names[r.Kind], r.Name)
	}
	return names
}

// issued is the content of every key and certificate, by its path; the
// authorities' own folders, where a register changes, are not looked at.
func issued(t *testing.T, state string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(state, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && e.Name() == "fabric-ca" {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".pem" {
			return nil
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(state, path)
		require.NoError(t, err)
		files[filepath.ToSlash(name)] = string(text)
		return nil
	}))
	return files
}
