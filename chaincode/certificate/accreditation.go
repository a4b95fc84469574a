package certificate

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Type is the type a publication makes; the caller's agency becomes its authority.
func (r PublishType) Type(by access.Caller) Type {
	t := Type{Code: r.Code, Name: r.Name, Authority: by.Agency, Fields: r.Fields, ValidDays: r.ValidDays}
	t.Status = Published
	return t
}

// Accredit lets an agency issue the type. Guards, in this order:
//
//  1. the caller is the type's authority: access.other_agency
//  2. the period has not ended: certificate.accreditation_over
func (t Type) Accredit(by access.Caller, r GrantAccreditation, now kernel.Moment) (Accreditation, error) {
	if err := by.Own(t.Authority); err != nil {
		return Accreditation{}, err
	}
	if now.Over(r.Until) {
		return Accreditation{}, ErrAccreditationOver
	}
	a := Accreditation{Type: t.Code, Agency: r.Agency, Authority: t.Authority, From: r.From, Until: r.Until, ValidDays: t.ValidDays}
	a.Status = Granted
	return a, nil
}

// Withdraw ends an accreditation. What was issued under it stays issued. Guards, in this order:
//
//  1. the caller is the type's authority: access.other_agency
//  2. it was not withdrawn before: certificate.accreditation_withdrawn
func (a Accreditation) Withdraw(by access.Caller, r WithdrawAccreditation, at time.Time) (Accreditation, error) {
	if err := by.Own(a.Authority); err != nil {
		return a, err
	}
	if a.Status == Withdrawn {
		return a, ErrAlreadyWithdrawn
	}
	a.Status, a.WithdrawnAt, a.Reason = Withdrawn, &at, r.Reason
	return a, nil
}

// Live says whether the accreditation allows issuing at a moment. From is the first moment, Until the first no longer.
func (a Accreditation) Live(now kernel.Moment) bool {
	return a.Status == Granted && !now.Early(a.From) && !now.Over(a.Until)
}
