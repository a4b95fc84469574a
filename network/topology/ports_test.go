package topology_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/topology"
)

// ports lists every port a topology gives out, by owner.
func ports(t *topology.Topology) map[string]int {
	all := map[string]int{"devidp": t.IdentityProviderPort()}
	for _, org := range t.Organisations {
		all[org.Name+" gateway"] = t.GatewayPort(org)
		all[org.Name+" gateway operations"] = t.GatewayOperationsPort(org)
		all[org.Name+" authority"] = t.AuthorityPort(org)
		all[org.Name+" authority operations"] = t.AuthorityPort(org) + 1
		for _, p := range t.PeersOf(org) {
			all[p.Process+" service"], all[p.Process+" chaincode"], all[p.Process+" operations"] = p.Port, p.ChaincodeListenerPort, p.Operations
		}
		for _, o := range t.OrderersOf(org) {
			all[o.Process+" service"], all[o.Process+" admin"], all[o.Process+" operations"] = o.Port, o.Admin, o.Operations
		}
		for i, cc := range t.Chaincodes {
			all[org.Name+" "+cc.Name] = t.ChaincodePort(org, i)
		}
	}
	return all
}

// largest is a topology at every limit at once.
func largest() *topology.Topology {
	t := &topology.Topology{BasePort: 20000}
	for i := range topology.MaxOrganisations {
		t.Organisations = append(t.Organisations, topology.Organisation{
			Index: i, Name: fmt.Sprintf("org%d", i), Peers: topology.MaxPeers, Orderers: topology.MaxOrderers,
		})
	}
	for i := range topology.MaxChaincodes {
		t.Chaincodes = append(t.Chaincodes, topology.Chaincode{Name: fmt.Sprintf("cc%d", i)})
	}
	return t
}

func TestNoPortTwiceAndAllInSpan(t *testing.T) {
	for name, top := range map[string]*topology.Topology{"default": network.DefaultTopology(), "largest": largest()} {
		owners := map[int]string{}
		for owner, port := range ports(top) {
			require.GreaterOrEqual(t, port, top.BasePort, "%s: %s", name, owner)
			require.Less(t, port, top.BasePort+top.Span(), "%s: %s", name, owner)
			require.Empty(t, owners[port], "%s: port %d of %s", name, port, owner)
			owners[port] = owner
		}
	}
}

// TestPortsStay adds everything a network can grow by and finds every port
// that was there before where it was.
func TestPortsStay(t *testing.T) {
	before := ports(network.DefaultTopology())
	top := network.DefaultTopology()
	for i := range top.Organisations {
		top.Organisations[i].Peers++
		top.Organisations[i].Orderers++
		top.Organisations[i].Agencies = append(top.Organisations[i].Agencies, topology.Agency{Code: "more"})
	}
	top.Organisations = append(top.Organisations, topology.Organisation{Name: "customs", Index: len(top.Organisations), Peers: 1})
	top.Chaincodes = append(top.Chaincodes, topology.Chaincode{Name: "baseline"})
	after := ports(top)
	for owner, port := range before {
		require.Equal(t, port, after[owner], owner)
	}
}

func TestFirstPortIsTheCitizensDoor(t *testing.T) {
	top := network.DefaultTopology()
	require.Equal(t, "https://127.0.0.1:17000", top.GatewayURL(top.Organisations[0]))
}

func TestChange(t *testing.T) {
	tests := []struct {
		name   string
		change func(*topology.Topology)
		field  string
	}{
		{"nothing", func(*topology.Topology) {}, ""},
		{"another agency", func(t *topology.Topology) {
			org := &t.Organisations[1]
			org.Agencies = append(org.Agencies, topology.Agency{Code: "water", Roles: []string{"agency"}})
		}, ""},
		{"another chaincode", func(t *topology.Topology) {
			t.Chaincodes = append(t.Chaincodes, topology.Chaincode{Name: "baseline"})
		}, ""},
		{"another policy", func(t *topology.Topology) { t.Chaincodes[0].Policy = "OR('ServicesMSP.peer')" }, ""},
		{"no gateways", func(t *topology.Topology) { t.Gateways, t.DevIDP = false, false }, ""},
		{"other base port", func(t *topology.Topology) { t.BasePort++ }, "base_port"},
		{"other channel", func(t *topology.Topology) { t.Channel = "other" }, "channel"},
		{"other block cutting", func(t *topology.Topology) { t.Orderer.MaxMessages++ }, "orderer"},
		{"one organisation less", func(t *topology.Topology) { t.Organisations = t.Organisations[:3] }, "organisations"},
		{"order of organisations", func(t *topology.Topology) {
			t.Organisations[0], t.Organisations[1] = t.Organisations[1], t.Organisations[0]
		}, "organisations[0].name"},
		{"one peer more", func(t *topology.Topology) { t.Organisations[2].Peers++ }, "organisations[2].peers"},
		{"one chaincode less", func(t *topology.Topology) { t.Chaincodes = t.Chaincodes[:2] }, "chaincodes[2].name"},
		{"order of chaincodes", func(t *topology.Topology) {
			t.Chaincodes[0], t.Chaincodes[1] = t.Chaincodes[1], t.Chaincodes[0]
		}, "chaincodes[0].name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			old := network.DefaultTopology()
			next := old.Clone()
			test.change(next)
			require.Equal(t, network.DefaultTopology(), old, "Clone must not share")
			err := topology.CheckChange(old, next)
			if test.field == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "topology: "+test.field+":")
		})
	}
}
