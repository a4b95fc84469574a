package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func consents() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.GiveConsent, exchange.Consent]{
			Name: exchange.ConsentGive, Rule: submitters, In: exchange.Consents,
			Doc:   "Records a consent the subject has signed. Its id follows from the signed terms.",
			Taken: "these terms are recorded as a consent already; use it, or let the subject sign terms with a new nonce",
			Key:   consentKey,
			Make:  give,
		}),
		kernel.NewTransition(kernel.Transition[exchange.RevokeConsent, exchange.Consent]{
			Name: exchange.ConsentRevoke, Rule: submitters, In: exchange.Consents,
			Doc: "Ends a consent at once, on a revocation the subject has signed.",
			Key: func(r exchange.RevokeConsent) []string { return []string{r.Consent} },
			Apply: func(tx *kernel.Tx, c exchange.Consent, r exchange.RevokeConsent) (exchange.Consent, error) {
				s, err := get(tx, exchange.Subjects, "request.consent", c.Terms.Subject)
				if err != nil {
					return c, err
				}
				c, event, err := c.Revoke(r, tx.Channel, s, tx.At)
				return c, announce(tx, event, err)
			},
		}),
		kernel.NewRead(exchange.ConsentVerify, access.Everyone(), "A consent's signatures, verified anew by the keys of their time.",
			func(tx *kernel.Tx, r exchange.ConsentByID) (s exchange.Signatures, err error) {
				c, err := get(tx, exchange.Consents, "consent", r.Consent)
				if err != nil {
					return s, err
				}
				by, err := keyOf(tx, "consent", c.Terms.Subject, c.Key)
				if err != nil || c.RevokedBy == "" {
					return verified(c, by, nil, err)
				}
				revokedBy, err := keyOf(tx, "consent", c.Terms.Subject, c.RevokedBy)
				return verified(c, by, &revokedBy, err)
			}),
	}
}

func verified(c exchange.Consent, by exchange.KeyPeriod, revokedBy *exchange.KeyPeriod, err error) (exchange.Signatures, error) {
	if err != nil {
		return exchange.Signatures{}, err
	}
	return c.Verify(by, revokedBy)
}

// consentKey derives the consent's id. The request is valid, so its terms can be read; if they could not, the empty id is
// refused by the collection.
func consentKey(_ access.Caller, r exchange.GiveConsent) []string {
	terms, err := r.Terms()
	if err != nil {
		return []string{""}
	}
	id, err := terms.ID()
	if err != nil {
		return []string{""}
	}
	return []string{id}
}

func give(tx *kernel.Tx, id string, r exchange.GiveConsent) (c exchange.Consent, err error) {
	terms, err := r.Terms()
	if err != nil {
		return c, err
	}
	s, err := get(tx, exchange.Subjects, "request.jws.subject", terms.Subject)
	if err != nil {
		return c, err
	}
	d, err := dataset(tx, "request.jws.dataset", terms.Dataset)
	if err != nil {
		return c, err
	}
	c, event, err := r.Give(id, tx.Channel, s, d, tx.Now)
	return c, announce(tx, event, err)
}
