// Package collaboration holds the rules by which one case moves through many agencies. A service is data: a versioned
// definition that the responsible agencies approve; one interpreter runs them all.
//
//	definition: proposed ──each responsible agency approves──▶ active ──a later edition is activated──▶ retired
//	               └──────────a later edition is activated──────────────────────────────────────────────▲
//
//	case:  open ──all steps approved, lead agency concludes──▶ concluded
//	        ├──a step is rejected──▶ rejected
//	        └──applicant──▶ withdrawn
//	step:  pending ──Claim──▶ claimed ──Approve──▶ approved
//	          ▲                  ├──Return──▶ returned ──applicant resubmits──▶ pending
//	          └──Release─────────┤
//	                             └──Reject──▶ rejected
//
// Invariants: a case pins its definition's hash; a step is decided only by its agency and only after the steps it waits
// for; an application is signed by the applicant; one open case for a subject and service; a concluded case has all its
// steps approved.
//
// No hot keys: each step is a key of its own. What an officer does with one step reads the case and the steps before, and
// writes the step; only what ends the case (or replaces its application) writes the case. Officers of different agencies
// therefore never invalidate each other's transactions.
//
// Functions here are pure: records and requests in, records or a fault out. Package contract binds them to the ledger.
package collaboration

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Name is the chaincode's name.
const Name = "collaboration"

// Functions.
const (
	DefinitionPropose = "definition:Propose"
	DefinitionApprove = "definition:Approve"
	CaseApply         = "case:Apply"
	CaseResubmit      = "case:Resubmit"
	CaseWithdraw      = "case:Withdraw"
	CaseConclude      = "case:Conclude"
	CaseCheck         = "case:Check" // read: is the case open, and whose is it
	StepClaim         = "step:Claim"
	StepRelease       = "step:Release"
	StepApprove       = "step:Approve"
	StepReturn        = "step:Return"
	StepReject        = "step:Reject"
)

// Statuses.
const (
	Proposed  = "proposed"
	Active    = "active"
	Retired   = "retired"
	Open      = "open"
	Concluded = "concluded"
	Rejected  = "rejected"
	Withdrawn = "withdrawn"
	Pending   = "pending"
	Claimed   = "claimed"
	Approved  = "approved"
	Returned  = "returned"
	Taken     = "taken"
	Free      = "free"
)

// Kinds of a subject's signature.
const (
	ApplicationKind = "hutong-application+jwt"
	WithdrawalKind  = "hutong-withdrawal+jwt"
)

// Categories of service (the blue book's three).
const (
	CategoryExchange      = "data_exchange"
	CategoryCollaboration = "business_collaboration"
	CategoryCertificate   = "certificate_evidence"
)

// Sources of a material.
const (
	FromApplicant   = "applicant"
	FromDataset     = "dataset"
	FromCertificate = "certificate"
)

// Step of a service.
type Step struct {
	ID     string        `json:"id"`
	Name   exchange.Text `json:"name"`
	Agency string        `json:"agency"`          // who decides it
	After  []string      `json:"after,omitempty"` // steps that must be approved first
}

// Material a service needs.
type Material struct {
	ID      string        `json:"id"`
	Name    exchange.Text `json:"name"`
	Source  string        `json:"source"`            // where it comes from
	Dataset string        `json:"dataset,omitempty"` // FromDataset: {agency}/{code}
	Fields  []string      `json:"fields,omitempty"`  // FromDataset, sorted
	Type    string        `json:"certificate_type,omitempty"`
	For     string        `json:"for,omitempty"` // FromDataset: the agency that uses it
	// Requirement is what the material shows, {agency}/{code} in the map of requirements; it must then be evidence of it.
	Requirement string `json:"requirement,omitempty"`
}

// Question is a field of the application form that the applicant fills in. The answers travel sealed, not on the ledger.
type Question struct {
	ID       string        `json:"id"`
	Name     exchange.Text `json:"name"`
	Type     string        `json:"type"` // string | integer | boolean | date
	Required bool          `json:"required,omitempty"`
}

// Outcome of a concluded case.
type Outcome struct {
	CertificateType string `json:"certificate_type,omitempty"`
}

// Definition of a service. Key: {code}/{edition}.
type Definition struct {
	state.Head
	Service
	Hash      string   `json:"hash"`      // digest of Service: what cases pin
	Awaiting  []string `json:"awaiting"`  // agencies that have not approved, sorted
	Approvals []string `json:"approvals"` // agencies that have, sorted
}

// Service is the content of a definition.
type Service struct {
	Code       string        `json:"code"`
	Edition    int           `json:"edition"`
	Name       exchange.Text `json:"name"`
	Category   string        `json:"category"`
	Lead       string        `json:"lead"` // agency that concludes
	LegalBasis string        `json:"legal_basis"`
	Form       []Question    `json:"form"`
	Materials  []Material    `json:"materials"`
	Steps      []Step        `json:"steps"`
	Outcome    Outcome       `json:"outcome"`
	Visits     int           `json:"visits"` // visits to an office it still needs
}

// ProposeDefinition proposes a service (the lead agency's admin).
type ProposeDefinition struct {
	Service Service `json:"service"`
}

// ApproveDefinition approves a definition for the caller's agency (its admin). Hash must be the definition's.
type ApproveDefinition struct {
	Definition string `json:"definition"` // {code}/{edition}
	Hash       string `json:"hash"`
}

// Application is what an applicant signs to apply: JWS of kind ApplicationKind.
type Application struct {
	Channel    string `json:"channel"`
	Subject    string `json:"subject"`
	Case       string `json:"case"`       // the id the case will have (kernel.ID, known beforehand)
	Definition string `json:"definition"` // {code}/{edition}
	Hash       string `json:"hash"`       // of the definition the applicant saw
	Form       string `json:"form"`       // commitment of the form's answers
	// Correction is 0 when applying, and one more than the case's Corrections when resubmitting: a portal cannot pass an
	// earlier application off as the applicant's correction.
	Correction int `json:"correction,omitempty"`
}

// Case of an applicant.
type Case struct {
	state.Head
	Subject        string `json:"subject"`
	Service        string `json:"service"`    // code
	Definition     string `json:"definition"` // {code}/{edition}
	DefinitionHash string `json:"definition_hash"`
	Lead           string `json:"lead"`
	Form           string `json:"form"` // commitment of the latest form
	JWS            string `json:"jws"`  // the latest signed application
	Certificate    string `json:"certificate,omitempty"`
	Reason         string `json:"reason,omitempty"`
	Required       int    `json:"materials_required"`
	Asked          int    `json:"materials_asked"` // of those, still asked of the applicant
	Corrections    int    `json:"corrections"`     // how often the applicant has resubmitted
	// What the interpreter needs of the definition, so that no step of a case reads it again.
	Steps    []string `json:"steps"`                      // ids, in the definition's order
	Agencies []string `json:"agencies"`                   // who has a step in it, and the lead; sorted
	Outcome  string   `json:"certificate_type,omitempty"` // of the certificate that concluding issues
}

// Slot says which case of a subject and service is open: duplicate applications are refused. Key: {subject}/{service}.
// taken ⇄ free.
type Slot struct {
	state.Head
	Subject string `json:"subject"`
	Service string `json:"service"`
	Case    string `json:"case"` // the open case; when free, the last one
}

// Task is one step of one case. Key: {case}/{step}.
type Task struct {
	state.Head
	Case      string     `json:"case"`
	Step      string     `json:"step"`
	Service   string     `json:"service"`
	Agency    string     `json:"agency"`
	After     []string   `json:"after,omitempty"`
	Officer   string     `json:"officer,omitempty"` // staff number of who claimed it
	Reason    string     `json:"reason,omitempty"`  // a code, never free text about a person
	Evidence  string     `json:"evidence,omitempty"`
	DecidedAt *time.Time `json:"decided_at,omitempty"`
}

// Apply opens a case (role portal). The case id is kernel.ID(caller's agency, CaseApply, idempotency key).
type Apply struct {
	JWS string `json:"jws"`
}

// Resubmit answers a return with a new signed application for the same case (role portal).
type Resubmit struct {
	Case string `json:"case"`
	JWS  string `json:"jws"`
}

// Withdraw ends a case for its applicant (role portal). JWS of kind WithdrawalKind over Withdrawal.
type Withdraw struct {
	Case string `json:"case"`
	JWS  string `json:"jws"`
}

// Withdrawal is what an applicant signs to withdraw.
type Withdrawal struct {
	Channel string `json:"channel"`
	Subject string `json:"subject"`
	Case    string `json:"case"`
}

// TaskRef names a step of a case.
type TaskRef struct {
	Case string `json:"case"`
	Step string `json:"step"`
}

// ClaimTask and ReleaseTask: an officer of the step's agency (staff number compulsory) takes or gives back a task.
type ClaimTask struct{ TaskRef }

// ReleaseTask gives a claimed task back.
type ReleaseTask struct{ TaskRef }

// ApproveTask decides for the applicant. Evidence is the commitment of what the decision rests on, if there is any.
type ApproveTask struct {
	TaskRef
	Evidence string `json:"evidence,omitempty"`
}

// ReturnTask asks the applicant for a correction; Reason is a code of the catalogue.
type ReturnTask struct {
	TaskRef
	Reason string `json:"reason"`
}

// RejectTask decides against the applicant and so ends the case; Reason is a code.
type RejectTask struct {
	TaskRef
	Reason string `json:"reason"`
}

// Conclude ends a case whose steps are all approved (the lead agency's service identity) and, if the service has such an
// outcome, issues the certificate in the same transaction.
type Conclude struct {
	Case        string       `json:"case"`
	Certificate *Certificate `json:"certificate,omitempty"`
}

// Certificate is what the outcome's certificate needs beyond the case.
type Certificate struct {
	Commitment string    `json:"commitment"` // of the certificate's document
	ValidFrom  time.Time `json:"valid_from"`
	ValidUntil time.Time `json:"valid_until,omitzero"` // zero: without end, where the type allows it
}

// CheckCase asks whether a case is open and whose it is.
type CheckCase struct {
	Case string `json:"case"`
}

// CaseState answers CheckCase.
type CaseState struct {
	Subject  string   `json:"subject"`
	Status   string   `json:"status"`
	Service  string   `json:"service"`
	Agencies []string `json:"agencies"` // who has a step in it, and the lead; sorted
}
