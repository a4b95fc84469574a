package exchange

import "github.com/hutong-gov/hutong/chaincode/fault"

// Reasons for which exchange says no. They are permanent: clients and documents rely on them. Each names the member of the
// request that is to be changed, where one is.
var (
	ErrAgencyUnregistered = fault.New(fault.Refused, "exchange.agency_unregistered", "register the agency first").On("creator.agency", "registered")
	ErrNotIdentityAgency  = fault.New(fault.Denied, "exchange.not_identity_agency", "only an agency with the duty identity registers subjects").On("creator.agency", "duty:"+DutyIdentity)
	ErrSubjectMissing     = fault.New(fault.Missing, "subject.missing", "the subject has no registered key; register it first").On("request.subject", "exists")

	ErrDatasetWithdrawn = fault.New(fault.Refused, "exchange.dataset_withdrawn", "the dataset is no longer in the directory").On("request.dataset", "published")
	ErrFieldUnknown     = fault.New(fault.Refused, "exchange.field_unknown", "ask only for fields the dataset has").On("request.fields", "subset:dataset.fields")
	ErrOwnDataset       = fault.New(fault.Refused, "exchange.own_dataset", "an agency needs no grant for its own dataset").On("request.dataset", "other_agency")

	ErrPeriodOver      = fault.New(fault.Refused, "exchange.period_over", "choose a period that has not ended").On("request.terms.valid_until", "future")
	ErrTermsExceed     = fault.New(fault.Refused, "exchange.terms_exceed_request", "grant no more than was asked for").On("request.terms", "within:wanted")
	ErrConsentDropped  = fault.New(fault.Refused, "exchange.consent_dropped", "the dataset or the request asks for the subject's consent; keep consent_required").On("request.terms.consent_required", "equals:true")
	ErrGrantDecided    = fault.New(fault.Refused, "exchange.grant_decided", "the request was granted or denied before").On("request.grant", "status:"+Requested)
	ErrGrantPending    = fault.New(fault.Refused, "exchange.grant_pending", "wait until the provider grants the request").On("request.grant", "status:"+Granted)
	ErrGrantDenied     = fault.New(fault.Refused, "exchange.grant_denied", "the provider denied the request; ask for another grant").On("request.grant", "status:"+Granted)
	ErrGrantWithdrawn  = fault.New(fault.Refused, "exchange.grant_withdrawn", "the provider withdrew the grant; ask for another").On("request.grant", "status:"+Granted)
	ErrGrantNotYet     = fault.New(fault.Refused, "exchange.grant_not_yet_valid", "the grant's period has not begun").On("request.grant", "valid")
	ErrGrantExpired    = fault.New(fault.Refused, "exchange.grant_expired", "the grant's period has ended; ask for another").On("request.grant", "valid")
	ErrGrantMismatch   = fault.New(fault.Refused, "exchange.grant_mismatch", "name a grant for this dataset").On("request.grant", "for:dataset")
	ErrPurposeOutside  = fault.New(fault.Refused, "exchange.purpose_not_granted", "use the data only for a purpose the grant names").On("request.purpose", "within:grant.purposes")
	ErrFieldOutside    = fault.New(fault.Refused, "exchange.field_not_granted", "ask only for fields the grant names").On("request.fields", "subset:grant.fields")
	ErrCaseClosed      = fault.New(fault.Refused, "exchange.case_closed", "data may be used only while the case is open").On("request.case", "open")
	ErrCaseMismatch    = fault.New(fault.Refused, "exchange.case_mismatch", "the case is another subject's").On("request.case", "of:subject")
	ErrNotInCase       = fault.New(fault.Refused, "exchange.agency_not_in_case", "only an agency with a part in the case may use data for it").On("request.case", "includes:creator.agency")
	ErrConsentRequired = fault.New(fault.Refused, "exchange.consent_required", "name a consent the subject has signed for this use").On("request.consent", "required")

	ErrChannelMismatch  = fault.New(fault.Refused, "exchange.channel_mismatch", "the subject signed for another channel").On("request.jws.channel", "equals:channel")
	ErrSubjectMismatch  = fault.New(fault.Refused, "exchange.subject_mismatch", "what was signed names another subject").On("request.jws.subject", "equals:subject")
	ErrKeyMismatch      = fault.New(fault.Refused, "exchange.key_mismatch", "the proof names another key").On("request.proof.thumbprint", "equals:signing_key")
	ErrConsentOther     = fault.New(fault.Refused, "exchange.revocation_mismatch", "the subject signed to revoke another consent").On("request.jws.consent", "equals:request.consent")
	ErrConsentRevoked   = fault.New(fault.Refused, "exchange.consent_revoked", "the subject has revoked the consent").On("request.consent", "status:"+Given)
	ErrConsentNotYet    = fault.New(fault.Refused, "exchange.consent_not_yet_valid", "the consent's period has not begun").On("request.consent", "valid")
	ErrConsentExpired   = fault.New(fault.Refused, "exchange.consent_expired", "the consent's period has ended; ask the subject for another").On("request.consent", "valid")
	ErrConsentMismatch  = fault.New(fault.Refused, "exchange.consent_mismatch", "the consent was given for something else; ask the subject for one that fits").On("request.consent", "fits")
	ErrFieldUnconsented = fault.New(fault.Refused, "exchange.field_not_consented", "ask only for fields the subject agreed to").On("request.fields", "subset:consent.fields")
	ErrConsentExhausted = fault.New(fault.Refused, "exchange.consent_exhausted", "the consent has been used as often as the subject allowed").On("request.consent", "uses_left")

	ErrAlreadyDelivered    = fault.New(fault.Refused, "exchange.already_delivered", "a use is delivered once").On("request.use", "status:"+Requested)
	ErrDeliveryLate        = fault.New(fault.Refused, "exchange.delivery_late", "the time to deliver is over; the consumer must ask again").On("request.use", "before:deliver_until")
	ErrNotDelivered        = fault.New(fault.Refused, "exchange.not_delivered", "nothing has been delivered yet").On("request.use", "status:"+Delivered)
	ErrAlreadyAcknowledged = fault.New(fault.Refused, "exchange.already_acknowledged", "a delivery is acknowledged once").On("request.use", "status:"+Delivered)
	ErrCommitmentMismatch  = fault.New(fault.Refused, "exchange.commitment_mismatch", "what was opened is not what the provider recorded; do not use it, and tell the provider").On("request.commitment", "equals:delivery")
)

// Reasons of the directory.
var (
	ErrEditionGap           = fault.New(fault.Refused, "exchange.edition_gap", "read the edition in force and send the number after it").On("request.edition", "next")
	ErrClassificationFixed  = fault.New(fault.Refused, "exchange.classification_fixed", "grants of open data were nobody's decision; withdraw the dataset, and publish what is not open under another code").On("request.classification", "equals:open")
	ErrSelectorChanged      = fault.New(fault.Refused, "exchange.selector_changed", "what is found by other fields is another dataset; publish it under another code").On("request.selector", "equals:dataset.selector")
	ErrFieldDropped         = fault.New(fault.Refused, "exchange.field_dropped", "keep every field with its type; mark one that is not given any more as withdrawn").On("request.fields", "superset:dataset.fields")
	ErrPurposeNotOffered    = fault.New(fault.Refused, "exchange.purpose_not_offered", "ask only for purposes that the dataset's entry lists").On("request.terms.purposes", "subset:dataset.conditions.purposes")
	ErrBasisNotOffered      = fault.New(fault.Refused, "exchange.basis_not_offered", "cite one of the legal bases that the dataset's entry lists, word for word").On("request.legal_basis", "one_of:dataset.conditions.legal_bases")
	ErrRequirementWithdrawn = fault.New(fault.Refused, "exchange.requirement_withdrawn", "the requirement is no longer in the map").On("request.requirement", "published")
	ErrOffSchema            = fault.New(fault.Refused, "record.off_schema", "the record is not as the dataset's schema says; correct it at its source, or revise the entry").On("record", "json_schema")
)
