package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/network/block"
)

// The peer's own chaincode for questions about the chain.
const (
	chainQueries = "qscc"
	chainInfo    = "GetChainInfo"
	chainBlock   = "GetBlockByNumber"
)

// NoEnd makes a range of blocks go on for ever: as blocks are committed, they come.
const NoEnd = math.MaxUint64

var _ follow.Source = (*Ledger)(nil)

// Tip is the last block the organisation's own peer has committed.
func (l *Ledger) Tip(ctx context.Context) (block.Ref, error) {
	raw, err := l.evaluate(ctx, l.reader.Get(), chainQueries, chainInfo, []byte(l.channel))
	if err != nil {
		return block.Ref{}, err
	}
	var info common.BlockchainInfo
	if err := proto.Unmarshal(raw, &info); err != nil || info.GetHeight() == 0 {
		return block.Ref{}, fmt.Errorf("ledger: the peer's answer about the chain cannot be read")
	}
	return block.Ref{Number: info.GetHeight() - 1, Hash: info.GetCurrentBlockHash()}, nil
}

// Block is one block as the organisation's own peer has it.
func (l *Ledger) Block(ctx context.Context, number uint64) (*common.Block, error) {
	raw, err := l.evaluate(ctx, l.reader.Get(), chainQueries, chainBlock, []byte(l.channel), []byte(strconv.FormatUint(number, 10)))
	if err != nil {
		return nil, err
	}
	b := new(common.Block)
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%w: %w", block.ErrMalformed, err)
	}
	return b, nil
}

// Blocks reads blocks from the organisation's own peer in order, from the first to the last number given; with NoEnd it
// goes on as blocks are committed. When another of the organisation's peers takes over, it goes on there, with the next
// block. A range that ends early yields an error last.
func (l *Ledger) Blocks(ctx context.Context, from, to uint64) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		for {
			at := l.peers.now.Load()
			next, err := l.read(ctx, at, from, to, yield)
			if err == nil {
				return
			}
			if from = next; !l.peers.left(ctx, at) {
				yield(nil, err)
				return
			}
		}
	}
}

// read yields the blocks that one peer gives while it is used. next is the block to go on with after an error.
func (l *Ledger) read(ctx context.Context, at *tenure, from, to uint64, yield func(*common.Block, error) bool) (next uint64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(at.over, cancel)()
	stream, err := l.deliver(ctx, at, from)
	if err != nil {
		return from, err
	}
	for {
		b, err := receive(stream)
		if err != nil {
			return from, err
		}
		number := b.GetHeader().GetNumber()
		from = number + 1
		l.peers.following(from)
		if !yield(b, nil) || number >= to {
			return from, nil
		}
	}
}

// deliver opens a block stream. The client library builds the request; the stream is read here, because the library's
// own reader keeps the reason of a stream's end to itself.
func (l *Ledger) deliver(ctx context.Context, at *tenure, from uint64) (peer.Deliver_DeliverClient, error) {
	reader := l.reader.Get()
	request, err := reader.network.NewBlockEventsRequest(client.WithStartBlock(from))
	if err != nil {
		return nil, err
	}
	raw, err := request.Bytes()
	if err != nil {
		return nil, err
	}
	var envelope common.Envelope
	if err := proto.Unmarshal(raw, &envelope); err != nil {
		return nil, err
	}
	if envelope.Signature, err = reader.sign(request.Digest()); err != nil {
		return nil, err
	}
	stream, err := peer.NewDeliverClient(at.pool).Deliver(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&envelope); err != nil && !errors.Is(err, io.EOF) { // on EOF, receiving tells the reason
		return nil, err
	}
	return stream, nil
}

func receive(stream peer.Deliver_DeliverClient) (*common.Block, error) {
	response, err := stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the peer ended the block stream")
	case err != nil:
		return nil, err
	}
	if b := response.GetBlock(); b.GetHeader() != nil {
		return b, nil
	}
	return nil, fmt.Errorf("the peer refused the block stream: %s", response.GetStatus())
}
