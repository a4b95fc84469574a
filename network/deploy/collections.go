package deploy

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/network/topology"
)

// collections are the private data collections of a chaincode, if it has
// inboxes: for each organisation that endorses an inbox, and one for the
// details of its sealed uses, which nothing removes before they are opened; nil
// if it has none.
func (d *Deployer) collections(cc topology.Chaincode) *peer.CollectionConfigPackage {
	if cc.Inboxes == nil {
		return nil
	}
	all := &peer.CollectionConfigPackage{}
	for _, org := range d.topology.Endorsers() {
		all.Config = append(all.Config, collection(org, org.Inbox(), cc.Inboxes.BlockToLive), collection(org, org.Sealed(), 0))
	}
	return all
}

// collection is kept by the peers of an organisation; anyone may put something
// in.
func collection(org topology.Organisation, name string, blockToLive uint64) *peer.CollectionConfig {
	return &peer.CollectionConfig{Payload: &peer.CollectionConfig_StaticCollectionConfig{
		StaticCollectionConfig: &peer.StaticCollectionConfig{
			Name: name, MemberOrgsPolicy: membersOf(org), BlockToLive: blockToLive,
			// The endorsing peers of the organisation have the value; a
			// further peer of it pulls it when it sees the block.
			RequiredPeerCount: 0, MaximumPeerCount: 1,
			MemberOnlyRead: true, MemberOnlyWrite: false,
		},
	}}
}

// membersOf is the policy of who keeps an organisation's collection.
func membersOf(org topology.Organisation) *peer.CollectionPolicyConfig {
	role, err := proto.Marshal(&msp.MSPRole{MspIdentifier: org.MSP, Role: msp.MSPRole_MEMBER})
	if err != nil {
		panic(err) // a message without required fields always has bytes
	}
	return &peer.CollectionPolicyConfig{Payload: &peer.CollectionPolicyConfig_SignaturePolicy{
		SignaturePolicy: &common.SignaturePolicyEnvelope{
			Rule: &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{
				N: 1, Rules: []*common.SignaturePolicy{{Type: &common.SignaturePolicy_SignedBy{SignedBy: 0}}},
			}}},
			Identities: []*msp.MSPPrincipal{{PrincipalClassification: msp.MSPPrincipal_ROLE, Principal: role}},
		},
	}}
}

// sameCollections compares what a channel has with what is wanted; no
// collections may be written as an empty package or as none.
func sameCollections(have, want *peer.CollectionConfigPackage) bool {
	if len(have.GetConfig()) == 0 && len(want.GetConfig()) == 0 {
		return true
	}
	return proto.Equal(have, want)
}
