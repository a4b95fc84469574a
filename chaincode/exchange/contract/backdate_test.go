package contract_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// TestBackdatingGainsNothing pairs everything that ends, or begins, with an attempt to use it a minute after its end, or
// before its beginning, under a time that is claimed to be within. Told the truth, the contract refuses with a reason of its
// own; claimed to be in time, the endorsers refuse by their clocks.
func TestBackdatingGainsNothing(t *testing.T) {
	type attempt struct {
		function string
		request  any
	}
	hour := func(c *city) time.Time { return c.Now().Add(time.Hour) }
	use := func(c *city) attempt { return attempt{exchange.UseRequest, c.use()} }
	for _, line := range []struct {
		name   string
		truth  string
		agency string
		// arrange gives what is tried after Advance, which brings the city to a minute after an end or, if early, before a beginning.
		arrange func(c *city) attempt
		ahead   time.Duration
		early   bool
	}{
		{name: "a grant that has expired", truth: "exchange.grant_expired", ahead: time.Hour, arrange: func(c *city) attempt {
			c.amend(func(terms *exchange.Terms) { terms.ValidUntil = hour(c) })
			return use(c)
		}},
		{name: "a grant that has not begun", truth: "exchange.grant_not_yet_valid", ahead: time.Hour, early: true, arrange: func(c *city) attempt {
			c.amend(func(terms *exchange.Terms) { terms.ValidFrom = hour(c) })
			return use(c)
		}},
		{name: "a consent that has expired", truth: "exchange.consent_expired", ahead: time.Hour, arrange: func(c *city) attempt {
			terms := c.consentTerms()
			terms.Until = hour(c)
			c.consent = c.do(hall, access.Portal, exchange.ConsentGive, consentTo(terms))
			return use(c)
		}},
		{name: "a consent that has not begun", truth: "exchange.consent_not_yet_valid", ahead: time.Hour, early: true, arrange: func(c *city) attempt {
			terms := c.consentTerms()
			terms.From = hour(c)
			c.consent = c.do(hall, access.Portal, exchange.ConsentGive, consentTo(terms))
			return use(c)
		}},
		{name: "a ticket of yesterday", ahead: 7 * time.Hour, arrange: func(c *city) attempt { // midnight in Beijing
			c.amend(func(terms *exchange.Terms) { terms.Quota = &exchange.Quota{Uses: 1, Per: exchange.PerDay} })
			return attempt{exchange.UseRequest, c.with(1)}
		}},
		{name: "a ticket of tomorrow", ahead: 7 * time.Hour, early: true, arrange: func(c *city) attempt {
			c.amend(func(terms *exchange.Terms) { terms.Quota = &exchange.Quota{Uses: 1, Per: exchange.PerDay} })
			return attempt{exchange.UseRequest, c.with(1)}
		}},
		{name: "a code that has expired", truth: "exchange.code_expired", ahead: 15 * time.Minute, arrange: func(c *city) attempt {
			code := c.do(hall, access.Portal, exchange.CodeGive, codeFor(c.codeTerms()))
			return attempt{exchange.CodeRedeem, exchange.RedeemCode{Code: code, Case: c.matter, Digits: digits, Salt: salt}}
		}},
		{name: "a delivery that is late", truth: "exchange.delivery_late", agency: housing, ahead: exchange.DeliveryPeriod, arrange: func(c *city) attempt {
			id := c.do(tax, access.Agency, exchange.UseRequest, c.use())
			return attempt{exchange.UseDeliver, exchange.DeliverUse{Use: id, Commitment: hashB}}
		}},
		{name: "a commitment that has ended", ahead: time.Hour, arrange: func(c *city) attempt {
			c.allowToVerify()
			root, leaf, beside := c.record()
			anchor, until := c.anchor(root), hour(c)
			anchor.Until = &until
			c.do(housing, access.Agency, exchange.CommitmentAnchor, anchor)
			return attempt{exchange.UseVerify, c.verification(leaf, beside)}
		}},
	} {
		t.Run(line.name, func(t *testing.T) {
			c := newCity(t).prepare()
			if line.agency == "" {
				line.agency = tax
			}
			tried := line.arrange(c)
			off := time.Minute
			if line.early {
				off = -off
			}
			c.Advance(line.ahead + off)
			height := c.Height()
			lie := c.As(line.agency, access.Agency).Skewed(-2 * off)
			_, err := lie.Submit(tried.function, "lie", tried.request)
			require.Equal(t, kernel.ReasonOutOfTime, fault.From(err).Reason)
			require.Equal(t, height, c.Height(), "nothing was committed")
			if line.truth != "" {
				c.refused(line.truth, line.agency, access.Agency, tried.function, tried.request)
			} else {
				c.do(line.agency, access.Agency, tried.function, tried.request)
			}
		})
	}
}
