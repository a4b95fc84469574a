package block_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

// captured is the beginning of a real channel: its configuration, the chaincodes' lifecycle, some writes, and writes that
// collided.
const captured = "testdata/government.blocks.gz"

func TestCapturedChannel(t *testing.T) {
	chain, err := blocktest.Load(captured)
	require.NoError(t, err)
	tip, err := chain.Tip(context.Background())
	require.NoError(t, err)
	require.Equal(t, "0018fd7cc57376f3d07682fe70b4be5d98a70c2507215b14e2ebb29a14e885eb", fmt.Sprintf("%x", tip.Hash), "as the peer said")

	seen := map[string]int{}
	for n := range tip.Number + 1 {
		raw := chain.Block(n)
		b := decode(t, raw)
		require.Equal(t, block.DataHash(raw.Data), b.DataHash)
		if n > 0 {
			require.Equal(t, block.HeaderHash(chain.Block(n-1).Header), b.Previous)
		}
		for _, tx := range b.Transactions {
			require.Empty(t, tx.Malformed)
			require.Equal(t, "government", tx.Channel)
			if tx.Kind == block.Endorsed {
				require.NotEmpty(t, tx.Endorsers)
			}
			seen[fmt.Sprintf("%s %s %s %s", tx.Kind, tx.Chaincode, tx.Function, tx.Code)]++
		}
	}
	require.Equal(t, map[string]int{
		"config   VALID": 1,
		"endorsed _lifecycle ApproveChaincodeDefinitionForMyOrg VALID": 12,
		"endorsed _lifecycle CommitChaincodeDefinition VALID":          3,
		"endorsed exchange agency:Register VALID":                      1,
		"endorsed certificate type:Publish VALID":                      2,
		"endorsed exchange agency:Assign VALID":                        6,
		"endorsed exchange agency:Assign MVCC_READ_CONFLICT":           14,
	}, seen)
}

func TestCapturedWrite(t *testing.T) {
	chain, err := blocktest.Load(captured)
	require.NoError(t, err)
	tx := decode(t, chain.Block(3)).Transactions[0]
	require.Equal(t, "agency:Register", tx.Function)
	require.Equal(t, []block.Command{{Function: "agency:Register", IdempotencyKey: "register"}}, tx.Commands)
	require.Equal(t, "services.hall", tx.Creator.Agency)
	require.EqualValues(t, "admin", tx.Creator.Role)
	require.Equal(t, "ServicesMSP", tx.Creator.MSP)
	require.Len(t, tx.Endorsers, 2)
	i := slices.IndexFunc(tx.Writes, func(n block.Namespace) bool { return n.Name == "exchange" })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, "\x00agency\x00services.hall\x00", tx.Writes[i].Writes[0].Key)
	require.NotNil(t, tx.Event.Envelope)
	require.Equal(t, "services.hall", tx.Event.Envelope.Changes[0].ID)

	first := decode(t, chain.Block(0)).Transactions[0]
	require.Equal(t, block.Config, first.Kind)
	require.Equal(t, block.Valid, first.Code)
}
