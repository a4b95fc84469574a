// Package block reads Fabric blocks. It turns the nested protocol buffers of a block into plain structs: who signed each
// transaction, which function it called with which commands, who endorsed it, what it answered, wrote and announced, and
// what became of it. The gateway's read side and the auditor both start here, so it knows nothing of either.
//
// Invariants: decoding never panics and never assumes: a part that cannot be read leaves its fields empty and says so in
// Transaction.Malformed, for a block may carry anything an orderer accepted. Nothing of a write set is left out.
//
// A block's hash covers its number, the hash before it and the hash of its transactions. It does not cover the
// validation codes, which each peer computes for itself.
package block

import (
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Block is one block of a channel.
type Block struct {
	Number       uint64
	Hash         []byte // of the header, computed here
	Previous     []byte // the hash of the block before, as this header states it
	DataHash     []byte // of the transactions, as this header states it
	Transactions []Transaction
}

// Ref names one block of one ledger: a number alone could be another ledger's.
type Ref struct {
	Number uint64
	Hash   []byte
}

// Kind of a transaction.
type Kind string

const (
	Endorsed Kind = "endorsed" // a chaincode call
	Config   Kind = "config"   // a new configuration of the channel
	Other    Kind = "other"    // anything else an orderer let through
)

// Code is what a peer found of a transaction, by Fabric's name ("VALID", "MVCC_READ_CONFLICT", …).
type Code string

// Codes that callers act on.
const (
	Valid        Code = "VALID"
	MVCCConflict Code = "MVCC_READ_CONFLICT"
	PhantomRead  Code = "PHANTOM_READ_CONFLICT"
)

// CodeOf names a validation code. One that this version of Fabric's definitions does not have keeps its number.
func CodeOf(code peer.TxValidationCode) Code {
	if name, ok := peer.TxValidationCode_name[int32(code)]; ok {
		return Code(name)
	}
	return Code(fmt.Sprintf("CODE_%d", int32(code)))
}

// Transaction is one transaction of a block.
type Transaction struct {
	ID        string
	Index     int // in the block, from 0
	Kind      Kind
	Code      Code
	Malformed string // why part of it could not be read; empty: all was read

	Channel   string
	At        time.Time // UTC; the client's claim
	Creator   Identity
	Signer    []byte // the creator, serialized
	Nonce     []byte
	Endorsers []Identity

	Chaincode string    // the outermost, as the proposal names it
	Function  string    // its first argument
	Arguments [][]byte  // the others, as they are
	Commands  []Command // of a write in the house's form, one or a batch; otherwise none
	Response  Response
	Writes    []Namespace // every namespace, in the order of the transaction
	Event     *Event

	ConfigSequence uint64 // of a config transaction
}

// Identity is an identity as its certificate shows it. Agency and Role are empty where the certificate has no such
// attributes: peers, orderers and network administrators.
type Identity struct {
	MSP    string
	Name   string // common name
	Agency string // full id, e.g. "market.tax"
	Role   access.Role
}

// Command is a write as it was asked for, without its request.
type Command struct {
	Function       string
	IdempotencyKey string
	Staff          string
}

// Response is what the chaincode answered.
type Response struct {
	Status  int32
	Message string
	Payload []byte
}

// Namespace is the write set of one chaincode.
type Namespace struct {
	Name        string
	Writes      []Write
	Guards      []Guard
	Collections []Collection
}

// Write is one write of the public state.
type Write struct {
	Key    string
	Value  []byte
	Delete bool
}

// Guard is a change of a key's metadata: its own endorsement policy.
type Guard struct {
	Key     string
	Entries map[string][]byte
}

// Collection is what the public sees of writes to a private data collection.
type Collection struct {
	Name   string
	Hash   []byte // of the private write set
	Writes []HashedWrite
	Guards []HashedGuard
}

// HashedWrite is one private write: SHA-256 of key and value.
type HashedWrite struct {
	Key    []byte
	Value  []byte
	Delete bool
	Purge  bool
}

// HashedGuard is a change of a private key's metadata.
type HashedGuard struct {
	Key     []byte
	Entries map[string][]byte
}

// Event is the one chaincode event of a transaction. It is there whether or not the transaction is valid.
type Event struct {
	Chaincode string
	Name      string
	Payload   []byte
	Envelope  *kernel.Envelope // of an event in the house's form; otherwise nil
}

// ErrMalformed says that a block is not a block: no header, no data, or fewer validation codes than transactions.
var ErrMalformed = errors.New("malformed block")

// Check looks at a block's outline only: what every reader relies on.
func Check(b *common.Block) error {
	switch {
	case b.GetHeader() == nil:
		return fmt.Errorf("%w: it has no header", ErrMalformed)
	case len(b.GetData().GetData()) == 0:
		return fmt.Errorf("%w: block %d has no transactions", ErrMalformed, b.GetHeader().GetNumber())
	}
	if _, err := codes(b); err != nil {
		return err
	}
	return nil
}

// codes are the validation codes of a block's transactions, one byte each. A channel's first block may come without:
// there is nobody yet who could have found it invalid.
func codes(b *common.Block) ([]byte, error) {
	n := len(b.GetData().GetData())
	var flags []byte
	if m := b.GetMetadata().GetMetadata(); len(m) > int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		flags = m[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
	}
	if len(flags) == 0 && b.GetHeader().GetNumber() == 0 {
		return make([]byte, n), nil
	}
	if len(flags) != n {
		return nil, fmt.Errorf("%w: block %d has %d validation codes for %d transactions", ErrMalformed, b.GetHeader().GetNumber(), len(flags), n)
	}
	return flags, nil
}
