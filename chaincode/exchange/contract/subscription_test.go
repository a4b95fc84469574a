package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// delivered takes a use of alice's data to its delivery.
func (c *city) delivered() string {
	c.Helper()
	use := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashB})
	return use
}

func TestSubscription(t *testing.T) {
	c := newCity(t).prepare()
	requested := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	c.refused("exchange.not_delivered", tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: requested})
	c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: requested, Commitment: hashB})
	c.do(tax, access.Agency, exchange.UsePurge, exchange.PurgeUse{Use: requested, Reason: "case.over"})
	c.refused("exchange.already_purged", tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: requested})
	use := c.delivered()
	start := exchange.StartSubscription{Use: use}
	c.refused("access.other_agency", regulation, access.Agency, exchange.SubscriptionStart, start)
	c.refused("use.missing", tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: nowhere})

	require.Equal(t, use, c.do(tax, access.Agency, exchange.SubscriptionStart, start), "its id is the use's")
	again, err := c.try(tax, access.Agency, exchange.SubscriptionStart, start)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	got := read[exchange.Subscription](c, "subscription:Get", use)
	require.Equal(t, exchange.Requested, got.Status)
	require.Equal(t, [4]string{alice, dataset, housing, tax}, [4]string{got.Subject, got.Dataset, got.Provider, got.Consumer})

	// The provider watches; what it announces is told to the consumer, and nothing is announced twice.
	say := func(state string) exchange.AnnounceChange {
		return exchange.AnnounceChange{Subscription: use, State: state}
	}
	c.refused("access.other_agency", tax, access.Agency, exchange.SubscriptionAnnounce, say(hashA))
	c.refused("request.invalid", housing, access.Agency, exchange.SubscriptionAnnounce, say("not a commitment"))
	for _, step := range []struct {
		state, status, event string
		changes              int
	}{
		{hashA, exchange.Watched, exchange.EventSubscriptionWatched, 0},
		{hashB, exchange.Watched, exchange.EventSubscriptionAnnounced, 1},
		{"", exchange.Gone, exchange.EventSubscriptionAnnounced, 2},
		{hashB, exchange.Watched, exchange.EventSubscriptionAnnounced, 3},
	} {
		c.do(housing, access.Agency, exchange.SubscriptionAnnounce, say(step.state))
		got = read[exchange.Subscription](c, "subscription:Get", use)
		require.Equal(t, step.status, got.Status)
		require.Equal(t, step.state, got.State)
		require.Equal(t, step.changes, got.Changes)
		change := c.last()[0]
		require.Equal(t, [4]string{step.event, use, alice, tax}, [4]string{change.Type, change.ID, change.Subject, change.Agency})
		require.Empty(t, change.Case, "the case's other agencies have no part in it")
		c.refused("exchange.nothing_changed", housing, access.Agency, exchange.SubscriptionAnnounce, say(step.state))
	}

	end := exchange.EndSubscription{Subscription: use, Reason: "case_done"}
	c.refused("access.other_agency", regulation, access.Agency, exchange.SubscriptionEnd, end)
	c.do(tax, access.Agency, exchange.SubscriptionEnd, end)
	require.Equal(t, housing, c.last()[0].Agency)
	c.refused("exchange.subscription_ended", housing, access.Agency, exchange.SubscriptionEnd, end)
	c.refused("exchange.subscription_ended", housing, access.Agency, exchange.SubscriptionAnnounce, say(hashA))
}

// Nobody is told any more once what the subscription rests on does not hold; and nobody subscribes.
func TestASubscriptionRestsOnWhatItsUseRestedOn(t *testing.T) {
	for _, line := range []struct {
		name, reason string
		end          func(c *city)
	}{
		{"the consent is revoked", "exchange.consent_revoked", func(c *city) {
			c.do(hall, access.Portal, exchange.ConsentRevoke, revocation(c.consent, keys[alice]))
		}},
		{"the consent has expired", "exchange.consent_expired", func(c *city) { c.Advance(10 * day) }},
		{"the grant is withdrawn", "exchange.grant_withdrawn", func(c *city) {
			c.do(housing, access.Admin, exchange.GrantWithdraw, exchange.WithdrawGrant{Grant: c.grant, Reason: "misuse"})
		}},
		{"the grant has expired", "exchange.grant_expired", func(c *city) { c.Advance(30 * day) }},
		{"the dataset is withdrawn", "exchange.dataset_withdrawn", func(c *city) {
			c.do(housing, access.Admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: dataset, Reason: "replaced"})
		}},
		{"the field is not given any more", "exchange.field_unknown", func(c *city) {
			next := publication().Content
			next.Fields[1].Withdrawn = true
			c.do(housing, access.Admin, exchange.DatasetRevise, exchange.ReviseDataset{Dataset: dataset, Edition: 2, Content: next})
		}},
		{"consent is asked for now", "exchange.consent_required", func(c *city) {
			c.amend(func(t *exchange.Terms) { t.ConsentRequired = true })
		}},
		{"the field is sensitive now", "exchange.consent_required", func(c *city) {
			next := publication().Content
			next.Fields[1].Sensitivity = exchange.Sensitive
			c.do(housing, access.Admin, exchange.DatasetRevise, exchange.ReviseDataset{Dataset: dataset, Edition: 2, Content: next})
		}},
	} {
		t.Run(line.name, func(t *testing.T) {
			c := newCity(t).prepare()
			if line.reason == "exchange.consent_required" {
				c.allow(func(t *exchange.Terms) { t.ConsentRequired = false })
				c.consent = ""
			}
			r := c.use()
			r.Fields = []string{"area"}
			use := c.do(tax, access.Agency, exchange.UseRequest, r)
			c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashB})
			other := c.do(tax, access.Agency, exchange.UseRequest, r)
			c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: other, Commitment: hashB})
			c.do(tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: use})
			line.end(c)
			require.Equal(t, "request.subscription", c.refused(line.reason, housing, access.Agency, exchange.SubscriptionAnnounce, exchange.AnnounceChange{Subscription: use, State: hashA}).Field)
			require.Equal(t, "request.use", c.refused(line.reason, tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: other}).Field)
			c.do(housing, access.Agency, exchange.SubscriptionEnd, exchange.EndSubscription{Subscription: use, Reason: "not_allowed"})
			require.Equal(t, tax, c.last()[0].Agency)
		})
	}
}
