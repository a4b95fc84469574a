// Package contract binds the rules of collaboration to the ledger: for each function it loads what the rule needs, calls
// the rule, saves what the rule returns and announces it. No rule stands here.
package contract

import (
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// Who may call what.
var (
	ownAdmin   = access.Only(access.OwnAgency, access.Admin)
	ownService = access.Only(access.OwnAgency, access.Agency)
	applicants = access.Only(access.SubjectSigned, access.Portal)
)

// New builds the contract "collaboration".
func New() *kernel.Contract {
	return (&kernel.Contract{
		Name:        collaboration.Name,
		Doc:         "Cases across agencies: versioned services, signed applications, steps decided in parallel, conclusion.",
		Collections: slices.Clone(collaboration.Collections),
		Events:      collaboration.Events,
		Functions: slices.Concat(
			definitions(), cases(), steps(),
			kernel.Reads(collaboration.Definitions), kernel.Reads(collaboration.Cases),
			kernel.Reads(collaboration.Slots), kernel.Reads(collaboration.Tasks),
		),
	}).Build()
}

// subjectKey asks for the key a subject's signature is verified with. field names who asks for the subject.
func subjectKey(tx *kernel.Tx, field, subject string) (key signed.Key, err error) {
	err = tx.Ask(exchange.Name, exchange.SubjectKey, exchange.KeyOf{Subject: subject}, &key)
	return key, fault.Naming(field, err)
}
