package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Health of a peer. A peer whose connection is refused or breaks is down at once; one that goes on holding its connection
// and says nothing, or whose ledger does not move, is given a few rounds.
const (
	checkEvery   = 1 * time.Second
	checkTimeout = 2 * time.Second // of a check
	badRounds    = 3               // in a row, until a silent peer is down, and until one that is behind is not used
	maxBehind    = 5               // blocks behind the organisation's furthest peer
)

// ownPeer is one of the organisation's peers as this gateway sees it. What is below the pool is guarded by ownPeers.mu.
type ownPeer struct {
	endpoint string // its name in metrics and in readiness
	*pool

	up     bool
	since  time.Time // up without interruption
	cause  error     // of its not being up; nil before the first check
	silent int       // rounds without an answer in time
	behind int       // rounds too far behind the furthest
	height uint64    // blocks it had at the last check
}

// fit says whether calls may go to the peer.
func (p *ownPeer) fit() bool { return p.up && p.behind < badRounds }

// check asks the peer itself, and not another by way of it, how many blocks it has. Answering takes all that a peer is
// needed for: it knows the channel and who asks, reads its ledger, and signs. (Peers do not serve gRPC's health protocol at
// this address.)
func (p *ownPeer) check(ctx context.Context, as *member) (height uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	question, err := as.question(chainQueries, chainInfo, []byte(as.channel))
	if err != nil {
		return 0, err
	}
	answer, err := peer.NewEndorserClient(p.pool).ProcessProposal(ctx, question)
	if err != nil {
		return 0, err
	}
	var info common.BlockchainInfo
	if err := proto.Unmarshal(answer.GetResponse().GetPayload(), &info); err != nil || info.GetHeight() == 0 {
		return 0, fmt.Errorf("the peer does not tell its height: %s", answer.GetResponse().GetMessage())
	}
	return info.GetHeight(), nil
}

// late says whether a check failed for want of an answer in time, which a busy peer may do now and then.
func late(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
}

// question is a signed proposal for one peer's own endorser service. The client library builds it; its own calls go to the
// peer's gateway service, which may ask another peer.
func (m *member) question(chaincode, function string, arguments ...[]byte) (*peer.SignedProposal, error) {
	proposal, err := m.network.GetContract(chaincode).NewProposal(function, client.WithBytesArguments(arguments...))
	if err != nil {
		return nil, err
	}
	raw, err := proposal.Bytes()
	if err != nil {
		return nil, err
	}
	var proposed gateway.ProposedTransaction
	if err := proto.Unmarshal(raw, &proposed); err != nil {
		return nil, err
	}
	signed := proposed.GetProposal()
	signed.Signature, err = m.sign(proposal.Digest())
	return signed, err
}
