package app

import (
	"context"
	"encoding/json"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// Subscribe is PUT /v1/uses/{id}/subscription.
type Subscribe struct {
	Keyed
	ID       string                     `path:"id" json:"-"`
	Selector map[string]json.RawMessage `json:"selector" doc:"The particulars the record was found by; they travel sealed to the provider, who keeps them sealed."`
}

// Subscribe has the officer's agency told when a record that was delivered to it changes. The provider's gateway gets the
// particulars again, which must be those the use committed to. Sent again with the same key, it goes on where it stopped.
func (a *App) Subscribe(ctx context.Context, who Actor, req Subscribe) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	use, err := a.useNow(ctx, req.ID)
	if err != nil {
		return Receipt{}, renamed(err, "id", "id")
	}
	if err := who.own(use.Consumer); err != nil {
		return Receipt{}, err
	}
	selector, err := a.salted(who.Agency, "selector", use.ID, req.Selector)
	if err != nil {
		return Receipt{}, fault.Under("selector", err)
	}
	if root, err := selector.Root(); err != nil || root != use.Selector {
		return Receipt{}, fault.New(fault.Refused, "use.selector_mismatch", "send the particulars the record was found by, as they were sent then").On("selector", "equals:use.selector")
	}
	started, err := a.write(ctx, who, as, exchange.Name, exchange.SubscriptionStart, req.Keyed, exchange.StartSubscription{Use: use.ID})
	if err != nil {
		return started, err
	}
	sealed, err := a.sealTo(ctx, use.Provider, selector)
	if err != nil {
		return started, err
	}
	_, err = a.ask(ctx, use, Delivery{Selector: &sealed, Block: started.Block, Watch: true})
	if f := fault.From(err); f != nil && (f.Reason == "sealed.missing" || f.Reason == "use.purged") { // what was delivered then is not needed
		err = nil
	}
	return started, err
}

// keepSelector keeps the particulars of a record that is subscribed to, sealed as they came.
func (a *App) keepSelector(ctx context.Context, use exchange.Use, sealed seal.Envelope) error {
	var s exchange.Subscription
	if err := a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, "subscription:Get", kernel.ByID{ID: use.ID}, &s); err != nil {
		return err
	}
	return a.Vault.Put(ctx, vault.Entry{Kind: vault.Selector, Case: use.Case, Envelope: sealed})
}

// Unsubscribe is PUT /v1/subscriptions/{id}/end.
type Unsubscribe struct {
	Keyed
	ID     string `path:"id" json:"-"`
	Reason string `json:"reason" min:"1" max:"64" doc:"A code."`
}

// Unsubscribe ends a subscription, as its consumer or its provider.
func (a *App) Unsubscribe(ctx context.Context, who Actor, req Unsubscribe) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.EndSubscription{Subscription: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "subscription", "id")
	}
	return a.write(ctx, who, as, exchange.Name, exchange.SubscriptionEnd, req.Keyed, request)
}

// Subscriptions is GET /v1/subscriptions.
type Subscriptions struct {
	Listing
	As     string `query:"as" json:"-" enum:"consumer,provider" doc:"As whom the agency has a part in them; consumer if absent."`
	Status string `query:"status" json:"-" enum:"requested,watched,gone,ended" doc:"Only subscriptions of this status."`
}

// Subscriptions lists an agency's own or those to its datasets, a citizen's those to their records, and all for an auditor.
func (a *App) Subscriptions(ctx context.Context, who Actor, req Subscriptions) (page Records[exchange.Subscription], err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return page, err
	}
	q := store.Query{Noun: exchange.Subscriptions.Noun, Status: req.Status, Descending: true}
	switch {
	case who.Role == Auditor:
	case who.Role == Citizen:
		q.Subject = who.Subject
	case req.As == "provider":
		q.Agency = who.Agency
	default:
		q.Peer = who.Agency
	}
	return records[exchange.Subscription](ctx, a, req.Listing, q)
}

// Subscription shows a subscription to its two agencies, its subject and auditors.
func (a *App) Subscription(ctx context.Context, who Actor, req ByID) (item Item[exchange.Subscription], err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return item, err
	}
	if item, err = one[exchange.Subscription](ctx, a, req.After, exchange.Subscriptions.Noun, req.ID, "id"); err != nil {
		return item, err
	}
	switch who.Role {
	case Citizen:
		return item, who.self(item.Item.Subject, "subscription")
	case Officer:
		if who.own(item.Item.Provider) == nil {
			return item, nil
		}
		return item, who.own(item.Item.Consumer)
	}
	return item, nil
}
