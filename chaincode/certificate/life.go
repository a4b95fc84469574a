package certificate

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Issue makes a certificate under an accreditation (the zero one where there is none). It needs nothing but the
// accreditation: issuing is the most frequent write there is. A case it names is the issuer's word; certificates that a
// case leads to are issued by the collaboration contract, which knows. Guards, in this order:
//
//  1. the caller's agency has a live accreditation: certificate.not_accredited
//  2. a type with a longest validity is given an end: certificate.end_required
//  3. the validity is not longer than the type allows: certificate.validity_too_long
//  4. it has not ended: certificate.already_expired
func (a Accreditation) Issue(by access.Caller, r Issue, now kernel.Moment) (Certificate, error) {
	if a.Type != r.Type || a.Agency != by.Agency || !a.Live(now) {
		return Certificate{}, ErrNotAccredited
	}
	if a.ValidDays > 0 {
		if r.Until.IsZero() {
			return Certificate{}, ErrEndRequired
		}
		if r.Until.Sub(r.From) > time.Duration(a.ValidDays)*Day {
			return Certificate{}, ErrValidityTooLong
		}
	}
	if !r.Until.IsZero() && now.Over(r.Until) {
		return Certificate{}, ErrAlreadyExpired
	}
	c := Certificate{
		Type: a.Type, Issuer: by.Agency, Subject: r.Subject, Case: r.Case, Commitment: r.Commitment,
		From: r.From, Until: r.Until, Accreditation: a.Version,
	}
	c.Status = Valid
	return c, nil
}

// Suspend takes a certificate out of force for a while. Guards, in this order:
//
//  1. the caller is the issuer: access.other_agency
//  2. it is not revoked: certificate.already_revoked
//  3. it is not suspended: certificate.already_suspended
func (c Certificate) Suspend(by access.Caller, r Change) (Certificate, error) {
	if err := c.changeable(by); err != nil {
		return c, err
	}
	if c.Status == Suspended {
		return c, ErrAlreadySuspended
	}
	c.Status, c.Reason = Suspended, r.Reason
	return c, nil
}

// Reinstate puts a suspended certificate into force again. Guards, in this order:
//
//  1. the caller is the issuer: access.other_agency
//  2. it is not revoked: certificate.already_revoked
//  3. it is suspended: certificate.not_suspended
func (c Certificate) Reinstate(by access.Caller, r Change) (Certificate, error) {
	if err := c.changeable(by); err != nil {
		return c, err
	}
	if c.Status != Suspended {
		return c, ErrNotSuspended
	}
	c.Status, c.Reason = Valid, r.Reason
	return c, nil
}

// Revoke ends a certificate for good; an expired one too, for it says that it should not have been relied on. Guards, in
// this order:
//
//  1. the caller is the issuer: access.other_agency
//  2. it is not revoked: certificate.already_revoked
func (c Certificate) Revoke(by access.Caller, r Change, at time.Time) (Certificate, error) {
	if err := c.changeable(by); err != nil {
		return c, err
	}
	c.Status, c.Reason, c.RevokedAt = Revoked, r.Reason, &at
	return c, nil
}

// changeable is what all changes ask first.
func (c Certificate) changeable(by access.Caller) error {
	if err := by.Own(c.Issuer); err != nil {
		return err
	}
	if c.Status == Revoked {
		return ErrAlreadyRevoked
	}
	return nil
}
