package store

import (
	"encoding/json"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Rows are what one block becomes. The projection makes them, Apply writes them.
type Rows struct {
	Block        Block
	Transactions []Transaction
	Writes       []Write // in the order of the ledger
	Changes      []Change
	Counts       []exchange.Count // of what happened to uses
}

// Block of the channel. Hashes are lower-case hexadecimal digits.
type Block struct {
	Number       uint64
	Hash         string
	Previous     string
	DataHash     string
	Transactions int
	Valid        int
	At           time.Time // the latest claim among its transactions
}

// Transaction of a block, valid or not.
type Transaction struct {
	ID        string
	Block     uint64
	Position  int
	Kind      string // endorsed, config or other
	Code      string // VALID or why it is not
	At        time.Time
	MSP       string // of who signed it
	Agency    string
	Role      string
	Chaincode string
	Function  string
	Commands  int
	Endorsers []string // MSP ids
	Writes    int
	Malformed string
}

// Record is the present state of one record.
type Record struct {
	Contract, Noun, ID, Status string
	Version                    int
	Index                      state.Index
	Body                       json.RawMessage // as it is on the ledger
	Block                      uint64          // of the last change
	Tx                         string          // of the last change
	Created, Changed           time.Time
}

// Write is one change of one record.
type Write struct {
	Record
	Position int // of the transaction in its block
	At       time.Time
	Deleted  bool // Record then has no more than contract, noun, id, block and transaction
}

// Revision is one past or present state of a record.
type Revision struct {
	Contract string
	Version  int
	Status   string
	Deleted  bool
	Body     json.RawMessage
	Block    uint64
	Position int
	Tx       string
	At       time.Time
}

// Change is one thing that happened, as a contract announced it.
type Change struct {
	Block                 uint64
	Position              int
	N                     int
	Tx                    string
	At                    time.Time
	Contract, Type, ID    string
	Subject, Agency, Case string
}
