package app

import (
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/store"
)

// late selects the uses to which something should have happened and did not (exchange.Use.Overdue): both sides see their
// own, auditors all.
func (a *App) late(req Uses, q *store.Query) error {
	if req.Status != "" {
		return fault.Field("query.late", "without:status", "what is late has one status; leave status out")
	}
	q.Numbered = true // these have an index by status
	switch req.Late {
	case exchange.OverdueDelivery:
		q.OneOf, q.CreatedBefore = exchange.Awaited, a.now().Add(-exchange.DeliveryPeriod)
	case exchange.OverdueReceipt:
		q.Status, q.ChangedBefore = exchange.Delivered, a.now().Add(-exchange.ReceiptPeriod)
	}
	return nil
}
