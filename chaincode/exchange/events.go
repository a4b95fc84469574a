package exchange

import (
	"slices"

	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Types of change.
const (
	EventAgencyRegistered  = "agency.registered.v1"
	EventAgencyUpdated     = "agency.updated.v1"
	EventAgencyAssigned    = "agency.assigned.v1"
	EventDatasetPublished  = "dataset.published.v1"
	EventDatasetRevised    = "dataset.revised.v1"
	EventDatasetWithdrawn  = "dataset.withdrawn.v1"
	EventGrantRequested    = "grant.requested.v1"
	EventGrantGranted      = "grant.granted.v1"
	EventGrantDenied       = "grant.denied.v1"
	EventGrantWithdrawn    = "grant.withdrawn.v1"
	EventSubjectRegistered = "subject.registered.v1"
	EventSubjectRotated    = "subject.rotated.v1"
	EventSubjectRecovered  = "subject.recovered.v1"
	EventConsentGiven      = "consent.given.v1"
	EventConsentRevoked    = "consent.revoked.v1"
	EventUseRequested      = "use.requested.v1"
	EventUseDelivered      = "use.delivered.v1"
	EventUseAcknowledged   = "use.acknowledged.v1"
)

// Events documents every type of change, with what its members hold.
var Events = slices.Concat([]kernel.Event{
	{Type: EventAgencyRegistered, Doc: "An agency registered. id and agency: the agency."},
	{Type: EventAgencyUpdated, Doc: "An agency changed its name, exchange key or gateway. id and agency: the agency."},
	{Type: EventAgencyAssigned, Doc: "The coordinating organisation set an agency's duties. id and agency: the agency."},
	{Type: EventDatasetPublished, Doc: "A dataset entered the directory. id: the dataset; agency: its owner."},
	{Type: EventDatasetRevised, Doc: "A dataset has a new edition. id: the dataset; agency: its owner."},
	{Type: EventDatasetWithdrawn, Doc: "A dataset left the directory. id: the dataset; agency: its owner."},
	{Type: EventGrantRequested, Doc: "An agency asked for a grant. id: the grant; agency: the provider, who must decide."},
	{Type: EventGrantGranted, Doc: "The provider granted a request. id: the grant; agency: the consumer, who may now use it."},
	{Type: EventGrantDenied, Doc: "The provider denied a request. id: the grant; agency: the consumer."},
	{Type: EventGrantAmended, Doc: "The provider set a grant's terms anew. id: the grant; agency: the consumer."},
	{Type: EventGrantSuspended, Doc: "The provider suspended a grant. id: the grant; agency: the consumer."},
	{Type: EventGrantResumed, Doc: "The provider resumed a suspended grant. id: the grant; agency: the consumer, who may use it again."},
	{Type: EventGrantWithdrawn, Doc: "The provider ended a grant. id: the grant; agency: the consumer."},
	{Type: EventSubjectRegistered, Doc: "A subject's key was registered. id and subject: the pseudonym; agency: who registered it."},
	{Type: EventSubjectRotated, Doc: "A subject put a new key in the place of the one it had. id and subject: the pseudonym."},
	{Type: EventSubjectRecovered, Doc: "An agency put a new key in the place of one that a subject lost. id and subject: the pseudonym; agency: who answers for it."},
	{Type: EventConsentGiven, Doc: "A subject agreed to a use of its data. id: the consent; agency: the consumer it is for."},
	{Type: EventConsentRevoked, Doc: "A subject ended a consent. id: the consent; agency: the consumer it was for."},
	{Type: EventUseRequested, Doc: "An agency asked for a subject's data. id: the use; agency: the provider, who must deliver."},
	{Type: EventUseDelivered, Doc: "The provider delivered. id: the use; agency: the consumer, who must acknowledge."},
	{Type: EventUseAcknowledged, Doc: "The consumer acknowledged. id: the use; agency: the provider."},
}, codeEvents, subscriptionEvents, anchorEvents, commitmentEvents, verifyEvents, previewEvents, inboxEvents, requirementEvents, listingEvents, disclosureEvents)
