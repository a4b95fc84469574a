package ledger

import (
	"maps"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Stopping is the answer to what comes, or has not been sent yet, when the gateway is about to end.
var Stopping = fault.New(fault.Internal, ReasonStopping, "the gateway stops and nothing was begun; wait as Retry-After says and repeat the request, elsewhere if there is another gateway")

// Refuse answers writes that wait for a transaction, and those that come from now on, with gateway.stopping. What is with
// the endorsers or beyond goes its way to the end.
func (l *Ledger) Refuse() {
	l.stopping.Store(true)
	l.mu.Lock()
	lanes := slices.Collect(maps.Values(l.lanes))
	l.mu.Unlock()
	for _, n := range lanes {
		n.stop()
	}
}
