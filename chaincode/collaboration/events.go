package collaboration

import "github.com/hutong-gov/hutong/chaincode/kernel"

// Types of change.
const (
	EventDefinitionProposed  = "definition.proposed.v1"
	EventDefinitionApproved  = "definition.approved.v1"
	EventDefinitionActivated = "definition.activated.v1"
	EventDefinitionRetired   = "definition.retired.v1"
	EventCaseOpened          = "case.opened.v1"
	EventCaseResubmitted     = "case.resubmitted.v1"
	EventCaseWithdrawn       = "case.withdrawn.v1"
	EventCaseRejected        = "case.rejected.v1"
	EventCaseConcluded       = "case.concluded.v1"
	EventStepClaimed         = "step.claimed.v1"
	EventStepReleased        = "step.released.v1"
	EventStepApproved        = "step.approved.v1"
	EventStepReturned        = "step.returned.v1"
	EventStepRejected        = "step.rejected.v1"
)

// Events documents every type of change, with what its members hold. Concluding a case may also announce
// certificate.issued.v1, in the same transaction.
var Events = []kernel.Event{
	{Type: EventDefinitionProposed, Doc: "The lead agency proposed an edition of a service. id: {code}/{edition}; agency: the lead."},
	{Type: EventDefinitionApproved, Doc: "An agency approved an edition. id: {code}/{edition}; agency: who approved."},
	{Type: EventDefinitionActivated, Doc: "Every responsible agency has approved: cases may be opened on the edition. agency: the lead."},
	{Type: EventDefinitionRetired, Doc: "A later edition took its place; open cases stay on it. agency: the lead."},
	{Type: EventCaseOpened, Doc: "An applicant's case was opened. id and case: the case; agency: the lead."},
	{Type: EventCaseResubmitted, Doc: "The applicant answered a return with a corrected application. agency: the lead."},
	{Type: EventCaseWithdrawn, Doc: "The applicant withdrew. agency: the lead."},
	{Type: EventCaseRejected, Doc: "A step was decided against the applicant, which ended the case. agency: the lead."},
	{Type: EventCaseConcluded, Doc: "All steps were approved and the lead agency concluded. agency: the lead."},
	{Type: EventStepClaimed, Doc: "An officer took a step. id: {case}/{step}; agency: whose step it is."},
	{Type: EventStepReleased, Doc: "A claimed step was given back. id: {case}/{step}; agency: whose step it is."},
	{Type: EventStepApproved, Doc: "A step was decided for the applicant. id: {case}/{step}; agency: who decided."},
	{Type: EventStepReturned, Doc: "An agency asks the applicant for a correction. id: {case}/{step}; agency: who asks."},
	{Type: EventStepRejected, Doc: "A step was decided against the applicant. id: {case}/{step}; agency: who decided."},
}

// Event is the entry of a transaction's event for a definition.
func (d Definition) Event(event, agency string) kernel.Change {
	return kernel.Change{Type: event, ID: DefinitionID(d.Code, d.Edition), Agency: agency}
}

// Event is the entry of a transaction's event for a case.
func (c Case) Event(event string) kernel.Change {
	return kernel.Change{Type: event, ID: c.ID, Subject: c.Subject, Agency: c.Lead, Case: c.ID}
}

// Event is the entry of a transaction's event for a task of a subject's case.
func (t Task) Event(event, subject string) kernel.Change {
	return kernel.Change{Type: event, ID: t.ID, Subject: subject, Agency: t.Agency, Case: t.Case}
}
