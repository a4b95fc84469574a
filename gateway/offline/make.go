package offline

import (
	"context"
	"errors"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Unsigned is something to be signed: the bytes, and the digest that the signature is over.
type Unsigned struct{ Bytes, Digest []byte }

// Propose makes the proposal of a command, in the form ReadProposal reads. Nothing is sent anywhere.
// Fault: a command without canonical form.
func Propose(creator Creator, channel, chaincode, function string, command kernel.Command) (tx string, u Unsigned, err error) {
	argument, err := canonical.Marshal(command)
	if err != nil {
		return "", u, fault.From(err)
	}
	gw, err := Client(creator, nowhere{})
	if err != nil {
		return "", u, err
	}
	defer gw.Close()
	made, err := gw.GetNetwork(channel).GetContract(chaincode).NewProposal(function, client.WithBytesArguments(argument))
	if err != nil {
		return "", u, err
	}
	u.Digest = made.Digest()
	u.Bytes, err = made.Bytes()
	return made.TransactionID(), u, err
}

// Client is one of Fabric's clients that has an identity and no key. Closing it leaves the connection open.
func Client(creator Creator, connection grpc.ClientConnInterface) (*client.Gateway, error) {
	id, err := identity.NewX509Identity(creator.MSP, creator.Certificate)
	if err != nil {
		return nil, err
	}
	return client.Connect(id, client.WithHash(hash.SHA256), client.WithClientConnection(connection))
}

// AskStatus is the question what became of a proposal's transaction, for its creator to sign.
func (p *Proposal) AskStatus() (u Unsigned, err error) {
	request, err := proto.Marshal(&gateway.CommitStatusRequest{ChannelId: p.Channel, TransactionId: p.Tx, Identity: p.Creator.serialized})
	if err != nil {
		return u, err
	}
	u.Digest = digest(request)
	u.Bytes, err = proto.Marshal(&gateway.SignedCommitStatusRequest{Request: request})
	return u, err
}

// nowhere is a connection for what only makes bytes.
type nowhere struct{}

var errNowhere = errors.New("not connected to a peer")

func (nowhere) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return errNowhere }

func (nowhere) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errNowhere
}
