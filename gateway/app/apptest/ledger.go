package apptest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
	"github.com/hutong-gov/hutong/network/statement/statementtest"
)

// Ledger is a gateway's way to the ledger in memory. Before, if set, is called before every write with its function, and
// can make it fail or leave its outcome unknown.
type Ledger struct {
	Before func(function string) error
	Writes int // that were committed and not replayed

	// Dry makes writes be endorsed and go no further: they end with ErrDry, and Endorsed counts them.
	Dry      bool
	Endorsed int

	// Seen, if set, is given every answer to a read, and can make it that of a peer that is a block behind.
	Seen func(function string, answer any)

	city *City
}

// ErrLost makes a write be carried out and its outcome be unknown, when Before returns it.
var ErrLost = errors.New("the answer was lost")

// ErrDry says that a contract accepted a write, which was not carried out.
var ErrDry = errors.New("the write was only endorsed")

// Submit implements app.Ledger.
func (l *Ledger) Submit(ctx context.Context, as ledger.Signer, chaincode, function string, command kernel.Command) (ledger.Outcome, error) {
	raw, err := json.Marshal(command)
	if err != nil {
		return ledger.Outcome{}, err
	}
	outcomes, err := l.submit(ctx, as, chaincode, function, raw, nil, one)
	if err != nil {
		return ledger.Outcome{}, err
	}
	return outcomes[0], nil
}

// one reads the answer to one command.
func one(answer []byte) ([]kernel.Outcome, error) {
	var receipt kernel.Receipt
	err := json.Unmarshal(answer, &receipt)
	return []kernel.Outcome{{Receipt: &receipt}}, err
}

// SubmitPrivate implements app.Ledger.
func (l *Ledger) SubmitPrivate(ctx context.Context, as ledger.Signer, chaincode, function string, command kernel.Command, beside ledger.Private) (ledger.Outcome, error) {
	raw, err := json.Marshal(command)
	if err != nil {
		return ledger.Outcome{}, err
	}
	outcomes, err := l.submit(ctx, as, chaincode, function, raw, beside.Transient, one)
	if err != nil {
		return ledger.Outcome{}, err
	}
	return outcomes[0], nil
}

// SubmitBatch implements app.Ledger.
func (l *Ledger) SubmitBatch(ctx context.Context, as ledger.Signer, chaincode string, batch kernel.Batch) ([]ledger.Outcome, error) {
	raw, err := json.Marshal(batch)
	if err != nil {
		return nil, err
	}
	return l.submit(ctx, as, chaincode, kernel.BatchFunction, raw, nil, func(answer []byte) ([]kernel.Outcome, error) {
		var outcomes kernel.Outcomes
		err := json.Unmarshal(answer, &outcomes)
		return outcomes.Outcomes, err
	})
}

func (l *Ledger) submit(ctx context.Context, as ledger.Signer, chaincode, function string, argument []byte, transient map[string][]byte, read func([]byte) ([]kernel.Outcome, error)) ([]ledger.Outcome, error) {
	var lost error
	if l.Before != nil {
		if lost = l.Before(function); lost != nil && !errors.Is(lost, ErrLost) {
			return nil, lost
		}
	}
	if access.MSPOf(as.Agency) == "AuditMSP" { // not among the channel's writers
		return []ledger.Outcome{{State: ledger.Rejected, Fault: fault.New(fault.Internal, ledger.ReasonUnorderable, "")}}, nil
	}
	l.city.mu.Lock()
	defer l.city.mu.Unlock()
	origin := blocktest.Tx{Nonce: blocktest.Nonce(), Creator: blocktest.Identity(access.MSPOf(as.Agency), code(as.Agency), string(as.Role))}
	id := block.TransactionID(origin.Nonce, origin.Creator)
	l.city.Ledger.Name(hex.EncodeToString(id[:]))
	tx, err := l.city.Ledger.As(as.Agency, as.Role).With(transient).EndorseRaw(chaincode, []byte(function), argument)
	if f := new(fault.Fault); errors.As(err, &f) {
		return []ledger.Outcome{{State: ledger.Rejected, Fault: f}}, nil
	}
	if err != nil {
		return nil, err
	}
	answers, err := read(tx.Payload)
	if err != nil {
		return nil, err
	}
	if l.Dry {
		for _, a := range answers {
			if a.Fault != nil {
				return []ledger.Outcome{{State: ledger.Rejected, Fault: a.Fault}}, nil
			}
		}
		l.Endorsed++
		return nil, ErrDry
	}
	var number uint64
	if len(tx.Writes()) > 0 { // a replay is not ordered
		if err := tx.Commit(); err != nil {
			return nil, err
		}
		l.city.Ledger.Advance(tick)
		l.Writes++
		if number, err = l.city.blockOf(ctx, origin); err != nil {
			return nil, err
		}
	}
	by, async := ledger.AnswerBy(ctx)
	async = async && !time.Now().Before(by) && number > 0
	if lost != nil {
		return []ledger.Outcome{{State: ledger.Unknown, Tx: tx.ID}}, nil
	}
	outcomes := make([]ledger.Outcome, len(answers))
	for i, a := range answers {
		if a.Fault != nil {
			outcomes[i] = ledger.Outcome{State: ledger.Rejected, Tx: tx.ID, Fault: a.Fault}
			continue
		}
		outcomes[i] = ledger.Outcome{State: ledger.Committed, Tx: a.Receipt.Tx, Block: number, Receipt: *a.Receipt}
		if a.Receipt.Replayed {
			first, _, err := l.city.Projection.Store().Transaction(ctx, a.Receipt.Tx)
			if err != nil {
				return nil, err
			}
			outcomes[i].Block = first.Block
		}
		if async && !a.Receipt.Replayed { // its block comes at once; who did not want to wait does not learn of it
			outcomes[i].State, outcomes[i].Block = ledger.Pending, 0
		}
	}
	return outcomes, nil
}

// code is an agency's code within its organisation.
func code(agency string) string {
	_, code, _ := strings.Cut(agency, ".")
	return code
}

// Awaited implements app.Ledger: blocks come at once.
func (l *Ledger) Awaited(string) bool { return false }

// Evaluate implements app.Ledger.
func (l *Ledger) Evaluate(_ context.Context, as ledger.Signer, chaincode, function string, request, answer any) error {
	l.city.mu.Lock()
	defer l.city.mu.Unlock()
	err := l.city.Ledger.As(as.Agency, as.Role).On(chaincode).Query(function, request, answer)
	if err == nil && l.Seen != nil {
		l.Seen(function, answer)
	}
	return err
}

// Attest implements app.Ledger: the organisations of the city endorse what the contract answers.
func (l *Ledger) Attest(_ context.Context, chaincode, function string, request any) ([]byte, error) {
	argument, err := canonical.Marshal(request)
	if err != nil {
		return nil, err
	}
	l.city.mu.Lock()
	defer l.city.mu.Unlock()
	var answer json.RawMessage
	if err := l.city.Ledger.As("services.hall", access.Portal).On(chaincode).Query(function, request, &answer); err != nil {
		return nil, err
	}
	tip, err := l.city.chain.Tip(context.Background())
	if err != nil {
		return nil, err
	}
	return statementtest.Endorse(statementtest.Answer{
		Channel: ledgertest.Channel, Chaincode: chaincode, Function: function, Request: argument, Payload: answer, At: l.city.Ledger.Now(), Block: tip.Number,
	}, l.city.peers()...), nil
}

// blockOf makes the last block of the ledger, of one transaction, into one as a peer gives it, and folds it.
func (c *City) blockOf(ctx context.Context, origin blocktest.Tx) (uint64, error) {
	blocks := c.Ledger.Blocks()
	last := blocks[len(blocks)-1].Transactions
	if len(last) != 1 {
		return 0, fmt.Errorf("a block of %d transactions", len(last))
	}
	b := c.chain.Add(transaction(last[0], origin))
	return b.GetHeader().GetNumber(), c.follow(ctx)
}

func transaction(t ledgertest.Transaction, tx blocktest.Tx) blocktest.Tx {
	tx.Chaincode, tx.Args = t.Chaincode, t.Args
	for _, w := range t.Writes {
		if w.Collection != "" { // the projection has no use for hashes
			continue
		}
		if n := len(tx.Namespaces); n == 0 || tx.Namespaces[n-1].Name != w.Namespace {
			tx.Namespaces = append(tx.Namespaces, blocktest.Namespace{Name: w.Namespace})
		}
		last := &tx.Namespaces[len(tx.Namespaces)-1]
		last.Writes = append(last.Writes, &kvrwset.KVWrite{Key: w.Key, Value: w.Value, IsDelete: w.Delete})
	}
	if t.Event != nil {
		tx.Event = &peer.ChaincodeEvent{ChaincodeId: t.Event.Chaincode, EventName: t.Event.Name, Payload: t.Event.Payload}
	}
	return tx
}

func (c *City) apply(ctx context.Context, from, to uint64) error {
	var decoder block.Decoder
	for n := from; n <= to; n++ {
		decoded, err := decoder.Decode(c.chain.Block(n))
		if err != nil {
			return err
		}
		if err := c.Projection.Apply(ctx, []block.Block{decoded}); err != nil {
			return err
		}
	}
	return nil
}

// Asked is what a consumer's gateway sent to the provider's to have a use delivered.
func (c *City) Asked(use string) (app.Delivery, bool) {
	found, ok := c.asked.Load(use)
	if !ok {
		return app.Delivery{}, false
	}
	return found.(app.Delivery), true
}

// peers reach the other gateways' applications without HTTP.
type peers struct{ city *City }

func (p peers) Sealed(ctx context.Context, msp, commitment, agency string) (seal.Envelope, error) {
	to := p.city.Gateways[access.Organisation(msp)]
	return to.App.Sealed(ctx, app.Actor{Role: app.Public}, app.SealedBy{Commitment: commitment, Agency: agency})
}

func (p peers) Deliver(ctx context.Context, msp, use string, selector app.Delivery) (seal.Envelope, error) {
	to := p.city.Gateways[access.Organisation(msp)]
	p.city.asked.Store(use, selector)
	return to.App.Deliver(ctx, app.Actor{Role: app.Public}, app.Deliver{ID: use, Delivery: selector})
}

func (p peers) DemandOpening(ctx context.Context, msp, use string) (app.Opened, error) {
	to := p.city.Gateways[access.Organisation(msp)]
	return to.App.DemandOpening(ctx, app.Actor{Role: app.Public}, app.DemandOpening{ID: use})
}

func (p peers) Chunk(ctx context.Context, msp, use, stream string, number int) (app.SealedChunk, error) {
	to := p.city.Gateways[access.Organisation(msp)]
	return to.App.Chunk(ctx, app.Actor{Role: app.Public}, app.ChunkOf{ID: use, Stream: stream, Number: number})
}

// Entered is what a window's gateway sent to the citizens' to have the digits of a code judged.
func (c *City) Entered(code string) (app.Opening, bool) {
	found, ok := c.asked.Load("code/" + code)
	if !ok {
		return app.Opening{}, false
	}
	return found.(app.Opening), true
}

func (p peers) OpenCode(ctx context.Context, msp, code string, opening app.Opening) (seal.Envelope, error) {
	to := p.city.Gateways[access.Organisation(msp)]
	p.city.asked.Store("code/"+code, opening)
	return to.App.OpenCode(ctx, app.Actor{Role: app.Public}, app.OpenCode{ID: code, Opening: opening})
}
