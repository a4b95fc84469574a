package app

import (
	"context"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Which certificate signs for whom:
//
//	officer              the agency's service identity; the staff number is in the command
//	agency_admin         the agency's administrator
//	citizen, portal      the portal's identity: what counts is what the citizen signed
//	key registration     the service identity of an agency with the duty identity
//	auditor, public      reads only, with any identity held

// asOfficer is the service identity of the actor's agency.
func (a *App) asOfficer(who Actor) (ledger.Signer, error) {
	if err := who.is(Officer); err != nil {
		return ledger.Signer{}, err
	}
	return a.held(who.Agency, access.Agency)
}

// asAdmin is the administrator's identity of the actor's agency.
func (a *App) asAdmin(who Actor) (ledger.Signer, error) {
	if err := who.is(AgencyAdmin); err != nil {
		return ledger.Signer{}, err
	}
	return a.held(who.Agency, access.Admin)
}

// asPortal is the identity of the portal this gateway runs.
func (a *App) asPortal(who Actor) (ledger.Signer, error) {
	if err := who.is(Citizen, Portal); err != nil {
		return ledger.Signer{}, err
	}
	for _, id := range a.Identities {
		if id.Role == access.Portal && (who.Role == Citizen || who.Agency == id.Agency) {
			return id, nil
		}
	}
	return ledger.Signer{}, notServed("citizens are served by another organisation's gateway; GET /v1/agencies lists gateways and duties")
}

// asRegistrar is an agency of this organisation that registers subjects' keys.
func (a *App) asRegistrar(ctx context.Context) (ledger.Signer, error) {
	for _, id := range a.Identities {
		if id.Role != access.Agency {
			continue
		}
		agency, found, err := find[exchange.Agency](ctx, a, "agency", id.Agency)
		if err != nil {
			return ledger.Signer{}, err
		}
		if found && slices.Contains(agency.Duties, exchange.DutyIdentity) {
			return id, nil
		}
	}
	return ledger.Signer{}, notServed("no agency of this gateway registers keys; GET /v1/agencies lists gateways and duties")
}

// reader is an identity for reads that anybody may do.
func (a *App) reader() ledger.Signer { return a.Identities[0] }

// held checks that this gateway holds an identity. A gateway holds only those of its own organisation.
func (a *App) held(agency string, role access.Role) (ledger.Signer, error) {
	id := ledger.Signer{Agency: agency, Role: role}
	if slices.Contains(a.Identities, id) {
		return id, nil
	}
	return ledger.Signer{}, notServed("this gateway does not act for the agency; GET /v1/agencies says which gateway does")
}

func notServed(detail string) error {
	return fault.New(fault.Denied, ledger.ReasonNotServed, detail).On("token.agency", "served")
}

// serves says whether an agency belongs to the organisation of this gateway.
func (a *App) serves(agency string) bool { return access.MSPOf(agency) == a.MSP }

// organisationOf is the part of an agency's id before the dot.
func organisationOf(agency string) string {
	organisation, _, _ := strings.Cut(agency, ".")
	return organisation
}
