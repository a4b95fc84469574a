package contract_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// batch is a batch of housing's premises at a position of a source.
func batch(position int) exchange.CreateAnchor {
	return exchange.CreateAnchor{Dataset: dataset, Source: hashA, Position: position, Size: 100, Root: hashB}
}

func TestAnchors(t *testing.T) {
	c := newCity(t).prepare()
	first := c.do(housing, access.Agency, exchange.AnchorCreate, batch(1))
	require.Equal(t, batch(1).ID(), first)
	again, err := c.try(housing, access.Agency, exchange.AnchorCreate, batch(1)) // under another idempotency key
	require.NoError(t, err)
	require.True(t, again.Replayed)

	other := batch(1)
	other.Root = hashA
	f := c.refused("anchor.conflict", housing, access.Agency, exchange.AnchorCreate, other)
	require.Equal(t, fault.Conflict, f.Kind)
	f = c.refused("anchor.missing", housing, access.Agency, exchange.AnchorCreate, batch(3))
	require.Equal(t, "request.position", f.Field)
	c.do(housing, access.Agency, exchange.AnchorCreate, batch(2))
	second := read[exchange.Anchor](c, "anchor:Get", batch(2).ID())
	require.Equal(t, [3]int{2, 101, 200}, [3]int{second.Number, second.First, second.Last})
	series := read[exchange.Series](c, "series:Get", dataset)
	require.Equal(t, [3]int{2, 200, 2}, [3]int{series.Anchors, series.Records, series.Version})
	one, err := read[exchange.Anchor](c, "anchor:Get", first).Entry().Leaf()
	require.NoError(t, err)
	two, err := second.Entry().Leaf()
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(rfc6962.DefaultHasher.HashChildren(one, two)), series.Root)

	elsewhere := batch(1)
	elsewhere.Dataset = housing + "/plans"
	require.Equal(t, "request.dataset", c.refused("dataset.missing", housing, access.Agency, exchange.AnchorCreate, elsewhere).Field)

	// The first batch was wrong: it is withdrawn, and the same source is anchored anew in its place.
	anew := batch(1)
	anew.Replaces = first
	c.refused("exchange.replaced_stands", housing, access.Agency, exchange.AnchorCreate, anew)
	withdrawal := exchange.WithdrawAnchor{Anchor: first, Reason: "wrong-source"}
	c.do(housing, access.Agency, exchange.AnchorWithdraw, withdrawal)
	c.refused("exchange.anchor_withdrawn", housing, access.Agency, exchange.AnchorWithdraw, withdrawal)
	c.do(housing, access.Agency, exchange.AnchorCreate, anew)
	require.Equal(t, 201, read[exchange.Anchor](c, "anchor:Get", anew.ID()).First)
	require.Equal(t, exchange.Withdrawn, read[exchange.Anchor](c, "anchor:Get", first).Status)

	missing := batch(2)
	missing.Replaces = nowhere
	require.Equal(t, "request.position", c.refused("anchor.missing", housing, access.Agency, exchange.AnchorCreate, missing).Field)
	missing.Position = 1
	require.Equal(t, "request.replaces", c.refused("anchor.missing", housing, access.Agency, exchange.AnchorCreate, missing).Field)
}
