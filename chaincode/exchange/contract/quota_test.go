package contract_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// limited brings a city to the point where tax has a grant with a quota and a consent that outlasts it.
func limited(t *testing.T, q exchange.Quota) *city {
	c := newCity(t).prepare()
	c.amend(func(terms *exchange.Terms) { terms.Quota = &q })
	consent := c.consentTerms()
	consent.MaxUses = exchange.MaxConsentUses
	c.consent = c.do(hall, access.Portal, exchange.ConsentGive, consentTo(consent))
	return c
}

// with is a use that proposes a ticket.
func (c *city) with(ticket int) exchange.RequestUse {
	use := c.use()
	use.Ticket = ticket
	return use
}

func (c *city) freeTickets(from int) (free exchange.FreeTickets) {
	c.Helper()
	require.NoError(c, c.As(tax, access.Agency).Query(exchange.TicketList, exchange.ListTickets{Grant: c.grant, From: from}, &free))
	return free
}

func TestQuota(t *testing.T) {
	c := limited(t, exchange.Quota{Uses: 3, Per: exchange.PerDay}) // it is 17:00 in the quota's zone
	c.refused("exchange.ticket_mismatch", tax, access.Agency, exchange.UseRequest, c.use())
	c.refused("exchange.quota_exhausted", tax, access.Agency, exchange.UseRequest, c.with(4))
	id := c.do(tax, access.Agency, exchange.UseRequest, c.with(2))
	use := read[exchange.Use](c, "use:Get", id)
	require.Equal(t, "2026-03-02", use.Period)
	require.Equal(t, 2, use.Ticket)
	got := c.refused("exchange.ticket_taken", tax, access.Agency, exchange.UseRequest, c.with(2))
	require.Equal(t, "request.ticket", got.Field)
	require.Equal(t, exchange.FreeTickets{Period: "2026-03-02", Quota: &exchange.Quota{Uses: 3, Per: exchange.PerDay}, Taken: 1, Free: []int{1, 3}}, c.freeTickets(1))
	require.Equal(t, []int{3}, c.freeTickets(2).Free)
	c.do(tax, access.Agency, exchange.UseRequest, c.with(1))
	c.do(tax, access.Agency, exchange.UseRequest, c.with(3))
	require.Empty(t, c.freeTickets(1).Free)
	for ticket := 1; ticket <= 3; ticket++ {
		c.refused("exchange.ticket_taken", tax, access.Agency, exchange.UseRequest, c.with(ticket))
	}
	require.Equal(t, 3, read[exchange.Log](c, "log:Get", alice).Count)

	c.Advance(7 * time.Hour) // midnight in Beijing
	require.Equal(t, []int{1, 2, 3}, c.freeTickets(1).Free)
	c.do(tax, access.Agency, exchange.UseRequest, c.with(2))

	// Narrowed, the numbers beyond are gone; without a quota there are no tickets.
	c.amend(func(terms *exchange.Terms) { terms.Quota = &exchange.Quota{Uses: 2, Per: exchange.PerDay} })
	c.refused("exchange.quota_exhausted", tax, access.Agency, exchange.UseRequest, c.with(3))
	require.Equal(t, []int{1}, c.freeTickets(1).Free)
	c.amend(func(terms *exchange.Terms) { terms.Quota = nil })
	c.refused("exchange.ticket_mismatch", tax, access.Agency, exchange.UseRequest, c.with(1))
	require.Equal(t, exchange.FreeTickets{Free: []int{}}, c.freeTickets(1))
	c.do(tax, access.Agency, exchange.UseRequest, c.use())
}

// Two uses in one transaction cannot have one ticket; two transactions at once cannot either.
func TestOneTicketOneUse(t *testing.T) {
	c := limited(t, exchange.Quota{Uses: 2, Per: exchange.PerMonth})
	other := c.with(1)
	other.Fields = []string{"area"}
	outcomes, err := c.As(tax, access.Agency).Batch([]kernel.BatchCommand{
		ledgertest.Command(exchange.UseRequest, "a", c.with(1)), ledgertest.Command(exchange.UseRequest, "b", other),
	})
	require.NoError(t, err)
	require.Nil(t, outcomes.Outcomes[0].Fault)
	require.Equal(t, "exchange.ticket_taken", outcomes.Outcomes[1].Fault.Reason)

	// Of different subjects, so that nothing but the ticket is shared.
	bobs := c.consentTerms()
	bobs.Subject, bobs.Case = bob, c.do(hall, access.Portal, "case:Open", openCase{bob, []string{housing, tax}})
	second := c.with(2)
	second.Subject, second.Case, second.Consent = bob, bobs.Case, c.do(hall, access.Portal, exchange.ConsentGive, consentTo(bobs))
	one, err := c.As(tax, access.Agency).Endorse(exchange.UseRequest, "c", c.with(2))
	require.NoError(t, err)
	two, err := c.As(tax, access.Agency).Endorse(exchange.UseRequest, "d", second)
	require.NoError(t, err)
	require.NoError(t, one.Commit())
	require.True(t, errors.As(two.Commit(), new(*ledgertest.CommitError)))
	require.Zero(t, read[exchange.Log](c, "log:Get", bob).Count)
}

// A large quota is looked through page by page.
func TestManyTickets(t *testing.T) {
	c := limited(t, exchange.Quota{Uses: 700, Per: exchange.PerGrant})
	c.amend(func(terms *exchange.Terms) { terms.ConsentRequired = true })
	consent := c.consentTerms()
	for n := 1; n <= 500; n++ {
		if n%exchange.MaxConsentUses == 1 {
			consent = c.consentTerms()
			consent.MaxUses = exchange.MaxConsentUses
			c.consent = c.do(hall, access.Portal, exchange.ConsentGive, consentTo(consent))
		}
		if n != 250 {
			c.do(tax, access.Agency, exchange.UseRequest, c.with(n))
		}
	}
	free := c.freeTickets(1)
	require.Equal(t, 250, free.Free[0])
	require.Equal(t, 501, free.Free[1])
	require.Len(t, free.Free, 201)
	require.Equal(t, 499, free.Taken)
	require.Zero(t, free.Next)
}
