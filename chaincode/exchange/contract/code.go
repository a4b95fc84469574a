package contract

import (
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func codes() []kernel.Function {
	return append([]kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.GiveCode, exchange.Code]{
			Name: exchange.CodeGive, Rule: submitters, In: exchange.Codes,
			Doc:   "Records a one-time code the subject has signed. Its id follows from the signed terms.",
			Taken: "these terms are recorded as a code already; use it, or let the subject sign terms with a new nonce",
			Key: func(_ access.Caller, r exchange.GiveCode) []string {
				terms, err := r.Terms()
				return []string{idOf(terms, err)}
			},
			Make: func(tx *kernel.Tx, id string, r exchange.GiveCode) (c exchange.Code, err error) {
				terms, err := r.Terms()
				if err != nil {
					return c, err
				}
				s, err := get(tx, exchange.Subjects, "request.jws.subject", terms.Subject)
				if err != nil {
					return c, err
				}
				datasets := make([]exchange.Dataset, len(terms.Datasets))
				for i, d := range terms.Datasets {
					if datasets[i], err = dataset(tx, fmt.Sprintf("request.jws.datasets[%d].dataset", i), d.Dataset); err != nil {
						return c, err
					}
				}
				c, event, err := r.Give(id, tx.Channel, s, datasets, tx.Now)
				return c, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.PresentCode, exchange.Code]{
			Name: exchange.CodePresent, Rule: codeWindows, In: exchange.Codes,
			Doc: "Counts an attempt at a code, before it can be known whether the digits are right.",
			Key: func(r exchange.PresentCode) []string { return []string{r.Code} },
			Apply: func(tx *kernel.Tx, c exchange.Code, r exchange.PresentCode) (exchange.Code, error) {
				s, m, err := shown(tx, c, r.Case)
				if err != nil {
					return c, err
				}
				c, event, err := c.Present(r, tx.By, s, m, tx.Now)
				return c, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.RedeemCode, exchange.Code]{
			Name: exchange.CodeRedeem, Rule: codeWindows, In: exchange.Codes,
			Doc: "Makes consents of a code, one for each dataset, for the caller's agency and the case.",
			Key: func(r exchange.RedeemCode) []string { return []string{r.Code} },
			Apply: func(tx *kernel.Tx, c exchange.Code, r exchange.RedeemCode) (exchange.Code, error) {
				s, m, err := shown(tx, c, r.Case)
				if err != nil {
					return c, err
				}
				c, consents, event, err := c.Redeem(r, tx.By, s, m, tx.Now)
				if err != nil {
					return c, err
				}
				tx.Announce(event)
				for _, consent := range consents {
					tx.Touch(&consent.Head)
					if err := announce(tx, consent.Given(), exchange.Consents.Put(tx.Store, consent, consent.ID)); err != nil {
						return c, err
					}
				}
				return c, nil
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.CancelCode, exchange.Code]{
			Name: exchange.CodeCancel, Rule: submitters, In: exchange.Codes,
			Doc: "Takes a code back before it is redeemed, on a cancellation the subject has signed.",
			Key: func(r exchange.CancelCode) []string { return []string{r.Code} },
			Apply: func(tx *kernel.Tx, c exchange.Code, r exchange.CancelCode) (exchange.Code, error) {
				s, err := get(tx, exchange.Subjects, "request.code", c.Terms.Subject)
				if err != nil {
					return c, err
				}
				c, event, err := c.Cancel(r, tx.Channel, s)
				return c, announce(tx, event, err)
			},
		}),
	}, kernel.Reads(exchange.Codes)...)
}

// codeWindows: an officer's agency, for a code that the subject has signed.
var codeWindows = access.Only(access.SubjectSigned, access.Agency)

// idOf derives a code's id; terms that cannot be read have none, and the empty id is refused by the collection.
func idOf(terms exchange.CodeTerms, err error) string {
	if err != nil {
		return ""
	}
	id, err := terms.ID()
	if err != nil {
		return ""
	}
	return id
}

// shown reads what a code is judged by when it is shown at a window: its subject and the case.
func shown(tx *kernel.Tx, c exchange.Code, id string) (s exchange.Subject, m exchange.Matter, err error) {
	if s, err = get(tx, exchange.Subjects, "request.code", c.Terms.Subject); err != nil {
		return s, m, err
	}
	m, err = matterOf(tx, id)
	return s, m, err
}
