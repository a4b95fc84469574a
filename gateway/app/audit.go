package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/block"
)

// Chain is the channel's blocks as the organisation's own peer has them. An auditor's questions go there and not to the
// projection, which is only what this gateway made of them.
type Chain interface {
	Tip(ctx context.Context) (block.Ref, error)
	Block(ctx context.Context, number uint64) (*common.Block, error)
	Blocks(ctx context.Context, from, to uint64) iter.Seq2[*common.Block, error]
}

// MaxCheckedBlocks bounds one check of the chain through the gateway; hutong audit checks any range.
const MaxCheckedBlocks = 5000

// asAuditor is the auditor's identity of the actor's agency.
func (a *App) asAuditor(who Actor) (ledger.Signer, error) {
	if err := who.is(Auditor); err != nil {
		return ledger.Signer{}, err
	}
	return a.held(who.Agency, access.Auditor)
}

// ChannelInfo is GET /v1/audit/channel.
type ChannelInfo struct{}

// Channel is the head of the chain on the auditor's own peer.
type Channel struct {
	Channel string `json:"channel"`
	Height  uint64 `json:"height" doc:"How many blocks there are."`
	Last    uint64 `json:"last_block"`
	Hash    string `json:"current_hash" doc:"Hash of the last block; another organisation's peer must have the same at the same height."`
	AsOf    uint64 `json:"as_of_block" doc:"How far the projection is."`
}

// Head tells the height and the current hash.
func (a *App) Head(ctx context.Context, who Actor, _ ChannelInfo) (c Channel, err error) {
	if _, err := a.asAuditor(who); err != nil {
		return c, err
	}
	tip, err := a.Chain.Tip(ctx)
	if err != nil {
		return c, err
	}
	c = Channel{Channel: a.Channel, Height: tip.Number + 1, Last: tip.Number, Hash: hex.EncodeToString(tip.Hash)}
	c.AsOf, err = a.Store.Height(ctx)
	return c, err
}

// Blocks is GET /v1/audit/blocks.
type Blocks struct{ Paging }

// BlockSummary is a block without its transactions.
type BlockSummary struct {
	Number       uint64    `json:"number"`
	Hash         string    `json:"hash"`
	Previous     string    `json:"previous_hash"`
	DataHash     string    `json:"data_hash"`
	Transactions int       `json:"transactions"`
	Valid        int       `json:"valid"`
	At           time.Time `json:"at" doc:"The latest of its transactions' timestamps, which are claims."`
}

// Blocks lists blocks, newest first.
func (a *App) Blocks(ctx context.Context, who Actor, req Blocks) (page Page[BlockSummary], err error) {
	if _, err := a.asAuditor(who); err != nil {
		return page, err
	}
	if page.AsOf, err = a.wait(ctx, req.After); err != nil {
		return page, err
	}
	blocks, next, err := a.Store.Blocks(ctx, store.BlockQuery{PageSize: req.PageSize, PageToken: req.PageToken, Descending: true})
	if err != nil {
		return page, err
	}
	page.Next, page.Items = next, make([]BlockSummary, len(blocks))
	for i, b := range blocks {
		page.Items[i] = BlockSummary{b.Number, b.Hash, b.Previous, b.DataHash, b.Transactions, b.Valid, b.At}
	}
	return page, nil
}

// BlockByNumber is GET /v1/audit/blocks/{number}.
type BlockByNumber struct {
	Number uint64 `path:"number" json:"-"`
}

// Block shows one block of the auditor's own peer, decoded.
func (a *App) Block(ctx context.Context, who Actor, req BlockByNumber) (view BlockView, err error) {
	if _, err := a.asAuditor(who); err != nil {
		return view, err
	}
	return a.block(ctx, req.Number)
}

func (a *App) block(ctx context.Context, number uint64) (view BlockView, err error) {
	tip, err := a.Chain.Tip(ctx)
	if err != nil {
		return view, err
	}
	if number > tip.Number {
		return view, fault.New(fault.Missing, "block.missing", "the channel does not have this block yet").On("number", fmt.Sprintf("max:%d", tip.Number))
	}
	raw, err := a.Chain.Block(ctx, number)
	if err != nil {
		return view, err
	}
	var decoder block.Decoder
	decoded, err := decoder.Decode(raw)
	if err != nil {
		return view, err
	}
	return viewBlock(decoded), nil
}

// AuditedTransaction is GET /v1/audit/transactions/{id}.
type AuditedTransaction struct {
	After
	ID string `path:"id" json:"-" pattern:"^[0-9a-f]{64}$"`
}

// AuditedTransaction shows one transaction of the auditor's own peer, decoded. The projection only says where to look.
func (a *App) AuditedTransaction(ctx context.Context, who Actor, req AuditedTransaction) (view TransactionView, err error) {
	if _, err := a.asAuditor(who); err != nil {
		return view, err
	}
	if _, err := a.wait(ctx, req.After); err != nil {
		return view, err
	}
	found, exists, err := a.Store.Transaction(ctx, req.ID)
	if err == nil && !exists {
		err = missing("transaction", "id")
	}
	if err != nil {
		return view, err
	}
	b, err := a.block(ctx, found.Block)
	if err != nil {
		return view, err
	}
	at := slices.IndexFunc(b.Transactions, func(t TransactionView) bool { return t.ID == req.ID })
	if at < 0 {
		return view, fault.New(fault.Internal, "projection.differs", "the projection and the peer's blocks differ; rebuild the projection and check the chain")
	}
	return b.Transactions[at], nil
}

// History is GET /v1/audit/records/{noun}/{id}/history.
type History struct {
	Noun string `path:"noun" json:"-" max:"32" doc:"agency, dataset, grant, subject, consent, use, log, definition, case, task, type, accreditation, certificate."`
	ID   string `path:"id" json:"-" max:"256" doc:"The record's id; parts are joined with a slash, which is written %2F here."`
}

// Revisions are a record's states.
type Revisions struct {
	Noun  string                            `json:"noun"`
	ID    string                            `json:"id"`
	Items []state.Revision[json.RawMessage] `json:"items" doc:"Newest first, as the peer's history has them."`
}

// History tells every state a record has had, asked of the contract on the auditor's own peer.
func (a *App) History(ctx context.Context, who Actor, req History) (r Revisions, err error) {
	as, err := a.asAuditor(who)
	if err != nil {
		return r, err
	}
	contract, known := contractOf(req.Noun)
	if !known {
		return r, fault.New(fault.Missing, "noun.missing", "there are no such records").On("noun", "exists")
	}
	r = Revisions{Noun: req.Noun, ID: req.ID}
	err = a.Ledger.Evaluate(ctx, as, contract, req.Noun+":History", kernel.ByID{ID: req.ID}, &r.Items)
	return r, err
}

// contractOf finds the contract that keeps records of a noun.
func contractOf(noun string) (string, bool) {
	for _, c := range []struct {
		name        string
		collections []state.Collection
	}{{exchange.Name, exchange.Collections}, {collaboration.Name, collaboration.Collections}, {certificate.Name, certificate.Collections}} {
		if slices.ContainsFunc(c.collections, func(x state.Collection) bool { return x.Name() == noun }) {
			return c.name, true
		}
	}
	return "", false
}

// CheckChain is GET /v1/audit/chain-check.
type CheckChain struct {
	From *uint64 `query:"from" json:"-" doc:"First block; 0 if absent."`
	To   *uint64 `query:"to" json:"-" doc:"Last block; the last there is if absent."`
}

// ChainCheck is the result of checking the chain of hashes.
type ChainCheck struct {
	Intact bool         `json:"intact" doc:"Whether every block of the range passed every rule."`
	Report audit.Report `json:"report"`
	Rules  []audit.Rule `json:"rules" doc:"What was checked of each block, in this order."`
	Tip    string       `json:"tip_hash,omitempty" doc:"What the peer says its last block's hash is; present where the range ends there."`
	Agrees *bool        `json:"tip_agrees,omitempty" doc:"Whether that is the hash computed here."`
}

// CheckChain reads blocks from the auditor's own peer and computes the chain of hashes again, by code that shares nothing
// with what wrote or serves them.
func (a *App) CheckChain(ctx context.Context, who Actor, req CheckChain) (check ChainCheck, err error) {
	if _, err := a.asAuditor(who); err != nil {
		return check, err
	}
	tip, err := a.Chain.Tip(ctx)
	if err != nil {
		return check, err
	}
	from, to := uint64(0), tip.Number
	if req.From != nil {
		from = *req.From
	}
	if req.To != nil {
		to = *req.To
	}
	switch {
	case to > tip.Number:
		return check, fault.Field("query.to", fmt.Sprintf("max:%d", tip.Number), "name a block the channel has")
	case from > to:
		return check, fault.Field("query.from", "max:to", "let the range begin before it ends")
	case to-from >= MaxCheckedBlocks:
		return check, fault.Field("query.to", fmt.Sprintf("max_blocks:%d", MaxCheckedBlocks), "check the range in parts; each report's last_hash is the next one's anchor")
	}
	if check.Report, err = audit.Check(ctx, a.Chain, from, to, nil); err != nil {
		return check, err
	}
	check.Intact, check.Rules = check.Report.Intact(), audit.Rules
	if to == tip.Number {
		agrees := check.Intact && check.Report.LastHash == hex.EncodeToString(tip.Hash)
		check.Tip, check.Agrees = hex.EncodeToString(tip.Hash), &agrees
	}
	return check, nil
}
