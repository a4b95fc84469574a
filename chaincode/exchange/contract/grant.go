package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

func grants() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.RequestGrant, exchange.Grant]{
			Name: exchange.GrantRequest, Rule: ownAdmin, In: exchange.Grants,
			Doc: "Asks for a grant to use another agency's dataset, on the terms wanted.",
			Make: func(tx *kernel.Tx, id string, r exchange.RequestGrant) (g exchange.Grant, err error) {
				if _, err := registered(tx); err != nil {
					return g, err
				}
				d, err := dataset(tx, "request.dataset", r.Dataset)
				if err != nil {
					return g, err
				}
				g, event, err := r.Request(id, tx.By, d, tx.Now)
				return g, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.GrantAccess, exchange.Grant]{
			Name: exchange.GrantGrant, Rule: ownAdmin, In: exchange.Grants,
			Doc: "Grants a request for a dataset of the caller's agency, on terms within those wanted.",
			Key: func(r exchange.GrantAccess) []string { return []string{r.Grant} },
			Apply: func(tx *kernel.Tx, g exchange.Grant, r exchange.GrantAccess) (exchange.Grant, error) {
				d, err := dataset(tx, "request.grant", g.Dataset)
				if err != nil {
					return g, err
				}
				g, event, err := g.Grant(tx.By, r, d, tx.Now)
				return g, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.DenyAccess, exchange.Grant]{
			Name: exchange.GrantDeny, Rule: ownAdmin, In: exchange.Grants,
			Doc: "Denies a request for a dataset of the caller's agency.",
			Key: func(r exchange.DenyAccess) []string { return []string{r.Grant} },
			Apply: func(tx *kernel.Tx, g exchange.Grant, r exchange.DenyAccess) (exchange.Grant, error) {
				g, event, err := g.Deny(tx.By, r)
				return g, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.AmendGrant, exchange.Grant]{
			Name: exchange.GrantAmend, Rule: ownAdmin, In: exchange.Grants,
			Doc: "Sets a grant's terms anew, within what the consumer wanted.",
			Key: func(r exchange.AmendGrant) []string { return []string{r.Grant} },
			Apply: func(tx *kernel.Tx, g exchange.Grant, r exchange.AmendGrant) (exchange.Grant, error) {
				d, err := dataset(tx, "request.grant", g.Dataset)
				if err != nil {
					return g, err
				}
				g, event, err := g.Amend(tx.By, r, d, tx.Now)
				return g, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.SuspendGrant, exchange.Grant]{
			Name: exchange.GrantSuspend, Rule: ownAdmin, In: exchange.Grants,
			Doc: "Makes a grant unusable until it is resumed.",
			Key: func(r exchange.SuspendGrant) []string { return []string{r.Grant} },
			Apply: func(tx *kernel.Tx, g exchange.Grant, r exchange.SuspendGrant) (exchange.Grant, error) {
				g, event, err := g.Suspend(tx.By, r)
				return g, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.ResumeGrant, exchange.Grant]{
			Name: exchange.GrantResume, Rule: ownAdmin, In: exchange.Grants,
			Doc: "Makes a suspended grant usable again.",
			Key: func(r exchange.ResumeGrant) []string { return []string{r.Grant} },
			Apply: func(tx *kernel.Tx, g exchange.Grant, r exchange.ResumeGrant) (exchange.Grant, error) {
				g, event, err := g.Resume(tx.By, r)
				return g, announce(tx, event, err)
			},
		}),
		kernel.NewRead(exchange.TicketList, access.Everyone(),
			"Free tickets of a grant's quota in the present period.", freeTickets),
		kernel.NewTransition(kernel.Transition[exchange.WithdrawGrant, exchange.Grant]{
			Name: exchange.GrantWithdraw, Rule: ownAdmin, In: exchange.Grants,
			Doc: "Ends a grant for a dataset of the caller's agency.",
			Key: func(r exchange.WithdrawGrant) []string { return []string{r.Grant} },
			Apply: func(tx *kernel.Tx, g exchange.Grant, r exchange.WithdrawGrant) (exchange.Grant, error) {
				g, event, err := g.Withdraw(tx.By, r)
				return g, announce(tx, event, err)
			},
		}),
	}
}

// freeTickets looks at the tickets that are taken, from a number on.
func freeTickets(tx *kernel.Tx, r exchange.ListTickets) (answer exchange.FreeTickets, err error) {
	g, err := look(tx, exchange.Grants, "grant", r.Grant)
	if err != nil {
		return answer, err
	}
	if g.Terms == nil || g.Terms.Quota == nil {
		return exchange.FreeTickets{Free: []int{}}, nil
	}
	period := g.Terms.Quota.Period(tx.At)
	token := ""
	if r.From > 1 {
		token = exchange.Tickets.Token(exchange.TicketKey(g.ID, period, r.From-1)...)
	}
	var taken []int
	for {
		page, err := exchange.Tickets.Scan(tx.Store, state.MaxPageSize, token, g.ID, period)
		if err != nil {
			return answer, err
		}
		for _, ticket := range page.Items {
			taken = append(taken, ticket.Number)
		}
		if token = page.Next; token == "" || len(taken) >= exchange.MaxTicketScan {
			return r.Free(*g.Terms.Quota, taken, token == "", tx.At), nil
		}
	}
}

// ticketTaken says whether another use has the ticket that a request proposes.
func ticketTaken(tx *kernel.Tx, g exchange.Grant, number int) (bool, error) {
	key, ok := g.Ticket(number, tx.At)
	if !ok {
		return false, nil
	}
	_, taken, err := exchange.Tickets.Find(tx.Store, key...)
	return taken, err
}
