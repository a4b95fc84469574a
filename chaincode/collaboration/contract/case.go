package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func cases() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[collaboration.Apply, collaboration.Case]{
			Name: collaboration.CaseApply, Rule: applicants, In: collaboration.Cases,
			Doc:  "Opens a case with an application that the applicant signed, and a task for each of its steps.",
			Make: apply,
		}),
		kernel.NewTransition(kernel.Transition[collaboration.Resubmit, collaboration.Case]{
			Name: collaboration.CaseResubmit, Rule: applicants, In: collaboration.Cases,
			Doc:   "Answers a return with a corrected application; the returned steps become pending.",
			Key:   func(r collaboration.Resubmit) []string { return []string{r.Case} },
			Apply: resubmit,
		}),
		kernel.NewTransition(kernel.Transition[collaboration.Withdraw, collaboration.Case]{
			Name: collaboration.CaseWithdraw, Rule: applicants, In: collaboration.Cases,
			Doc: "Ends a case because its applicant wants it, and says so with a signature.",
			Key: func(r collaboration.Withdraw) []string { return []string{r.Case} },
			Apply: func(tx *kernel.Tx, c collaboration.Case, r collaboration.Withdraw) (collaboration.Case, error) {
				key, err := subjectKey(tx, "request.case", c.Subject)
				if err != nil {
					return c, err
				}
				if c, err = c.Withdraw(r, tx.Channel, key); err != nil {
					return c, err
				}
				tx.Announce(c.Event(collaboration.EventCaseWithdrawn))
				return c, release(tx, c)
			},
		}),
		kernel.NewTransition(kernel.Transition[collaboration.Conclude, collaboration.Case]{
			Name: collaboration.CaseConclude, Rule: ownService, In: collaboration.Cases,
			Doc:   "Ends a case whose steps are all approved and issues the certificate, if the service has one. For the lead agency.",
			Key:   func(r collaboration.Conclude) []string { return []string{r.Case} },
			Apply: conclude,
		}),
		kernel.NewRead(collaboration.CaseCheck, access.Everyone(), "Whether a case is open, whose it is and which agencies have a part in it.",
			func(tx *kernel.Tx, r collaboration.CheckCase) (collaboration.CaseState, error) {
				c, err := collaboration.Cases.Get(tx.Store, r.Case)
				return c.State(), fault.Naming("request.case", err)
			}),
	}
}

// apply reads what the application names, in the order the reference page gives: subject, definition, slot.
func apply(tx *kernel.Tx, id string, r collaboration.Apply) (c collaboration.Case, err error) {
	application, err := r.Application()
	if err != nil {
		return c, err
	}
	key, err := subjectKey(tx, "request.jws.subject", application.Subject)
	if err != nil {
		return c, err
	}
	definition, err := collaboration.Definitions.Get(tx.Store, collaboration.DefinitionKey(application.Definition)...)
	if err != nil {
		return c, fault.Naming("request.jws.definition", err)
	}
	slot, taken, err := collaboration.Slots.Find(tx.Store, application.Subject, definition.Code)
	if err != nil {
		return c, err
	}
	last := &slot
	if !taken {
		last = nil
	}
	opening, err := r.Open(id, tx.Channel, key, definition, last)
	if err != nil {
		return c, err
	}
	if err := putTasks(tx, opening.Tasks); err != nil {
		return c, err
	}
	tx.Announce(opening.Case.Event(collaboration.EventCaseOpened))
	return opening.Case, putSlot(tx, opening.Slot)
}

func resubmit(tx *kernel.Tx, c collaboration.Case, r collaboration.Resubmit) (collaboration.Case, error) {
	key, err := subjectKey(tx, "request.case", c.Subject)
	if err != nil {
		return c, err
	}
	all, err := tasks(tx, c.ID, c.Steps)
	if err != nil {
		return c, err
	}
	c, again, err := c.Resubmit(r, tx.Channel, key, all)
	if err != nil {
		return c, err
	}
	tx.Announce(c.Event(collaboration.EventCaseResubmitted))
	return c, putTasks(tx, again)
}

func conclude(tx *kernel.Tx, c collaboration.Case, r collaboration.Conclude) (collaboration.Case, error) {
	all, err := tasks(tx, c.ID, c.Steps)
	if err != nil {
		return c, err
	}
	if c, err = c.Conclude(tx.By, r, all); err != nil {
		return c, err
	}
	tx.Announce(c.Event(collaboration.EventCaseConcluded))
	if request, ok := c.Issue(r); ok {
		issued := kernel.Change{Type: certificate.EventIssued, ID: c.Certificate, Subject: c.Subject, Agency: tx.By.Agency, Case: c.ID}
		if err := tx.Finally(certificate.Name, certificate.CertificateIssue, collaboration.CertificateKey(c.ID), request, issued); err != nil {
			return c, err
		}
	}
	return c, release(tx, c)
}

// tasks reads steps of a case one by one: a range would make every new task a phantom.
func tasks(tx *kernel.Tx, caseID string, steps []string) ([]collaboration.Task, error) {
	list := make([]collaboration.Task, len(steps))
	for i, step := range steps {
		task, err := collaboration.Tasks.Get(tx.Store, caseID, step)
		if err != nil {
			return nil, err
		}
		list[i] = task
	}
	return list, nil
}

func putTasks(tx *kernel.Tx, list []collaboration.Task) error {
	for _, task := range list {
		tx.Touch(&task.Head)
		if err := collaboration.Tasks.Put(tx.Store, task, task.Case, task.Step); err != nil {
			return err
		}
	}
	return nil
}

func putSlot(tx *kernel.Tx, slot collaboration.Slot) error {
	tx.Touch(&slot.Head)
	return collaboration.Slots.Put(tx.Store, slot, slot.Subject, slot.Service)
}

// release frees the slot of a case that has ended.
func release(tx *kernel.Tx, c collaboration.Case) error {
	slot, err := collaboration.Slots.Get(tx.Store, c.Subject, c.Service)
	if err != nil {
		return err
	}
	return putSlot(tx, slot.Release())
}
