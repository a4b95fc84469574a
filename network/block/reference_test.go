package block_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

// seen is what the generated code reads of a transaction: the yardstick for the decoder, which opens most layers itself.
type seen struct {
	Readable                     bool
	ID, Signer, Nonce, Chaincode string
	Endorsers                    int
	Message, Payload             string
	Writes                       []string
}

// yardstick reads an envelope with nothing but the generated code.
func yardstick(raw []byte) (s seen) {
	var envelope common.Envelope
	var payload common.Payload
	var channel common.ChannelHeader
	var signature common.SignatureHeader
	if proto.Unmarshal(raw, &envelope) != nil || proto.Unmarshal(envelope.Payload, &payload) != nil || payload.Header == nil ||
		proto.Unmarshal(payload.Header.ChannelHeader, &channel) != nil {
		return s
	}
	s.ID = channel.TxId
	if proto.Unmarshal(payload.Header.SignatureHeader, &signature) != nil {
		return s
	}
	s.Signer, s.Nonce = string(signature.Creator), string(signature.Nonce)
	switch common.HeaderType(channel.Type) {
	case common.HeaderType_ENDORSER_TRANSACTION:
		s.Readable = s.endorsed(payload.Data)
	case common.HeaderType_CONFIG:
		s.Readable = proto.Unmarshal(payload.Data, new(common.ConfigEnvelope)) == nil
	default:
		s.Readable = true
	}
	return s
}

func (s *seen) endorsed(raw []byte) bool {
	var transaction peer.Transaction
	var action peer.ChaincodeActionPayload
	if proto.Unmarshal(raw, &transaction) != nil || len(transaction.Actions) != 1 || proto.Unmarshal(transaction.Actions[0].Payload, &action) != nil {
		return false
	}
	s.Endorsers = len(action.GetAction().GetEndorsements())
	var proposal peer.ChaincodeProposalPayload
	var call peer.ChaincodeInvocationSpec
	asked := proto.Unmarshal(action.ChaincodeProposalPayload, &proposal) == nil && proto.Unmarshal(proposal.Input, &call) == nil
	if asked {
		s.Chaincode = call.GetChaincodeSpec().GetChaincodeId().GetName()
	}
	var response peer.ProposalResponsePayload
	var answer peer.ChaincodeAction
	if proto.Unmarshal(action.GetAction().GetProposalResponsePayload(), &response) != nil || proto.Unmarshal(response.Extension, &answer) != nil {
		return false
	}
	s.Message, s.Payload = answer.GetResponse().GetMessage(), string(answer.GetResponse().GetPayload())
	written := s.written(answer.Results)
	var event peer.ChaincodeEvent
	told := proto.Unmarshal(answer.Events, &event) == nil
	if told && event.EventName == kernel.EventName {
		told = json.Unmarshal(event.Payload, new(kernel.Envelope)) == nil
	}
	return asked && written && told
}

func (s *seen) written(raw []byte) (readable bool) {
	var all rwset.TxReadWriteSet
	if proto.Unmarshal(raw, &all) != nil {
		return false
	}
	readable = true
	for _, n := range all.NsRwset {
		var public kvrwset.KVRWSet
		if proto.Unmarshal(n.Rwset, &public) != nil {
			readable = false
			continue
		}
		for _, w := range public.Writes {
			s.Writes = append(s.Writes, fmt.Sprintf("%x %x %v", w.Key, w.Value, w.IsDelete))
		}
		for _, c := range n.CollectionHashedRwset {
			readable = readable && proto.Unmarshal(c.HashedRwset, new(kvrwset.HashedRWSet)) == nil
		}
	}
	return readable
}

// agree compares the decoder with the yardstick. Names are compared where they are fit to show as they are.
func agree(t *testing.T, envelope []byte) {
	t.Helper()
	var d block.Decoder
	decoded, err := d.Decode(&common.Block{Header: &common.BlockHeader{}, Data: &common.BlockData{Data: [][]byte{envelope}}})
	require.NoError(t, err)
	tx, want := decoded.Transactions[0], yardstick(envelope)
	got := seen{Readable: tx.Malformed == "", ID: want.ID, Signer: string(tx.Signer), Nonce: string(tx.Nonce), Chaincode: want.Chaincode,
		Endorsers: len(tx.Endorsers), Message: tx.Response.Message, Payload: string(tx.Response.Payload)}
	for _, n := range tx.Writes {
		for _, w := range n.Writes {
			got.Writes = append(got.Writes, fmt.Sprintf("%x %x %v", w.Key, w.Value, w.Delete))
		}
	}
	if fit(want.ID) {
		got.ID = tx.ID
	}
	if fit(want.Chaincode) {
		got.Chaincode = tx.Chaincode
	}
	require.Equal(t, want, got, tx.Malformed)
}

func fit(name string) bool {
	for _, r := range name {
		if r == 0 || r == '\uFFFD' {
			return false
		}
	}
	return len(name) <= 128
}

// TestUnusualEncodings: what no client of ours writes, but a valid transaction could be written in.
func TestUnusualEncodings(t *testing.T) {
	var chain blocktest.Chain
	plain := chain.Add(blocktest.Tx{Chaincode: "exchange", Args: [][]byte{[]byte("f")}, Response: []byte("r"), Endorsers: [][]byte{blocktest.Identity("PlanningMSP", "", "")},
		Namespaces: []blocktest.Namespace{{Name: "exchange", Writes: []*kvrwset.KVWrite{blocktest.Put("k", 1)}}}}).Data.Data[0]
	var envelope common.Envelope
	var payload common.Payload
	require.NoError(t, proto.Unmarshal(plain, &envelope))
	require.NoError(t, proto.Unmarshal(envelope.Payload, &payload))
	of := func(parts ...[]byte) (payload []byte) {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	bytes := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	channel, signature := bytes(1, payload.Header.ChannelHeader), bytes(2, payload.Header.SignatureHeader)
	header, data := bytes(1, of(channel, signature)), bytes(2, payload.Data)
	for name, c := range map[string]struct {
		payload  []byte
		readable bool
	}{
		"plain":                       {of(header, data), true},
		"header last":                 {of(data, header), true},
		"header in two pieces":        {of(bytes(1, channel), data, bytes(1, signature)), true},
		"an empty piece":              {of(header, data, bytes(1, nil)), true},
		"the last data counts":        {of(header, bytes(2, []byte{0xff}), data), true},
		"the last data is broken":     {of(header, data, bytes(2, []byte{0xff})), false},
		"unknown fields":              {of(header, bytes(77, []byte("x")), protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 7), data), true},
		"pieces cut inside a field":   {of(bytes(1, of(channel, signature)[:9]), bytes(1, of(channel, signature)[9:]), data), false},
		"a signature header cut off":  {of(bytes(1, of(channel, bytes(2, payload.Header.SignatureHeader[:len(payload.Header.SignatureHeader)-1]))), data), false},
		"cut off":                     {of(header, data[:len(data)-1]), false},
		"a group that does not end":   {of(header, data, protowire.AppendTag(nil, 9, protowire.StartGroupType)), false},
		"an end without a group":      {of(header, data, protowire.AppendTag(nil, 9, protowire.EndGroupType)), false},
		"a field number out of range": {of(header, data, protowire.AppendVarint(protowire.AppendVarint(nil, uint64(protowire.MaxValidNumber+1)<<3), 1)), false},
	} {
		t.Run(name, func(t *testing.T) {
			raw := bytes(1, c.payload)
			require.Equal(t, c.readable, yardstick(raw).Readable)
			agree(t, raw)
		})
	}
}

// FuzzAgainstGenerated: the decoder reads of any envelope what the generated code reads.
func FuzzAgainstGenerated(f *testing.F) {
	real, err := blocktest.Load(captured)
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range []uint64{0, 2, 4, 7, 11} {
		f.Add(real.Block(n).Data.Data[0])
	}
	var chain blocktest.Chain
	f.Add(chain.Add(blocktest.Tx{Chaincode: "c", Namespaces: []blocktest.Namespace{{Name: "n", Collections: []*rwset.CollectionHashedReadWriteSet{{CollectionName: "c"}}}}}).Data.Data[0])
	f.Fuzz(agree)
}
