// Package attack is a malicious gateway: a program with an agency's real service certificate that talks straight to peers
// and the orderer, past everything that a gateway of the house would do, and makes proposals, endorsements and transactions
// of its own. Its tests show, on a real network, what comes of each attempt, and that the ledger stays as it was.
package attack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/network"
)

// Thief has an identity that is an agency's, and every organisation's peer within reach.
type Thief struct {
	channel string
	msp     string
	creator []byte
	sign    identity.Sign
	peers   map[string]*grpc.ClientConn // by organisation
}

// Steal takes the real identity of an agency in a role from a network's folder.
func Steal(n *network.Network, agency, role string) (*Thief, error) {
	organisation, code, _ := strings.Cut(agency, ".")
	folder, err := n.Identity(organisation, code, role)
	if err != nil {
		return nil, err
	}
	certificate, err := os.ReadFile(folder.Certificate())
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(folder.Key())
	if err != nil {
		return nil, err
	}
	key, err := identity.PrivateKeyFromPEM(text)
	if err != nil {
		return nil, err
	}
	t := &Thief{channel: n.Topology.Channel, msp: access.MSPOf(agency), peers: map[string]*grpc.ClientConn{}}
	if t.sign, err = identity.NewPrivateKeySign(key); err != nil {
		return nil, err
	}
	if t.creator, err = proto.Marshal(&msp.SerializedIdentity{Mspid: t.msp, IdBytes: certificate}); err != nil {
		return nil, err
	}
	for _, org := range n.Topology.Organisations {
		if t.peers[org.Name], err = n.Dial(org.Name); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	return t, nil
}

// Close ends the connections.
func (t *Thief) Close() (err error) {
	for _, c := range t.peers {
		err = errors.Join(err, c.Close())
	}
	return err
}

func (t *Thief) signature(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	return t.sign(digest[:])
}

// Proposal is one that was made by hand.
type Proposal struct {
	Tx     string
	header []byte // common.Header
	bytes  []byte // peer.Proposal
	input  []byte // peer.ChaincodeProposalPayload without transient data
}

// Command is a write of a house contract as an argument.
func Command(key string, request any) ([]byte, error) {
	raw, err := canonical.Marshal(request)
	if err != nil {
		return nil, err
	}
	return canonical.Marshal(kernel.Command{IdempotencyKey: key, Request: raw})
}

// Propose makes a proposal that claims a time.
func (t *Thief) Propose(chaincode string, at time.Time, function string, arguments ...[]byte) (Proposal, error) {
	nonce := make([]byte, 24)
	if _, err := rand.Read(nonce); err != nil {
		return Proposal{}, err
	}
	sum := sha256.Sum256(append(append([]byte{}, nonce...), t.creator...))
	p := Proposal{Tx: hex.EncodeToString(sum[:])}
	name := &peer.ChaincodeID{Name: chaincode}
	extension, err := proto.Marshal(&peer.ChaincodeHeaderExtension{ChaincodeId: name})
	if err != nil {
		return p, err
	}
	channelHeader, err := proto.Marshal(&common.ChannelHeader{
		Type: int32(common.HeaderType_ENDORSER_TRANSACTION), TxId: p.Tx, Timestamp: timestamppb.New(at), ChannelId: t.channel, Extension: extension,
	})
	if err != nil {
		return p, err
	}
	signatureHeader, err := proto.Marshal(&common.SignatureHeader{Creator: t.creator, Nonce: nonce})
	if err != nil {
		return p, err
	}
	if p.header, err = proto.Marshal(&common.Header{ChannelHeader: channelHeader, SignatureHeader: signatureHeader}); err != nil {
		return p, err
	}
	invocation, err := proto.Marshal(&peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{
		Type: peer.ChaincodeSpec_GOLANG, ChaincodeId: name, Input: &peer.ChaincodeInput{Args: append([][]byte{[]byte(function)}, arguments...)},
	}})
	if err != nil {
		return p, err
	}
	if p.input, err = proto.Marshal(&peer.ChaincodeProposalPayload{Input: invocation}); err != nil {
		return p, err
	}
	p.bytes, err = proto.Marshal(&peer.Proposal{Header: p.header, Payload: p.input})
	return p, err
}

// Endorse asks the peer of one organisation. A contract's refusal is its fault.
func (t *Thief) Endorse(ctx context.Context, organisation string, p Proposal) (*peer.ProposalResponse, error) {
	signature, err := t.signature(p.bytes)
	if err != nil {
		return nil, err
	}
	response, err := peer.NewEndorserClient(t.peers[organisation]).ProcessProposal(ctx, &peer.SignedProposal{ProposalBytes: p.bytes, Signature: signature})
	if err != nil {
		return nil, err
	}
	if status := response.GetResponse().GetStatus(); status >= 400 || response.GetEndorsement() == nil {
		if f, ok := fault.Parse(response.GetResponse().GetMessage()); ok {
			return nil, f
		}
		return nil, fmt.Errorf("peer of %s answered %d: %s", organisation, status, response.GetResponse().GetMessage())
	}
	return response, nil
}

// Order signs a transaction of a proposal with a result and endorsements, which need not belong to it, hands it to the
// orderers and tells what validation said.
func (t *Thief) Order(ctx context.Context, p Proposal, result []byte, endorsements ...*peer.Endorsement) (peer.TxValidationCode, error) {
	envelope, err := t.envelope(p, result, endorsements)
	if err != nil {
		return 0, err
	}
	return t.Send(ctx, p.Tx, envelope)
}

func (t *Thief) envelope(p Proposal, result []byte, endorsements []*peer.Endorsement) (*common.Envelope, error) {
	action, err := proto.Marshal(&peer.ChaincodeActionPayload{
		ChaincodeProposalPayload: p.input,
		Action:                   &peer.ChaincodeEndorsedAction{ProposalResponsePayload: result, Endorsements: endorsements},
	})
	if err != nil {
		return nil, err
	}
	var header common.Header
	if err := proto.Unmarshal(p.header, &header); err != nil {
		return nil, err
	}
	transaction, err := proto.Marshal(&peer.Transaction{Actions: []*peer.TransactionAction{{Header: header.GetSignatureHeader(), Payload: action}}})
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&common.Payload{Header: &header, Data: transaction})
	if err != nil {
		return nil, err
	}
	signature, err := t.signature(payload)
	return &common.Envelope{Payload: payload, Signature: signature}, err
}

// Send has an envelope ordered and waits for its validation code.
func (t *Thief) Send(ctx context.Context, tx string, envelope *common.Envelope) (peer.TxValidationCode, error) {
	own := gateway.NewGatewayClient(t.peers[access.Organisation(t.msp)])
	if _, err := own.Submit(ctx, &gateway.SubmitRequest{TransactionId: tx, ChannelId: t.channel, PreparedTransaction: envelope}); err != nil {
		return 0, err
	}
	request, err := proto.Marshal(&gateway.CommitStatusRequest{TransactionId: tx, ChannelId: t.channel, Identity: t.creator})
	if err != nil {
		return 0, err
	}
	signature, err := t.signature(request)
	if err != nil {
		return 0, err
	}
	status, err := own.CommitStatus(ctx, &gateway.SignedCommitStatusRequest{Request: request, Signature: signature})
	return status.GetResult(), err
}
