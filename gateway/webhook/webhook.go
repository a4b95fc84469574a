// Package webhook brings events to receivers that cannot hold a stream open: it sends each event of a subscription to an
// https address, signed, one at a time, in the ledger's order, until the receiver acknowledges it.
//
//	feed ──the next event──▶ attempt ──2xx──▶ cursor moves ──▶ the next event
//	                            │
//	                            ├─anything else─▶ attempt again later: longer and longer, spread at random
//	                            └─too long or too often─▶ dead letter ──▶ cursor moves ──▶ the next event
//
//	webhook: active ──owner pauses──▶ paused ──owner resumes──▶ active
//	            └──too many dead letters──▶ full ──owner makes room and resumes──▶ active
//
// A dead letter can be looked at, sent once more, or removed. A delivery has an id made of webhook and event, the same at
// every attempt: a receiver that remembers ids deals with each event once.
//
// Invariants: the cursor moves only past what was acknowledged, is a dead letter, or is not for the subscriber, and the move
// is durable before the next event is sent, so a gateway that is killed repeats one event at most. One process at a time
// delivers (database.Lead); should two do so for a moment, the cursor moves for one of them only. A webhook sends what its
// owner may see, and nothing is connected to that the configuration does not let be reached. No log, metric or error has an
// address, a body or a signature.
package webhook

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/feed"
)

// Limits.
const (
	MaxPerOwner    = 16     // webhooks of one owner
	MaxDeadLetters = 10_000 // of one webhook: then it stops, so that nothing is lost
	MaxURLLength   = 512
	// MaxAnswerBytes of a receiver's answer are read, so that the connection can be used again; what it says does not matter.
	MaxAnswerBytes = 4 << 10
	// keepDone is how long a request that is repeated is known.
	keepDone = 30 * 24 * time.Hour
)

// States.
const (
	Active = "active"
	Paused = "paused" // by its owner
	Full   = "full"   // has MaxDeadLetters
	// Removed is what a repeated registration answers of a webhook that has been removed since.
	Removed = "removed"
)

// Owner is who registered a webhook and may manage it: all that call by one client, for one agency, in one role.
type Owner struct{ Role, Agency, Client string }

func (o Owner) key() string { return o.Role + "\n" + o.Agency + "\n" + o.Client }

// Registration is what an owner asks for.
type Registration struct {
	URL    string
	Filter feed.Filter
	From   string      // where to begin, as the owner says it
	After  feed.Cursor // where that is
}

// Hook is one webhook.
type Hook struct {
	ID        string
	Viewer    feed.Viewer
	URL       string
	Filter    feed.Filter
	State     string
	Created   time.Time
	At        feed.Cursor // everything up to here has been dealt with
	Delivered int64
	Succeeded time.Time // the last acknowledgement; zero: none yet
	Trouble   Trouble
	Dead      int64 // dead letters; filled by Get

	version int64
}

// Trouble is how the delivery of the next event goes.
type Trouble struct {
	Attempts int
	Since    time.Time
	Next     time.Time
	Failure  Failure
}

// Letter is an event that was given up.
type Letter struct {
	Event    feed.Event
	Attempts int
	Failure  Failure
	At       time.Time
	Replay   bool // will be sent once more
}

// DeliveryID is the id of the delivery of an event to a webhook.
func DeliveryID(hook, event string) string { return hook + "." + event }

// Faults.
var (
	ErrConflict = fault.New(fault.Conflict, "webhook.conflict", "this idempotency key was used for another request; choose a fresh one").On("Idempotency-Key", "same_content")
	ErrTooMany  = fault.New(fault.Refused, "webhook.too_many", "remove a webhook that is not needed any more").On("owner", "max_webhooks:16")
	ErrMissing  = fault.New(fault.Missing, "webhook.missing", "no such webhook of yours; check the identifier").On("id", "exists")
	ErrNoLetter = fault.New(fault.Missing, "dead_letter.missing", "no such dead letter; it may have been delivered since").On("event", "exists")
	ErrFull     = fault.New(fault.Refused, "webhook.full", "replay or remove dead letters before the webhook is resumed").On("dead_letters", "max:9999")
)
