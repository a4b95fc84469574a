package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions of subjects' keys.
const (
	SubjectRotate  = "subject:Rotate"
	SubjectRecover = "subject:Recover"
	SubjectKey     = "subject:Key"  // read: the key to verify a subject's signature with
	SubjectKeys    = "subject:Keys" // read: all the keys a subject has had
)

// Statuses of a key that is not in use any more.
const (
	Rotated = "rotated" // the subject put another in its place
	Lost    = "lost"    // another was registered in its place by way of an agency
)

// RotationKind is the type of JWS by which a key names the one that takes its place.
const RotationKind = "hutong-rotation+jwt"

// Limits of subjects' keys.
const (
	MaxSubjectKeys   = 100 // that a subject can have in a lifetime
	MaxEndedConsents = 64  // that one recovery ends
)

// Key is a key a subject signed with before. What it signed stays verifiable. Key: pseudonym and the key's thumbprint.
type Key struct {
	state.Head
	Subject       string     `json:"subject"`
	SigningKey    signed.Key `json:"signing_key"`
	Number        int        `json:"number"` // of the subject's keys, from 1
	From          time.Time  `json:"valid_from"`
	Until         time.Time  `json:"valid_until"`             // exclusive
	Successor     string     `json:"successor"`               // thumbprint of the key in its place
	Proof         string     `json:"proof"`                   // the successor's JWS over Registration
	Authorisation string     `json:"authorisation,omitempty"` // this key's JWS over Rotation; none where it was lost
	Reason        string     `json:"reason,omitempty"`        // code: why it was recovered
}

// Rotation is what a key signs to name its successor. A subject never has a key twice, so it is good once.
type Rotation struct {
	Channel    string `json:"channel"`
	Subject    string `json:"subject"`
	Thumbprint string `json:"thumbprint"` // of the key that signs
	Successor  string `json:"successor"`  // thumbprint of the new key
}

// RotateKey puts a new key in the place of a subject's (role portal or agency). Proof is a JWS of kind RegistrationKind by
// the new key over Registration, Authorisation one of kind RotationKind by the key in use over Rotation.
type RotateKey struct {
	Subject       string     `json:"subject"`
	SigningKey    signed.Key `json:"signing_key"`
	Proof         string     `json:"proof"`
	Authorisation string     `json:"authorisation"`
}

// RecoverKey puts a new key in the place of one that was lost (an agency with the duty identity, role agency, with the
// officer's staff number). Proof is a JWS of kind RegistrationKind by the new key over Registration. Consents are those that
// end with the lost key: a thief may have signed them, and the subject need not find them one by one.
type RecoverKey struct {
	Subject    string     `json:"subject"`
	SigningKey signed.Key `json:"signing_key"`
	Proof      string     `json:"proof"`
	Reason     string     `json:"reason"`   // code, e.g. "device_lost"
	Consents   []string   `json:"consents"` // sorted; may be empty
}

// KeyOf asks for a subject's key: the one in use, or the one with a thumbprint, whenever it was in use.
type KeyOf struct {
	Subject    string `json:"subject"`
	Thumbprint string `json:"thumbprint,omitempty"`
}

// KeysOf asks for all the keys a subject has had.
type KeysOf struct {
	Subject string `json:"subject"`
}

// KeyPeriod is a key of a subject with the time it was in use.
type KeyPeriod struct {
	Number     int        `json:"number"` // of the subject's keys, from 1
	Thumbprint string     `json:"thumbprint"`
	SigningKey signed.Key `json:"signing_key"`
	Status     string     `json:"status"` // registered: in use; rotated; lost
	From       time.Time  `json:"valid_from"`
	Until      *time.Time `json:"valid_until,omitempty"` // exclusive; absent: in use
	Agency     string     `json:"agency,omitempty"`      // that put another in its place where it was lost
	Reason     string     `json:"reason,omitempty"`      // code: why
}

// KeyHistory is all the keys a subject has had, the first first.
type KeyHistory struct {
	Keys []KeyPeriod `json:"keys"`
}

// Faults of subjects' keys.
var (
	ErrKeyUsed       = fault.New(fault.Refused, "exchange.key_used", "the subject has or had this key; make a new one").On("request.signing_key", "new")
	ErrTooManyKeys   = fault.New(fault.Refused, "exchange.too_many_keys", "the subject has had as many keys as one may have").On("request.subject", fmt.Sprintf("max_keys:%d", MaxSubjectKeys))
	ErrStaffRequired = fault.New(fault.Refused, "exchange.staff_required", "a recovery is an officer's decision; send the officer's staff number").On("staff", "required")
)

// Validate implements kernel.Validator.
func (r RegisterSubject) Validate() error {
	return cmp.Or(CheckSubject("pseudonym", r.Pseudonym), checkProof(r.SigningKey, r.Proof))
}

// checkProof checks the form of a key that is to be registered, and of the proof that it is held.
func checkProof(key signed.Key, proof string) error {
	if err := checkKey("signing_key", key); err != nil {
		return err
	}
	if proof == "" {
		return required("proof")
	}
	return signed.Peek(proof, "proof", RegistrationKind, new(Registration))
}

// proves judges whether whoever asks for a key to be registered for a subject holds it.
func proves(proof, channel, subject, field string, key signed.Key) error {
	var p Registration
	if err := signed.Open(proof, "request.proof", RegistrationKind, key, &p); err != nil {
		return err
	}
	if p.Channel != channel {
		return ErrChannelMismatch.On("request.proof.channel", "equals:channel")
	}
	if p.Subject != subject {
		return ErrSubjectMismatch.On("request.proof.subject", "equals:request."+field)
	}
	if p.Thumbprint != key.Thumbprint() {
		return ErrKeyMismatch
	}
	return nil
}

// Register makes the record of a subject and the empty head of its access log. Guards, in order:
//
//	exchange.not_identity_agency   the caller's agency has not the duty identity
//	signature.forged               the proof was not made by the key that is registered
//	exchange.channel_mismatch      the proof is for another channel
//	exchange.subject_mismatch      the proof names another subject
//	exchange.key_mismatch          the proof names another key
func (r RegisterSubject) Register(registrar Agency, channel string, at time.Time) (s Subject, l Log, event kernel.Change, err error) {
	if !slices.Contains(registrar.Duties, DutyIdentity) {
		return s, l, event, ErrNotIdentityAgency
	}
	if err := proves(r.Proof, channel, r.Pseudonym, "pseudonym", r.SigningKey); err != nil {
		return s, l, event, err
	}
	s = Subject{Head: state.Head{ID: r.Pseudonym, Status: Registered}, Pseudonym: r.Pseudonym, SigningKey: r.SigningKey, Since: at, Keys: 1}
	l = Log{Head: state.Head{ID: r.Pseudonym, Status: Kept, First: Kept}, Subject: r.Pseudonym}
	return s, l, kernel.Change{Type: EventSubjectRegistered, ID: s.ID, Subject: s.ID, Agency: registrar.ID}, nil
}
