package ledgertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hutong-gov/hutong/chaincode/endorsement"
)

// Stub is what a chaincode sees of the ledger in one invocation. A chaincode that another one calls has a stub of its
// own on the same simulation.
type Stub struct {
	ledger     *Ledger
	simulation *simulation
	id         string
	namespace  string
	args       [][]byte
	creator    []byte
	msp        string // the endorsing peer is of the client's organisation
	transient  map[string][]byte
	at         *timestamppb.Timestamp
	event      *Event
	call       int // which of the transaction's invocations this is
}

var _ shim.ChaincodeStubInterface = (*Stub)(nil)

// run invokes the stub's chaincode as a peer does.
func (s *Stub) run() *peer.Response {
	cc, installed := s.ledger.chaincodes[s.namespace]
	if !installed {
		return shim.Error("make sure the chaincode " + s.namespace + " has been successfully defined on channel " + Channel + " and try again")
	}
	if s.simulation.running[s.namespace] { // a peer has one context a transaction and chaincode
		return shim.Error(fmt.Sprintf("transaction failed: txid: %s(%s) exists", s.id, Channel))
	}
	s.simulation.running[s.namespace] = true
	defer delete(s.simulation.running, s.namespace)
	return cc.Invoke(s)
}

// InvokeChaincode calls another chaincode of the channel. What it wrote stays in the simulation even if it refuses; its
// event is dropped.
func (s *Stub) InvokeChaincode(chaincode string, args [][]byte, channel string) *peer.Response {
	if channel != "" && channel != Channel {
		return shim.Error("failed to find ledger for channel: " + channel)
	}
	if chaincode == endorsement.Lifecycle {
		return s.ledger.lifecycle(args)
	}
	callee := *s
	s.simulation.calls++
	callee.namespace, callee.args, callee.event, callee.call = chaincode, cloneArgs(args), nil, s.simulation.calls
	return callee.run()
}

func (s *Stub) GetArgs() [][]byte { return s.args }

func (s *Stub) GetStringArgs() []string {
	all := make([]string, len(s.args))
	for i, arg := range s.args {
		all[i] = string(arg)
	}
	return all
}

func (s *Stub) GetFunctionAndParameters() (string, []string) {
	all := s.GetStringArgs()
	if len(all) == 0 {
		return "", []string{}
	}
	return all[0], all[1:]
}

func (s *Stub) GetArgsSlice() ([]byte, error) { return slices.Concat(s.args...), nil }

func (s *Stub) GetTxID() string { return s.id }

func (s *Stub) GetChannelID() string { return Channel }

func (s *Stub) GetCreator() ([]byte, error) { return slices.Clone(s.creator), nil }

func (s *Stub) GetTransient() (map[string][]byte, error) { return maps.Clone(s.transient), nil }

func (s *Stub) GetTxTimestamp() (*timestamppb.Timestamp, error) {
	return timestamppb.New(s.at.AsTime()), nil
}

func (s *Stub) GetDecorations() map[string][]byte { return nil }

// errNoProposal: transactions here have no signed envelope.
var errNoProposal = errors.New("ledgertest: a proposal has no signature here")

func (s *Stub) GetBinding() ([]byte, error) { return nil, errNoProposal }

func (s *Stub) GetSignedProposal() (*peer.SignedProposal, error) { return nil, errNoProposal }

// SetEvent keeps the last event set.
func (s *Stub) SetEvent(name string, payload []byte) error {
	if name == "" {
		return errors.New("event name can not be empty string")
	}
	s.event = &Event{Chaincode: s.namespace, Name: name, Payload: slices.Clone(payload)}
	return nil
}

// StartWriteBatch has no effect, as with a peer of v2.5.
func (s *Stub) StartWriteBatch() {}

// FinishWriteBatch has no effect, as with a peer of v2.5.
func (s *Stub) FinishWriteBatch() error { return nil }
