package bench

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Peer says how to reach a peer.
type Peer struct{ Endpoint, TLSRoot, ServerName string }

// Direct is a plain fabric-gateway client: one connection, one identity, a transaction an operation, commit status asked
// for each. It is the yardstick, so it uses nothing of the gateway's code.
type Direct struct {
	connection *grpc.ClientConn
	gateway    *client.Gateway
	network    *client.Network
}

// Dial connects to a peer with the identity in an MSP folder.
func Dial(peer Peer, channel, mspID, mspDir string) (*Direct, error) {
	root, err := os.ReadFile(peer.TLSRoot)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		return nil, fmt.Errorf("%s has no certificate", peer.TLSRoot)
	}
	id, sign, err := loadIdentity(mspID, mspDir)
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient(peer.Endpoint, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(pool, peer.ServerName)))
	if err != nil {
		return nil, err
	}
	gateway, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(connection))
	if err != nil {
		connection.Close()
		return nil, err
	}
	return &Direct{connection, gateway, gateway.GetNetwork(channel)}, nil
}

func loadIdentity(mspID, mspDir string) (*identity.X509Identity, identity.Sign, error) {
	certificatePEM, err := readOnly(filepath.Join(mspDir, "signcerts"))
	if err != nil {
		return nil, nil, err
	}
	certificate, err := identity.CertificateFromPEM(certificatePEM)
	if err != nil {
		return nil, nil, err
	}
	id, err := identity.NewX509Identity(mspID, certificate)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := readOnly(filepath.Join(mspDir, "keystore"))
	if err != nil {
		return nil, nil, err
	}
	key, err := identity.PrivateKeyFromPEM(keyPEM)
	if err != nil {
		return nil, nil, err
	}
	sign, err := identity.NewPrivateKeySign(key)
	return id, sign, err
}

// readOnly reads the only file of a folder.
func readOnly(folder string) ([]byte, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("%s has %d files, not one", folder, len(files))
	}
	return os.ReadFile(filepath.Join(folder, files[0].Name()))
}

// Transact endorses, submits and waits for the commit, the way the Fabric documentation tells clients to.
func (d *Direct) Transact(ctx context.Context, chaincode, function string, args ...[]byte) ([]byte, error) {
	proposal, err := d.network.GetContract(chaincode).NewProposal(function, client.WithBytesArguments(args...))
	if err != nil {
		return nil, err
	}
	transaction, err := proposal.EndorseWithContext(ctx)
	if err != nil {
		return nil, err
	}
	commit, err := transaction.SubmitWithContext(ctx)
	if err != nil {
		return nil, err
	}
	status, err := commit.StatusWithContext(ctx)
	if err != nil {
		return nil, err
	}
	if !status.Successful {
		return nil, fmt.Errorf("transaction is invalid: %s", status.Code)
	}
	return transaction.Result(), nil
}

// Write carries out one command of a Hutong contract.
func (d *Direct) Write(ctx context.Context, chaincode, function, key string, request any) (receipt kernel.Receipt, err error) {
	raw, err := canonical.Marshal(request)
	if err != nil {
		return receipt, err
	}
	command, err := canonical.Marshal(kernel.Command{IdempotencyKey: key, Request: raw})
	if err != nil {
		return receipt, err
	}
	answer, err := d.Transact(ctx, chaincode, function, command)
	if err != nil {
		return receipt, err
	}
	return receipt, json.Unmarshal(answer, &receipt)
}

// WriteBatch carries out many commands of a Hutong contract in one transaction.
func (d *Direct) WriteBatch(ctx context.Context, chaincode string, batch kernel.Batch) (outcomes kernel.Outcomes, err error) {
	raw, err := canonical.Marshal(batch)
	if err != nil {
		return outcomes, err
	}
	answer, err := d.Transact(ctx, chaincode, kernel.BatchFunction, raw)
	if err != nil {
		return outcomes, err
	}
	return outcomes, json.Unmarshal(answer, &outcomes)
}

// Evaluate asks the peer; nothing is ordered.
func (d *Direct) Evaluate(ctx context.Context, chaincode, function string, request any) ([]byte, error) {
	argument, err := canonical.Marshal(request)
	if err != nil {
		return nil, err
	}
	return d.network.GetContract(chaincode).EvaluateWithContext(ctx, function, client.WithBytesArguments(argument))
}

// Close ends the connection.
func (d *Direct) Close() error {
	d.gateway.Close()
	return d.connection.Close()
}
