package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func subscriptions() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.StartSubscription, exchange.Subscription]{
			Name: exchange.SubscriptionStart, Rule: ownService, In: exchange.Subscriptions,
			Doc:   "Asks to be told when a record that was delivered for a use changes. Its id is the use's.",
			Taken: "the record is subscribed to already",
			Key:   func(_ access.Caller, r exchange.StartSubscription) []string { return []string{r.Use} },
			Make: func(tx *kernel.Tx, _ string, r exchange.StartSubscription) (s exchange.Subscription, err error) {
				u, err := get(tx, exchange.Uses, "request.use", r.Use)
				if err != nil {
					return s, err
				}
				b, err := basisOf(tx, "request.use", u.Dataset, u.Grant, u.Consent)
				if err != nil {
					return s, err
				}
				s, event, err := r.Start(tx.By, u, b, tx.Now)
				return s, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.AnnounceChange, exchange.Subscription]{
			Name: exchange.SubscriptionAnnounce, Rule: ownService, In: exchange.Subscriptions,
			Doc: "Says what a record that is subscribed to has become, by commitment, or that it is gone.",
			Key: func(r exchange.AnnounceChange) []string { return []string{r.Subscription} },
			Apply: func(tx *kernel.Tx, s exchange.Subscription, r exchange.AnnounceChange) (exchange.Subscription, error) {
				b, err := basisOf(tx, "request.subscription", s.Dataset, s.Grant, s.Consent)
				if err != nil {
					return s, err
				}
				s, event, err := s.Announce(tx.By, r, b, tx.Now)
				return s, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.EndSubscription, exchange.Subscription]{
			Name: exchange.SubscriptionEnd, Rule: ownService, In: exchange.Subscriptions,
			Doc: "Ends a subscription.",
			Key: func(r exchange.EndSubscription) []string { return []string{r.Subscription} },
			Apply: func(tx *kernel.Tx, s exchange.Subscription, r exchange.EndSubscription) (exchange.Subscription, error) {
				s, event, err := s.End(tx.By, r)
				return s, announce(tx, event, err)
			},
		}),
	}
}
