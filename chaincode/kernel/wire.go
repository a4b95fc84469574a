package kernel

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of a call. A gateway keeps below them; a peer is told by the chaincode.
const (
	MaxArgumentBytes = 1 << 20 // one call, a batch included
	MaxRequestBytes  = 48 << 10
	MaxCommands      = 500
	MaxKeyLength     = 128
	MaxStaffLength   = 32
	MaxSkew          = 5 * time.Minute // a transaction timestamp may differ this much from an endorser's clock
)

// BatchFunction carries many commands in one transaction.
const BatchFunction = "batch:Submit"

// DescribeFunction answers a contract's table of functions.
const DescribeFunction = "contract:Describe"

// EventName is the one chaincode event of a transaction; its payload is an Envelope.
const EventName = "hutong.v1"

// EnvelopeVersion is the version of Envelope.
const EnvelopeVersion = 1

// Command is a write: the argument of a write function. IdempotencyKey is the caller's own: the same key with the same
// request gives the first answer again, with another request a conflict.
type Command struct {
	IdempotencyKey string          `json:"idempotency_key"`
	Staff          string          `json:"staff,omitempty"` // the officer's staff number
	Request        json.RawMessage `json:"request"`
	// Record is what the request changes (Changer). It is not sent: it tells whoever gathers commands which ones must not
	// overtake each other. Empty: the command makes something new.
	Record string `json:"-"`
	// Appends: the command only adds to Record (Appender).
	Appends bool `json:"-"`
}

// Changer is a request that changes a record which others may change at the same time: it names it, by noun and id.
// Commands that change one record are carried out in the order they were sent; others may pass each other.
type Changer interface{ Changes() string }

// Appender is a request that makes something of its own and only adds it to a record which others may add to at the same
// time, as a use is added to its subject's log. It names that record, by noun and id. Many may travel in one transaction, in
// the order they were sent; transactions side by side would race.
type Appender interface{ Appends() string }

// BatchCommand is a Command with the function it is for.
type BatchCommand struct {
	Function string `json:"function"`
	Command
}

// Batch is the argument of BatchFunction.
type Batch struct {
	Commands []BatchCommand `json:"commands"`
}

// Receipt is the answer to every write.
type Receipt struct {
	ID       string    `json:"id"`
	Status   string    `json:"status"`
	Version  int       `json:"version"`
	Number   int       `json:"number,omitempty"` // of a record that has one (Numbered), in the answer to its creation
	At       time.Time `json:"at"`
	Tx       string    `json:"tx_id"`              // the transaction that did it
	Replayed bool      `json:"replayed,omitempty"` // true: done before, nothing was written now
}

// Outcome is a batch command's answer: one of the two.
type Outcome struct {
	Receipt *Receipt     `json:"receipt,omitempty"`
	Fault   *fault.Fault `json:"fault,omitempty"`
}

// Outcomes answers a batch, in the order of its commands.
type Outcomes struct {
	Outcomes []Outcome `json:"outcomes"`
}

// Change is one thing that happened. Type is past tense and versioned ("certificate.revoked.v1"). Members are
// identifiers and pseudonyms only.
type Change struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Subject string `json:"subject,omitempty"`
	Agency  string `json:"agency,omitempty"` // whose record it is
	Case    string `json:"case,omitempty"`
}

// Envelope is the payload of the one event of a transaction: all changes, in the order they happened.
type Envelope struct {
	Version int      `json:"version"`
	Changes []Change `json:"changes"`
}

var keyForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]*$`)

func (c Command) validate() error {
	switch {
	case c.IdempotencyKey == "":
		return fault.Field("idempotency_key", "required", "send a key of your own with every write; repeat it when you repeat the request")
	case len(c.IdempotencyKey) > MaxKeyLength || !keyForm.MatchString(c.IdempotencyKey):
		return fault.Field("idempotency_key", "pattern:"+keyForm.String(), fmt.Sprintf("use up to %d letters, digits and . _ : -", MaxKeyLength))
	case len(c.Staff) > MaxStaffLength || c.Staff != "" && !keyForm.MatchString(c.Staff):
		return fault.Field("staff", "pattern:"+keyForm.String(), fmt.Sprintf("use up to %d letters, digits and . _ : -", MaxStaffLength))
	case len(c.Request) > MaxRequestBytes:
		return fault.New(fault.Limit, "request.too_large", "make the request smaller").On("request", fmt.Sprintf("max_bytes:%d", MaxRequestBytes))
	}
	return nil
}
