// Package kernel runs a contract: it decodes a call strictly, knows the caller, checks the authorisation table, bounds the
// timestamp, carries out one command or many, and answers in one form.
//
// A contract is a table of functions, not a set of methods. Three kinds of function exist:
//
//	Read        looks at the ledger, writes nothing
//	Create      makes a record; its id is natural (a code) or derived from the caller and the idempotency key
//	Transition  changes a record; a receipt under the idempotency key remembers it was done
//
// Invariants: a command that fails writes nothing and announces nothing; the same command again gives the first receipt
// and writes nothing; everything written depends only on the call and the ledger (no clock, no randomness, no map order).
// The endorser's clock only refuses: a timestamp further than MaxSkew away, and what is over by it alone (Moment). Refusing
// keeps determinism.
package kernel

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Event documents a type of Change a contract announces.
type Event struct{ Type, Doc string }

// Contract is one chaincode. It implements shim.Chaincode.
type Contract struct {
	Name        string
	Doc         string
	Collections []state.Collection
	Events      []Event
	Functions   []Function
	Clock       func() time.Time // the endorser's clock; nil means time.Now

	table map[string]Function
}

// Build checks the table and makes the contract ready. It panics on a table that contradicts itself, which the contract's
// own test meets first.
func (c *Contract) Build() *Contract {
	c.Collections = append(c.Collections, receipts)
	c.Functions = append(c.Functions, c.describe())
	c.table = make(map[string]Function, len(c.Functions))
	for _, f := range c.Functions {
		if _, twice := c.table[f.Name]; twice || f.run == nil || len(f.Rule.Roles) == 0 || strings.Count(f.Name, ":") != 1 {
			panic("contract " + c.Name + ": bad row " + f.Name)
		}
		c.table[f.Name] = f
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// Init is called by the lifecycle where a definition asks for it; there is nothing to do.
func (c *Contract) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke implements shim.Chaincode. A program error in a handler refuses the transaction; it must not take the process
// down, and with it the transactions of others.
func (c *Contract) Invoke(stub shim.ChaincodeStubInterface) (response *peer.Response) {
	defer func() {
		if cause := recover(); cause != nil {
			c.report(cause)
			response = refuse(fault.New(fault.Internal, ReasonPanicked, "the contract has an error; nothing was written; tell who runs it"))
		}
	}()
	args := stub.GetArgs()
	stamp, err := stub.GetTxTimestamp()
	if err != nil {
		return refuse(err)
	}
	payload, err := c.Handle(stub, args, stamp)
	if err != nil {
		return refuse(err)
	}
	return shim.Success(payload)
}

// ReasonPanicked is the reason of the fault with which a contract answers after a program error.
const ReasonPanicked = "contract.panicked"

// report logs a program error without values of the request: a panic's own text may have some, a run-time error's not.
func (c *Contract) report(cause any) {
	what := fmt.Sprintf("%T", cause)
	if err, ok := cause.(runtime.Error); ok {
		what = err.Error()
	}
	slog.Error("contract panicked", "contract", c.Name, "cause", what, "stack", string(debug.Stack()))
}

func refuse(err error) *peer.Response {
	f := fault.From(err)
	return &peer.Response{Status: f.Status(), Message: f.Wire()}
}

// Handle carries out one call: function name and argument. Exported for the in-memory ledger.
func (c *Contract) Handle(stub Stub, args [][]byte, stamp *timestamppb.Timestamp) ([]byte, error) {
	name, argument, err := split(args)
	if err != nil {
		return nil, err
	}
	by, err := access.FromStub(stub)
	if err != nil {
		return nil, err
	}
	tx := &Tx{
		By: by, At: stamp.AsTime().UTC().Truncate(time.Millisecond), ID: stub.GetTxID(), Channel: stub.GetChannelID(),
		Store: state.NewStore(stub), stub: stub, contract: c.Name,
	}
	tx.Now = At(tx.At)
	clock := c.Clock()
	// Reads too: some judge what holds "now", and endorsers sign what they answer.
	if err := checkTime(tx.At, clock); err != nil {
		return nil, err
	}
	if name == AskFunction {
		return c.answerAll(tx, argument)
	}
	f, ok := c.table[name]
	if !ok && name != BatchFunction {
		return nil, unknownFunction()
	}
	if f.Kind == KindRead {
		if err := f.Rule.Check(by); err != nil {
			return nil, err
		}
		return f.read(tx, argument)
	}
	tx.Now = Moment{At: tx.At, clock: clock, decided: &tx.decided}
	if name == BatchFunction {
		return c.batch(tx, argument)
	}
	var command Command
	if err := canonical.DecodeEnvelope(argument, &command); err != nil {
		return nil, err
	}
	receipt, err := f.carryOut(tx, command)
	if tx.decided {
		return nil, outOfTime()
	}
	if err != nil {
		return nil, err
	}
	return tx.finish(receipt)
}

func (c *Contract) batch(tx *Tx, argument []byte) ([]byte, error) {
	var batch Batch
	if err := canonical.DecodeEnvelope(argument, &batch); err != nil {
		return nil, err
	}
	if n := len(batch.Commands); n == 0 || n > MaxCommands {
		return nil, fault.Field("commands", fmt.Sprintf("length:1,%d", MaxCommands), "send between one and this many commands")
	}
	if err := c.prefetch(tx, batch.Commands); err != nil {
		return nil, err
	}
	if err := c.askAhead(tx, batch.Commands); err != nil {
		return nil, err
	}
	answer := Outcomes{Outcomes: make([]Outcome, len(batch.Commands))}
	for i, command := range batch.Commands {
		f, ok := c.table[command.Function]
		var receipt Receipt
		err := error(unknownFunction())
		if ok && f.Kind != KindRead {
			receipt, err = f.carryOut(tx, command.Command)
		}
		switch {
		case tx.decided:
			return nil, outOfTime()
		case err == nil:
			answer.Outcomes[i].Receipt = &receipt
		case fault.From(err).Kind == fault.Internal:
			return nil, err // the ledger failed, not the command: nothing of the batch may stand
		default:
			answer.Outcomes[i].Fault = fault.From(err)
		}
	}
	return tx.finish(answer)
}

// prefetch reads at once what tells the commands that were done before from those that are new.
func (c *Contract) prefetch(tx *Tx, commands []BatchCommand) error {
	var keys []string
	for _, command := range commands {
		f := c.table[command.Function]
		if f.first != nil && command.validate() == nil && f.Rule.Check(tx.By) == nil {
			keys = append(keys, f.first(tx.By.Agency, command.IdempotencyKey))
		}
	}
	if len(keys) < 2 {
		return nil
	}
	return tx.Store.Prefetch(keys)
}

// finish flushes what the commands wrote and announces what they announced.
func (tx *Tx) finish(answer any) ([]byte, error) {
	if err := tx.Store.Flush(); err != nil {
		return nil, err
	}
	if len(tx.changes) > 0 {
		payload, err := canonical.Marshal(Envelope{Version: EnvelopeVersion, Changes: tx.changes})
		if err != nil {
			return nil, err
		}
		if err := tx.stub.SetEvent(EventName, payload); err != nil {
			return nil, err
		}
	}
	return canonical.Marshal(answer)
}

// checkTime refuses a transaction whose timestamp, the client's claim, is too far from this endorser's clock.
func checkTime(at, clock time.Time) error {
	skew := clock.Sub(at)
	if skew > MaxSkew || skew < -MaxSkew {
		return fault.New(fault.Refused, ReasonTimestamp, "set the client's clock; the transaction's timestamp is too far from the endorser's").
			On("transaction.timestamp", "max_skew:"+MaxSkew.String())
	}
	return nil
}

func split(args [][]byte) (name string, argument []byte, err error) {
	if len(args) != 2 {
		return "", nil, fault.Field("arguments", "length:2", "call with a function name and one JSON argument")
	}
	if len(args[1]) > MaxArgumentBytes {
		return "", nil, fault.New(fault.Limit, "request.too_large", "make the request smaller, or send several").On("arguments", fmt.Sprintf("max_bytes:%d", MaxArgumentBytes))
	}
	return string(args[0]), args[1], nil
}

func unknownFunction() *fault.Fault {
	return fault.New(fault.Missing, "contract.no_such_function", "call a function that "+DescribeFunction+" lists").On("function", "exists")
}

// Rows lists the functions in the order of their names.
func (c *Contract) Rows() []Function {
	rows := slices.Clone(c.Functions)
	slices.SortFunc(rows, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return rows
}
