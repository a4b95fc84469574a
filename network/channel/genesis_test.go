package channel_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/hyperledger/fabric-config/configtx"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/channel"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

func genesis(t *testing.T) (*topology.Topology, material.Layout, *common.Block, configtx.ConfigTx) {
	t.Helper()
	top, l := network.DefaultTopology(), material.At(t.TempDir())
	issuer := func(org topology.Organisation) (material.Issuer, error) { return material.NewLocal(l, org) }
	require.NoError(t, material.Make(t.Context(), top, l, issuer))
	block, err := channel.Block(top, l)
	require.NoError(t, err)
	var (
		envelope common.Envelope
		payload  common.Payload
		config   common.ConfigEnvelope
	)
	require.NoError(t, proto.Unmarshal(block.GetData().GetData()[0], &envelope))
	require.NoError(t, proto.Unmarshal(envelope.GetPayload(), &payload))
	require.NoError(t, proto.Unmarshal(payload.GetData(), &config))
	return top, l, block, configtx.New(config.GetConfig())
}

func TestBlockStaysTheSame(t *testing.T) {
	top, l, block, _ := genesis(t)
	again, err := channel.Block(top, l)
	require.NoError(t, err)
	require.True(t, proto.Equal(block, again))
	sum := sha256.Sum256(block.GetData().GetData()[0])
	require.Equal(t, sum[:], block.GetHeader().GetDataHash())
}

func TestOrdering(t *testing.T) {
	_, _, _, tx := genesis(t)
	orderer, err := tx.Orderer().Configuration()
	require.NoError(t, err)
	require.Equal(t, 50*time.Millisecond, orderer.BatchTimeout)
	require.EqualValues(t, 500, orderer.BatchSize.MaxMessageCount)
	require.EqualValues(t, 128<<10, orderer.BatchSize.PreferredMaxBytes)
	require.Equal(t, "200ms", orderer.EtcdRaft.Options.TickInterval)
	require.EqualValues(t, 10, orderer.EtcdRaft.Options.ElectionTick)
	require.Len(t, orderer.EtcdRaft.Consenters, 3)
	require.Equal(t, []string{"V2_0"}, orderer.Capabilities)
	require.Equal(t, "ANY Writers", orderer.Policies[configtx.BlockValidationPolicyKey].Rule)
	for _, org := range orderer.Organizations {
		require.Equal(t, "AND('"+org.Name+".orderer')", org.Policies[configtx.WritersPolicyKey].Rule, "only orderers sign blocks")
	}
}

// TestWhoMayDoWhat reads the policies of the channel back, organisation by
// organisation. A policy over one principal reads back as AND.
func TestWhoMayDoWhat(t *testing.T) {
	top, _, _, tx := genesis(t)
	application, err := tx.Application().Configuration()
	require.NoError(t, err)
	require.Equal(t, []string{"V2_5"}, application.Capabilities)
	require.Equal(t, "MAJORITY Endorsement", application.Policies[configtx.LifecycleEndorsementPolicyKey].Rule)
	require.Equal(t, "MAJORITY Admins", application.Policies[configtx.AdminsPolicyKey].Rule)
	require.Equal(t, "/Channel/Application/Readers", application.ACLs["peer/Propose"])
	require.Len(t, application.Organizations, 4)
	for _, org := range top.Organisations {
		policies, err := tx.Application().Organization(org.MSP).Policies()
		require.NoError(t, err)
		writers := "OR('" + org.MSP + ".admin', '" + org.MSP + ".client')"
		if !org.Endorses {
			writers = "AND('" + org.MSP + ".admin')"
		}
		require.Equal(t, writers, policies[configtx.WritersPolicyKey].Rule, org.Name)
		require.Equal(t, "AND('"+org.MSP+".peer')", policies[configtx.EndorsementPolicyKey].Rule)
	}
}

func TestAnchorsAndIdentities(t *testing.T) {
	top, l, _, tx := genesis(t)
	for _, org := range top.Organisations {
		o := tx.Application().Organization(org.MSP)
		anchors, err := o.AnchorPeers()
		require.NoError(t, err)
		require.Equal(t, []configtx.Address{{Host: "127.0.0.1", Port: top.PeersOf(org)[0].Port}}, anchors)
		msp, err := o.MSP().Configuration()
		require.NoError(t, err)
		require.True(t, msp.NodeOUs.Enable)
		root, err := material.ReadCertificate(l.Public(org).Root())
		require.NoError(t, err)
		require.Len(t, msp.RootCerts, 1)
		require.True(t, root.Equal(msp.RootCerts[0]))
	}
}
