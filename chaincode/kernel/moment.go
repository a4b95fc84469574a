package kernel

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Moment is when a command is judged: the time that its transaction claims, held against the clock of the endorser that
// judges it. What is over, or has not begun, by either of the two does not hold. So nobody gains by claiming a time of their
// choice within MaxSkew.
//
// Only the claim is written. Where the clock alone decided, the endorser refuses the transaction whole (ReasonOutOfTime),
// whatever came of its commands: two endorsers whose clocks differ may differ in whether they endorse, never in what.
type Moment struct {
	At      time.Time // the transaction's timestamp: what may be written
	clock   time.Time // zero: nobody's
	decided *bool     // set where the clock and the claim differ
}

// At is a moment that no endorser's clock is held against: a time of the past, a question about one, a judgement off the ledger.
func At(t time.Time) Moment { return Moment{At: t} }

// Over says whether something has ended whose first moment after it is end.
func (m Moment) Over(end time.Time) bool {
	return m.either(func(t time.Time) bool { return !t.Before(end) })
}

// Past says whether something has ended whose last moment is last.
func (m Moment) Past(last time.Time) bool {
	return m.either(func(t time.Time) bool { return t.After(last) })
}

// Early says whether something has not begun whose first moment is begin.
func (m Moment) Early(begin time.Time) bool {
	return m.either(func(t time.Time) bool { return t.Before(begin) })
}

// either says whether something is so by the claim or, if it is not, by the clock.
func (m Moment) either(holds func(time.Time) bool) bool {
	if holds(m.At) {
		return true
	}
	if m.clock.IsZero() || !holds(m.clock) {
		return false
	}
	*m.decided = true
	return true
}

// Reasons of the faults with which an endorser refuses a transaction whole by its own clock. What is out of time is judged by
// its contract when it is sent again with the time of now.
const (
	ReasonTimestamp = "transaction.timestamp"   // the claim is further than MaxSkew from the clock
	ReasonOutOfTime = "transaction.out_of_time" // the clock alone decided what a command rests on (Moment)
)

// ClockReasons are all for which one endorser may refuse what another endorses.
var ClockReasons = []string{ReasonTimestamp, ReasonOutOfTime}

func outOfTime() *fault.Fault {
	return fault.New(fault.Refused, ReasonOutOfTime, "send it again with the time of now; by the endorser's clock something that it rests on is over, or has not begun").
		On("transaction.timestamp", "now")
}
