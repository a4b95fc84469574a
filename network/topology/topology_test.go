package topology_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/topology"
)

func TestDefaultManifest(t *testing.T) {
	top, err := topology.Parse(network.DefaultManifest())
	require.NoError(t, err)
	require.Len(t, top.Organisations, 4)
	require.Len(t, top.Orderers(), 3)
	require.Len(t, top.Peers(), 4)
	require.Len(t, top.Endorsers(), 3)
	require.Equal(t, []string{"chaincode"}, top.Binaries())
	require.Equal(t, 50*time.Millisecond, time.Duration(top.Orderer.BatchTimeout))
	for _, org := range top.Organisations {
		require.Equal(t, org.Name != "audit", org.Endorses, org.Name)
	}
}

func TestMarshalRoundTrip(t *testing.T) {
	top, err := topology.Parse(network.DefaultManifest())
	require.NoError(t, err)
	text, err := top.Marshal()
	require.NoError(t, err)
	again, err := topology.Parse(text)
	require.NoError(t, err)
	require.Equal(t, top, again)
}

// TestRules breaks the default manifest in one place a line and wants the
// error to name that field.
func TestRules(t *testing.T) {
	tests := []struct{ name, old, new, field string }{
		{"unknown field", "channel: government", "channel: government\ncolour: red", "colour"},
		{"field twice", "channel: government", "channel: government\nchannel: other", "channel"},
		{"wrong type", "base_port: 17000", "base_port: many", "base_port"},
		{"two documents", "devidp: true", "devidp: true\n---\nname: other", "more than one document"},
		{"name", "name: hutong", "name: Hutong", "name"},
		{"name too long", "name: hutong", "name: " + strings.Repeat("h", topology.MaxNameLength+1), "name"},
		{"channel", "channel: government", "channel: Government", "channel"},
		{"base port low", "base_port: 17000", "base_port: 1023", "base_port"},
		{"base port high", "base_port: 17000", "base_port: 32600", "base_port"},
		{"identities", "identities: local", "identities: paper", "identities"},
		{"batch timeout", "batch_timeout: 50ms", "batch_timeout: 1ms", "orderer.batch_timeout"},
		{"batch timeout no unit", "batch_timeout: 50ms", "batch_timeout: 200", "200"},
		{"max messages", "max_messages: 500", "max_messages: 0", "orderer.max_messages"},
		{"absolute below preferred", "absolute_bytes: 10485760", "absolute_bytes: 1000", "orderer.absolute_bytes"},
		{"tick", "tick: 200ms", "tick: 1h", "orderer.tick"},
		{"election", "election_ticks: 10", "election_ticks: 1", "orderer.election_ticks"},
		{"organisation twice", "name: planning", "name: services", "organisations[1].name"},
		{"msp of another name", "msp: PlanningMSP", "msp: HousingMSP", "organisations[1].msp"},
		{"domain", "domain: market.hutong.test", "domain: market", "organisations[2].domain"},
		{"binary of Fabric CA", "name: collaboration", "name: collaboration\n    binary: ca", "chaincodes[1].binary"},
		{"no peer", "domain: audit.hutong.test\n    peers: 1", "domain: audit.hutong.test\n    peers: 0", "organisations[3].peers"},
		{"too many orderers", "domain: services.hutong.test\n    peers: 1\n    orderers: 1",
			"domain: services.hutong.test\n    peers: 1\n    orderers: 5", "organisations[0].orderers"},
		{"agency code", "code: police", "code: Police", "organisations[0].agencies[1].code"},
		{"agency twice", "code: police", "code: hall", "organisations[0].agencies[1].code"},
		{"unknown role", "roles: [agency, admin, portal]", "roles: [agency, citizen]", "organisations[0].agencies[0].roles[1]"},
		{"role twice", "roles: [agency, admin, portal]", "roles: [agency, agency]", "organisations[0].agencies[0].roles[1]"},
		{"no role", "roles: [agency, admin, portal]", "roles: []", "organisations[0].agencies[0].roles"},
		{"chaincode twice", "name: collaboration", "name: exchange", "chaincodes[1].name"},
		{"binary of a node", "name: collaboration", "name: collaboration\n    binary: peer0", "chaincodes[1].binary"},
		{"devidp alone", "gateways: true", "gateways: false", "devidp"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := string(network.DefaultManifest())
			require.Contains(t, text, test.old)
			_, err := topology.Parse([]byte(strings.Replace(text, test.old, test.new, 1)))
			require.ErrorContains(t, err, test.field)
		})
	}
}

func TestPolicies(t *testing.T) {
	tests := []struct{ policy, problem string }{
		{`OutOf(2, 'ServicesMSP.peer', 'PlanningMSP.peer', 'MarketMSP.peer')`, ""},
		{`AND('ServicesMSP.peer', OR('PlanningMSP.peer', 'MarketMSP.peer'))`, ""},
		{``, "must be an explicit signature policy"},
		{`MAJORITY Endorsement`, "is not a signature policy"},
		{`OutOf(4, 'ServicesMSP.peer')`, "is not a signature policy"},
		{`OR('HousingMSP.peer')`, "names HousingMSP, which no organisation"},
		{`OR('ServicesMSP.client')`, "only peers endorse"},
		{`OutOf(1, 'ServicesMSP.peer', 'AuditMSP.peer')`, "names AuditMSP, which has endorses: false"},
	}
	for _, test := range tests {
		top := network.DefaultTopology()
		top.Chaincodes[0].Policy = test.policy
		err := top.Validate()
		if test.problem == "" {
			require.NoError(t, err, test.policy)
			continue
		}
		require.ErrorContains(t, err, "chaincodes[0].policy", test.policy)
		require.ErrorContains(t, err, test.problem, test.policy)
	}
}

// TestEveryBrokenRuleIsTold corrects a manifest in one go, not error by error.
func TestEveryBrokenRuleIsTold(t *testing.T) {
	top := network.DefaultTopology()
	top.Name, top.Organisations[1].Domain, top.Chaincodes[2].Policy = "", "", ""
	err := top.Validate()
	for _, field := range []string{"name", "organisations[1].domain", "chaincodes[2].policy"} {
		require.ErrorContains(t, err, field)
	}
}

// TestDomainForFabricCA: what X.509 limits, Fabric CA enforces.
func TestDomainForFabricCA(t *testing.T) {
	top := network.DefaultTopology()
	top.Organisations[2].Domain = strings.Repeat("m", topology.MaxAuthorityDomainLength) + ".test"
	require.NoError(t, top.Validate())
	top.Identities = topology.IdentitiesFabricCA
	require.ErrorContains(t, top.Validate(), "organisations[2].domain: must have at most 58 characters, has 63")
}
