// Package network brings a whole network up and down: Fabric's nodes, the
// chaincode servers, the gateways. It is what the command `hutong` calls, and
// what a test, a demonstration or a benchmark calls to have a real network:
//
//	n, err := network.Up(ctx, network.Options{State: dir, BasePort: 23000})
//	defer n.Down(ctx, network.Purge)
//	conn, err := n.Dial("services")               // gRPC to the organisation's peer
//	id := n.Identity("services", "police", "agency") // paths of an MSP folder
//	url, err := n.GatewayURL("services")
//
// A network is brought up in stages (see Stages). Each is idempotent and can
// be run alone: it looks at what is there and adds what is missing, so the
// same code that makes a network heals it after a crash.
//
// State lives in one folder, and nothing of a network is outside it except
// its processes and the binaries they run. One launcher at a time works on a
// state folder; a lock that the system releases with its holder ensures it.
package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/hyperledger/fabric-admin-sdk/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/hutong-gov/hutong/network/channel"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/node"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// Purge tells Down to remove the state folder as well.
const Purge = true

// savedManifest is the manifest a network was made from, in its state folder.
const savedManifest = "topology.yaml"

// maxMessage is the largest message exchanged with a node, as Fabric's own
// limit has it.
const maxMessage = 100 << 20

// Network is one network, running or not.
type Network struct {
	Topology *topology.Topology
	Layout   material.Layout
	Options  Options

	table  *process.Table
	fabric *node.Fabric
}

// Open reads the manifest and works out all paths. It changes nothing.
func Open(options Options) (*Network, error) {
	t, options, err := options.resolve()
	if err != nil {
		return nil, err
	}
	layout := material.At(options.State)
	return &Network{
		Topology: t, Layout: layout, Options: options,
		table:  process.NewTable(options.State),
		fabric: &node.Fabric{Topology: t, Layout: layout, State: options.State, Binaries: options.FabricBin},
	}, nil
}

// Up opens a network and brings it up as far as Options.Until says. After an
// error everything stands as it is, for logs to be read; the network is given
// even then, so that it can be taken down.
func Up(ctx context.Context, options Options) (*Network, error) {
	n, err := Open(options)
	if err != nil {
		return nil, err
	}
	return n, n.Up(ctx)
}

// Down stops every process of the network that this launcher started, and
// with purge removes its state folder: ledgers, keys and all.
func (n *Network) Down(ctx context.Context, purge bool) error {
	if _, err := os.Stat(n.Options.State); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return n.locked(func() error {
		records, err := n.table.Records()
		if err != nil {
			return err
		}
		if err := n.table.Stop(ctx, records); err != nil || !purge {
			return err
		}
		return n.purge()
	})
}

// purge removes the state folder, having made sure that it is one.
func (n *Network) purge() error {
	entries, err := os.ReadDir(n.Options.State)
	if err != nil {
		return err
	}
	ours := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == savedManifest })
	for _, e := range entries {
		if !ours && e.Name() != "lock" {
			return fmt.Errorf("%s holds %s but no %s: it is not a network's state folder, nothing was removed",
				n.Options.State, e.Name(), savedManifest)
		}
	}
	return os.RemoveAll(n.Options.State)
}

// organisation finds an organisation by name or MSP id.
func (n *Network) organisation(name string) (topology.Organisation, error) {
	org, ok := n.Topology.Organisation(name)
	if !ok {
		return org, fmt.Errorf("network %s has no organisation %q", n.Topology.Name, name)
	}
	return org, nil
}

// Endpoint is the address of an organisation's first peer.
func (n *Network) Endpoint(organisation string) (string, error) {
	org, err := n.organisation(organisation)
	if err != nil {
		return "", err
	}
	return n.Topology.PeersOf(org)[0].Endpoint(), nil
}

// TLSRoot is the file with the root of an organisation's TLS certificates:
// its peers', its chaincode servers' and its gateway's.
func (n *Network) TLSRoot(organisation string) (string, error) {
	org, err := n.organisation(organisation)
	if err != nil {
		return "", err
	}
	return n.Layout.Public(org).TLSRoot(), nil
}

// GatewayURL is where an organisation's gateway answers.
func (n *Network) GatewayURL(organisation string) (string, error) {
	org, err := n.organisation(organisation)
	if err != nil {
		return "", err
	}
	return n.Topology.GatewayURL(org), nil
}

// Identity is the MSP folder of an agency's identity in a role.
func (n *Network) Identity(organisation, agency, role string) (material.MSP, error) {
	org, err := n.organisation(organisation)
	if err != nil {
		return material.MSP{}, err
	}
	for _, a := range org.Agencies {
		if a.Code == agency && slices.Contains(a.Roles, role) {
			return n.Layout.Organisation(org).Agency(a, role), nil
		}
	}
	return material.MSP{}, fmt.Errorf("organisation %s has no agency %q with role %q", organisation, agency, role)
}

// AdminIdentity is the MSP folder of an organisation's network administrator.
func (n *Network) AdminIdentity(organisation string) (material.MSP, error) {
	org, err := n.organisation(organisation)
	if err != nil {
		return material.MSP{}, err
	}
	return n.Layout.Organisation(org).Admin().MSP(), nil
}

// Dial connects to an organisation's first peer. The caller closes it.
func (n *Network) Dial(organisation string) (*grpc.ClientConn, error) {
	org, err := n.organisation(organisation)
	if err != nil {
		return nil, err
	}
	return n.dial(n.Topology.PeersOf(org)[0])
}

func (n *Network) dial(p topology.Peer) (*grpc.ClientConn, error) {
	roots, err := node.Roots(n.Layout.Public(p.Organisation).TLSRoot())
	if err != nil {
		return nil, err
	}
	return grpc.NewClient("passthrough:///"+p.Endpoint(),
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "")),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		// Everything is on this host: a proxy from the environment is not for it.
		grpc.WithNoProxy(),
	)
}

// members connects to every peer as its organisation's administrator.
func (n *Network) members() (members []channel.Member, closeAll func(), err error) {
	var connections []*grpc.ClientConn
	closeAll = func() {
		for _, c := range connections {
			c.Close()
		}
	}
	for _, p := range n.Topology.Peers() {
		admin, err := n.admin(p.Organisation)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		connection, err := n.dial(p)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		connections = append(connections, connection)
		members = append(members, channel.Member{Peer: p, Connection: connection, Admin: admin})
	}
	return members, closeAll, nil
}

func (n *Network) admin(org topology.Organisation) (identity.SigningIdentity, error) {
	return signer(org.MSP, n.Layout.Organisation(org).Admin().MSP())
}

// signer opens the identity in an MSP folder.
func signer(mspID string, msp material.MSP) (identity.SigningIdentity, error) {
	certificate, err := identity.ReadCertificate(msp.Certificate())
	if err != nil {
		return nil, err
	}
	key, err := identity.ReadPrivateKey(msp.Key())
	if err != nil {
		return nil, err
	}
	return identity.NewPrivateKeySigningIdentity(mspID, certificate, key)
}

// Log is the log file of a process.
func (n *Network) Log(name string) string { return n.table.Log(name) }

// Records lists the processes that were started and not stopped.
func (n *Network) Records() ([]process.Record, error) { return n.table.Records() }

// saved is where the manifest of a network is kept in its state folder.
func saved(state string) string { return filepath.Join(state, savedManifest) }
