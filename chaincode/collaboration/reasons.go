package collaboration

import "github.com/hutong-gov/hutong/chaincode/fault"

// Reasons for which collaboration says no. They are permanent: clients and documents rely on them. Each names the member
// of the request that is to be changed, where one is.
var (
	ErrEditionGap           = fault.New(fault.Refused, "collaboration.edition_gap", "propose the edition that follows the last one").On("request.service.edition", "follows:edition")
	ErrFieldUnknown         = fault.New(fault.Refused, "collaboration.field_unknown", "name only fields the dataset has").On("request.service.materials.fields", "subset:dataset.fields")
	ErrRequirementWithdrawn = fault.New(fault.Refused, "collaboration.requirement_withdrawn", "name a requirement that is in the map").On("request.service.materials.requirement", "published")
	ErrNotEvidence          = fault.New(fault.Refused, "collaboration.not_evidence", "take the material from what the requirement lists as evidence, with the fields it needs").On("request.service.materials.requirement", "evidence")
	ErrDatasetWithdrawn     = fault.New(fault.Refused, "collaboration.dataset_withdrawn", "name a dataset that is in the directory").On("request.service.materials.dataset", "published")
	ErrNotResponsible       = fault.New(fault.Denied, "collaboration.not_responsible", "only agencies with a step in the service, and its lead, approve it").On("creator.agency", "responsible")
	ErrAlreadyApproved      = fault.New(fault.Refused, "collaboration.already_approved", "the agency has approved this edition before").On("request.definition", "awaiting:creator.agency")
	ErrNotProposed          = fault.New(fault.Refused, "collaboration.not_proposed", "the edition was replaced by a later one").On("request.definition", "status:"+Proposed)
	ErrDefinitionChanged    = fault.New(fault.Refused, "collaboration.definition_changed", "read the definition again; the hash is not that of this edition").On("request.hash", "equals:definition.hash")
	ErrNotActive            = fault.New(fault.Refused, "collaboration.definition_not_active", "apply on the edition that is active").On("request.jws.definition", "status:"+Active)
	ErrDuplicate            = fault.New(fault.Refused, "collaboration.duplicate_application", "the subject has an open case for this service; wait for its end or withdraw it").On("request.jws.definition", "one_open_case")
	ErrChannelMismatch      = fault.New(fault.Refused, "collaboration.channel_mismatch", "the subject signed for another channel").On("request.jws.channel", "equals:channel")
	ErrCaseMismatch         = fault.New(fault.Refused, "collaboration.case_mismatch", "the subject signed for another case").On("request.jws.case", "equals:case")
	ErrSubjectMismatch      = fault.New(fault.Refused, "collaboration.subject_mismatch", "what was signed names another subject").On("request.jws.subject", "equals:case.subject")
	ErrCorrectionNumber     = fault.New(fault.Refused, "collaboration.correction_number", "sign 0 to apply, and one more than the case's corrections to resubmit").On("request.jws.correction", "follows:case.corrections")

	ErrCaseClosed      = fault.New(fault.Refused, "collaboration.case_closed", "the case has ended").On("request.case", "status:"+Open)
	ErrNothingReturned = fault.New(fault.Refused, "collaboration.nothing_returned", "no agency asks for a correction").On("request.case", "step:"+Returned)

	ErrStaffRequired  = fault.New(fault.Invalid, "collaboration.staff_required", "send the staff number of the officer who acts").On("staff", "required")
	ErrStepReturned   = fault.New(fault.Refused, "collaboration.step_returned", "the step waits for the applicant's correction").On("request.step", "status:"+Pending+","+Claimed)
	ErrStepDecided    = fault.New(fault.Refused, "collaboration.step_decided", "the step has been decided").On("request.step", "status:"+Pending+","+Claimed)
	ErrAlreadyClaimed = fault.New(fault.Refused, "collaboration.already_claimed", "the officer has claimed the step before").On("request.step", "status:"+Pending)
	ErrClaimedByOther = fault.New(fault.Refused, "collaboration.claimed_by_other", "another officer has claimed the step; have it released first").On("staff", "equals:task.officer")
	ErrNotClaimed     = fault.New(fault.Refused, "collaboration.step_not_claimed", "claim the step first").On("request.step", "status:"+Claimed)
	ErrNotReady       = fault.New(fault.Refused, "collaboration.step_not_ready", "wait until the steps before this one are approved").On("request.step", "after:approved")

	ErrStepsOpen           = fault.New(fault.Refused, "collaboration.steps_open", "conclude when every step is approved").On("request.case", "steps:"+Approved)
	ErrCertificateRequired = fault.New(fault.Refused, "collaboration.certificate_required", "the service issues a certificate; send its commitment and validity").On("request.certificate", "required")
	ErrNoCertificate       = fault.New(fault.Refused, "collaboration.certificate_not_expected", "the service issues no certificate").On("request.certificate", "absent")
)
