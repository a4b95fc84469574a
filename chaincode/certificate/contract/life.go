package contract

import (
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// issue reads the caller's accreditation and the key it writes, and writes one key. The type is looked for only to say
// whether it is the type or the accreditation that is missing.
var issue = kernel.NewCreate(kernel.Create[certificate.Issue, certificate.Certificate]{
	Name: certificate.CertificateIssue,
	Rule: ownService,
	Doc:  "Issue a certificate. For an agency accredited for the type.",
	In:   certificate.Certificates,
	Make: func(tx *kernel.Tx, id string, r certificate.Issue) (certificate.Certificate, error) {
		a, accredited, err := certificate.Accreditations.Find(tx.Store, r.Type, tx.By.Agency)
		if err == nil && !accredited {
			_, err = typeOf(tx, r.Type)
		}
		if err != nil {
			return certificate.Certificate{}, err
		}
		c, err := a.Issue(tx.By, r, tx.Now)
		if err == nil {
			c.ID = id
			tx.Announce(c.Event(certificate.EventIssued))
		}
		return c, err
	},
})

var suspend = change(certificate.CertificateSuspend, certificate.EventSuspended,
	"Take a certificate out of force for a while. For its issuer.",
	func(tx *kernel.Tx, c certificate.Certificate, r certificate.Change) (certificate.Certificate, error) {
		return c.Suspend(tx.By, r)
	})

var reinstate = change(certificate.CertificateReinstate, certificate.EventReinstated,
	"Put a suspended certificate into force again. For its issuer.",
	func(tx *kernel.Tx, c certificate.Certificate, r certificate.Change) (certificate.Certificate, error) {
		return c.Reinstate(tx.By, r)
	})

var revoke = change(certificate.CertificateRevoke, certificate.EventRevoked,
	"End a certificate for good. For its issuer.",
	func(tx *kernel.Tx, c certificate.Certificate, r certificate.Change) (certificate.Certificate, error) {
		return c.Revoke(tx.By, r, tx.At)
	})

// change is a transition of a certificate by its issuer.
func change(name, event, doc string, apply func(*kernel.Tx, certificate.Certificate, certificate.Change) (certificate.Certificate, error)) kernel.Function {
	return kernel.NewTransition(kernel.Transition[certificate.Change, certificate.Certificate]{
		Name: name,
		Rule: ownService,
		Doc:  doc,
		In:   certificate.Certificates,
		Key:  func(r certificate.Change) []string { return []string{r.Certificate} },
		Apply: func(tx *kernel.Tx, c certificate.Certificate, r certificate.Change) (certificate.Certificate, error) {
			tx.Announce(c.Event(event))
			return apply(tx, c, r)
		},
	})
}
