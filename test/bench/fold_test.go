package bench_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

// The chain that is followed: as many blocks as make the tables' random indexes span many pages.
const (
	foldBlocks  = 200
	foldPerPart = 100 // transactions in a block, or commands in its only one
)

// BenchmarkFold is what a gateway spends on a transaction that it did not send: from the bytes of the block stream to the
// tables, one block a time as under steady load. cpu-µs/tx is processor time of the whole process, garbage collection
// included, and is the figure to compare; the clock also counts the disk.
func BenchmarkFold(b *testing.B) {
	for _, kind := range []struct {
		name string
		make func(number int) blocktest.Tx
		txs  int // in a block
	}{{"issue", issued, foldPerPart}, {"gathered", gathered, 1}, {"foreign", foreign, foldPerPart}} {
		stream, raw := record(b, kind.make, kind.txs)
		b.Run(kind.name+"/whole", func(b *testing.B) {
			measure(b, func() func() {
				p, stop := empty(b)
				return func() { followAll(b, stream, p); stop() }
			})
		})
		b.Run(kind.name+"/receive", func(b *testing.B) {
			measure(b, func() func() { return func() { received(b, stream) } })
		})
		b.Run(kind.name+"/outcomes", func(b *testing.B) {
			measure(b, func() func() {
				return func() {
					for _, one := range raw {
						_, err := block.Outcomes(one)
						require.NoError(b, err)
					}
				}
			})
		})
		b.Run(kind.name+"/decode", func(b *testing.B) {
			measure(b, func() func() { return func() { decoded(b, raw) } })
		})
		b.Run(kind.name+"/fold", func(b *testing.B) {
			blocks := decoded(b, raw)
			measure(b, func() func() { return func() { folded(b, blocks) } })
		})
		b.Run(kind.name+"/store", func(b *testing.B) {
			rows := folded(b, decoded(b, raw))
			measure(b, func() func() {
				p, stop := empty(b)
				return func() {
					for _, one := range rows {
						require.NoError(b, p.Store().Apply(b.Context(), []store.Rows{one}))
					}
					stop()
				}
			})
		})
	}
}

// measure runs work over the whole chain and reports what a transaction, or a command where they are gathered, costs. prepare is not counted.
func measure(b *testing.B, prepare func() (work func())) {
	b.ReportAllocs()
	var spent time.Duration
	for range b.N {
		b.StopTimer()
		work := prepare()
		before := processorTime(b)
		b.StartTimer()
		work()
		b.StopTimer()
		spent += processorTime(b) - before
	}
	transactions := float64(b.N * foldBlocks * foldPerPart)
	b.ReportMetric(float64(spent.Nanoseconds())/1e3/transactions, "cpu-µs/tx")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/transactions, "µs/tx")
}

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// record makes the chain: as the peer's stream brings it, and opened.
func record(b *testing.B, make func(number int) blocktest.Tx, each int) (stream [][]byte, blocks []*common.Block) {
	var chain blocktest.Chain
	for n := range foldBlocks {
		var txs []blocktest.Tx
		for i := range each {
			txs = append(txs, make(n*each+i))
		}
		blocks = append(blocks, chain.Add(txs...))
		raw, err := proto.Marshal(&peer.DeliverResponse{Type: &peer.DeliverResponse_Block{Block: blocks[n]}})
		require.NoError(b, err)
		stream = append(stream, raw)
	}
	return stream, blocks
}

// issued is a transaction that issues one certificate, with the reads and writes that a peer shows.
func issued(number int) blocktest.Tx {
	const agency, licence = "market.regulation", "bench-licence"
	id, commitment := rand.Text(), strings.Repeat("0f", 32)
	stamp := state.Stamp{By: agency, Staff: "officer.regulation", At: blocktest.Start.Add(time.Duration(number) * time.Millisecond), Tx: strings.Repeat("ab", 32)}
	request := certificate.Issue{Type: licence, Subject: rand.Text(), From: blocktest.Start, Commitment: commitment}
	head := state.Head{ID: id, Status: certificate.Valid, First: certificate.Valid, Version: 1, Created: stamp, Changed: stamp, Digest: commitment}
	record := certificate.Certificate{Head: head, Type: request.Type, Issuer: agency, Subject: request.Subject, Commitment: commitment, From: request.From, Accreditation: 1}
	return blocktest.Tx{
		Creator: blocktest.Identity("MarketMSP", "regulation", "agency"), Endorsers: endorsers(), Chaincode: certificate.Name,
		Args:     [][]byte{[]byte(certificate.CertificateIssue), encoded(kernel.Command{IdempotencyKey: fmt.Sprintf("key-%d", number), Staff: stamp.Staff, Request: encoded(request)})},
		Response: encoded(kernel.Receipt{ID: id, Status: head.Status, Version: 1, At: stamp.At, Tx: stamp.Tx}),
		Namespaces: []blocktest.Namespace{
			{Name: "_lifecycle", Reads: []*kvrwset.KVRead{blocktest.Read("namespaces/fields/certificate/Sequence", 3, 0)}},
			{Name: certificate.Name,
				Reads:  []*kvrwset.KVRead{{Key: state.Key("certificate", id)}, blocktest.Read(state.Key("accreditation", licence, agency), 5, 0)},
				Writes: []*kvrwset.KVWrite{blocktest.Put(state.Key("certificate", id), record)}},
			{Name: "exchange", Reads: []*kvrwset.KVRead{blocktest.Read(state.Key("agency", agency), 4, 0)}},
		},
		Event: &peer.ChaincodeEvent{ChaincodeId: certificate.Name, EventName: kernel.EventName, Payload: encoded(kernel.Envelope{
			Version: kernel.EnvelopeVersion, Changes: []kernel.Change{{Type: "certificate.issued.v1", ID: id, Subject: request.Subject, Agency: agency}}})},
	}
}

// gathered is a transaction that a gateway under load sends: certificates as issued makes them, together.
func gathered(number int) blocktest.Tx {
	var tx blocktest.Tx
	var batch kernel.Batch
	var answer kernel.Outcomes
	envelope := kernel.Envelope{Version: kernel.EnvelopeVersion}
	for i := range foldPerPart {
		one := issued(number*foldPerPart + i)
		var command kernel.Command
		var receipt kernel.Receipt
		var changes kernel.Envelope
		for raw, into := range map[string]any{string(one.Args[1]): &command, string(one.Response): &receipt, string(one.Event.Payload): &changes} {
			if err := json.Unmarshal([]byte(raw), into); err != nil {
				panic(err)
			}
		}
		batch.Commands = append(batch.Commands, kernel.BatchCommand{Function: certificate.CertificateIssue, Command: command})
		answer.Outcomes = append(answer.Outcomes, kernel.Outcome{Receipt: &receipt})
		envelope.Changes = append(envelope.Changes, changes.Changes...)
		if i == 0 {
			tx = one
			continue
		}
		for n := range tx.Namespaces {
			tx.Namespaces[n].Reads = append(tx.Namespaces[n].Reads, one.Namespaces[n].Reads...)
			tx.Namespaces[n].Writes = append(tx.Namespaces[n].Writes, one.Namespaces[n].Writes...)
		}
	}
	tx.Args, tx.Response, tx.Event.Payload = [][]byte{[]byte(kernel.BatchFunction), encoded(batch)}, encoded(answer), encoded(envelope)
	return tx
}

// foreign is a transaction of a chaincode that is not of the house.
func foreign(number int) blocktest.Tx {
	key := fmt.Sprintf("key-%d", number)
	return blocktest.Tx{
		Creator: blocktest.Identity("MarketMSP", "regulation", "agency"), Endorsers: endorsers(), Chaincode: "baseline",
		Args: [][]byte{[]byte("Create"), []byte(key), []byte(strings.Repeat("v", 200))},
		Namespaces: []blocktest.Namespace{
			{Name: "_lifecycle", Reads: []*kvrwset.KVRead{blocktest.Read("namespaces/fields/baseline/Sequence", 3, 0)}},
			{Name: "baseline", Reads: []*kvrwset.KVRead{{Key: key}}, Writes: []*kvrwset.KVWrite{blocktest.Put(key, strings.Repeat("v", 200))}},
		},
	}
}

func endorsers() [][]byte {
	return [][]byte{blocktest.Identity("MarketMSP", "", ""), blocktest.Identity("PlanningMSP", "", "")}
}

func encoded(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// empty is a projection with nothing in it yet.
func empty(b *testing.B) (p *projection.Projection, stop func()) {
	p, err := projection.Open(b.Context(), databasetest.Chosen(b), 1, projection.Contracts())
	require.NoError(b, err)
	return p, func() { require.NoError(b, p.Close()) }
}

func received(b *testing.B, stream [][]byte) (blocks []*common.Block) {
	for _, raw := range stream {
		var response peer.DeliverResponse
		require.NoError(b, proto.Unmarshal(raw, &response))
		blocks = append(blocks, response.GetBlock())
	}
	return blocks
}

func decoded(b *testing.B, raw []*common.Block) (blocks []block.Block) {
	var decoder block.Decoder
	for _, one := range raw {
		d, err := decoder.Decode(one)
		require.NoError(b, err)
		blocks = append(blocks, d)
	}
	return blocks
}

func folded(b *testing.B, blocks []block.Block) (rows []store.Rows) {
	folder, err := projection.NewFolder(projection.Contracts())
	require.NoError(b, err)
	for _, one := range blocks {
		r, err := folder.Fold(one)
		require.NoError(b, err)
		require.Empty(b, r.Transactions[0].Malformed)
		rows = append(rows, r)
	}
	return rows
}

// followAll follows a recorded stream to its end.
func followAll(b *testing.B, stream [][]byte, p *projection.Projection) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	const oneAtATime = 1
	follower, err := follow.New(recorded(stream), follow.NewCommits(), p, oneAtATime, slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	require.NoError(b, err)
	ended := make(chan error, 1)
	go func() { ended <- follower.Run(ctx) }()
	require.NoError(b, p.Store().WaitBlock(ctx, foldBlocks-1))
	cancel()
	require.NoError(b, <-ended)
}

// recorded is a stream that was recorded; it waits where it ends.
type recorded [][]byte

func (r recorded) Tip(context.Context) (block.Ref, error) {
	var response peer.DeliverResponse
	err := proto.Unmarshal(r[len(r)-1], &response)
	head := response.GetBlock().GetHeader()
	return block.Ref{Number: head.GetNumber(), Hash: block.HeaderHash(head)}, err
}

func (r recorded) Blocks(ctx context.Context, from, _ uint64) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		for _, raw := range r[from:] {
			var response peer.DeliverResponse
			err := proto.Unmarshal(raw, &response)
			if !yield(response.GetBlock(), err) || err != nil {
				return
			}
		}
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}
