package story

import (
	"errors"
	"os"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/network"
)

// Peer is a plain fabric-gateway client of an organisation's peer, past the organisation's gateway.
type Peer struct {
	*client.Network
	close func() error
}

// DialPeer connects to the peer of an agency's organisation with the agency's real identity in a role.
func DialPeer(n *network.Network, agency, role string) (*Peer, error) {
	organisation, code, _ := strings.Cut(agency, ".")
	folder, err := n.Identity(organisation, code, role)
	if err != nil {
		return nil, err
	}
	id, err := identityFrom(folder.Certificate(), access.MSPOf(agency))
	if err != nil {
		return nil, err
	}
	sign, err := signer(folder.Key())
	if err != nil {
		return nil, err
	}
	connection, err := n.Dial(organisation)
	if err != nil {
		return nil, err
	}
	gateway, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(connection))
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return &Peer{gateway.GetNetwork(n.Topology.Channel), func() error { return errors.Join(gateway.Close(), connection.Close()) }}, nil
}

// Close ends the connection.
func (p *Peer) Close() error { return p.close() }

func identityFrom(path, msp string) (*identity.X509Identity, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := identity.CertificateFromPEM(text)
	if err != nil {
		return nil, err
	}
	return identity.NewX509Identity(msp, parsed)
}

func signer(path string) (identity.Sign, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := identity.PrivateKeyFromPEM(text)
	if err != nil {
		return nil, err
	}
	return identity.NewPrivateKeySign(key)
}
