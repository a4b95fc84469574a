package contract

import (
	"fmt"
	"strconv"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func definitions() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[collaboration.ProposeDefinition, collaboration.Definition]{
			Name: collaboration.DefinitionPropose, Rule: ownAdmin, In: collaboration.Definitions,
			Doc:   "Proposes an edition of a service that the caller's agency leads.",
			Taken: "this edition was proposed with other content; propose the next edition",
			Key: func(_ access.Caller, r collaboration.ProposeDefinition) []string {
				return []string{r.Service.Code, strconv.Itoa(r.Service.Edition)}
			},
			Make: propose,
		}),
		kernel.NewTransition(kernel.Transition[collaboration.ApproveDefinition, collaboration.Definition]{
			Name: collaboration.DefinitionApprove, Rule: ownAdmin, In: collaboration.Definitions,
			Doc: "Approves an edition for the caller's agency; the last approval activates it and retires earlier editions.",
			Key: func(r collaboration.ApproveDefinition) []string { return collaboration.DefinitionKey(r.Definition) },
			Apply: func(tx *kernel.Tx, d collaboration.Definition, r collaboration.ApproveDefinition) (collaboration.Definition, error) {
				d, err := d.Approve(tx.By, r)
				if err != nil {
					return d, err
				}
				tx.Announce(d.Event(collaboration.EventDefinitionApproved, tx.By.Agency))
				return d, activated(tx, d)
			},
		}),
	}
}

func propose(tx *kernel.Tx, _ string, r collaboration.ProposeDefinition) (d collaboration.Definition, err error) {
	previous, err := before(tx, r.Service.Code, r.Service.Edition)
	if err != nil {
		return d, err
	}
	if d, err = r.Propose(tx.By, previous); err != nil {
		return d, err
	}
	if err := references(tx, r.Service); err != nil {
		return d, err
	}
	tx.Announce(d.Event(collaboration.EventDefinitionProposed, d.Lead))
	return d, activated(tx, d)
}

// before finds the edition before one; nil where there is none.
func before(tx *kernel.Tx, code string, edition int) (*collaboration.Definition, error) {
	if edition == 1 {
		return nil, nil
	}
	d, found, err := collaboration.Definitions.Find(tx.Store, code, strconv.Itoa(edition-1))
	if err != nil || !found {
		return nil, err
	}
	return &d, nil
}

// references checks that the datasets and certificate types a service names exist, and that the datasets have the fields.
func references(tx *kernel.Tx, s collaboration.Service) error {
	for _, id := range s.Datasets() {
		var d exchange.Dataset
		if err := tx.Ask(exchange.Name, "dataset:Get", kernel.ByID{ID: id}, &d); err != nil {
			return fault.Naming("request.service.materials.dataset", err)
		}
		if err := s.Fits(d); err != nil {
			return err
		}
	}
	for _, id := range s.Requirements() {
		var q exchange.Requirement
		if err := tx.Ask(exchange.Name, "requirement:Get", kernel.ByID{ID: id}, &q); err != nil {
			return fault.Naming("request.service.materials.requirement", err)
		}
		if err := s.Shows(q); err != nil {
			return err
		}
	}
	for _, code := range s.CertificateTypes() {
		var t certificate.Type
		if err := tx.Ask(certificate.Name, "type:Get", kernel.ByID{ID: code}, &t); err != nil {
			return fault.Naming("request.service.certificate_type", err)
		}
	}
	return nil
}

// activated does what follows when an edition has become active: the earlier editions retire. Below one that is retired
// all are, so that this reads one edition as a rule.
func activated(tx *kernel.Tx, d collaboration.Definition) error {
	if d.Status != collaboration.Active {
		return nil
	}
	tx.Announce(d.Event(collaboration.EventDefinitionActivated, d.Lead))
	for edition := d.Edition; edition > 1; edition-- {
		earlier, err := before(tx, d.Code, edition)
		if err != nil {
			return err
		}
		if earlier == nil {
			return fmt.Errorf("an edition of service %s is missing", d.Code)
		}
		retired, changed := earlier.Retire()
		if !changed {
			return nil
		}
		tx.Touch(&retired.Head)
		if err := collaboration.Definitions.Put(tx.Store, retired, collaboration.DefinitionKey(retired.ID)...); err != nil {
			return err
		}
		tx.Announce(retired.Event(collaboration.EventDefinitionRetired, retired.Lead))
	}
	return nil
}
