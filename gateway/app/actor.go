package app

import (
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Roles of those who call the gateway. They come from the identity provider's token; which certificate signs for whom is
// decided in signer.go.
const (
	Citizen     = "citizen"      // a person or enterprise, under a pseudonym
	Officer     = "officer"      // works through an agency's tasks
	AgencyAdmin = "agency_admin" // registers, publishes, grants, approves for an agency
	Portal      = "portal"       // a government portal or window that submits what citizens signed
	Auditor     = "auditor"      // reads everything, writes nothing
	Public      = "public"       // no token
)

// Roles in the order tables and documents list them.
var Roles = []string{Public, Citizen, Officer, AgencyAdmin, Portal, Auditor}

// Actor is who calls an application function. The REST layer makes it from a verified token; nothing in it comes from the
// request itself.
type Actor struct {
	Role    string    // one of Roles
	Subject string    // the caller's pseudonym (citizen)
	Agency  string    // full id, e.g. "market.tax" (officer, agency_admin, portal, auditor)
	Staff   string    // staff number (officer, agency_admin)
	Client  string    // the OAuth client the token was issued to
	Until   time.Time // when the token ends; zero: it is not known to
}

// Unknown is the outcome of a write that was sent and of which it is not known whether it was committed. It is not a
// failure: the caller asks /v1/transactions/{id}, or repeats the request with the same idempotency key.
type Unknown struct{ Tx string }

func (u Unknown) Error() string { return "the transaction's outcome is not known yet" }

// Pending is a write that was accepted and whose caller did not want to wait for its block (ledger.Async): no failure
// either. Receipt is what it will be once it is committed; its Block is 0.
type Pending struct{ Receipt }

func (p Pending) Error() string { return "the transaction is accepted and not in a block yet" }

// is checks that the actor has one of the roles. Routes check it first; functions check it again, so that no route can be
// wired to a function it should not reach.
// A role without whom it is for is no role: lists are selected by subject or agency, and an empty one would select all.
func (a Actor) is(roles ...string) error {
	switch {
	case !slices.Contains(roles, a.Role):
		return fault.New(fault.Denied, "access.role", "the caller's role may not do this").On("token.role", "one_of:"+strings.Join(roles, ","))
	case a.Role == Citizen && a.Subject == "":
		return fault.New(fault.Denied, "access.no_subject", "sign in again; the token does not say who the citizen is").On("token.sub", "required")
	case a.Role != Citizen && a.Role != Public && a.Agency == "":
		return fault.New(fault.Denied, "access.no_agency", "sign in again; the token does not say for which agency").On("token.agency", "required")
	}
	return nil
}

// own checks that a record belongs to the actor's agency.
func (a Actor) own(agency string) error {
	if a.Agency != "" && a.Agency == agency {
		return nil
	}
	return fault.New(fault.Denied, "access.other_agency", "the record belongs to another agency").On("token.agency", "owner")
}

// self checks that a record is about the actor. A record of somebody else is reported as missing: its existence is not the
// caller's business.
func (a Actor) self(subject, noun string) error {
	if a.Subject != "" && a.Subject == subject {
		return nil
	}
	return fault.New(fault.Missing, noun+".missing", "no such record of yours; check the identifier").On("id", "exists")
}
