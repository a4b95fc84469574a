// Package contract binds the rules of data exchange to the ledger: for each function it loads what the rule needs, calls
// the rule, saves what the rule returns and announces it. No rule stands here.
package contract

import (
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Who may call what.
var (
	ownAdmin    = access.Only(access.OwnAgency, access.Admin)
	ownService  = access.Only(access.OwnAgency, access.Agency)
	coordinator = access.Only(access.Coordinating, access.Admin)
	identity    = access.Only(access.SubjectSigned, access.Agency)
	submitters  = access.Only(access.SubjectSigned, access.Portal, access.Agency)
)

// New builds the contract "exchange".
func New() *kernel.Contract {
	return (&kernel.Contract{
		Name:        exchange.Name,
		Doc:         "Data exchange between agencies: directory, grants, consents and a numbered record of every use.",
		Collections: slices.Clone(exchange.Collections),
		Events:      exchange.Events,
		Functions: slices.Concat(
			agencies(), datasets(), grants(), subjects(), consents(), codes(), uses(), subscriptions(), anchors(), commitments(), requirements(), listings(),
			kernel.Reads(exchange.Agencies), kernel.Reads(exchange.Datasets), kernel.Reads(exchange.Schemas), kernel.Reads(exchange.Grants),
			kernel.Reads(exchange.Subjects), kernel.Reads(exchange.Keys), kernel.Reads(exchange.Consents), kernel.Reads(exchange.Tallies), kernel.Reads(exchange.Uses), kernel.Reads(exchange.Subscriptions),
			kernel.Reads(exchange.Logs), kernel.Reads(exchange.Anchors), kernel.Reads(exchange.AllSeries),
			kernel.Reads(exchange.Commitments), kernel.Reads(exchange.Requirements), kernel.Reads(exchange.Listings),
		),
	}).Build()
}

// announce announces what a rule decided. It hands the rule's fault on, so that a handler can end with it.
func announce(tx *kernel.Tx, event kernel.Change, err error) error {
	if err == nil {
		tx.Announce(event)
	}
	return err
}

// look reads a record that a request names in the given member, to look at (state.Map.View): what many commands of a
// transaction rest on is decoded once.
func look[T any](tx *kernel.Tx, m state.Map[T], field string, parts ...string) (T, error) {
	record, err := m.View(tx.Store, parts...)
	return record, fault.Naming(field, err)
}

// get reads a record that a request names in the given member; its absence is a fault of that member.
func get[T any](tx *kernel.Tx, m state.Map[T], field string, parts ...string) (T, error) {
	record, err := m.Get(tx.Store, parts...)
	return record, fault.Naming(field, err)
}
