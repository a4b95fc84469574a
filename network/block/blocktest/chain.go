// Package blocktest makes blocks as a peer would give them, for the tests of what reads blocks: whole envelopes with
// certificates, endorsements, write sets and events, linked by their hashes.
package blocktest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"iter"
	"math/big"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hutong-gov/hutong/network/block"
)

// Channel is the channel of every chain made here.
const Channel = "government"

// Start is the time of the first transaction of a chain; each later one is a second after.
var Start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// Chain is a growing list of linked blocks. The zero value has none. Safe for concurrent use.
type Chain struct {
	mu     sync.Mutex
	blocks []*common.Block
	count  int // transactions so far
	grown  chan struct{}
}

// Tx is a transaction to be made. Empty fields get a default.
type Tx struct {
	Nonce      []byte // empty: a fresh one
	Creator    []byte // serialized identity; Identity makes one
	Endorsers  [][]byte
	Chaincode  string
	Args       [][]byte
	Response   []byte
	Namespaces []Namespace
	Event      *peer.ChaincodeEvent
	Code       peer.TxValidationCode
	Config     bool   // a configuration instead of a call
	Raw        []byte // exactly these bytes instead of an envelope
}

// Namespace is a write set.
type Namespace struct {
	Name        string
	Reads       []*kvrwset.KVRead
	Writes      []*kvrwset.KVWrite
	Guards      []*kvrwset.KVMetadataWrite
	Collections []*rwset.CollectionHashedReadWriteSet
}

// Read is a read of a key as a block's transaction left it.
func Read(key string, block, transaction uint64) *kvrwset.KVRead {
	return &kvrwset.KVRead{Key: key, Version: &kvrwset.Version{BlockNum: block, TxNum: transaction}}
}

// Put is a write of a value.
func Put(key string, value any) *kvrwset.KVWrite {
	return &kvrwset.KVWrite{Key: key, Value: must(json.Marshal(value))}
}

// Delete is the removal of a key.
func Delete(key string) *kvrwset.KVWrite { return &kvrwset.KVWrite{Key: key, IsDelete: true} }

// Add appends a block with the given transactions and returns it. The chain keeps the block itself: changing it changes
// the chain.
func (c *Chain) Add(txs ...Tx) *common.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &common.Block{Header: &common.BlockHeader{Number: uint64(len(c.blocks))}, Data: &common.BlockData{}}
	if n := len(c.blocks); n > 0 {
		b.Header.PreviousHash = block.HeaderHash(c.blocks[n-1].Header)
	}
	flags := make([]byte, len(txs))
	for i, tx := range txs {
		raw := tx.Raw
		if raw == nil {
			raw = envelope(tx, Start.Add(time.Duration(c.count)*time.Second))
		}
		c.count++
		b.Data.Data = append(b.Data.Data, raw)
		flags[i] = byte(tx.Code)
	}
	b.Header.DataHash = block.DataHash(b.Data)
	b.Metadata = &common.BlockMetadata{Metadata: make([][]byte, len(common.BlockMetadataIndex_name))}
	b.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = flags
	c.grow(b)
	return b
}

// Copy appends a block of another chain as it is.
func (c *Chain) Copy(b *common.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grow(b)
}

func (c *Chain) grow(b *common.Block) {
	c.blocks = append(c.blocks, b)
	if c.grown != nil {
		close(c.grown)
		c.grown = nil
	}
}

// Block is one block of the chain.
func (c *Chain) Block(number uint64) *common.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks[number]
}

// Tip is the last block.
func (c *Chain) Tip(context.Context) (block.Ref, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.blocks) == 0 {
		return block.Ref{}, errors.New("the chain is empty")
	}
	last := c.blocks[len(c.blocks)-1]
	return block.Ref{Number: last.Header.Number, Hash: block.HeaderHash(last.Header)}, nil
}

// Blocks gives blocks in order and waits for those that are not there yet, as a peer does.
func (c *Chain) Blocks(ctx context.Context, from, to uint64) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		for n := from; n <= to; n++ {
			b, err := c.wait(ctx, n)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (c *Chain) wait(ctx context.Context, n uint64) (*common.Block, error) {
	for {
		c.mu.Lock()
		if n < uint64(len(c.blocks)) {
			defer c.mu.Unlock()
			return c.blocks[n], nil
		}
		if c.grown == nil {
			c.grown = make(chan struct{})
		}
		grown := c.grown
		c.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Nonce makes the random part of a transaction's id.
func Nonce() []byte {
	nonce := make([]byte, 24)
	must(rand.Read(nonce))
	return nonce
}

// envelope builds a transaction from the inside out.
func envelope(tx Tx, at time.Time) []byte {
	creator := tx.Creator
	if creator == nil {
		creator = Identity("ServicesMSP", "hall", "portal")
	}
	nonce := tx.Nonce
	if nonce == nil {
		nonce = Nonce()
	}
	digest := block.TransactionID(nonce, creator)
	id, kind, data := hex.EncodeToString(digest[:]), common.HeaderType_ENDORSER_TRANSACTION, []byte(nil)
	if tx.Config {
		id, kind = "", common.HeaderType_CONFIG
		data = marshal(&common.ConfigEnvelope{Config: &common.Config{Sequence: 1}})
	} else {
		data = transaction(tx, id)
	}
	return marshal(&common.Envelope{Payload: marshal(&common.Payload{
		Header: &common.Header{
			ChannelHeader:   marshal(&common.ChannelHeader{Type: int32(kind), ChannelId: Channel, TxId: id, Timestamp: timestamppb.New(at)}),
			SignatureHeader: marshal(&common.SignatureHeader{Creator: creator, Nonce: nonce}),
		},
		Data: data,
	})})
}

func transaction(tx Tx, id string) []byte {
	results := &rwset.TxReadWriteSet{}
	for _, n := range tx.Namespaces {
		results.NsRwset = append(results.NsRwset, &rwset.NsReadWriteSet{
			Namespace: n.Name, Rwset: marshal(&kvrwset.KVRWSet{Reads: n.Reads, Writes: n.Writes, MetadataWrites: n.Guards}), CollectionHashedRwset: n.Collections,
		})
	}
	action := &peer.ChaincodeAction{Results: marshal(results), Response: &peer.Response{Status: 200, Payload: tx.Response}}
	if tx.Event != nil {
		tx.Event.TxId = id
		action.Events = marshal(tx.Event)
	}
	endorsed := &peer.ChaincodeEndorsedAction{ProposalResponsePayload: marshal(&peer.ProposalResponsePayload{Extension: marshal(action)})}
	for _, e := range tx.Endorsers {
		endorsed.Endorsements = append(endorsed.Endorsements, &peer.Endorsement{Endorser: e})
	}
	spec := &peer.ChaincodeSpec{ChaincodeId: &peer.ChaincodeID{Name: tx.Chaincode}, Input: &peer.ChaincodeInput{Args: tx.Args}}
	payload := &peer.ChaincodeActionPayload{
		ChaincodeProposalPayload: marshal(&peer.ChaincodeProposalPayload{Input: marshal(&peer.ChaincodeInvocationSpec{ChaincodeSpec: spec})}),
		Action:                   endorsed,
	}
	return marshal(&peer.Transaction{Actions: []*peer.TransactionAction{{Payload: marshal(payload)}}})
}

var (
	identitiesMu sync.Mutex
	identities   = map[[3]string][]byte{}
)

// Identity is a serialized identity whose certificate carries an agency and a role, where they are not empty. The same
// arguments give the same identity.
func Identity(mspID, agency, role string) []byte {
	identitiesMu.Lock()
	defer identitiesMu.Unlock()
	name := [3]string{mspID, agency, role}
	if id, ok := identities[name]; ok {
		return id
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(identities) + 1)), Subject: pkix.Name{CommonName: agency + "-" + role},
		NotBefore: Start.Add(-time.Hour), NotAfter: Start.AddDate(1, 0, 0),
	}
	if agency != "" {
		attrs := must(json.Marshal(map[string]map[string]string{"attrs": {"agency": agency, "role": role}}))
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}, Value: attrs}}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	identities[name] = marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: certificate})
	return identities[name]
}

func marshal(m proto.Message) []byte { return must(proto.Marshal(m)) }

// must panics on an error: what is made here is made of constants.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
