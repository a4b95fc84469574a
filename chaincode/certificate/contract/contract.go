// Package contract binds the rules of certificates to the ledger: for each function it loads what the rule needs, calls
// the rule, saves what the rule returns and announces it. No rule stands here.
package contract

import (
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// New makes the certificate contract.
func New() *kernel.Contract {
	return (&kernel.Contract{
		Name:        certificate.Name,
		Doc:         "Electronic certificates: types, accreditation of issuers, issue, suspension, revocation, verification.",
		Collections: slices.Clone(certificate.Collections),
		Events:      certificate.Events,
		Functions: slices.Concat(
			[]kernel.Function{publishType, grant, withdraw, issue, suspend, reinstate, revoke, verify},
			kernel.Reads(certificate.Types), kernel.Reads(certificate.Accreditations), kernel.Reads(certificate.Certificates),
		),
	}).Build()
}

// Who may call what.
var (
	ownAdmin   = access.Only(access.OwnAgency, access.Admin)
	ownService = access.Only(access.OwnAgency, access.Agency)
)

// typeOf reads the type a request names.
func typeOf(tx *kernel.Tx, code string) (certificate.Type, error) {
	t, err := certificate.Types.Get(tx.Store, code)
	return t, fault.Naming("request.type", err)
}

var publishType = kernel.NewCreate(kernel.Create[certificate.PublishType, certificate.Type]{
	Name:  certificate.TypePublish,
	Rule:  access.Only(access.Any, access.Admin),
	Doc:   "Publish a certificate type. The caller's agency becomes its authority.",
	Taken: "the code is taken by another type; use another code",
	In:    certificate.Types,
	Key:   func(_ access.Caller, r certificate.PublishType) []string { return []string{r.Code} },
	Make: func(tx *kernel.Tx, id string, r certificate.PublishType) (certificate.Type, error) {
		tx.Announce(kernel.Change{Type: certificate.EventTypePublished, ID: id, Agency: tx.By.Agency})
		return r.Type(tx.By), nil
	},
})

var grant = kernel.NewCreate(kernel.Create[certificate.GrantAccreditation, certificate.Accreditation]{
	Name:  certificate.AccreditationGrant,
	Rule:  ownAdmin,
	Doc:   "Accredit an agency to issue a type in a period. For the type's authority.",
	Taken: "the agency was accredited for this type before, in another period",
	In:    certificate.Accreditations,
	Key:   func(_ access.Caller, r certificate.GrantAccreditation) []string { return []string{r.Type, r.Agency} },
	Make: func(tx *kernel.Tx, _ string, r certificate.GrantAccreditation) (certificate.Accreditation, error) {
		t, err := typeOf(tx, r.Type)
		if err != nil {
			return certificate.Accreditation{}, err
		}
		a, err := t.Accredit(tx.By, r, tx.Now)
		if err == nil {
			tx.Announce(a.Event(certificate.EventAccreditationGranted))
		}
		return a, err
	},
})

var withdraw = kernel.NewTransition(kernel.Transition[certificate.WithdrawAccreditation, certificate.Accreditation]{
	Name: certificate.AccreditationWithdraw,
	Rule: ownAdmin,
	Doc:  "End an accreditation before its time. For the type's authority; what was issued stays issued.",
	In:   certificate.Accreditations,
	Key:  func(r certificate.WithdrawAccreditation) []string { return []string{r.Type, r.Agency} },
	Apply: func(tx *kernel.Tx, a certificate.Accreditation, r certificate.WithdrawAccreditation) (certificate.Accreditation, error) {
		tx.Announce(a.Event(certificate.EventAccreditationWithdrawn))
		return a.Withdraw(tx.By, r, tx.At)
	},
})
