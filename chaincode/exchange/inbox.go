package exchange

import (
	"cmp"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// A small payload can wait for its consumer on the ledger's peers: in a private data collection that the peers of the
// consumer's organisation keep, for a number of blocks. It is sealed to the consumer like every payload, and travels as
// transient data, so that no block has it. Whoever sent it or got it has it purged, which leaves a trace.

// Functions of payloads that wait or are purged.
const (
	UsePayload = "use:Payload" // read: what waits in the inbox of the peer's organisation
	UsePurge   = "use:Purge"
)

// Inbox is the collection in which payloads wait for an organisation.
func Inbox(msp string) string { return "inbox_" + msp }

// TransientPayload is the name of the transient data with the payload of a use.
func TransientPayload(use string) string { return "payload/" + use }

// MaxWaitingBytes bounds a sealed payload that waits: the peers keep it, and every endorser is sent it.
const MaxWaitingBytes = 128 << 10

// Sealed is a payload as it travels: HPKE to the consumer's registered key.
type Sealed struct {
	Commitment string `json:"commitment"`
	To         string `json:"to"`
	Sealed     string `json:"sealed"` // base64url
}

// PayloadOf asks for the payload of a use that waits (the consumer's service identity, at a peer of its organisation).
type PayloadOf struct {
	Use string `json:"use"`
}

// PurgeUse removes the payload of a use (the service identity of the provider or the consumer). What is on the ledger stays.
type PurgeUse struct {
	Use    string `json:"use"`
	Reason string `json:"reason"` // code
}

// Reasons of payloads that wait or are purged.
var (
	ErrPayloadMissing  = fault.New(fault.Invalid, "exchange.payload_missing", "send the sealed payload as transient data under payload/{use}").On("transient.payload", "required")
	ErrPayloadTooLarge = fault.New(fault.Limit, "exchange.payload_too_large", "let the gateways hand a payload of this size to each other").On("transient.payload", fmt.Sprintf("max_bytes:%d", MaxWaitingBytes))
	ErrPayloadOther    = fault.New(fault.Refused, "exchange.payload_mismatch", "send the payload that was committed to, sealed to the consumer").On("transient.payload", "of:use")
	ErrNothingWaits    = fault.New(fault.Missing, "exchange.nothing_waits", "no payload of the use waits here: it was handed over, has expired or was purged").On("use", "waiting")
	ErrAlreadyPurged   = fault.New(fault.Refused, "exchange.already_purged", "the payload was purged before").On("request.use", "kept")
)

// EventUsePurged is announced when a payload is purged.
const EventUsePurged = "use.purged.v1"

var inboxEvents = []kernel.Event{
	{Type: EventUsePurged, Doc: "The provider or the consumer had the payload removed; the evidence stays. id: the use; agency: the other of the two."},
}

// Waits checks the payload that is to wait for the consumer against what is recorded. Guards, in order:
//
//	exchange.payload_missing     it was not sent
//	exchange.payload_too_large   it is larger than may wait
//	exchange.payload_mismatch    it is not sealed to the consumer, or under another commitment
func (u Use) Waits(payload []byte) error {
	if len(payload) == 0 {
		return ErrPayloadMissing
	}
	if len(payload) > MaxWaitingBytes {
		return ErrPayloadTooLarge
	}
	var sealed Sealed
	if err := canonical.Decode(payload, &sealed); err != nil || sealed.To != u.Consumer || sealed.Commitment != u.Delivery || sealed.Sealed == "" {
		return ErrPayloadOther
	}
	return nil
}

// Validate implements kernel.Validator.
func (r PayloadOf) Validate() error { return CheckIdentifier("use", r.Use) }

// Validate implements kernel.Validator.
func (r PurgeUse) Validate() error {
	return cmp.Or(CheckIdentifier("use", r.Use), CheckCode("reason", r.Reason))
}

// Purge records that the payload is removed. Number, commitments, signatures and receipts stay, and so does what they
// prove. Guards, in order:
//
//	access.other_agency        the caller's agency is neither provider nor consumer
//	exchange.already_purged    it was purged before
//	exchange.not_delivered     there is nothing to purge
func (u Use) Purge(by access.Caller, r PurgeUse) (Use, kernel.Change, error) {
	other := u.Consumer
	if err := by.Own(u.Provider); err != nil {
		if err := by.Own(u.Consumer); err != nil {
			return u, kernel.Change{}, err
		}
		other = u.Provider
	}
	if u.Purged != "" {
		return u, kernel.Change{}, ErrAlreadyPurged
	}
	if u.Delivery == "" {
		return u, kernel.Change{}, ErrNotDelivered
	}
	u.Waiting, u.Purged = false, r.Reason
	return u, u.change(EventUsePurged, other), nil
}

// Changes implements kernel.Changer.
func (r PurgeUse) Changes() string { return Uses.Noun + "/" + r.Use }
