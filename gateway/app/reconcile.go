package app

import (
	"context"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/store"
)

// late selects the uses to which something should have happened and did not (exchange.Use.Overdue): both sides see their
// own, auditors all.
func (a *App) late(req Uses, q *store.Query) error {
	if req.Status != "" {
		return fault.Field("query.late", "without:status", "what is late has one status; leave status out")
	}
	overdue(q, req.Late, a.now())
	return nil
}

// overdue selects the uses of which something is missing by a time.
func overdue(q *store.Query, missing string, at time.Time) {
	q.Numbered = true // these have an index by status
	switch missing {
	case exchange.OverdueDelivery:
		q.OneOf, q.CreatedBefore = exchange.Awaited, at.Add(-exchange.DeliveryPeriod)
	case exchange.OverdueReceipt:
		q.Status, q.ChangedBefore = exchange.Delivered, at.Add(-exchange.ReceiptPeriod)
	case exchange.OverdueOpening: // of those that are sealed; when each is to be opened, the tables do not know
		q.Status = exchange.UnderSeal
	}
}

// UnmatchedUses is GET /v1/unmatched-uses.
type UnmatchedUses struct {
	After
	At time.Time `query:"at" json:"-" doc:"What is overdue at this time; now if absent. A later one tells what will be, if nothing happens."`
}

// Unmatched is what agencies owe each other.
type Unmatched struct {
	Items []exchange.Debt `json:"items" doc:"In the order of who owes what to whom."`
	AsOf  uint64          `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Unmatched sums up what does not match: what an officer's agency owes others and they owe it, and for auditors what all owe.
func (a *App) Unmatched(ctx context.Context, who Actor, req UnmatchedUses) (u Unmatched, err error) {
	if err := who.is(Officer, Auditor); err != nil {
		return u, err
	}
	if u.AsOf, err = a.wait(ctx, req.After); err != nil {
		return u, err
	}
	at := req.At
	if at.IsZero() {
		at = a.now()
	}
	if u.Items, err = a.Debts(ctx, at); err == nil && who.Role != Auditor {
		u.Items = slices.DeleteFunc(u.Items, func(d exchange.Debt) bool { return d.Agency != who.Agency && d.Other != who.Agency })
	}
	return u, err
}

// Debts is what all agencies owe each other by a time, in order.
func (a *App) Debts(ctx context.Context, at time.Time) ([]exchange.Debt, error) {
	var sums exchange.Debts
	for _, missing := range []string{exchange.OverdueDelivery, exchange.OverdueReceipt} {
		q := store.Query{Noun: exchange.Uses.Noun}
		overdue(&q, missing, at)
		pairs, err := a.Store.Pairs(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, p := range pairs { // agency is the provider, peer the consumer
			d := exchange.Debt{Agency: p.Agency, Other: p.Peer, Missing: missing, Uses: p.N, Since: p.Created.Add(exchange.DeliveryPeriod)}
			if missing == exchange.OverdueReceipt {
				d.Agency, d.Other, d.Since = p.Peer, p.Agency, p.Changed.Add(exchange.ReceiptPeriod)
			}
			sums.Add(d)
		}
	}
	// Of a sealed use the tables know only that it is one. There are few.
	q := store.Query{Noun: exchange.Uses.Noun, Status: exchange.UnderSeal, Numbered: true, PageSize: store.MaxPageSize}
	for {
		sealed, next, err := some[exchange.Use](ctx, a, q)
		if err != nil {
			return nil, err
		}
		for _, use := range sealed {
			if d, owed := use.Owed(at); owed {
				sums.Add(d)
			}
		}
		if q.PageToken = next; next == "" {
			return sums.List(), nil
		}
	}
}
