package follow

import (
	"slices"
	"time"

	"github.com/hutong-gov/hutong/network/block"
)

// traceReceived goes on with the traces of a block's transactions; those of invalid ones end here.
func (f *Follower) traceReceived(number uint64, outcomes []block.Outcome) {
	if !f.commits.Journeys.Any() {
		return
	}
	for _, o := range outcomes {
		if o.Code != block.Valid {
			f.commits.Journeys.Drop(o.ID)
			continue
		}
		f.commits.Journeys.Received(o.ID, number)
	}
}

// traceApplied ends the traces of what can be read now. began is when applying the blocks began.
func (f *Follower) traceApplied(blocks []block.Block, began time.Time) {
	if !f.commits.Journeys.Any() {
		return
	}
	for _, b := range blocks {
		for _, tx := range b.Transactions {
			f.commits.Journeys.Projected(tx.ID, began, announced(tx)...)
		}
	}
}

// announced are the types of a transaction's changes.
func announced(tx block.Transaction) (types []string) {
	if tx.Event == nil || tx.Event.Envelope == nil {
		return nil
	}
	for _, c := range tx.Event.Envelope.Changes {
		if !slices.Contains(types, c.Type) {
			types = append(types, c.Type)
		}
	}
	return types
}
