package contract

import (
	"slices"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func uses() []kernel.Function {
	return slices.Concat(previews(), inbox(), disclosures(), []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.RequestUse, exchange.Use]{
			Name: exchange.UseRequest, Rule: ownService, In: exchange.Uses,
			Doc:  "Asks for a use of a subject's data: counts the consent and numbers the use in the subject's log.",
			Asks: func(r exchange.RequestUse) kernel.Question { return aboutCase(r.Case) },
			Make: requestUse,
		}),
		kernel.NewTransition(kernel.Transition[exchange.DeliverUse, exchange.Use]{
			Name: exchange.UseDeliver, Rule: ownService, In: exchange.Uses, Inside: true,
			Doc: "Records the commitment of what the provider delivered.",
			Key: func(r exchange.DeliverUse) []string { return []string{r.Use} },
			Apply: func(tx *kernel.Tx, u exchange.Use, r exchange.DeliverUse) (exchange.Use, error) {
				u, err := unsealed(tx, u)
				if err != nil {
					return u, err
				}
				basis, err := basis(tx, u)
				if err != nil {
					return u, err
				}
				u, event, err := u.Deliver(tx.By, r, basis, tx.Now)
				if err == nil && r.Waits {
					err = putIntoInbox(tx, u)
				}
				return u.Resealed(), announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.AcknowledgeUse, exchange.Use]{
			Name: exchange.UseAcknowledge, Rule: ownService, In: exchange.Uses, Inside: true,
			Doc: "The consumer's receipt: it opened what the provider recorded.",
			Key: func(r exchange.AcknowledgeUse) []string { return []string{r.Use} },
			Apply: func(tx *kernel.Tx, u exchange.Use, r exchange.AcknowledgeUse) (exchange.Use, error) {
				u, event, err := u.Lifted().Acknowledge(tx.By, r)
				return u.Resealed(), announce(tx, event, err)
			},
		}),
	})
}

func requestUse(tx *kernel.Tx, id string, r exchange.RequestUse) (exchange.Use, error) {
	u, event, err := numbered(tx, id, r)
	return u, announce(tx, event, err)
}

// numbered judges a request, counts what it uses up and numbers it.
func numbered(tx *kernel.Tx, id string, r exchange.RequestUse) (u exchange.Use, event kernel.Change, err error) {
	context, err := contextOf(tx, r)
	if err != nil {
		return u, event, err
	}
	u, outcome, event, err := r.Request(id, tx.By, context, tx.Now)
	if err != nil {
		return u, event, err
	}
	return u, event, keep(tx, u, r.Grant, outcome)
}

// keep writes what a use changes besides its own record: the tally of its consent, the ticket of its grant, the log's head.
func keep(tx *kernel.Tx, u exchange.Use, grant string, outcome exchange.Outcome) error {
	if t := outcome.Tally; t != nil {
		tx.Touch(&t.Head)
		t.Created.Staff, t.Changed.Staff = "", "" // the subject reads it, and which officer it was is none of theirs
		if err := exchange.Tallies.Put(tx.Store, *t, t.ID); err != nil {
			return err
		}
	}
	if u.Ticket > 0 {
		ticket := exchange.Ticket{Number: u.Ticket, Use: u.ID}
		if err := exchange.Tickets.Put(tx.Store, ticket, exchange.TicketKey(grant, u.Period, u.Ticket)...); err != nil {
			return err
		}
	}
	tx.Touch(&outcome.Log.Head)
	outcome.Log.Changed.By, outcome.Log.Changed.Staff = "", "" // whose use it was, its entry says
	return exchange.Logs.Put(tx.Store, outcome.Log, u.Subject)
}

// contextOf reads everything a request for a use names, in the order the reference page gives: subject, dataset, grant,
// consent, case. The case is asked of its own contract, last because it costs a call.
func contextOf(tx *kernel.Tx, r exchange.RequestUse) (c exchange.Context, err error) {
	if c, err = grantedContext(tx, r); err != nil {
		return c, err
	}
	if c.Consent, err = consentOf(tx, "request.consent", r.Consent); err != nil {
		return c, err
	}
	if c.Consent != nil {
		if c.Tally, _, err = exchange.Tallies.Find(tx.Store, r.Consent); err != nil {
			return c, err
		}
	}
	c.Matter, err = matterOf(tx, r.Case)
	return c, err
}

// grantedContext reads what every use names, a sealed one too: all but consent and case.
func grantedContext(tx *kernel.Tx, r exchange.RequestUse) (c exchange.Context, err error) {
	if c.Log, err = logOf(tx, r.Subject); err != nil {
		return c, err
	}
	if c.Dataset, err = dataset(tx, "request.dataset", r.Dataset); err != nil {
		return c, err
	}
	if c.Grant, err = look(tx, exchange.Grants, "request.grant", r.Grant); err != nil {
		return c, err
	}
	c.Taken, err = ticketTaken(tx, c.Grant, r.Ticket)
	return c, err
}

// matterOf asks the contract of cases about one.
func matterOf(tx *kernel.Tx, id string) (exchange.Matter, error) {
	var answer collaboration.CaseState
	q := aboutCase(id)
	if err := tx.Ask(q.Chaincode, q.Function, q.Request, &answer); err != nil {
		return exchange.Matter{}, fault.Naming("request.case", err)
	}
	return exchange.Matter{Subject: answer.Subject, Open: answer.Status == collaboration.Open, Agencies: answer.Agencies}, nil
}

func aboutCase(id string) kernel.Question {
	return kernel.Question{Chaincode: collaboration.Name, Function: collaboration.CaseCheck, Request: collaboration.CheckCase{Case: id}}
}

// logOf reads a subject's access log. Every subject has one from its registration, so where there is none there is no
// subject.
func logOf(tx *kernel.Tx, subject string) (exchange.Log, error) {
	log, found, err := exchange.Logs.Find(tx.Store, subject)
	if err == nil && !found {
		err = exchange.ErrSubjectMissing
	}
	return log, err
}

// basis reads what a delivery rests on.
func basis(tx *kernel.Tx, u exchange.Use) (exchange.Basis, error) {
	return basisOf(tx, "request.use", u.Dataset, u.Grant, u.Consent)
}

// basisOf reads what the record rests on that the request names in field.
func basisOf(tx *kernel.Tx, field, id, grant, consent string) (b exchange.Basis, err error) {
	if id == "" {
		return b, exchange.ErrUseSealed.On(field, "open")
	}
	if b.Dataset, err = dataset(tx, field, id); err != nil {
		return b, err
	}
	if b.Grant, err = look(tx, exchange.Grants, field, grant); err != nil {
		return b, err
	}
	b.Consent, err = consentOf(tx, field, consent)
	return b, err
}

// consentOf reads a consent; none is named by the empty id.
func consentOf(tx *kernel.Tx, field, id string) (*exchange.Consent, error) {
	if id == "" {
		return nil, nil
	}
	c, err := get(tx, exchange.Consents, field, id)
	return &c, err
}
