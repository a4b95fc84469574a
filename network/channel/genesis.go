package channel

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hyperledger/fabric-config/configtx"
	"github.com/hyperledger/fabric-config/configtx/membership"
	"github.com/hyperledger/fabric-config/configtx/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

// Capabilities: the newest that Fabric 2.5 and 3.1 both run.
const (
	channelCapability     = "V2_0"
	ordererCapability     = "V2_0"
	applicationCapability = "V2_5"
)

// Raft settings that are not in the manifest.
const (
	heartbeatTicks    = 1
	maxInflightBlocks = 5
	snapshotBytes     = 16 << 20
)

// Policies of an access control list.
const (
	proposeACL        = "peer/Propose"
	applicationReader = "/Channel/Application/Readers"
)

// Genesis builds the channel's first block.
//
// Who may do what:
//   - Reading (blocks, queries) is for members of every organisation.
//   - Submitting a transaction is for clients of organisations that endorse.
//     An organisation that does not (the auditor) submits nothing but its
//     administrator's lifecycle approvals; that is why proposals, which a
//     query needs too, are allowed to readers.
//   - A chaincode definition needs the peers of a majority of organisations,
//     each of which speaks after its administrator's approval.
//   - The channel's configuration needs a majority of administrators.
//   - A block needs the signature of an orderer.
func Genesis(t *topology.Topology, l material.Layout) (*common.Block, error) {
	config := configtx.Channel{
		Capabilities: []string{channelCapability},
		Policies:     implicit("ANY Readers", "ANY Writers", "MAJORITY Admins"),
		Application: configtx.Application{
			Capabilities: []string{applicationCapability},
			ACLs:         map[string]string{proposeACL: applicationReader},
			Policies:     implicit("ANY Readers", "ANY Writers", "MAJORITY Admins"),
		},
		Orderer: configtx.Orderer{
			OrdererType:  orderer.ConsensusTypeEtcdRaft,
			State:        orderer.ConsensusStateNormal,
			Capabilities: []string{ordererCapability},
			BatchTimeout: time.Duration(t.Orderer.BatchTimeout),
			BatchSize: orderer.BatchSize{
				MaxMessageCount:   t.Orderer.MaxMessages,
				PreferredMaxBytes: t.Orderer.PreferredBytes,
				AbsoluteMaxBytes:  t.Orderer.AbsoluteBytes,
			},
			EtcdRaft: orderer.EtcdRaft{Options: orderer.EtcdRaftOptions{
				TickInterval:         time.Duration(t.Orderer.Tick).String(),
				ElectionTick:         t.Orderer.ElectionTicks,
				HeartbeatTick:        heartbeatTicks,
				MaxInflightBlocks:    maxInflightBlocks,
				SnapshotIntervalSize: snapshotBytes,
			}},
			Policies: implicit("ANY Readers", "ANY Writers", "MAJORITY Admins"),
		},
	}
	config.Application.Policies[configtx.EndorsementPolicyKey] = meta("MAJORITY Endorsement")
	config.Application.Policies[configtx.LifecycleEndorsementPolicyKey] = meta("MAJORITY Endorsement")
	config.Orderer.Policies[configtx.BlockValidationPolicyKey] = meta("ANY Writers")

	for _, org := range t.Organisations {
		msp, err := mspOf(org, l)
		if err != nil {
			return nil, fmt.Errorf("channel: %s: %w", org.Name, err)
		}
		config.Application.Organizations = append(config.Application.Organizations, applicationOrganisation(t, org, msp))
		if org.Orderers == 0 {
			continue
		}
		config.Orderer.Organizations = append(config.Orderer.Organizations, ordererOrganisation(t, org, msp))
		for _, o := range t.OrderersOf(org) {
			cert, err := material.ReadCertificate(l.Organisation(org).Node(o.Node).TLS().Certificate())
			if err != nil {
				return nil, fmt.Errorf("channel: %w", err)
			}
			config.Orderer.EtcdRaft.Consenters = append(config.Orderer.EtcdRaft.Consenters, orderer.Consenter{
				Address: orderer.EtcdAddress{Host: topology.Host, Port: o.Port}, ClientTLSCert: cert, ServerTLSCert: cert,
			})
		}
	}
	block, err := configtx.NewApplicationChannelGenesisBlock(config, t.Channel)
	if err == nil {
		err = setAnchors(block, config.Application.Organizations)
	}
	if err != nil {
		return nil, fmt.Errorf("channel: %w", err)
	}
	return block, nil
}

// setAnchors puts the organisations' anchor peers into a first block. The
// library leaves them out of first blocks (they used to come by a later
// update), and without them peers of different organisations never meet.
func setAnchors(block *common.Block, organisations []configtx.Organization) error {
	var (
		envelope common.Envelope
		payload  common.Payload
		content  common.ConfigEnvelope
	)
	err := errors.Join(
		proto.Unmarshal(block.GetData().GetData()[0], &envelope),
		proto.Unmarshal(envelope.GetPayload(), &payload),
		proto.Unmarshal(payload.GetData(), &content),
	)
	if err != nil {
		return err
	}
	tx := configtx.New(content.GetConfig())
	for _, org := range organisations {
		if err := tx.Application().SetOrganization(org); err != nil {
			return err
		}
	}
	content.Config = tx.UpdatedConfig()
	if payload.Data, err = proto.Marshal(&content); err != nil {
		return err
	}
	if envelope.Payload, err = proto.Marshal(&payload); err != nil {
		return err
	}
	if block.Data.Data[0], err = proto.Marshal(&envelope); err != nil {
		return err
	}
	hash := sha256.Sum256(block.GetData().GetData()[0])
	block.Header.DataHash = hash[:]
	return nil
}

func applicationOrganisation(t *topology.Topology, org topology.Organisation, msp configtx.MSP) configtx.Organization {
	writers := []string{"admin"}
	if org.Endorses {
		writers = append(writers, "client")
	}
	o := configtx.Organization{
		Name: org.MSP, MSP: msp,
		Policies: map[string]configtx.Policy{
			configtx.ReadersPolicyKey:     anyOf(org, "admin", "peer", "client", "orderer"),
			configtx.WritersPolicyKey:     anyOf(org, writers...),
			configtx.AdminsPolicyKey:      anyOf(org, "admin"),
			configtx.EndorsementPolicyKey: anyOf(org, "peer"),
		},
	}
	for _, p := range t.PeersOf(org) {
		o.AnchorPeers = append(o.AnchorPeers, configtx.Address{Host: topology.Host, Port: p.Port})
	}
	return o
}

func ordererOrganisation(t *topology.Topology, org topology.Organisation, msp configtx.MSP) configtx.Organization {
	o := configtx.Organization{
		Name: org.MSP, MSP: msp,
		Policies: map[string]configtx.Policy{
			configtx.ReadersPolicyKey: anyOf(org, "admin", "orderer"),
			// Writers of the orderer group sign blocks, and nobody but an
			// orderer may.
			configtx.WritersPolicyKey: anyOf(org, "orderer"),
			configtx.AdminsPolicyKey:  anyOf(org, "admin"),
		},
	}
	for _, node := range t.OrderersOf(org) {
		o.OrdererEndpoints = append(o.OrdererEndpoints, node.Endpoint())
	}
	return o
}

func mspOf(org topology.Organisation, l material.Layout) (configtx.MSP, error) {
	public := l.Public(org)
	root, err := material.ReadCertificate(public.Root())
	if err != nil {
		return configtx.MSP{}, err
	}
	tlsRoot, err := material.ReadCertificate(public.TLSRoot())
	if err != nil {
		return configtx.MSP{}, err
	}
	unit := func(u material.Unit) membership.OUIdentifier {
		return membership.OUIdentifier{Certificate: root, OrganizationalUnitIdentifier: string(u)}
	}
	return configtx.MSP{
		Name:         org.MSP,
		RootCerts:    []*x509.Certificate{root},
		TLSRootCerts: []*x509.Certificate{tlsRoot},
		CryptoConfig: membership.CryptoConfig{SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA256"},
		NodeOUs: membership.NodeOUs{
			Enable:              true,
			ClientOUIdentifier:  unit(material.UnitClient),
			PeerOUIdentifier:    unit(material.UnitPeer),
			AdminOUIdentifier:   unit(material.UnitAdmin),
			OrdererOUIdentifier: unit(material.UnitOrderer),
		},
	}, nil
}

func implicit(readers, writers, admins string) map[string]configtx.Policy {
	return map[string]configtx.Policy{
		configtx.ReadersPolicyKey: meta(readers),
		configtx.WritersPolicyKey: meta(writers),
		configtx.AdminsPolicyKey:  meta(admins),
	}
}

func meta(rule string) configtx.Policy {
	return configtx.Policy{Type: configtx.ImplicitMetaPolicyType, Rule: rule}
}

// anyOf is met by a member of the organisation in one of the roles.
func anyOf(org topology.Organisation, roles ...string) configtx.Policy {
	principals := make([]string, len(roles))
	for i, role := range roles {
		principals[i] = fmt.Sprintf("'%s.%s'", org.MSP, role)
	}
	return configtx.Policy{Type: configtx.SignaturePolicyType, Rule: "OR(" + strings.Join(principals, ", ") + ")"}
}
