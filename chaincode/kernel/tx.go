package kernel

import (
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Stub is what the kernel needs of a chaincode stub.
type Stub interface {
	state.Stub
	GetCreator() ([]byte, error)
	GetTxID() string
	GetChannelID() string
	GetTransient() (map[string][]byte, error)
	InvokeChaincode(chaincode string, args [][]byte, channel string) *peer.Response
	SetEvent(name string, payload []byte) error
}

var _ Stub = shim.ChaincodeStubInterface(nil)

// Tx is one call as a handler sees it: who calls, when, the ledger, and what it announces. One Tx serves all the commands
// of a batch, one after the other.
type Tx struct {
	By      access.Caller
	At      time.Time // the transaction's timestamp, UTC, whole milliseconds
	Now     Moment    // by which a command judges what is over; of a read, At alone
	ID      string    // transaction id
	Channel string    // what a subject signs names it, so that nothing signed for one channel counts in another
	Store   *state.Store
	Staff   string // the officer's staff number of the current command
	Key     string // the idempotency key of the current command

	stub     Stub
	contract string                          // the name of the chaincode that runs
	policy   *common.SignaturePolicyEnvelope // of the chaincode; nil until it is asked for
	changes  []Change                        // of accepted commands
	pending  []Change                        // of the current command
	deferred *deferred
	ended    map[string]bool   // names of the deferred writes that were made
	answers  map[string]Answer // of other contracts, by question
	decided  bool              // by the endorser's clock alone (Moment), here or in another contract that was called
}

// deferred is a write in another chaincode that the current command ends with.
type deferred struct {
	chaincode, function string
	command             Command
	announce            Change
}

// name identifies the write within a transaction.
func (d *deferred) name() string {
	return d.chaincode + "\n" + d.function + "\n" + d.command.IdempotencyKey
}

// Announce adds a change to the transaction's event. It is dropped with the command if the command fails.
func (tx *Tx) Announce(change Change) { tx.pending = append(tx.pending, change) }

// Stamp says that this transaction did it.
func (tx *Tx) Stamp() state.Stamp {
	return state.Stamp{By: tx.By.Agency, Staff: tx.Staff, At: tx.At, Tx: tx.ID}
}

// Touch counts and stamps a change of a record that is made or changed along with another.
func (tx *Tx) Touch(head *state.Head) {
	head.Version++
	if head.Version == 1 {
		head.Created = tx.Stamp()
	} else {
		head.Changed = tx.Stamp()
	}
}

// Transient gives what travels with the proposal under a name and is in no block; nil where there is nothing.
func (tx *Tx) Transient(name string) ([]byte, error) {
	all, err := tx.stub.GetTransient()
	return all[name], err
}

// Finally makes a write in another chaincode the last act of the current command, in the same transaction. It runs once
// everything else of the command has succeeded: if the other chaincode refuses, the command fails whole; because nothing
// of the command can fail after it, the two can never part. The change is announced here, for only the outermost
// chaincode's event survives a transaction. The id of what is made is known beforehand (ID). A command can have one.
//
// Commands of one batch do not see what earlier ones did in the other chaincode: let the function be a create whose key
// is the command's own. The same key twice in a transaction is refused.
func (tx *Tx) Finally(chaincode, function, key string, request any, announce Change) error {
	if tx.deferred != nil {
		return fault.New(fault.Internal, "kernel.second_write", "a command can end with one write in another contract")
	}
	raw, err := canonical.Marshal(request)
	if err != nil {
		return err
	}
	d := &deferred{chaincode, function, Command{IdempotencyKey: key, Staff: tx.Staff, Request: raw}, announce}
	if tx.ended[d.name()] {
		return fault.New(fault.Conflict, "idempotency.conflict", "another command of this batch makes the same record; send this one in a transaction of its own").On("idempotency_key", "once_per_transaction")
	}
	tx.deferred = d
	return nil
}

func (tx *Tx) runDeferred() error {
	d := tx.deferred
	tx.deferred = nil
	if d == nil {
		return nil
	}
	if _, err := tx.call(d.chaincode, d.function, d.command); err != nil {
		return err
	}
	if tx.ended == nil {
		tx.ended = map[string]bool{}
	}
	tx.ended[d.name()] = true
	tx.Announce(d.announce)
	return nil
}

func (tx *Tx) call(chaincode, function string, argument any) ([]byte, error) {
	raw, err := canonical.Marshal(argument)
	if err != nil {
		return nil, err
	}
	response := tx.stub.InvokeChaincode(chaincode, [][]byte{[]byte(function), raw}, "")
	if response.GetStatus() >= shim.ERRORTHRESHOLD {
		if f, ok := fault.Parse(response.GetMessage()); ok {
			tx.decided = tx.decided || f.Reason == ReasonOutOfTime
			return nil, f
		}
		return nil, fault.New(fault.Internal, "ledger.failed", "another contract did not answer")
	}
	return response.GetPayload(), nil
}
