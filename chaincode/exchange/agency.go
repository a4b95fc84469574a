package exchange

import (
	"cmp"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Duties that can be assigned, sorted.
var Duties = []string{DutyIdentity, DutyPortal}

// Validate implements kernel.Validator.
func (r RegisterAgency) Validate() error {
	return cmp.Or(
		match("code", r.Code, agencyCodeForm, "send the part of the agency's id after the organisation"),
		fault.Under("name", r.Name.Validate()),
		checkKey("exchange_key", r.ExchangeKey),
		checkGateway("gateway", r.Gateway),
	)
}

// Register makes the record of the caller's agency. Guards, in order:
//
//	access.other_agency   the code is not the one in the caller's certificate
func (r RegisterAgency) Register(by access.Caller) (a Agency, event kernel.Change, err error) {
	if err := by.Own(by.Organisation + "." + r.Code); err != nil {
		return a, event, err
	}
	a = Agency{
		Head: state.Head{ID: by.Agency, Status: Registered},
		Name: r.Name, ExchangeKey: r.ExchangeKey, Gateway: r.Gateway, Duties: []string{},
	}
	return a, a.change(EventAgencyRegistered), nil
}

// Validate implements kernel.Validator.
func (r UpdateAgency) Validate() error {
	return cmp.Or(
		CheckAgency("agency", r.Agency),
		fault.Under("name", r.Name.Validate()),
		checkKey("exchange_key", r.ExchangeKey),
		checkGateway("gateway", r.Gateway),
	)
}

// Update replaces what an agency says of itself; its duties stay. Guards, in order:
//
//	access.other_agency   the agency is not the caller's
func (a Agency) Update(by access.Caller, r UpdateAgency) (Agency, kernel.Change, error) {
	if err := by.Own(a.ID); err != nil {
		return a, kernel.Change{}, err
	}
	a.Name, a.ExchangeKey, a.Gateway = r.Name, r.ExchangeKey, r.Gateway
	return a, a.change(EventAgencyUpdated), nil
}

// Validate implements kernel.Validator. An empty list takes all duties away.
func (r AssignDuties) Validate() error {
	if r.Duties == nil {
		return required("duties")
	}
	return cmp.Or(
		CheckAgency("agency", r.Agency),
		checkList("duties", r.Duties, 0, len(Duties), func(at, duty string) error { return oneOf(at, duty, Duties) }),
	)
}

// Assign sets an agency's duties. No guards beyond the authorisation table's: the coordinating organisation decides.
func (a Agency) Assign(r AssignDuties) (Agency, kernel.Change, error) {
	a.Duties = r.Duties
	return a, a.change(EventAgencyAssigned), nil
}

func (a Agency) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: a.ID, Agency: a.ID}
}
