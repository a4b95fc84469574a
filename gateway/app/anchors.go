package app

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
	"github.com/hutong-gov/hutong/gateway/store"
)

// CreateAnchor is POST /v1/anchors.
type CreateAnchor struct {
	Keyed
	exchange.CreateAnchor
}

// CreateAnchor anchors a batch of records of a dataset of the officer's agency. The records are not sent, only the root of
// the tree over them.
func (a *App) CreateAnchor(ctx context.Context, who Actor, req CreateAnchor) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	if err := req.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.AnchorCreate, req.Keyed, req.CreateAnchor)
}

// WithdrawAnchor is PUT /v1/anchors/{id}/withdrawal.
type WithdrawAnchor struct {
	Keyed
	ID     string `path:"id" json:"-"`
	Reason string `json:"reason" min:"1" max:"64" doc:"A code."`
}

// WithdrawAnchor says that the records of an anchor of the officer's agency stand no more.
func (a *App) WithdrawAnchor(ctx context.Context, who Actor, req WithdrawAnchor) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.WithdrawAnchor{Anchor: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "anchor", "id")
	}
	return a.write(ctx, who, as, exchange.Name, exchange.AnchorWithdraw, req.Keyed, request)
}

// Anchors is GET /v1/anchors.
type Anchors struct {
	Listing
	Dataset string `query:"dataset" json:"-" max:"128" doc:"Only anchors of this dataset."`
	Status  string `query:"status" json:"-" enum:"anchored,withdrawn" doc:"Only anchors of this status."`
}

// Anchors lists what agencies have anchored: roots and numbers, never records. Anybody may ask.
func (a *App) Anchors(ctx context.Context, _ Actor, req Anchors) (Records[exchange.Anchor], error) {
	return records[exchange.Anchor](ctx, a, req.Listing, store.Query{Noun: exchange.Anchors.Noun, Kind: req.Dataset, Status: req.Status})
}

// AnchorByID is GET /v1/anchors/{id}.
type AnchorByID struct {
	After
	ID string `path:"id" json:"-"`
}

// Anchor is one anchor. Anybody may ask.
func (a *App) Anchor(ctx context.Context, _ Actor, req AnchorByID) (Item[exchange.Anchor], error) {
	return one[exchange.Anchor](ctx, a, req.After, exchange.Anchors.Noun, req.ID, "id")
}

// VerifyInclusion is POST /v1/anchors/{id}/verification.
type VerifyInclusion struct {
	ID string `path:"id" json:"-"`
	inclusion.Proof
}

// Inclusion is what a proof shows. The two findings are never merged into one.
type Inclusion struct {
	Included bool            `json:"included" doc:"The record is in the batch whose root the ledger has."`
	Stands   bool            `json:"stands" doc:"The anchor has not been withdrawn."`
	Anchor   exchange.Anchor `json:"anchor" doc:"As the ledger has it: who anchored, when, and why it was withdrawn if it was."`
	AsOf     uint64          `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// VerifyInclusion judges the proof of one record by the root on the ledger. Nothing is kept of it. Anybody may ask.
func (a *App) VerifyInclusion(ctx context.Context, _ Actor, req VerifyInclusion) (answer Inclusion, err error) {
	if err := req.Validate(); err != nil {
		return answer, err
	}
	found, err := one[exchange.Anchor](ctx, a, After{}, exchange.Anchors.Noun, req.ID, "id")
	if err != nil {
		return answer, err
	}
	answer.Anchor, answer.AsOf, answer.Stands = found.Item, found.AsOf, found.Item.Status == exchange.Anchored
	answer.Included, err = req.Proof.In(found.Item)
	return answer, err
}
