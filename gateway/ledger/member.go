package ledger

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/network/block"
)

// member is one identity of this organisation with its view of the channel. It is immutable and shared by all requests.
type member struct {
	creator []byte // serialized identity
	sign    identity.Sign
	gateway *client.Gateway
	network *client.Network
	channel string
}

// newMember reads an MSP folder and binds the identity to the connection.
func newMember(mspID, folder, channel string, connection grpc.ClientConnInterface) (*member, error) {
	certificate, err := certificate(filepath.Join(folder, "signcerts"))
	if err != nil {
		return nil, err
	}
	key, err := only(filepath.Join(folder, "keystore"))
	if err != nil {
		return nil, err
	}
	private, err := identity.PrivateKeyFromPEM(key)
	if err != nil {
		return nil, fmt.Errorf("%s: the private key cannot be read", folder) // without the cause: it may quote the key
	}
	sign, err := identity.NewPrivateKeySign(private)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return connect(mspID, certificate, sign, channel, connection)
}

func connect(mspID string, certificate *x509.Certificate, sign identity.Sign, channel string, connection grpc.ClientConnInterface) (*member, error) {
	id, err := identity.NewX509Identity(mspID, certificate)
	if err != nil {
		return nil, err
	}
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: id.MspID(), IdBytes: id.Credentials()})
	if err != nil {
		return nil, err
	}
	gw, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(connection))
	if err != nil {
		return nil, err
	}
	return &member{creator: creator, sign: sign, gateway: gw, network: gw.GetNetwork(channel), channel: channel}, nil
}

func certificate(folder string) (*x509.Certificate, error) {
	pem, err := only(folder)
	if err != nil {
		return nil, err
	}
	c, err := identity.CertificateFromPEM(pem)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return c, nil
}

// only reads the one file of a folder of an MSP. Tools name it differently.
func only(folder string) ([]byte, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 || !entries[0].Type().IsRegular() {
		return nil, fmt.Errorf("%s: an MSP folder has exactly one file here, not %d", folder, len(entries))
	}
	return os.ReadFile(filepath.Join(folder, entries[0].Name()))
}

// status asks the peer what became of a transaction. The peer answers at once for a committed one, and otherwise when it
// commits or ctx ends.
func (m *member) status(ctx context.Context, tx string) (follow.Commit, error) {
	request, err := proto.Marshal(&gateway.CommitStatusRequest{ChannelId: m.channel, TransactionId: tx, Identity: m.creator})
	if err != nil {
		return follow.Commit{}, err
	}
	unsigned, err := proto.Marshal(&gateway.SignedCommitStatusRequest{Request: request})
	if err != nil {
		return follow.Commit{}, err
	}
	commit, err := m.gateway.NewCommit(unsigned)
	if err != nil {
		return follow.Commit{}, err
	}
	status, err := commit.StatusWithContext(ctx)
	if err != nil {
		return follow.Commit{}, err
	}
	return follow.Commit{Tx: tx, Block: status.BlockNumber, Code: block.CodeOf(status.Code)}, nil
}
