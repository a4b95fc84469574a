// Package exchange holds the rules of data exchange between agencies: who offers which data, who may use it on what terms,
// what the person concerned has agreed to, and a numbered record of every use. The data itself never comes here.
//
//	agency ──publishes──▶ dataset ◀──requests── another agency
//	                        │                        │
//	                     grants ──────▶ grant ◀──────┘         subject ──signs──▶ consent
//	                                      │                                          │
//	                                      └──────────▶ use ◀─────────────────────────┘
//	                              requested → delivered → acknowledged
//	                              requested → prepared → released → delivered …, where the subject looks first
//	                              sealed → requested, delivered or acknowledged, when it is opened
//
// Invariants: no use without a live grant that covers it and, where the terms ask for it, a live consent signed by the
// subject; every use states purpose, legal basis and case; a subject's uses are numbered from 1 without a gap, as
// leaves of a Merkle tree.
//
// Functions here are pure: records and requests in, records or a fault out. Package contract binds them to the ledger.
package exchange

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Name is the chaincode's name.
const Name = "exchange"

// Functions.
const (
	AgencyRegister  = "agency:Register"
	AgencyUpdate    = "agency:Update"
	AgencyAssign    = "agency:Assign"
	GrantRequest    = "grant:Request"
	GrantGrant      = "grant:Grant"
	GrantDeny       = "grant:Deny"
	GrantWithdraw   = "grant:Withdraw"
	SubjectRegister = "subject:Register"
	ConsentGive     = "consent:Give"
	ConsentRevoke   = "consent:Revoke"
	UseRequest      = "use:Request"
	UseDeliver      = "use:Deliver"
	UseAcknowledge  = "use:Acknowledge"
)

// Statuses.
const (
	Registered   = "registered"
	Published    = "published"
	Withdrawn    = "withdrawn"
	Requested    = "requested"
	Granted      = "granted"
	Denied       = "denied"
	Given        = "given"
	Revoked      = "revoked"
	Delivered    = "delivered"
	Acknowledged = "acknowledged"
	Kept         = "kept" // of an access log: it is never closed
)

// DutyIdentity is the duty of the agency that registers subjects' keys. DutyPortal is the duty of an agency whose portal
// submits what citizens signed.
const (
	DutyIdentity = "identity"
	DutyPortal   = "portal"
)

// Kinds of a subject's signature (the JWS header `typ`).
const (
	RegistrationKind = "hutong-registration+jwt"
	ConsentKind      = "hutong-consent+jwt"
	RevocationKind   = "hutong-revocation+jwt"
)

// Text is a name in the two languages of the house.
type Text struct {
	Zh string `json:"zh"`
	En string `json:"en"`
}

// Agency is a department or district that takes part. Its id is {organisation}.{code}.
type Agency struct {
	state.Head
	Name        Text       `json:"name"`
	ExchangeKey signed.Key `json:"exchange_key"` // P-256; payloads for the agency are sealed to it (HPKE, RFC 9180)
	Gateway     string     `json:"gateway"`      // https address of its organisation's gateway
	Duties      []string   `json:"duties"`       // sorted; assigned by the coordinating organisation
}

// RegisterAgency registers the caller's own agency (role admin). Key: the caller's agency id. An agency registers once;
// what changes later is UpdateAgency's.
type RegisterAgency struct {
	Code        string     `json:"code"` // the part after the organisation
	Name        Text       `json:"name"`
	ExchangeKey signed.Key `json:"exchange_key"`
	Gateway     string     `json:"gateway"`
}

// UpdateAgency replaces the name, exchange key and gateway of the caller's own agency (role admin). Whoever seals a
// payload from now on uses the new key; keep the old private key for as long as deliveries may be under way.
type UpdateAgency struct {
	Agency      string     `json:"agency"`
	Name        Text       `json:"name"`
	ExchangeKey signed.Key `json:"exchange_key"`
	Gateway     string     `json:"gateway"`
}

// AssignDuties sets an agency's duties (role admin of the coordinating organisation).
type AssignDuties struct {
	Agency string   `json:"agency"`
	Duties []string `json:"duties"`
}

// Terms bound what a grant allows.
type Terms struct {
	Purposes        []string  `json:"purposes"` // codes, sorted; e.g. "business.start"
	Fields          []string  `json:"fields"`   // sorted
	ValidFrom       time.Time `json:"valid_from"`
	ValidUntil      time.Time `json:"valid_until"`
	ConsentRequired bool      `json:"consent_required"`
	Modes           []string  `json:"modes,omitempty"` // fetch, verify or both, sorted; absent: fetch
	PreviewRequired bool      `json:"preview_required,omitempty"`
	Quota           *Quota    `json:"quota,omitempty"`      // absent: uses are not counted
	DelayDays       int       `json:"delay_days,omitempty"` // for how long a use may be kept from its subject; absent: not at all
}

// Grant is an agency's standing permission to use a dataset.
//
//	requested → granted ⇄ suspended
//	    │          └───────────┴────▶ withdrawn
//	    └─────▶ denied
type Grant struct {
	state.Head
	Dataset    string `json:"dataset"`
	Provider   string `json:"provider"` // agency id
	Consumer   string `json:"consumer"` // agency id
	LegalBasis string `json:"legal_basis"`
	Wanted     Terms  `json:"wanted"`
	Terms      *Terms `json:"terms,omitempty"`  // as granted or last amended: within what was wanted
	Reason     string `json:"reason,omitempty"` // code: why it was denied, amended, suspended, resumed or withdrawn
}

// RequestGrant asks for a grant (consumer's admin).
type RequestGrant struct {
	Dataset string `json:"dataset"`
	Terms   Terms  `json:"terms"`
	Basis   string `json:"legal_basis"`
}

// GrantAccess grants a request (provider's admin), on terms within those wanted.
type GrantAccess struct {
	Grant string `json:"grant"`
	Terms Terms  `json:"terms"`
}

// DenyAccess refuses a request (provider's admin).
type DenyAccess struct {
	Grant  string `json:"grant"`
	Reason string `json:"reason"` // code
}

// WithdrawGrant ends a grant (provider's admin).
type WithdrawGrant struct {
	Grant  string `json:"grant"`
	Reason string `json:"reason"` // code
}

// Subject is a person or enterprise under a pseudonym, with the key it signs with now. Key: the pseudonym. Keys it signed
// with before are records of their own (Key).
type Subject struct {
	state.Head
	Pseudonym  string     `json:"pseudonym"`
	SigningKey signed.Key `json:"signing_key"`
	Since      time.Time  `json:"key_since"`      // when the key was registered
	Keys       int        `json:"keys"`           // how many the subject has had, with this one
	Recovered  int        `json:"keys_recovered"` // how many of them took the place of one that was lost
}

// RegisterSubject registers a subject's key (an agency with the duty identity, role agency). Proof is a JWS of kind
// RegistrationKind by that key over Registration.
type RegisterSubject struct {
	Pseudonym  string     `json:"pseudonym"`
	SigningKey signed.Key `json:"signing_key"`
	Proof      string     `json:"proof"`
}

// Registration is what a subject signs to show that it holds a key.
type Registration struct {
	Channel    string `json:"channel"`
	Subject    string `json:"subject"`
	Thumbprint string `json:"thumbprint"` // RFC 7638
}

// ConsentTerms is what a subject signs to agree to uses of its data: JWS of kind ConsentKind.
type ConsentTerms struct {
	Channel  string    `json:"channel"`
	Subject  string    `json:"subject"`
	Dataset  string    `json:"dataset"`
	Fields   []string  `json:"fields"` // sorted
	Consumer string    `json:"consumer"`
	Purpose  string    `json:"purpose"`
	Case     string    `json:"case"`
	MaxUses  int       `json:"max_uses"`
	From     time.Time `json:"valid_from"`
	Until    time.Time `json:"valid_until"`
	Nonce    string    `json:"nonce"` // random: two consents alike differ
	// PreviewRequired: the subject wants to look at what is delivered first.
	PreviewRequired bool `json:"preview_required,omitempty"`
}

// Consent is a subject's agreement on the ledger. given → revoked. Its id is derived from the signed terms' digest, so
// that one signature is one consent, whoever submits it.
type Consent struct {
	state.Head
	Terms      ConsentTerms `json:"terms"`
	JWS        string       `json:"jws"`
	Key        string       `json:"key"`            // thumbprint of the key that signed it
	Code       string       `json:"code,omitempty"` // the one-time code it was made of; the JWS is the code's
	RevokedAt  *time.Time   `json:"revoked_at,omitempty"`
	Revocation string       `json:"revocation,omitempty"`     // the JWS
	RevokedBy  string       `json:"revocation_key,omitempty"` // thumbprint of the key that signed the revocation
	Recovery   string       `json:"recovery,omitempty"`       // thumbprint of the key whose recovery ended it, without a revocation
}

// GiveConsent records a signed consent (role portal or agency).
type GiveConsent struct {
	JWS string `json:"jws"`
}

// RevokeConsent ends a consent at once (role portal or agency). JWS of kind RevocationKind over Revocation.
type RevokeConsent struct {
	Consent string `json:"consent"`
	JWS     string `json:"jws"`
}

// Revocation is what a subject signs to end a consent.
type Revocation struct {
	Channel string `json:"channel"`
	Subject string `json:"subject"`
	Consent string `json:"consent"`
}

// Use is one use of a subject's data by an agency. requested → delivered → acknowledged; where the subject looks first,
// requested → prepared → released → delivered → acknowledged, or → refused.
type Use struct {
	state.Head
	state.Past
	Number     int       `json:"number"`          // in the subject's own access log, from 1
	Nodes      []string  `json:"nodes,omitempty"` // roots of the trees its entry completes in the log, the smallest first
	Subject    string    `json:"subject"`
	Dataset    string    `json:"dataset"`
	Edition    int       `json:"edition"` // of the dataset, when the use was requested
	Fields     []string  `json:"fields"`
	Provider   string    `json:"provider"`
	Consumer   string    `json:"consumer"`
	Purpose    string    `json:"purpose"`
	LegalBasis string    `json:"legal_basis"`
	Case       string    `json:"case"`
	Grant      string    `json:"grant"`
	Consent    string    `json:"consent,omitempty"`
	Period     string    `json:"period,omitempty"`   // of the grant's quota in which the use was requested
	Ticket     int       `json:"ticket,omitempty"`   // the number it took there
	Selector   string    `json:"selector,omitempty"` // commitment of the selector document sent to the provider
	Claims     string    `json:"claims,omitempty"`   // of a verification: commitment of what is asked
	Root       string    `json:"root,omitempty"`     // of a verification without the provider: the commitment as it stood
	Delivery   string    `json:"delivery,omitempty"` // commitment of the delivered document; of a verification, of the verdicts
	Until      time.Time `json:"deliver_until"`      // no delivery after this

	PreviewRequired bool   `json:"preview_required,omitempty"` // the subject looks first
	Preview         string `json:"preview,omitempty"`          // commitment of what it is shown, and of what may be delivered
	Decision        string `json:"decision,omitempty"`         // the subject's JWS, of kind ReleaseKind or RefusalKind

	Waiting bool   `json:"waiting,omitempty"` // the sealed payload was put into the inbox of the consumer's organisation
	Purged  string `json:"purged,omitempty"`  // code: why the payload was removed

	Seal *Seal `json:"seal,omitempty"` // of a use whose disclosure is delayed
}

// RequestUse asks for a use (the consumer's service identity). With claims it asks the provider to verify them, and nothing
// else is delivered than the verdicts.
type RequestUse struct {
	Subject    string   `json:"subject"`
	Dataset    string   `json:"dataset"`
	Fields     []string `json:"fields"` // sorted
	Purpose    string   `json:"purpose"`
	LegalBasis string   `json:"legal_basis"`
	Case       string   `json:"case"`
	Grant      string   `json:"grant"`
	Consent    string   `json:"consent,omitempty"`
	Ticket     int      `json:"ticket,omitempty"` // where the grant has a quota: a number that no use has taken in this period
	Selector   string   `json:"selector,omitempty"`
	Claims     string   `json:"claims,omitempty"`
}

// DeliverUse records what the provider delivered (the provider's service identity).
type DeliverUse struct {
	Use        string `json:"use"`
	Commitment string `json:"commitment"`
	Waits      bool   `json:"waits,omitempty"` // the payload comes along as transient data, and waits in the consumer's inbox
}

// AcknowledgeUse is the consumer's receipt: the commitment it computed from what it opened must be the delivered one.
type AcknowledgeUse struct {
	Use        string `json:"use"`
	Commitment string `json:"commitment"`
}
