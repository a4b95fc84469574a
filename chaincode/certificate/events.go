package certificate

import "github.com/hutong-gov/hutong/chaincode/kernel"

// Types of change.
const (
	EventTypePublished          = "type.published.v1"
	EventAccreditationGranted   = "accreditation.granted.v1"
	EventAccreditationWithdrawn = "accreditation.withdrawn.v1"
	EventIssued                 = "certificate.issued.v1"
	EventSuspended              = "certificate.suspended.v1"
	EventReinstated             = "certificate.reinstated.v1"
	EventRevoked                = "certificate.revoked.v1"
)

// Events is the catalogue of what this contract announces.
var Events = []kernel.Event{
	{Type: EventTypePublished, Doc: "A certificate type was published. id: its code; agency: its authority."},
	{Type: EventAccreditationGranted, Doc: "An agency was accredited for a type. id: {type}/{agency}; agency: who was accredited."},
	{Type: EventAccreditationWithdrawn, Doc: "An accreditation ended early. id: {type}/{agency}; agency: whose it was."},
	{Type: EventIssued, Doc: "A certificate was issued. agency: the issuer; case: where a case led to it."},
	{Type: EventSuspended, Doc: "A certificate was suspended. agency: the issuer."},
	{Type: EventReinstated, Doc: "A suspended certificate is valid again. agency: the issuer."},
	{Type: EventRevoked, Doc: "A certificate was revoked for good. agency: the issuer."},
}

// Event is the entry of a transaction's event for a certificate.
func (c Certificate) Event(event string) kernel.Change {
	return kernel.Change{Type: event, ID: c.ID, Subject: c.Subject, Agency: c.Issuer, Case: c.Case}
}

// Event is the entry of a transaction's event for an accreditation.
func (a Accreditation) Event(event string) kernel.Change {
	return kernel.Change{Type: event, ID: a.Type + "/" + a.Agency, Agency: a.Agency}
}
