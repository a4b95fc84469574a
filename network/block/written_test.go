package block_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

func TestWritten(t *testing.T) {
	type deed struct {
		Number string `json:"number"`
	}
	deeds := state.Map[deed]{Noun: "deed", Parts: []string{"agency", "id"}}
	put := func(number string, parts ...string) *kvrwset.KVWrite {
		return blocktest.Put(state.Key("deed", parts...), deed{number})
	}
	var chain blocktest.Chain
	chain.Add(blocktest.Tx{Config: true})
	decoded := decode(t, chain.Add(blocktest.Tx{
		Creator: blocktest.Identity("MarketMSP", "tax", "agency"), Chaincode: "register", Args: [][]byte{[]byte("deed:Enter"), []byte("{}")},
		Namespaces: []blocktest.Namespace{
			{Name: "elsewhere", Writes: []*kvrwset.KVWrite{put("of another contract", "market.tax", "a1")}},
			{Name: "register", Writes: []*kvrwset.KVWrite{
				put("first", "market.tax", "a1"), put("second", "market.tax", "a2"),
				{Key: state.Key("deed", "market.tax", "gone"), IsDelete: true},
				{Key: state.Key("deed", "market.tax", "torn"), Value: []byte("{")},
				blocktest.Put(state.Key("receipt", "a1"), deed{"of another noun"}),
				blocktest.Put("deed", deed{"under a key of another form"}),
			}},
		},
	}))
	require.Len(t, decoded.Transactions, 1)
	require.Equal(t, map[string]deed{"market.tax/a1": {"first"}, "market.tax/a2": {"second"}}, block.Written(decoded.Transactions[0], "register", deeds))
	require.Empty(t, block.Written(decoded.Transactions[0], "nobody", deeds))
}
