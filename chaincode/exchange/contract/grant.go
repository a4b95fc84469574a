package contract

import (
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
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
				g, event, err := r.Request(id, tx.By, d, tx.At)
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
				g, event, err := g.Grant(tx.By, r, d, tx.At)
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
