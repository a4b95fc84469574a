package exchange

import (
	"cmp"
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

// Missing is all that can be overdue.
var Missing = []string{OverdueDelivery, OverdueReceipt, OverdueOpening}

// Debt is what one agency owes another by a time: uses of its data that it has not delivered, deliveries that it has not
// acknowledged, or sealed uses that it has not opened, which it owes their subjects.
type Debt struct {
	Agency  string    `json:"agency"`          // who should have done it
	Other   string    `json:"other,omitempty"` // to whom; empty: to the subjects
	Missing string    `json:"missing"`         // what is overdue
	Uses    int64     `json:"uses"`            // of how many uses
	Since   time.Time `json:"since"`           // when the oldest of them was due
}

// Owed is what the use's agencies owe each other by a time; ok is false where nothing is overdue.
func (u Use) Owed(at time.Time) (d Debt, ok bool) {
	switch u.Overdue(at) {
	case OverdueDelivery:
		return Debt{u.Provider, u.Consumer, OverdueDelivery, 1, u.Until}, true
	case OverdueReceipt:
		return Debt{u.Consumer, u.Provider, OverdueReceipt, 1, u.LastChange().At.Add(ReceiptPeriod)}, true
	case OverdueOpening:
		return Debt{u.Consumer, "", OverdueOpening, 1, u.Seal.OpensAt}, true
	}
	return d, false
}

// Debts are sums of debts, by who owes what to whom. The zero value has none.
type Debts struct{ sums map[owing]Debt }

type owing struct{ agency, missing, other string }

// Add adds to the sum of its kind.
func (s *Debts) Add(d Debt) {
	if s.sums == nil {
		s.sums = map[owing]Debt{}
	}
	key := owing{d.Agency, d.Missing, d.Other}
	if sum, found := s.sums[key]; found {
		d.Uses += sum.Uses
		if sum.Since.Before(d.Since) {
			d.Since = sum.Since
		}
	}
	s.sums[key] = d
}

// List gives the sums in order of who owes what to whom.
func (s *Debts) List() []Debt {
	list := make([]Debt, 0, len(s.sums))
	for _, d := range s.sums {
		list = append(list, d)
	}
	slices.SortFunc(list, func(x, y Debt) int {
		return cmp.Or(cmp.Compare(x.Agency, y.Agency), cmp.Compare(x.Missing, y.Missing), cmp.Compare(x.Other, y.Other))
	})
	return list
}
