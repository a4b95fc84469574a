package ledger

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/reload"
	"github.com/hutong-gov/hutong/network/block"
)

// fakePeer is a peer's gateway service whose every answer a test can choose. By default it endorses with `answer`, takes
// what is submitted and commits it as valid in the next block, which it announces to the registry as a follower would.
type fakePeer struct {
	gateway.UnimplementedGatewayServer
	peer.UnimplementedDeliverServer
	peer.UnimplementedEndorserServer
	commits *follow.Commits

	mu        sync.Mutex
	answer    []byte
	endorse   func(n int) error               // n-th call, from 1
	submit    func(n int) error               // before it is taken
	took      func(n int) error               // after it was taken
	code      func(n int) block.Code          // of the n-th transaction
	silent    bool                            // the block stream says nothing
	sent      chan string                     // if set, is given the ids of what was submitted
	status    func(tx string) (uint64, error) // of CommitStatus; nil: waits until the caller gives up
	evaluate  func() ([]byte, error)
	deliver   func(peer.Deliver_DeliverServer) error
	height    uint64                          // told to whoever checks its health
	think     time.Duration                   // that an endorsement takes
	judge     func(kernel.BatchCommand) error // of each command of a batch; nil: all are fine
	whole     func([]kernel.BatchCommand) error
	alone     int                     // commands that had a transaction of their own
	batches   [][]kernel.BatchCommand // as they were endorsed
	endorsed  int
	submitted int
	asked     int
	orgs      []string
}

var signer = Signer{Agency: "services.hall", Role: access.Portal}

// newLedger makes a ledger on a fake peer.
func newLedger(t *testing.T, limits config.Limits) (*Ledger, *fakePeer) {
	t.Helper()
	fake := &fakePeer{commits: follow.NewCommits(), answer: []byte(`{"id":"r1","status":"open","version":1,"at":"2026-03-01T08:00:00Z","tx_id":"t"}`)}
	address, _ := fake.serve(t, "127.0.0.1:0")
	l := newLedgerAt(t, limits, fake.commits, address)
	fake.commits.SetLive(true)
	return l, fake
}

// serve lets the fake peer answer at an address until stop.
func (f *fakePeer) serve(t *testing.T, at string) (address string, stop func()) {
	t.Helper()
	var listener net.Listener
	require.Eventually(t, func() (bound bool) { // a port that was just left may take a moment
		var err error
		listener, err = net.Listen("tcp", at)
		return err == nil
	}, 5*time.Second, 10*time.Millisecond)
	server := grpc.NewServer()
	gateway.RegisterGatewayServer(server, f)
	peer.RegisterDeliverServer(server, f)
	peer.RegisterEndorserServer(server, f)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String(), server.Stop
}

// ProcessProposal answers the question for the height.
func (f *fakePeer) ProcessProposal(context.Context, *peer.SignedProposal) (*peer.ProposalResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := proto.Marshal(&common.BlockchainInfo{Height: f.height})
	return &peer.ProposalResponse{Response: &peer.Response{Status: 200, Payload: info}}, err
}

func newLedgerAt(t *testing.T, limits config.Limits, commits *follow.Commits, addresses ...string) *Ledger {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	var list []*ownPeer
	for _, address := range addresses {
		connections, err := dialWith(address, 2, 1<<20, insecure.NewCredentials())
		require.NoError(t, err)
		list = append(list, &ownPeer{endpoint: address, pool: connections})
	}
	peers := newOwnPeers(list, m)
	set := func(d *config.Duration) {
		if *d == 0 {
			*d = config.Duration(5 * time.Second)
		}
	}
	set(&limits.EndorseTimeout)
	set(&limits.SubmitTimeout)
	set(&limits.CommitTimeout)
	set(&limits.EvaluateTimeout)
	if limits.MaxInFlightBytes == 0 {
		limits.MaxInFlightBytes = 1 << 20
	}
	if limits.MaxInFlight == 0 {
		limits.MaxInFlight = 16
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hall-portal"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	sign, err := identity.NewPrivateKeySign(key)
	require.NoError(t, err)
	who, err := connect("ServicesMSP", certificate, sign, "government", peers)
	require.NoError(t, err)
	mine, err := reload.Add(files(t), "member", func() (*member, error) { return who, nil }, nil)
	require.NoError(t, err)
	l := &Ledger{msp: "ServicesMSP", channel: "government", allMSPs: []string{"ServicesMSP", "MarketMSP"}, limits: limits, peers: peers,
		members: map[Signer]*held{signer: mine}, reader: mine, commits: commits, lanes: map[laneID]*lane{}, metrics: m}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// files is a set that nobody looks at.
func files(t *testing.T) *reload.Set {
	t.Helper()
	set, err := reload.NewSet(slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	return set
}

func (f *fakePeer) counts() (endorsed, submitted, asked int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.endorsed, f.submitted, f.asked
}

func (f *fakePeer) Endorse(_ context.Context, in *gateway.EndorseRequest) (*gateway.EndorseResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.endorsed++
	f.orgs = in.GetEndorsingOrganizations()
	if f.endorse != nil {
		if err := f.endorse(f.endorsed); err != nil {
			return nil, err
		}
	}
	answer := f.answer
	commands, batch, err := commandsOf(in.GetProposedTransaction())
	if err != nil {
		return nil, err
	}
	if batch {
		f.batches = append(f.batches, commands)
	} else {
		f.alone++
	}
	if f.whole != nil {
		if err := f.whole(commands); err != nil {
			return nil, err
		}
	}
	if f.think > 0 {
		f.mu.Unlock()
		time.Sleep(f.think)
		f.mu.Lock()
	}
	if batch && !bytes.Contains(f.answer, []byte("outcomes")) {
		if answer, err = f.answers(commands); err != nil {
			return nil, err
		}
	}
	envelope, err := prepared(in.GetProposedTransaction(), answer)
	return &gateway.EndorseResponse{PreparedTransaction: envelope}, err
}

// answers are a contract's outcomes of a batch: a receipt for each command, or what judge says.
func (f *fakePeer) answers(commands []kernel.BatchCommand) ([]byte, error) {
	all := kernel.Outcomes{Outcomes: make([]kernel.Outcome, len(commands))}
	for i, c := range commands {
		if f.judge != nil {
			if err := f.judge(c); err != nil {
				all.Outcomes[i].Fault = fault.From(err)
				continue
			}
		}
		all.Outcomes[i].Receipt = &kernel.Receipt{ID: c.IdempotencyKey, Status: "open", Version: 1, Tx: "t"}
	}
	return json.Marshal(all)
}

// commandsOf are the commands a proposal carries, read as strictly as a contract does.
func commandsOf(signed *peer.SignedProposal) (commands []kernel.BatchCommand, batch bool, err error) {
	var proposal peer.Proposal
	var payload peer.ChaincodeProposalPayload
	var invocation peer.ChaincodeInvocationSpec
	if err := errors.Join(proto.Unmarshal(signed.GetProposalBytes(), &proposal), proto.Unmarshal(proposal.GetPayload(), &payload),
		proto.Unmarshal(payload.GetInput(), &invocation)); err != nil {
		return nil, false, err
	}
	args := invocation.GetChaincodeSpec().GetInput().GetArgs()
	if len(args) == 2 && string(args[0]) == kernel.BatchFunction {
		var all kernel.Batch
		err := canonical.DecodeEnvelope(args[1], &all)
		return all.Commands, true, err
	}
	var one kernel.Command
	if len(args) == 2 {
		_ = canonical.DecodeEnvelope(args[1], &one) // a read has no command
	}
	return []kernel.BatchCommand{{Command: one}}, false, nil
}

// prepared assembles a transaction of a proposal, as a peer does.
func prepared(signed *peer.SignedProposal, answer []byte) (*common.Envelope, error) {
	var proposal peer.Proposal
	var header common.Header
	if err := errors.Join(proto.Unmarshal(signed.GetProposalBytes(), &proposal), proto.Unmarshal(proposal.GetHeader(), &header)); err != nil {
		return nil, err
	}
	action, err1 := proto.Marshal(&peer.ChaincodeAction{Response: &peer.Response{Status: 200, Payload: answer}})
	response, err2 := proto.Marshal(&peer.ProposalResponsePayload{Extension: action})
	payload, err3 := proto.Marshal(&peer.ChaincodeActionPayload{ChaincodeProposalPayload: proposal.GetPayload(), Action: &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response}})
	transaction, err4 := proto.Marshal(&peer.Transaction{Actions: []*peer.TransactionAction{{Payload: payload}}})
	whole, err5 := proto.Marshal(&common.Payload{Header: &header, Data: transaction})
	return &common.Envelope{Payload: whole}, errors.Join(err1, err2, err3, err4, err5)
}

func (f *fakePeer) Submit(_ context.Context, in *gateway.SubmitRequest) (*gateway.SubmitResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.submitted++
	if f.submit != nil {
		if err := f.submit(f.submitted); err != nil {
			return nil, err
		}
	}
	code := block.Valid
	if f.code != nil {
		code = f.code(f.submitted)
	}
	if f.sent != nil {
		f.sent <- in.GetTransactionId()
	}
	if !f.silent {
		f.commits.Resolve(uint64(100+f.submitted), []block.Outcome{{ID: in.GetTransactionId(), Code: code}})
	}
	if f.took != nil {
		if err := f.took(f.submitted); err != nil {
			return nil, err
		}
	}
	return &gateway.SubmitResponse{}, nil
}

func (f *fakePeer) CommitStatus(ctx context.Context, in *gateway.SignedCommitStatusRequest) (*gateway.CommitStatusResponse, error) {
	var request gateway.CommitStatusRequest
	if err := proto.Unmarshal(in.GetRequest(), &request); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.asked++
	answer := f.status
	f.mu.Unlock()
	if answer == nil {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	number, err := answer(request.GetTransactionId())
	return &gateway.CommitStatusResponse{BlockNumber: number, Result: peer.TxValidationCode_VALID}, err
}

func (f *fakePeer) Evaluate(context.Context, *gateway.EvaluateRequest) (*gateway.EvaluateResponse, error) {
	raw, err := f.evaluate()
	return &gateway.EvaluateResponse{Result: &peer.Response{Status: 200, Payload: raw}}, err
}

func (f *fakePeer) Deliver(stream peer.Deliver_DeliverServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return f.deliver(stream)
}

// rpc is an error as a peer's gateway service gives it.
func rpc(code codes.Code, message string, details ...*gateway.ErrorDetail) error {
	s := status.New(code, message)
	for _, d := range details {
		var err error
		if s, err = s.WithDetails(d); err != nil {
			panic(err)
		}
	}
	return s.Err()
}

func said(msp, message string) *gateway.ErrorDetail {
	return &gateway.ErrorDetail{Address: "peer", MspId: msp, Message: message}
}
