package audit_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

// length of the chain that the tests look at.
const length = 8

func chain() *blocktest.Chain {
	c := new(blocktest.Chain)
	c.Add(blocktest.Tx{Config: true})
	for range length - 1 {
		c.Add(blocktest.Tx{Chaincode: "exchange"}, blocktest.Tx{Chaincode: "exchange", Code: peer.TxValidationCode_MVCC_READ_CONFLICT})
	}
	return c
}

func check(t *testing.T, source audit.Source, from, to uint64) audit.Report {
	t.Helper()
	report, err := audit.Check(context.Background(), source, from, to, nil)
	require.NoError(t, err)
	return report
}

func TestIntact(t *testing.T) {
	c := chain()
	var passed []uint64
	report, err := audit.Check(context.Background(), c, 0, length-1, func(n uint64) { passed = append(passed, n) })
	require.NoError(t, err)
	require.True(t, report.Intact())
	require.EqualValues(t, length, report.Blocks)
	require.EqualValues(t, 1+2*(length-1), report.Transactions)
	require.Equal(t, map[string]int{"VALID": length, "MVCC_READ_CONFLICT": length - 1}, report.Codes)
	require.Equal(t, 1, report.Configs)
	require.Empty(t, report.Anchor)
	require.Equal(t, []uint64{0, 1, 2, 3, 4, 5, 6, 7}, passed)

	part := check(t, c, 3, 5)
	require.True(t, part.Intact())
	require.EqualValues(t, 3, part.Blocks)
	require.Equal(t, check(t, c, 0, 2).LastHash, part.Anchor, "a part is anchored in what comes before")
}

// TestCapturedChannel checks the beginning of a real channel, as a peer gave it.
func TestCapturedChannel(t *testing.T) {
	c, err := blocktest.Load("../block/testdata/government.blocks.gz")
	require.NoError(t, err)
	tip, err := c.Tip(context.Background())
	require.NoError(t, err)
	report := check(t, c, 0, tip.Number)
	require.True(t, report.Intact(), "%v", report.Failure)
	require.Equal(t, "0018fd7cc57376f3d07682fe70b4be5d98a70c2507215b14e2ebb29a14e885eb", report.LastHash)
	require.Equal(t, map[string]int{"VALID": 25, "MVCC_READ_CONFLICT": 14}, report.Codes)
}

// rehash makes a block's header agree with its transactions, as a forger would.
func rehash(b *common.Block) { b.Header.DataHash = block.DataHash(b.Data) }

// forge changes a transaction's payload so that it stays readable.
func forge(t *testing.T, b *common.Block, i int, change func(*common.SignatureHeader, *common.ChannelHeader)) {
	t.Helper()
	var envelope common.Envelope
	var payload common.Payload
	var signature common.SignatureHeader
	var head common.ChannelHeader
	require.NoError(t, proto.Unmarshal(b.Data.Data[i], &envelope))
	require.NoError(t, proto.Unmarshal(envelope.Payload, &payload))
	require.NoError(t, proto.Unmarshal(payload.Header.SignatureHeader, &signature))
	require.NoError(t, proto.Unmarshal(payload.Header.ChannelHeader, &head))
	change(&signature, &head)
	payload.Header.SignatureHeader, payload.Header.ChannelHeader = marshal(t, &signature), marshal(t, &head)
	envelope.Payload = marshal(t, &payload)
	b.Data.Data[i] = marshal(t, &envelope)
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}

func TestTampered(t *testing.T) {
	for _, c := range []struct {
		name   string
		tamper func(*testing.T, *blocktest.Chain)
		block  uint64
		rule   audit.Rule
	}{
		{"header removed", func(_ *testing.T, c *blocktest.Chain) { c.Block(3).Header = nil }, 3, audit.Outline},
		{"a validation code dropped", func(_ *testing.T, c *blocktest.Chain) { c.Block(3).Metadata.Metadata[2] = []byte{0} }, 3, audit.Outline},
		{"numbered anew", func(_ *testing.T, c *blocktest.Chain) { c.Block(3).Header.Number = 4 }, 3, audit.Number},
		{"two blocks exchanged", func(_ *testing.T, c *blocktest.Chain) {
			a, b := c.Block(3), c.Block(4)
			a.Header, b.Header, a.Data, b.Data = b.Header, a.Header, b.Data, a.Data
		}, 3, audit.Number},
		{"one bit of a transaction", func(_ *testing.T, c *blocktest.Chain) { c.Block(5).Data.Data[1][40] ^= 1 }, 5, audit.DataHash},
		{"a transaction taken out", func(_ *testing.T, c *blocktest.Chain) {
			b := c.Block(5)
			b.Data.Data, b.Metadata.Metadata[2] = b.Data.Data[:1], []byte{0}
		}, 5, audit.DataHash},
		{"a transaction moved in the block", func(_ *testing.T, c *blocktest.Chain) {
			d := c.Block(5).Data.Data
			d[0], d[1] = d[1], d[0]
		}, 5, audit.DataHash},
		{"a transaction taken out, and the header made to fit", func(_ *testing.T, c *blocktest.Chain) {
			b := c.Block(5)
			b.Data.Data, b.Metadata.Metadata[2] = b.Data.Data[:1], []byte{0}
			rehash(b)
		}, 6, audit.Previous},
		{"the previous hash forged", func(_ *testing.T, c *blocktest.Chain) { c.Block(2).Header.PreviousHash = make([]byte, 32) }, 2, audit.Previous},
		{"a first block with one before it", func(_ *testing.T, c *blocktest.Chain) { c.Block(0).Header.PreviousHash = make([]byte, 32) }, 0, audit.Previous},
		{"another creator, in the last block", func(t *testing.T, c *blocktest.Chain) {
			forge(t, c.Block(7), 0, func(s *common.SignatureHeader, _ *common.ChannelHeader) {
				s.Creator = blocktest.Identity("MarketMSP", "tax", "agency")
			})
			rehash(c.Block(7))
		}, 7, audit.Transaction},
		{"another id, in the last block", func(t *testing.T, c *blocktest.Chain) {
			forge(t, c.Block(7), 0, func(_ *common.SignatureHeader, h *common.ChannelHeader) { h.TxId = "0" + h.TxId[1:] + "f" })
			rehash(c.Block(7))
		}, 7, audit.Transaction},
		{"unreadable yet valid, in the last block", func(_ *testing.T, c *blocktest.Chain) {
			c.Block(7).Data.Data[0] = []byte{0xff}
			rehash(c.Block(7))
		}, 7, audit.Transaction},
		{"a transaction played again, in the last block", func(_ *testing.T, c *blocktest.Chain) {
			c.Block(7).Data.Data[0] = c.Block(6).Data.Data[0]
			rehash(c.Block(7))
		}, 7, audit.Duplicate},
	} {
		t.Run(c.name, func(t *testing.T) {
			tampered := chain()
			c.tamper(t, tampered)
			report := check(t, tampered, 0, length-1)
			require.False(t, report.Intact())
			require.Equal(t, c.rule, report.Failure.Rule, report.Failure.Detail)
			require.Equal(t, c.block, report.Failure.Block)
			require.Equal(t, c.block, report.Blocks, "the blocks before it passed")
		})
	}
}

func TestEveryRuleCanFail(t *testing.T) {
	require.Equal(t, []audit.Rule{audit.Outline, audit.Number, audit.DataHash, audit.Previous, audit.Transaction, audit.Duplicate}, audit.Rules)
}

type broken struct{ err error }

func (s broken) Blocks(context.Context, uint64, uint64) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		if s.err != nil {
			yield(nil, s.err)
		}
	}
}

func TestCheckThatCannotBeCarriedOut(t *testing.T) {
	_, err := audit.Check(context.Background(), chain(), 3, 2, nil)
	require.ErrorContains(t, err, "empty")

	gone := errors.New("the peer is gone")
	_, err = audit.Check(context.Background(), broken{gone}, 0, 1, nil)
	require.ErrorIs(t, err, gone)

	_, err = audit.Check(context.Background(), broken{}, 0, 1, nil)
	require.ErrorContains(t, err, "ended before")

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = audit.Check(ctx, chain(), 0, length, nil) // the last block never comes
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
