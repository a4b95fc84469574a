package certificate

import "github.com/hutong-gov/hutong/chaincode/fault"

// Reasons for saying no. They are permanent: clients decide by them, and the reference page lists them.
var (
	ErrNotAccredited     = fault.New(fault.Denied, "certificate.not_accredited", "the agency has no live accreditation for this type; ask the type's authority for one").On("request.type", "accredited")
	ErrEndRequired       = fault.New(fault.Refused, "certificate.end_required", "certificates of this type end; say when").On("request.valid_until", "required")
	ErrValidityTooLong   = fault.New(fault.Refused, "certificate.validity_too_long", "shorten the validity to what the type allows").On("request.valid_until", "within:type.valid_days")
	ErrAlreadyExpired    = fault.New(fault.Refused, "certificate.already_expired", "issue a certificate that is still valid when it is issued").On("request.valid_until", "future")
	ErrAlreadyRevoked    = fault.New(fault.Refused, "certificate.already_revoked", "a revoked certificate stays revoked; issue a new one").On("request.certificate", "status:"+Valid+","+Suspended)
	ErrAlreadySuspended  = fault.New(fault.Refused, "certificate.already_suspended", "the certificate is suspended; reinstate or revoke it").On("request.certificate", "status:"+Valid)
	ErrNotSuspended      = fault.New(fault.Refused, "certificate.not_suspended", "only a suspended certificate can be reinstated").On("request.certificate", "status:"+Suspended)
	ErrAccreditationOver = fault.New(fault.Refused, "certificate.accreditation_over", "grant an accreditation that has not ended").On("request.valid_until", "future")
	ErrAlreadyWithdrawn  = fault.New(fault.Refused, "certificate.accreditation_withdrawn", "the accreditation was withdrawn before").On("request.agency", "status:"+Granted)
)

// Reasons of findings. Each finding of a Verdict carries exactly one.
const (
	Intact     = "certificate.intact"      // integrity yes
	Altered    = "certificate.altered"     // integrity no
	NoDocument = "certificate.no_document" // integrity unknown: no commitment was given to compare

	Holds        = "certificate.valid"          // status yes
	NotYetIssued = "certificate.not_yet_issued" // status no: the time asked about is before the issue
	NotYetValid  = "certificate.not_yet_valid"  // status no
	Expired      = "certificate.expired"        // status no
	IsSuspended  = "certificate.suspended"      // status no
	IsRevoked    = "certificate.revoked"        // status no
	Future       = "certificate.future"         // status unknown: the time asked about has not come
	NoHistory    = "certificate.no_history"     // status unknown: the ledger's history does not reach back so far

	Accredited      = "certificate.accredited"                    // issuer yes
	AccreditedThen  = "certificate.accreditation_withdrawn_since" // issuer yes, when it was issued
	NotAccredited   = "certificate.not_accredited"                // issuer no
	NoAccreditation = "certificate.accreditation_missing"         // issuer unknown

	NotFound = "certificate.missing" // all three unknown: the ledger has no such certificate
)
