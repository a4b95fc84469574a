package exchange

import (
	"fmt"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// A quota bounds the uses of a grant in each period. Nobody counts them in one place, which every use would have to change:
// a use takes a ticket, a number from 1 to the quota that no other use has in the period, under a key of its own.
//
//	ticket / {grant} / {period} / {number}  →  the use that has it
//
// Two uses meet only where both propose the same number; the one that comes second is told exchange.ticket_taken and
// proposes another. In a period there are never more uses than the largest quota that was in force in it.

// Limits of quotas.
const (
	MaxQuota       = 100_000 // uses a period; a grant without a quota is not limited
	MaxFreeTickets = 256     // numbers in one answer to TicketList
	MaxTicketScan  = 4_000   // numbers that one call of TicketList looks at
)

// ticketDigits is how many digits a number has in a key, so that keys stand in the order of numbers.
const ticketDigits = 6

// TicketList names free tickets of a grant's quota in the present period, so that a client can propose one.
const TicketList = "grant:Tickets"

// TicketNoun is the noun of tickets: bookkeeping, which repeats what uses say.
const TicketNoun = "ticket"

// Periods of a quota.
const (
	PerDay   = "day"   // from midnight to midnight in Beijing, UTC+8
	PerMonth = "month" // a calendar month in Beijing
	PerGrant = "grant" // the grant's whole life
)

// periods from the shortest to the longest: each lies within one of the next.
var periods = []string{PerDay, PerMonth, PerGrant}

// Reasons about quotas.
var (
	ErrTicketMismatch = fault.New(fault.Refused, "exchange.ticket_mismatch", "propose a ticket exactly where the grant's terms have a quota").On("request.ticket", "with:grant.quota")
	ErrQuotaExhausted = fault.New(fault.Refused, "exchange.quota_exhausted", "the grant's quota has no further use in this period; wait for the next, or ask the provider for more").On("request.ticket", "within:grant.quota")
	ErrTicketTaken    = fault.New(fault.Refused, "exchange.ticket_taken", "another use has this ticket; propose one that is free").On("request.ticket", "free")
)

// Quota bounds how often a grant may be used.
type Quota struct {
	Uses int    `json:"uses"`
	Per  string `json:"per"` // day | month | grant; days and months begin at midnight in Beijing
}

// Validate checks a quota's limits.
func (q Quota) Validate() error {
	if q.Uses < 1 || q.Uses > MaxQuota {
		return fault.Field("uses", fmt.Sprintf("between:1,%d", MaxQuota), "allow between one and this many uses; leave the quota out to allow any number")
	}
	return oneOf("per", q.Per, periods)
}

// Period is the one that a moment is in: 2026-11-27, 2026-11, or grant.
func (q Quota) Period(at time.Time) string {
	switch q.Per {
	case PerDay:
		return at.In(Beijing).Format(time.DateOnly)
	case PerMonth:
		return at.In(Beijing).Format("2006-01")
	}
	return PerGrant
}

// present says whether the moment is in one period, whichever clock it is looked up with.
func (q Quota) present(now kernel.Moment) bool {
	year, month, day := now.At.In(Beijing).Date()
	midnight := func(month time.Month, day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, Beijing) }
	switch q.Per {
	case PerDay:
		return !now.Early(midnight(month, day)) && !now.Over(midnight(month, day+1))
	case PerMonth:
		return !now.Early(midnight(month, 1)) && !now.Over(midnight(month+1, 1))
	}
	return true
}

// within says whether q allows no more than wide does: no more uses, in no shorter a period.
func (q *Quota) within(wide *Quota) bool {
	if wide == nil {
		return true
	}
	return q != nil && q.Uses <= wide.Uses && slices.Index(periods, q.Per) >= slices.Index(periods, wide.Per)
}

// take judges the ticket that a use proposes, 0 for none, and gives what it takes.
func (q *Quota) take(number int, taken bool, now kernel.Moment) (period string, ticket int, err error) {
	if (q == nil) != (number == 0) {
		return "", 0, ErrTicketMismatch
	}
	if q == nil {
		return "", 0, nil
	}
	if number > q.Uses {
		return "", 0, ErrQuotaExhausted
	}
	if taken {
		return "", 0, ErrTicketTaken
	}
	if !q.present(now) {
		return "", 0, ErrTicketTaken // it is of a period that is over, or has not begun
	}
	return q.Period(now.At), number, nil
}

// checkTicket checks a ticket that may be left out.
func checkTicket(field string, number int) error {
	if number < 0 || number > MaxQuota+1 { // one beyond the largest quota asks whether it is exhausted
		return fault.Field(field, fmt.Sprintf("between:1,%d", MaxQuota+1), "propose a number from 1 to the quota")
	}
	return nil
}

// Ticket is a number that a use has taken.
type Ticket struct {
	Number int    `json:"number"`
	Use    string `json:"use"`
}

// TicketKey are the parts of a ticket's key.
func TicketKey(grant, period string, number int) []string {
	return []string{grant, period, fmt.Sprintf("%0*d", ticketDigits, number)}
}

// Ticket is the key of the ticket that a request proposes. ok is false where the grant has no such ticket.
func (g Grant) Ticket(number int, at time.Time) (parts []string, ok bool) {
	if g.Terms == nil || g.Terms.Quota == nil || number < 1 || number > g.Terms.Quota.Uses {
		return nil, false
	}
	return TicketKey(g.ID, g.Terms.Quota.Period(at), number), true
}

// ListTickets asks for free tickets of a grant, from a number on.
type ListTickets struct {
	Grant string `json:"grant"`
	From  int    `json:"from"`
}

// Validate implements kernel.Validator.
func (r ListTickets) Validate() error {
	if err := CheckIdentifier("grant", r.Grant); err != nil {
		return err
	}
	if r.From < 1 || r.From > MaxQuota {
		return fault.Field("from", fmt.Sprintf("between:1,%d", MaxQuota), "begin at 1, or where the answer before says")
	}
	return nil
}

// FreeTickets is the answer. A number that is free may be taken before it is used.
type FreeTickets struct {
	Period string `json:"period"`          // the present one; empty: the terms have no quota
	Quota  *Quota `json:"quota,omitempty"` // that is in force
	Taken  int    `json:"taken"`           // how many of the numbers looked at are taken
	Free   []int  `json:"free"`            // ascending
	Next   int    `json:"next,omitempty"`  // where to go on; absent: every number up to the quota was looked at
}

// Free finds the free numbers of one call. taken are the numbers that are, ascending, all of them from r.From up to the
// last one listed, or, if complete, up to the quota.
func (r ListTickets) Free(q Quota, taken []int, complete bool, at time.Time) FreeTickets {
	answer := FreeTickets{Period: q.Period(at), Quota: &q, Free: []int{}}
	end := q.Uses
	if !complete {
		end = min(end, taken[len(taken)-1])
	}
	number := r.From
	for ; number <= end && len(answer.Free) < MaxFreeTickets; number++ {
		if answer.Taken < len(taken) && taken[answer.Taken] == number {
			answer.Taken++
			continue
		}
		answer.Free = append(answer.Free, number)
	}
	if number <= q.Uses {
		answer.Next = number
	}
	return answer
}
