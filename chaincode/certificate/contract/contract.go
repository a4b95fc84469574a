// Package contract binds the rules of certificates to the ledger.
package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// New makes the certificate contract.
func New() *kernel.Contract {
	c := &kernel.Contract{
		Name:        certificate.Name,
		Doc:         "Electronic certificates: types, accreditation of issuers, issue, suspension, revocation, verification.",
		Collections: certificate.Collections,
		Events:      certificate.Events,
		Functions:   []kernel.Function{publishType, grant, withdraw, issue, suspend, reinstate, revoke, verify},
	}
	c.Functions = append(c.Functions, kernel.Reads(certificate.Types)...)
	c.Functions = append(c.Functions, kernel.Reads(certificate.Accreditations)...)
	c.Functions = append(c.Functions, kernel.Reads(certificate.Certificates)...)
	return c.Build()
}

var publishType = kernel.NewCreate(kernel.Create[certificate.PublishType, certificate.Type]{
	Name: certificate.TypePublish,
	Rule: access.Only(access.Any, access.Admin),
	Doc:  "Publish a certificate type. The caller's agency becomes its authority.",
	In:   certificate.Types,
	Key:  func(_ access.Caller, r certificate.PublishType) []string { return []string{r.Code} },
	Make: func(tx *kernel.Tx, id string, r certificate.PublishType) (certificate.Type, error) {
		tx.Announce(kernel.Change{Type: certificate.EventTypePublished, ID: id, Agency: tx.By.Agency})
		return r.Type(tx.By), nil
	},
})

var grant = kernel.NewCreate(kernel.Create[certificate.GrantAccreditation, certificate.Accreditation]{
	Name: certificate.AccreditationGrant,
	Rule: access.Only(access.OwnAgency, access.Admin),
	Doc:  "Accredit an agency to issue a type in a period. For the type's authority.",
	In:   certificate.Accreditations,
	Key:  func(_ access.Caller, r certificate.GrantAccreditation) []string { return []string{r.Type, r.Agency} },
	Make: func(tx *kernel.Tx, _ string, r certificate.GrantAccreditation) (certificate.Accreditation, error) {
		t, err := certificate.Types.Get(tx.Store, r.Type)
		if err != nil {
			return certificate.Accreditation{}, err
		}
		a, err := t.Accredit(tx.By, r, tx.At)
		if err == nil {
			tx.Announce(a.Event(certificate.EventAccreditationGranted))
		}
		return a, err
	},
})

var withdraw = kernel.NewTransition(kernel.Transition[certificate.WithdrawAccreditation, certificate.Accreditation]{
	Name: certificate.AccreditationWithdraw,
	Rule: access.Only(access.OwnAgency, access.Admin),
	Doc:  "End an accreditation before its time. For the type's authority; what was issued stays issued.",
	In:   certificate.Accreditations,
	Key:  func(r certificate.WithdrawAccreditation) []string { return []string{r.Type, r.Agency} },
	Apply: func(tx *kernel.Tx, a certificate.Accreditation, r certificate.WithdrawAccreditation) (certificate.Accreditation, error) {
		tx.Announce(a.Event(certificate.EventAccreditationWithdrawn))
		return a.Withdraw(tx.By, r, tx.At)
	},
})
