package collaboration

import (
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
)

// Conclude ends a case whose steps are all approved. tasks are all of them. Guards, in order:
//
//	access.other_agency                       the caller's agency is not the case's lead
//	collaboration.case_closed                 the case has ended
//	collaboration.steps_open                  a step is not approved
//	collaboration.certificate_required        the service issues a certificate and none is described
//	collaboration.certificate_not_expected    the service issues none and one is described
func (c Case) Conclude(by access.Caller, r Conclude, tasks []Task) (Case, error) {
	if err := by.Own(c.Lead); err != nil {
		return c, err
	}
	switch {
	case c.Status != Open:
		return c, ErrCaseClosed
	case len(tasks) != len(c.Steps) || slices.ContainsFunc(tasks, func(t Task) bool { return t.Status != Approved }):
		return c, ErrStepsOpen
	case c.Outcome != "" && r.Certificate == nil:
		return c, ErrCertificateRequired
	case c.Outcome == "" && r.Certificate != nil:
		return c, ErrNoCertificate
	}
	c.Status = Concluded
	if r.Certificate != nil {
		c.Certificate = CertificateID(c.Lead, c.ID)
	}
	return c, nil
}

// Issue is the request for the certificate that concluding issues; ok is false where there is none.
func (c Case) Issue(r Conclude) (request certificate.Issue, ok bool) {
	if r.Certificate == nil {
		return request, false
	}
	return certificate.Issue{
		Type: c.Outcome, Subject: c.Subject, Case: c.ID, Commitment: r.Certificate.Commitment,
		From: r.Certificate.ValidFrom, Until: r.Certificate.ValidUntil,
	}, true
}
