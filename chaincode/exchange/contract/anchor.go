package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func anchors() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.CreateAnchor, exchange.Anchor]{
			Name: exchange.AnchorCreate, Rule: ownService, In: exchange.Anchors,
			Doc:   "Anchors the next batch of a source of the caller's own dataset: the root of a Merkle tree over its records.",
			Taken: "this batch of the source is anchored with other content; if that is wrong, withdraw it and name it in replaces",
			Key:   func(_ access.Caller, r exchange.CreateAnchor) []string { return []string{r.ID()} },
			Make:  createAnchor,
		}),
		kernel.NewTransition(kernel.Transition[exchange.WithdrawAnchor, exchange.Anchor]{
			Name: exchange.AnchorWithdraw, Rule: ownService, In: exchange.Anchors,
			Doc: "Says that an anchor's records stand no more, and why.",
			Key: func(r exchange.WithdrawAnchor) []string { return []string{r.Anchor} },
			Apply: func(tx *kernel.Tx, a exchange.Anchor, r exchange.WithdrawAnchor) (exchange.Anchor, error) {
				a, event, err := a.Withdraw(tx.By, r)
				return a, announce(tx, event, err)
			},
		}),
	}
}

// createAnchor reads what an anchor names, in the order the reference page gives: dataset, the batch before it, the anchor
// it replaces.
func createAnchor(tx *kernel.Tx, id string, r exchange.CreateAnchor) (a exchange.Anchor, err error) {
	d, err := dataset(tx, "request.dataset", r.Dataset)
	if err != nil {
		return a, err
	}
	if r.Position > 1 {
		before := exchange.AnchorID(r.Dataset, r.Source, r.Position-1, r.Replaces)
		if _, err := get(tx, exchange.Anchors, "request.position", before); err != nil {
			return a, err
		}
	}
	var replaced *exchange.Anchor
	if r.Replaces != "" {
		other, err := get(tx, exchange.Anchors, "request.replaces", r.Replaces)
		if err != nil {
			return a, err
		}
		replaced = &other
	}
	series, _, err := exchange.AllSeries.Find(tx.Store, exchange.DatasetKey(r.Dataset)...)
	if err != nil {
		return a, err
	}
	a, series, event, err := r.Create(id, tx.By, d, series, replaced)
	if err != nil {
		return a, err
	}
	tx.Touch(&series.Head)
	if err := exchange.AllSeries.Put(tx.Store, series, exchange.DatasetKey(r.Dataset)...); err != nil {
		return a, err
	}
	return a, announce(tx, event, nil)
}
