package app

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/store"
)

// lookers is how many subscribed records of one dataset are looked at at once: half of what a source answers at once, so
// that uses do not wait for it.
const lookers = 4

// Looked counts what a look at the records of a dataset found.
type Looked struct {
	Same, Announced, Ended int
	Waiting                int // whose selector has not come yet, or whose grant is suspended
	Failed                 int // that could not be read or announced; the next look tries again
}

// endedReason is the code with which a provider's gateway ends a subscription that rests on nothing any more.
const endedReason = "basis_ended"

// Announce looks once at every record of a dataset that is subscribed to and announces those that are not as they were
// announced last. What was announced last is on the ledger, so nothing is kept here: a gateway that was killed goes on, and
// two that look at once announce once.
func (a *App) Announce(ctx context.Context, dataset string) (sum Looked, err error) {
	provider := exchange.DatasetKey(dataset)[0]
	as, err := a.held(provider, access.Agency)
	if err != nil {
		return sum, err
	}
	d, found, err := find[exchange.Dataset](ctx, a, exchange.Datasets.Noun, dataset)
	if err != nil || !found { // not in the directory yet: nobody has subscribed
		return sum, err
	}
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		slots = make(chan struct{}, lookers)
	)
	q := store.Query{Noun: exchange.Subscriptions.Noun, Agency: provider, Kind: dataset, PageSize: store.MaxPageSize}
	for {
		list, next, err := some[exchange.Subscription](ctx, a, q)
		if err != nil {
			group.Wait()
			return sum, err
		}
		for _, s := range list {
			if s.Status == exchange.Ended {
				continue
			}
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				count, err := a.look(ctx, as, d, s)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					sum.Failed++
					return
				}
				*count(&sum)++
			})
		}
		if next == "" {
			break
		}
		q.PageToken = next
	}
	group.Wait()
	return sum, ctx.Err()
}

// counts of Looked.
func same(l *Looked) *int      { return &l.Same }
func announced(l *Looked) *int { return &l.Announced }
func ended(l *Looked) *int     { return &l.Ended }
func waiting(l *Looked) *int   { return &l.Waiting }

// look looks at one record.
func (a *App) look(ctx context.Context, as ledger.Signer, d exchange.Dataset, s exchange.Subscription) (count func(*Looked) *int, err error) {
	basis := exchange.Basis{Dataset: d}
	if basis.Grant, err = get[exchange.Grant](ctx, a, exchange.Grants.Noun, s.Grant, "grant"); err != nil {
		return nil, err
	}
	if s.Consent != "" {
		consent, err := get[exchange.Consent](ctx, a, exchange.Consents.Noun, s.Consent, "consent")
		if err != nil {
			return nil, err
		}
		basis.Consent = &consent
	}
	switch err := s.Rests(basis, kernel.At(a.now())); {
	case errors.Is(err, exchange.ErrGrantSuspended): // for the time being
		return waiting, nil
	case err != nil: // the department's record is not read for it any more
		request := exchange.EndSubscription{Subscription: s.ID, Reason: endedReason}
		_, err := a.submit(ctx, as, exchange.Name, exchange.SubscriptionEnd, scoped("end", s.ID), "", request)
		return ended, err
	}
	entry, found, err := a.Vault.Get(ctx, s.Selector, s.Provider)
	if err != nil || !found {
		return waiting, err
	}
	selector, err := a.open(entry.Envelope)
	if err != nil {
		return nil, err
	}
	state, err := a.stateOf(ctx, d, s, selector.Values())
	if err != nil {
		return nil, err
	}
	if s.Status != exchange.Requested && state == s.State {
		return same, nil
	}
	request := exchange.AnnounceChange{Subscription: s.ID, State: state}
	key := scoped("announce", s.ID+"\n"+strconv.Itoa(s.Version)+"\n"+state)
	_, err = a.submit(ctx, as, exchange.Name, exchange.SubscriptionAnnounce, key, "", request)
	if errors.Is(err, exchange.ErrNothingChanged) { // the projection was behind
		return same, nil
	}
	return announced, err
}

// stateOf is the commitment of what a record says now; empty if it is not there, or not the subject's any more. Its salts
// are the provider's, so that equal states have the same for a subscription.
func (a *App) stateOf(ctx context.Context, d exchange.Dataset, s exchange.Subscription, selector map[string]json.RawMessage) (string, error) {
	found, err := a.read(ctx, exchange.Use{Dataset: s.Dataset, Fields: s.Fields, Subject: s.Subject}, d, selector)
	if f := fault.From(err); f != nil {
		if f.Reason == "record.missing" || f.Reason == "record.other_subject" {
			return "", nil
		}
		return "", err
	}
	values := make(map[string]json.RawMessage, len(found.Values))
	for name, value := range found.Values {
		if values[name], err = json.Marshal(value); err != nil {
			return "", err
		}
	}
	document, err := a.salted(s.Provider, "state", s.ID, values)
	if err != nil {
		return "", err
	}
	return document.Root()
}
