package block_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

func decode(t *testing.T, b *common.Block) block.Block {
	t.Helper()
	var d block.Decoder
	decoded, err := d.Decode(b)
	require.NoError(t, err)
	return decoded
}

func raw(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

func message(t *testing.T, m proto.Message) []byte {
	t.Helper()
	text, err := proto.Marshal(m)
	require.NoError(t, err)
	return text
}

func TestDecodeReadsEverything(t *testing.T) {
	var chain blocktest.Chain
	chain.Add(blocktest.Tx{Config: true})
	envelope := kernel.Envelope{Version: kernel.EnvelopeVersion, Changes: []kernel.Change{{Type: "certificate.issued.v1", ID: "a1", Case: "c1"}}}
	hashed := message(t, &kvrwset.HashedRWSet{
		HashedWrites:   []*kvrwset.KVWriteHash{{KeyHash: []byte("kh"), ValueHash: []byte("vh")}, {KeyHash: []byte("gone"), IsPurge: true}},
		MetadataWrites: []*kvrwset.KVMetadataWriteHash{{KeyHash: []byte("kh"), Entries: []*kvrwset.KVMetadataEntry{{Name: "policy", Value: []byte("p")}}}},
	})
	added := chain.Add(blocktest.Tx{
		Creator:   blocktest.Identity("MarketMSP", "tax", "agency"),
		Endorsers: [][]byte{blocktest.Identity("MarketMSP", "", ""), blocktest.Identity("PlanningMSP", "", "")},
		Chaincode: "collaboration",
		Args:      [][]byte{[]byte("case:Conclude"), raw(t, kernel.Command{IdempotencyKey: "k-1", Staff: "s-7", Request: json.RawMessage(`{"case":"c1"}`)})},
		Response:  []byte(`{"id":"c1"}`),
		Namespaces: []blocktest.Namespace{
			{Name: "certificate", Writes: []*kvrwset.KVWrite{blocktest.Put("\x00certificate\x00a1\x00", map[string]string{"id": "a1"})}},
			{Name: "collaboration",
				Writes:      []*kvrwset.KVWrite{blocktest.Put("\x00case\x00c1\x00", map[string]string{"id": "c1"}), blocktest.Delete("\x00slot\x00s\x00b\x00")},
				Guards:      []*kvrwset.KVMetadataWrite{{Key: "\x00case\x00c1\x00", Entries: []*kvrwset.KVMetadataEntry{{Name: "policy", Value: []byte("p")}}}},
				Collections: []*rwset.CollectionHashedReadWriteSet{{CollectionName: "sealed", HashedRwset: hashed, PvtRwsetHash: []byte("all")}},
			},
			{Name: "exchange"}, // only read
		},
		Event: &peer.ChaincodeEvent{ChaincodeId: "collaboration", EventName: kernel.EventName, Payload: raw(t, envelope)},
	}, blocktest.Tx{Chaincode: "exchange", Code: peer.TxValidationCode_MVCC_READ_CONFLICT})

	b := decode(t, added)
	require.EqualValues(t, 1, b.Number)
	require.Equal(t, block.HeaderHash(added.Header), b.Hash)
	require.Equal(t, block.HeaderHash(chain.Block(0).Header), b.Previous)
	require.Equal(t, added.Header.DataHash, b.DataHash)
	require.Len(t, b.Transactions, 2)
	require.Equal(t, block.MVCCConflict, b.Transactions[1].Code)

	tx := b.Transactions[0]
	require.Empty(t, tx.Malformed)
	require.Equal(t, block.Endorsed, tx.Kind)
	require.Equal(t, block.Valid, tx.Code)
	id := block.TransactionID(tx.Nonce, tx.Signer)
	require.Equal(t, hex.EncodeToString(id[:]), tx.ID)
	require.Equal(t, blocktest.Channel, tx.Channel)
	require.Equal(t, blocktest.Start.Add(1e9), tx.At)
	require.Equal(t, block.Identity{MSP: "MarketMSP", Name: "tax-agency", Agency: "market.tax", Role: access.Agency}, tx.Creator)
	require.Equal(t, []string{"MarketMSP", "PlanningMSP"}, []string{tx.Endorsers[0].MSP, tx.Endorsers[1].MSP})
	require.Empty(t, tx.Endorsers[0].Agency)
	require.Equal(t, "collaboration", tx.Chaincode)
	require.Equal(t, "case:Conclude", tx.Function)
	require.Equal(t, []block.Command{{Function: "case:Conclude", IdempotencyKey: "k-1", Staff: "s-7"}}, tx.Commands)
	require.Equal(t, block.Response{Status: 200, Payload: []byte(`{"id":"c1"}`)}, tx.Response)
	require.Equal(t, &envelope, tx.Event.Envelope)
	require.Equal(t, []block.Namespace{
		{Name: "certificate", Writes: []block.Write{{Key: "\x00certificate\x00a1\x00", Value: []byte(`{"id":"a1"}`)}}},
		{Name: "collaboration",
			Writes: []block.Write{{Key: "\x00case\x00c1\x00", Value: []byte(`{"id":"c1"}`)}, {Key: "\x00slot\x00s\x00b\x00", Delete: true}},
			Guards: []block.Guard{{Key: "\x00case\x00c1\x00", Entries: map[string][]byte{"policy": []byte("p")}}},
			Collections: []block.Collection{{Name: "sealed", Hash: []byte("all"),
				Writes: []block.HashedWrite{{Key: []byte("kh"), Value: []byte("vh")}, {Key: []byte("gone"), Purge: true}},
				Guards: []block.HashedGuard{{Key: []byte("kh"), Entries: map[string][]byte{"policy": []byte("p")}}}}},
		},
	}, tx.Writes)

	config := decode(t, chain.Block(0)).Transactions[0]
	require.Equal(t, block.Config, config.Kind)
	require.EqualValues(t, 1, config.ConfigSequence)
}

func TestCommands(t *testing.T) {
	batch := kernel.Batch{Commands: []kernel.BatchCommand{
		{Function: "certificate:Issue", Command: kernel.Command{IdempotencyKey: "1", Request: json.RawMessage(`{}`)}},
		{Function: "certificate:Revoke", Command: kernel.Command{IdempotencyKey: "2", Staff: "s", Request: json.RawMessage(`{}`)}},
	}}
	for name, c := range map[string]struct {
		args [][]byte
		want []block.Command
	}{
		"a write":                {[][]byte{[]byte("grant:Request"), []byte(`{"idempotency_key":"k","request":{}}`)}, []block.Command{{Function: "grant:Request", IdempotencyKey: "k"}}},
		"a batch":                {[][]byte{[]byte(kernel.BatchFunction), raw(t, batch)}, []block.Command{{"certificate:Issue", "1", ""}, {"certificate:Revoke", "2", "s"}}},
		"a read":                 {[][]byte{[]byte("grant:Get"), []byte(`{"id":"x"}`)}, nil},
		"not JSON":               {[][]byte{[]byte("CommitChaincodeDefinition"), {0x0a, 0x01, 0xff}}, nil},
		"a batch that is not":    {[][]byte{[]byte(kernel.BatchFunction), []byte(`{"commands":7}`)}, nil},
		"JSON of another kind":   {[][]byte{[]byte("grant:Request"), []byte(`[1]`)}, nil},
		"two arguments":          {[][]byte{[]byte("f"), []byte(`{"idempotency_key":"k"}`), []byte("x")}, nil},
		"no argument":            {[][]byte{[]byte("f")}, nil},
		"nothing at all":         {nil, nil},
		"a key with a zero byte": {[][]byte{[]byte("f"), []byte(`{"idempotency_key":"a\u0000b"}`)}, []block.Command{{Function: "f", IdempotencyKey: "a\uFFFDb"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var chain blocktest.Chain
			tx := decode(t, chain.Add(blocktest.Tx{Chaincode: "exchange", Args: c.args})).Transactions[0]
			require.Empty(t, tx.Malformed)
			require.Equal(t, c.want, tx.Commands)
		})
	}
}

func TestFunctionNameIsFitToShow(t *testing.T) {
	var chain blocktest.Chain
	long := strings.Repeat("街", 100)
	tx := decode(t, chain.Add(blocktest.Tx{Args: [][]byte{[]byte(long)}}, blocktest.Tx{Args: [][]byte{{0xff, 0x00, 'a'}}})).Transactions
	require.True(t, strings.HasPrefix(long, tx[0].Function))
	require.LessOrEqual(t, len(tx[0].Function), 128)
	require.Equal(t, "\uFFFD\uFFFDa", tx[1].Function)
}

func TestBrokenPartsAreSaid(t *testing.T) {
	var chain blocktest.Chain
	b := chain.Add(
		blocktest.Tx{Raw: []byte{0xff, 0xff}},
		blocktest.Tx{Raw: []byte{}},
		blocktest.Tx{Chaincode: "exchange", Event: &peer.ChaincodeEvent{EventName: kernel.EventName, Payload: []byte("no JSON")}},
		blocktest.Tx{Chaincode: "exchange"},
	)
	txs := decode(t, b).Transactions
	require.Contains(t, txs[0].Malformed, "envelope")
	require.Contains(t, txs[1].Malformed, "no header")
	require.Contains(t, txs[2].Malformed, kernel.EventName)
	require.Equal(t, "exchange", txs[2].Chaincode, "the rest is read")
	require.Empty(t, txs[3].Malformed)
}

func TestOutline(t *testing.T) {
	good := func() *common.Block {
		var chain blocktest.Chain
		chain.Add(blocktest.Tx{Config: true})
		return chain.Add(blocktest.Tx{}, blocktest.Tx{})
	}
	for name, change := range map[string]func(*common.Block){
		"no header":       func(b *common.Block) { b.Header = nil },
		"no data":         func(b *common.Block) { b.Data = nil },
		"no transactions": func(b *common.Block) { b.Data.Data = nil },
		"no metadata":     func(b *common.Block) { b.Metadata = nil },
		"a code too few":  func(b *common.Block) { b.Metadata.Metadata[2] = []byte{0} },
		"a code too many": func(b *common.Block) { b.Metadata.Metadata[2] = []byte{0, 0, 0} },
	} {
		t.Run(name, func(t *testing.T) {
			b := good()
			change(b)
			var d block.Decoder
			_, err := d.Decode(b)
			require.ErrorIs(t, err, block.ErrMalformed)
			_, err = block.Outcomes(b)
			require.ErrorIs(t, err, block.ErrMalformed)
		})
	}
	require.NoError(t, block.Check(good()))
	first := good()
	first.Header.Number, first.Metadata = 0, nil
	require.NoError(t, block.Check(first), "a channel's first block may have no codes")
}

func TestOutcomes(t *testing.T) {
	var chain blocktest.Chain
	b := chain.Add(blocktest.Tx{}, blocktest.Tx{Code: peer.TxValidationCode_PHANTOM_READ_CONFLICT}, blocktest.Tx{Raw: []byte{1}, Code: peer.TxValidationCode_BAD_PAYLOAD})
	outcomes, err := block.Outcomes(b)
	require.NoError(t, err)
	txs := decode(t, b).Transactions
	require.Equal(t, []block.Outcome{
		{ID: txs[0].ID, Code: block.Valid}, {ID: txs[1].ID, Code: block.PhantomRead}, {ID: "", Code: "BAD_PAYLOAD"},
	}, outcomes)
	require.Equal(t, block.Code("CODE_240"), block.CodeOf(240))
}

// FuzzDecode: whatever an orderer let through, decoding ends without a panic and gives one transaction an envelope.
func FuzzDecode(f *testing.F) {
	var chain blocktest.Chain
	for _, tx := range []blocktest.Tx{
		{Config: true},
		{Chaincode: "exchange", Args: [][]byte{[]byte(kernel.BatchFunction), []byte(`{"commands":[{}]}`)}, Endorsers: [][]byte{blocktest.Identity("PlanningMSP", "", "")}},
		{Namespaces: []blocktest.Namespace{{Name: "n", Writes: []*kvrwset.KVWrite{blocktest.Put("k", 1)},
			Collections: []*rwset.CollectionHashedReadWriteSet{{CollectionName: "c"}}}}},
	} {
		b := chain.Add(tx)
		whole, err := proto.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole, b.Data.Data[0])
	}
	real, err := blocktest.Load(captured)
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range []uint64{2, 4} {
		f.Add([]byte{}, real.Block(n).Data.Data[0])
	}
	f.Add([]byte{}, []byte{0x0a})
	f.Fuzz(func(t *testing.T, whole, envelope []byte) {
		var d block.Decoder
		var b common.Block
		if proto.Unmarshal(whole, &b) == nil {
			if decoded, err := d.Decode(&b); err == nil && len(decoded.Transactions) != len(b.GetData().GetData()) {
				t.Fatal("transactions are missing")
			}
		}
		single := &common.Block{Header: &common.BlockHeader{}, Data: &common.BlockData{Data: [][]byte{envelope}}}
		decoded, err := d.Decode(single)
		if err != nil {
			t.Fatalf("the outline is sound: %v", err)
		}
		outcomes, err := block.Outcomes(single)
		if err != nil || len(outcomes) != len(decoded.Transactions) {
			t.Fatal("the outline and the whole disagree")
		}
	})
}
