package exchange

import (
	"slices"
	"time"
)

// ReceiptPeriod is how long after a delivery its receipt is due. A receipt that comes later is taken all the same.
const ReceiptPeriod = 24 * time.Hour

// What of a use is overdue.
const (
	OverdueDelivery = "delivery" // not delivered by deliver_until, whether or not a preview was prepared or released
	OverdueReceipt  = "receipt"  // delivered, and not acknowledged within ReceiptPeriod
	OverdueOpening  = "opening"  // sealed, and not opened at its date
)

// Awaited are the statuses of a use that is to be delivered.
var Awaited = []string{Requested, Prepared, Released}

// Overdue says what should have happened to a use by a time and did not; empty: nothing.
func (u Use) Overdue(at time.Time) string {
	if u.Secret() && !at.Before(u.Seal.OpensAt) {
		return OverdueOpening
	}
	switch u = u.Lifted(); {
	case slices.Contains(Awaited, u.Status) && at.After(u.Until):
		return OverdueDelivery
	case u.Status == Delivered && at.After(u.LastChange().At.Add(ReceiptPeriod)):
		return OverdueReceipt
	}
	return ""
}
