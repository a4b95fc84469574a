package contract_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// inbox has the collections that a network has: one for each organisation, kept by its peers.
func (c *city) inbox() *city {
	for _, msp := range []string{"ServicesMSP", "PlanningMSP", "MarketMSP"} {
		c.DefineCollection(exchange.Name, exchange.Inbox(msp), msp)
		c.DefineCollection(exchange.Name, exchange.SealedCollection(msp), msp)
	}
	return c
}

// leave delivers a use whose payload waits.
func (c *city) leave(use string, payload exchange.Sealed) error {
	c.commands++
	raw, err := json.Marshal(payload)
	require.NoError(c, err)
	client := c.As(housing, access.Agency).With(map[string][]byte{exchange.TransientPayload(use): raw})
	_, err = client.Submit(exchange.UseDeliver, "leave-"+use, exchange.DeliverUse{Use: use, Commitment: hashB, Waits: true})
	return err
}

func (c *city) payload(agency, use string) (s exchange.Sealed, err error) {
	err = c.As(agency, access.Agency).On(exchange.Name).Query(exchange.UsePayload, exchange.PayloadOf{Use: use}, &s)
	return s, err
}

// A payload waits for its consumer, and is in no block; its purge leaves the evidence.
func TestAPayloadWaits(t *testing.T) {
	c := newCity(t).prepare().inbox()
	use := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	_, err := c.payload(tax, use)
	require.Equal(t, "exchange.nothing_waits", fault.From(err).Reason)
	sealed := exchange.Sealed{Commitment: hashB, To: tax, Sealed: "the-sealed-payload"}

	wrong := sealed
	wrong.To = regulation
	require.Equal(t, "exchange.payload_mismatch", fault.From(c.leave(use, wrong)).Reason)
	require.Equal(t, exchange.Requested, read[exchange.Use](c, "use:Get", use).Status, "it is delivered with its payload or not at all")
	c.refused("exchange.payload_missing", housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashB, Waits: true})

	require.NoError(t, c.leave(use, sealed))
	u := read[exchange.Use](c, "use:Get", use)
	require.True(t, u.Waiting)
	got, err := c.payload(tax, use)
	require.NoError(t, err)
	require.Equal(t, sealed, got)
	for _, block := range c.Blocks() {
		raw, err := json.Marshal(block)
		require.NoError(t, err)
		require.NotContains(t, string(raw), sealed.Sealed)
	}
	_, err = c.payload(regulation, use)
	require.Equal(t, "access.other_agency", fault.From(err).Reason)

	c.do(tax, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: hashB})
	c.do(housing, access.Agency, exchange.UsePurge, exchange.PurgeUse{Use: use, Reason: "case.over"})
	_, err = c.payload(tax, use)
	require.Equal(t, "exchange.nothing_waits", fault.From(err).Reason)
	u = read[exchange.Use](c, "use:Get", use)
	require.Equal(t, exchange.Acknowledged, u.Status)
	require.Equal(t, hashB, u.Delivery)
	require.Equal(t, "case.over", u.Purged)
}

// A command that fails leaves no private data, though its neighbour in the transaction does.
func TestPrivateDataGoesWithItsCommand(t *testing.T) {
	c := newCity(t).prepare().inbox()
	good, bad := c.do(tax, access.Agency, exchange.UseRequest, c.use()), c.do(tax, access.Agency, exchange.UseRequest, c.use())
	raw, err := json.Marshal(exchange.Sealed{Commitment: hashB, To: tax, Sealed: "s"})
	require.NoError(t, err)
	client := c.As(housing, access.Agency).With(map[string][]byte{exchange.TransientPayload(good): raw, exchange.TransientPayload(bad): []byte("no")})
	outcomes, err := client.Batch([]kernel.BatchCommand{
		ledgertest.Command(exchange.UseDeliver, "good", exchange.DeliverUse{Use: good, Commitment: hashB, Waits: true}),
		ledgertest.Command(exchange.UseDeliver, "bad", exchange.DeliverUse{Use: bad, Commitment: hashB, Waits: true}),
	})
	require.NoError(t, err)
	require.NotNil(t, outcomes.Outcomes[0].Receipt)
	require.Equal(t, "exchange.payload_mismatch", outcomes.Outcomes[1].Fault.Reason)
	_, err = c.payload(tax, good)
	require.NoError(t, err)
	_, err = c.payload(tax, bad)
	require.Equal(t, "exchange.nothing_waits", fault.From(err).Reason)
}
