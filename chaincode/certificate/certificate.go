// Package certificate holds the rules of electronic certificates: which types exist, who is accredited to issue them, and
// the life of each certificate. The ledger has a commitment to a certificate's document; the holder has the document.
//
//	type: published      accreditation: granted ──▶ withdrawn
//
//	certificate:  valid ◀──Reinstate── suspended
//	                │ └────Suspend────────▲
//	                └──Revoke──▶ revoked (final; from suspended too)
//
// Verification gives three separate answers, each yes, no or unknown: is the document what was issued (integrity), does it
// hold at the time asked about (status), was its issuer accredited (issuer). There is never one boolean.
//
// Functions here are pure: records and requests in, records or a fault out. Package contract binds them to the ledger.
package certificate

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Name is the chaincode's name.
const Name = "certificate"

// Functions.
const (
	TypePublish           = "type:Publish"
	AccreditationGrant    = "accreditation:Grant"
	AccreditationWithdraw = "accreditation:Withdraw"
	CertificateIssue      = "certificate:Issue"
	CertificateSuspend    = "certificate:Suspend"
	CertificateReinstate  = "certificate:Reinstate"
	CertificateRevoke     = "certificate:Revoke"
	CertificateVerify     = "certificate:Verify" // read
)

// Statuses.
const (
	Published = "published"
	Granted   = "granted"
	Withdrawn = "withdrawn"
	Valid     = "valid"
	Suspended = "suspended"
	Revoked   = "revoked"
)

// Type of certificate (GB/T 36901–36903 metadata comes with it). Key: its code.
type Type struct {
	state.Head
	Code      string               `json:"code"`
	Name      exchange.Text        `json:"name"`
	Authority string               `json:"authority"` // agency that published it and accredits issuers
	Fields    []exchange.FieldSpec `json:"fields"`
	ValidDays int                  `json:"valid_days"` // longest validity; 0: without end
}

// PublishType publishes a type; the caller's agency becomes its authority (role admin).
type PublishType struct {
	Code      string               `json:"code"`
	Name      exchange.Text        `json:"name"`
	Fields    []exchange.FieldSpec `json:"fields"`
	ValidDays int                  `json:"valid_days"`
}

// Accreditation lets an agency issue a type in a period. Key: {type}/{agency}.
type Accreditation struct {
	state.Head
	Type        string     `json:"type"`
	Agency      string     `json:"agency"`
	Authority   string     `json:"authority"`
	From        time.Time  `json:"valid_from"`
	Until       time.Time  `json:"valid_until"`
	ValidDays   int        `json:"valid_days"` // the type's, which never changes: issuing need not read the type
	WithdrawnAt *time.Time `json:"withdrawn_at,omitempty"`
	Reason      string     `json:"reason,omitempty"`
}

// GrantAccreditation accredits an agency (the authority's admin).
type GrantAccreditation struct {
	Type   string    `json:"type"`
	Agency string    `json:"agency"`
	From   time.Time `json:"valid_from"`
	Until  time.Time `json:"valid_until"`
}

// WithdrawAccreditation ends an accreditation (the authority's admin). Certificates issued before stay issued.
type WithdrawAccreditation struct {
	Type   string `json:"type"`
	Agency string `json:"agency"`
	Reason string `json:"reason"`
}

// Certificate as the ledger knows it.
type Certificate struct {
	state.Head
	Type       string     `json:"type"`
	Issuer     string     `json:"issuer"`
	Subject    string     `json:"subject"`
	Case       string     `json:"case,omitempty"`
	Commitment string     `json:"commitment"`
	From       time.Time  `json:"valid_from"`
	Until      time.Time  `json:"valid_until,omitzero"`
	Reason     string     `json:"reason,omitempty"` // code of the last suspension or revocation
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	// Accreditation is the version of the issuer's accreditation that the issue rested on. The ledger's order of
	// transactions vouches for it, where timestamps, which are claims, could not.
	Accreditation int `json:"accreditation_version"`
}

// Issue issues a certificate (an accredited agency's service identity).
type Issue struct {
	Type       string    `json:"type"`
	Subject    string    `json:"subject"`
	Case       string    `json:"case,omitempty"`
	Commitment string    `json:"commitment"`
	From       time.Time `json:"valid_from"`
	Until      time.Time `json:"valid_until,omitzero"`
}

// Reasons for suspension and revocation.
var Reasons = []string{"key_compromise", "issued_in_error", "superseded", "ceased", "holder_request", "under_review", "unlawful"}

// Change suspends, reinstates or revokes a certificate (its issuer's service identity).
type Change struct {
	Certificate string `json:"certificate"`
	Reason      string `json:"reason"` // one of Reasons
}

// Verify asks about a certificate. Commitment is computed by the asker from the document it holds; without it integrity
// is unknown. At is the time asked about; zero means the transaction's.
type Verify struct {
	Certificate string    `json:"certificate"`
	Commitment  string    `json:"commitment,omitempty"`
	At          time.Time `json:"at,omitzero"`
}

// Answer to one question of a verification.
type Answer string

const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Finding is an answer with its reason (a permanent code, e.g. "certificate.revoked").
type Finding struct {
	Answer Answer `json:"answer"`
	Reason string `json:"reason"`
}

// Verdict is the answer to Verify: three findings, never merged.
type Verdict struct {
	Certificate string    `json:"certificate"`
	Type        string    `json:"type,omitempty"`
	IssuedBy    string    `json:"issued_by,omitempty"`
	At          time.Time `json:"at"`
	Integrity   Finding   `json:"integrity"`
	Status      Finding   `json:"status"`
	Issuer      Finding   `json:"issuer"`
}
