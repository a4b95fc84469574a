package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func agencies() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.RegisterAgency, exchange.Agency]{
			Name: exchange.AgencyRegister, Rule: ownAdmin, In: exchange.Agencies,
			Doc:   "Registers the caller's own agency: names, exchange key, gateway.",
			Taken: "the agency is registered already with other content; change it with " + exchange.AgencyUpdate,
			Key:   func(by access.Caller, _ exchange.RegisterAgency) []string { return []string{by.Agency} },
			Make: func(tx *kernel.Tx, _ string, r exchange.RegisterAgency) (exchange.Agency, error) {
				a, event, err := r.Register(tx.By)
				return a, own(tx, a, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.UpdateAgency, exchange.Agency]{
			Name: exchange.AgencyUpdate, Rule: ownAdmin, In: exchange.Agencies,
			Doc: "Replaces the names, exchange key and gateway of the caller's own agency.",
			Key: func(r exchange.UpdateAgency) []string { return []string{r.Agency} },
			Apply: func(tx *kernel.Tx, a exchange.Agency, r exchange.UpdateAgency) (exchange.Agency, error) {
				a, event, err := a.Update(tx.By, r)
				return a, own(tx, a, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.AssignDuties, exchange.Agency]{
			Name: exchange.AgencyAssign, Rule: coordinator, In: exchange.Agencies,
			Doc: "Sets an agency's duties.",
			Key: func(r exchange.AssignDuties) []string { return []string{r.Agency} },
			Apply: func(tx *kernel.Tx, a exchange.Agency, r exchange.AssignDuties) (exchange.Agency, error) {
				a, event, err := a.Assign(r)
				return a, announce(tx, event, err)
			},
		}),
	}
}

// own leaves an agency's record to its organisation and announces what a rule decided.
func own(tx *kernel.Tx, a exchange.Agency, event kernel.Change, err error) error {
	if err != nil {
		return err
	}
	if err := kernel.Guard(tx, exchange.Agencies, a.ID, a.ID); err != nil {
		return err
	}
	return announce(tx, event, nil)
}

// registered reads the record of the caller's agency. Fault: exchange.agency_unregistered.
func registered(tx *kernel.Tx) (exchange.Agency, error) {
	agency, found, err := exchange.Agencies.Find(tx.Store, tx.By.Agency)
	if err == nil && !found {
		err = exchange.ErrAgencyUnregistered
	}
	return agency, err
}
