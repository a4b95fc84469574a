package exchange

import (
	"strings"

	"github.com/hutong-gov/hutong/chaincode/state"
)

// What a request changes, by its noun and id: commands on the same record must not overtake each other (kernel.Changer), or
// what it adds to (kernel.Appender).

// Changes implements kernel.Changer.
func (r UpdateAgency) Changes() string { return Agencies.Noun + "/" + r.Agency }

// Changes implements kernel.Changer.
func (r AssignDuties) Changes() string { return Agencies.Noun + "/" + r.Agency }

// Changes implements kernel.Changer.
func (r ReviseDataset) Changes() string { return Datasets.Noun + "/" + r.Dataset }

// Changes implements kernel.Changer.
func (r WithdrawDataset) Changes() string { return Datasets.Noun + "/" + r.Dataset }

// Changes implements kernel.Changer.
func (r GrantAccess) Changes() string { return Grants.Noun + "/" + r.Grant }

// Changes implements kernel.Changer.
func (r DenyAccess) Changes() string { return Grants.Noun + "/" + r.Grant }

// Changes implements kernel.Changer.
func (r AmendGrant) Changes() string { return Grants.Noun + "/" + r.Grant }

// Changes implements kernel.Changer.
func (r SuspendGrant) Changes() string { return Grants.Noun + "/" + r.Grant }

// Changes implements kernel.Changer.
func (r ResumeGrant) Changes() string { return Grants.Noun + "/" + r.Grant }

// Changes implements kernel.Changer.
func (r WithdrawGrant) Changes() string { return Grants.Noun + "/" + r.Grant }

// Changes implements kernel.Changer.
func (r RotateKey) Changes() string { return Subjects.Noun + "/" + r.Subject }

// Changes implements kernel.Changer.
func (r RecoverKey) Changes() string { return Subjects.Noun + "/" + r.Subject }

// Changes implements kernel.Changer.
func (r RevokeConsent) Changes() string { return Consents.Noun + "/" + r.Consent }

// Appends implements kernel.Appender. A request makes a use; what it shares with others is the subject's log, in which it
// takes a number.
func (r RequestUse) Appends() string { return Logs.Noun + "/" + r.Subject }

// Changes implements kernel.Changer.
func (r DeliverUse) Changes() string { return Uses.Noun + "/" + r.Use }

// Changes implements kernel.Changer.
func (r AcknowledgeUse) Changes() string { return Uses.Noun + "/" + r.Use }

// Changes implements kernel.Changer.
func (r SupersedeCommitment) Changes() string { return r.record() }

// Changes implements kernel.Changer.
func (r WithdrawCommitment) Changes() string {
	return AnchorCommitment{Dataset: r.Dataset, Subject: r.Subject}.record()
}

func (r AnchorCommitment) record() string {
	return Commitments.Noun + "/" + strings.Join(CommitmentKey(r.Dataset, r.Subject), state.IDSeparator)
}
