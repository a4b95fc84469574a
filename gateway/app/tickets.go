package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of proposing tickets.
const (
	maxTicketTries = 16   // a use proposes before its caller is told that the ticket was taken
	ticketSpread   = 64   // lowest free numbers among which one that lost a race chooses
	maxPools       = 1024 // grants with a quota that are remembered
)

// withTicket submits a request for a use with a ticket of its grant's quota, if it has one: a number that nobody has, as far
// as is known here. The ledger judges; where another was quicker, or the terms are others than the projection's, it is
// submitted again with another number. id is the use's; a use that was made before keeps its ticket.
func (a *App) withTicket(ctx context.Context, id string, request *exchange.RequestUse, submit func() error) error {
	grant, _, err := find[exchange.Grant](ctx, a, exchange.Grants.Noun, request.Grant)
	if err != nil {
		return err
	}
	limited := grant.Terms != nil && grant.Terms.Quota != nil
	for try := 1; ; try++ {
		var held hold
		if limited {
			if held, err = a.tickets.of(request.Grant).take(ctx, a, request.Grant, try > 1); err != nil {
				return err
			}
		}
		request.Ticket = held.number
		err = submit()
		held.done(err)
		switch {
		case errors.Is(err, exchange.ErrTicketMismatch): // the terms have changed
			limited = !limited
		case errors.Is(err, exchange.ErrTicketTaken), errors.Is(err, exchange.ErrQuotaExhausted) && !held.beyond:
		case taken(err):
			return a.withFirstTicket(ctx, id, request, err, submit)
		default:
			return err
		}
		if try == maxTicketTries {
			return err
		}
	}
}

// taken says whether a use with the id exists, with other content.
func taken(err error) bool {
	f := fault.From(err)
	return f != nil && f.Reason == exchange.Uses.Noun+".conflict"
}

// withFirstTicket submits a request again with the ticket it had when it was sent first.
func (a *App) withFirstTicket(ctx context.Context, id string, request *exchange.RequestUse, conflict error, submit func() error) error {
	use, err := a.useNow(ctx, id)
	if err != nil {
		return err
	}
	if use.Ticket == request.Ticket {
		return conflict
	}
	request.Ticket = use.Ticket
	return submit()
}

// tickets are the numbers that are free of grants with a quota, as far as this gateway knows. What is known is a help and
// no more: forgotten, it is asked of the peer again.
type tickets struct {
	mu    sync.Mutex
	pools map[string]*pool
}

func (t *tickets) of(grant string) *pool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pools[grant]
	if p == nil {
		if t.pools == nil || len(t.pools) >= maxPools {
			t.pools = map[string]*pool{}
		}
		p = &pool{held: map[int]bool{}, changed: make(chan struct{})}
		t.pools[grant] = p
	}
	return p
}

// pool is one grant's. A number is free, held by a request under way, or of no more interest.
type pool struct {
	mu      sync.Mutex
	quota   *exchange.Quota // nil: not known
	period  string          // the rest is of this period
	free    []int           // ascending
	next    int             // where the peer's list goes on; 0: it was read to its end
	held    map[int]bool
	unknown bool          // of a number that was held nobody knows what became of it
	changed chan struct{} // closed when a number is held no more
}

// hold is a number in the hands of one request. The zero value holds none.
type hold struct {
	pool   *pool
	period string
	number int
	beyond bool // no number is free: this one is the first beyond the quota, for the ledger to say so
}

// take gives a number to propose, the lowest; after a lost race one of the lowest. It waits while every number that is left
// is held by others: they may not need it.
func (p *pool) take(ctx context.Context, a *App, grant string, raced bool) (hold, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.quota == nil || p.quota.Period(a.now()) != p.period:
			p.free, p.unknown = nil, false
			if err := p.list(ctx, a, grant, 1); err != nil || p.quota == nil {
				return hold{}, err
			}
		case len(p.free) > 0:
			at := 0
			if raced {
				at = rand.IntN(min(len(p.free), ticketSpread))
			}
			n := p.free[at]
			p.free = slices.Delete(p.free, at, at+1)
			p.held[n] = true
			return hold{pool: p, period: p.period, number: n}, nil
		case p.next > 0:
			if err := p.list(ctx, a, grant, p.next); err != nil || p.quota == nil {
				return hold{}, err
			}
		case len(p.held) > 0:
			if err := p.wait(ctx); err != nil {
				return hold{}, err
			}
		case p.unknown:
			p.unknown = false
			if err := p.list(ctx, a, grant, 1); err != nil || p.quota == nil {
				return hold{}, err
			}
		default:
			return hold{pool: p, period: p.period, number: p.quota.Uses + 1, beyond: true}, nil
		}
	}
}

// list asks the organisation's peer which numbers are free, from one on.
func (p *pool) list(ctx context.Context, a *App, grant string, from int) error {
	var answer exchange.FreeTickets
	if err := a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, exchange.TicketList, exchange.ListTickets{Grant: grant, From: from}, &answer); err != nil {
		return err
	}
	if p.period != answer.Period {
		clear(p.held)
	}
	p.quota, p.period, p.next = answer.Quota, answer.Period, answer.Next
	p.free = slices.DeleteFunc(answer.Free, func(n int) bool { return p.held[n] })
	return nil
}

// wait waits until a number is held no more.
func (p *pool) wait(ctx context.Context) error {
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done says what became of a request with the number. One that was refused for another reason leaves the number free.
func (h hold) done(err error) {
	if h.pool == nil {
		return
	}
	p := h.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.period != p.period {
		return
	}
	switch f := fault.From(err); {
	case err == nil && h.beyond, errors.Is(err, exchange.ErrTicketMismatch), errors.Is(err, exchange.ErrQuotaExhausted) && !h.beyond:
		p.quota = nil // the terms have changed: ask
	case err == nil, errors.Is(err, exchange.ErrTicketTaken), h.beyond:
	case f.Kind != fault.Internal:
		at, _ := slices.BinarySearch(p.free, h.number)
		p.free = slices.Insert(p.free, at, h.number)
	default:
		p.unknown = true
	}
	if p.held[h.number] {
		delete(p.held, h.number)
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// QuotaOf is GET /v1/grants/{id}/quota.
type QuotaOf struct {
	ID string `path:"id" json:"-"`
}

// QuotaUse says how much of a grant's quota is used.
type QuotaUse struct {
	Grant  string          `json:"grant"`
	Quota  *exchange.Quota `json:"quota,omitempty" doc:"Absent: the grant's terms have none."`
	Period string          `json:"period,omitempty" doc:"The present one: a day, a month, or grant."`
	Used   int             `json:"used" doc:"Uses requested in the period, within the quota that is in force."`
	Left   int             `json:"left" doc:"Uses that are left in the period."`
	At     time.Time       `json:"at"`
}

// Quota counts the uses of a grant in the present period, on the organisation's peer.
func (a *App) Quota(ctx context.Context, who Actor, req QuotaOf) (answer QuotaUse, err error) {
	g, err := a.visibleGrant(ctx, who, req.ID)
	if err != nil {
		return answer, err
	}
	answer = QuotaUse{Grant: g.ID, At: a.now()}
	for from := 1; from > 0; {
		var page exchange.FreeTickets
		if err := a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, exchange.TicketList, exchange.ListTickets{Grant: g.ID, From: from}, &page); err != nil {
			return answer, err
		}
		answer.Quota, answer.Period, from = page.Quota, page.Period, page.Next
		answer.Used, answer.Left = answer.Used+page.Taken, answer.Left+len(page.Free)
	}
	return answer, nil
}
