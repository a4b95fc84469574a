package ledgertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Client calls chaincodes as one identity. A client is not changed by use; On, Skewed and With give changed copies.
//
// A refusal of a contract is returned as *fault.Fault, an invalid transaction as *CommitError, any other failure of an
// endorsement as *EndorseError.
type Client struct {
	ledger    *Ledger
	msp       string
	creator   []byte
	chaincode string        // "" means: the one that has the function
	offset    time.Duration // of the client's clock from the ledger's
	transient map[string][]byte
}

// EndorseError is a refusal that is not a fault, as a chaincode that is no contract gives it.
type EndorseError struct {
	Status  int32
	Message string
}

func (e *EndorseError) Error() string {
	return fmt.Sprintf("chaincode response %d, %s", e.Status, e.Message)
}

// On names the chaincode to call, for functions that several have.
func (c *Client) On(chaincode string) *Client {
	d := *c
	d.chaincode = chaincode
	return &d
}

// Skewed has a clock that differs from the ledger's.
func (c *Client) Skewed(offset time.Duration) *Client {
	d := *c
	d.offset = offset
	return &d
}

// With sends transient data along.
func (c *Client) With(transient map[string][]byte) *Client {
	d := *c
	d.transient = maps.Clone(transient)
	return &d
}

// Submit carries out one command and waits for it to commit.
func (c *Client) Submit(function, idempotencyKey string, request any) (kernel.Receipt, error) {
	return c.SubmitAs("", function, idempotencyKey, request)
}

// SubmitAs is Submit with an officer's staff number.
func (c *Client) SubmitAs(staff, function, idempotencyKey string, request any) (kernel.Receipt, error) {
	var receipt kernel.Receipt
	tx, err := c.EndorseAs(staff, function, idempotencyKey, request)
	if err == nil {
		err = tx.Commit()
	}
	if err == nil {
		err = tx.Answer(&receipt)
	}
	return receipt, err
}

// Command makes a command for Batch.
func Command(function, idempotencyKey string, request any) kernel.BatchCommand {
	return kernel.BatchCommand{Function: function, Command: kernel.Command{IdempotencyKey: idempotencyKey, Request: must(json.Marshal(request))}}
}

// Batch carries out many commands in one transaction and waits for it to commit. The chaincode is that of the first
// command's function, unless On named it.
func (c *Client) Batch(commands []kernel.BatchCommand) (kernel.Outcomes, error) {
	var outcomes kernel.Outcomes
	tx, err := c.EndorseBatch(commands)
	if err == nil {
		err = tx.Commit()
	}
	if err == nil {
		err = tx.Answer(&outcomes)
	}
	return outcomes, err
}

// Query calls a read function. out may be nil.
func (c *Client) Query(function string, request, out any) error {
	argument := must(json.Marshal(request))
	tx, err := c.simulate(c.chaincodeFor(function), [][]byte{[]byte(function), argument})
	if err != nil || out == nil {
		return err
	}
	return tx.Answer(out)
}

// Endorse simulates one command and leaves it to be committed.
func (c *Client) Endorse(function, idempotencyKey string, request any) (*Tx, error) {
	return c.EndorseAs("", function, idempotencyKey, request)
}

// EndorseAs is Endorse with an officer's staff number.
func (c *Client) EndorseAs(staff, function, idempotencyKey string, request any) (*Tx, error) {
	command := kernel.Command{IdempotencyKey: idempotencyKey, Staff: staff, Request: must(json.Marshal(request))}
	return c.EndorseRaw(c.chaincodeFor(function), []byte(function), must(json.Marshal(command)))
}

// EndorseBatch simulates many commands in one transaction and leaves it to be committed.
func (c *Client) EndorseBatch(commands []kernel.BatchCommand) (*Tx, error) {
	chaincode := c.chaincode
	if chaincode == "" && len(commands) > 0 {
		chaincode = c.chaincodeFor(commands[0].Function)
	}
	if chaincode == "" {
		chaincode = c.chaincodeFor(kernel.BatchFunction)
	}
	return c.EndorseRaw(chaincode, []byte(kernel.BatchFunction), must(json.Marshal(kernel.Batch{Commands: commands})))
}

// Invoke sends raw arguments, commits, and answers the payload.
func (c *Client) Invoke(chaincode string, args ...[]byte) ([]byte, error) {
	tx, err := c.EndorseRaw(chaincode, args...)
	if err != nil {
		return nil, err
	}
	return tx.Payload, tx.Commit()
}

// EndorseRaw simulates a call with raw arguments and leaves it to be committed.
func (c *Client) EndorseRaw(chaincode string, args ...[]byte) (*Tx, error) {
	return c.simulate(chaincode, args)
}

// Tx is an endorsed transaction.
type Tx struct {
	ID      string
	Payload []byte

	ledger     *Ledger
	simulation *simulation
	endorsers  []string // MSPs; nil: every organisation
	at         time.Time
	msp        string
	chaincode  string
	args       [][]byte
	committed  bool
}

// EndorsedBy has the transaction endorsed by peers of these organisations (MSP ids) and no others.
func (tx *Tx) EndorsedBy(msps ...string) *Tx {
	tx.endorsers = msps
	return tx
}

// Commit orders the transaction into a block of its own. The error is a *CommitError.
func (tx *Tx) Commit() error { return tx.ledger.CommitBlock(tx)[0] }

// Answer decodes what the chaincode answered.
func (tx *Tx) Answer(out any) error { return json.Unmarshal(tx.Payload, out) }

// Writes is the transaction's write set.
func (tx *Tx) Writes() []Write { return tx.simulation.writeSet() }

// chaincodeFor finds who has a function. An unknown function goes to the only contract there is, to be refused by it.
func (c *Client) chaincodeFor(function string) string {
	if c.chaincode != "" {
		return c.chaincode
	}
	owner, known := c.ledger.owner[function]
	switch {
	case owner != "":
		return owner
	case known:
		panic("ledgertest: several chaincodes have " + function + "; name one with On")
	case len(c.ledger.chaincodes) == 1:
		for name := range c.ledger.chaincodes {
			return name
		}
	}
	panic("ledgertest: no chaincode has " + function + "; name one with On")
}
