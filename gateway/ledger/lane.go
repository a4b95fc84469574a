package ledger

import (
	"slices"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/gateway/trace"
)

// How a lane gathers. A caller alone never waits. Where there were many lately, a group goes as soon as a third of them are
// there (or all, where they are few), or nobody came for gatherQuiet, and after gatherLongest in any case.
const (
	gatherQuiet   = 2 * time.Millisecond
	gatherLongest = 10 * time.Millisecond
	// gatherMemory is how long a lane remembers how many there were.
	gatherMemory = 250 * time.Millisecond
	// gatherFew is as many as go better together than in several groups.
	gatherFew = 32
	// gatherParts is into how many groups a crowd goes: one is with the endorsers, one is ordered and committed, and the
	// callers of one are between an answer and their next request. With two, a fifth of the processors was idle under load.
	gatherParts = 3
)

// Limits of a group, below those of a call of a contract (kernel.MaxCommands, kernel.MaxArgumentBytes): a transaction in
// which a thousand certificates travel takes long to simulate, and nobody in it is answered before.
const (
	MaxGroup      = 250
	MaxGroupBytes = 512 << 10
)

// endorsing is how many groups of a lane are with the endorsers at once: while the place is taken, commands gather, and
// while a group is ordered and committed, the next is endorsed. Two places were measured to make smaller groups and more
// blocks, and a sixth less throughput on two processors.
const endorsing = 1

// lane gathers the commands of one signing identity for one contract into groups. This is the group commit: what a
// transaction costs is nearly all signatures, and a group has as many as a single command.
//
// Invariants: commands leave in the order they came, but for those on a record that a group under way changes: they wait
// until it is settled, and so a record's changes keep their order and do not race each other. A group changes a record once:
// a transaction's write set has one state of it, and every state a record has had is to be in its history. Commands that only
// add to a record, each of which makes a record of its own, go together. A command whose caller leaves while it waits is not
// sent.
type lane struct {
	ledger    *Ledger
	as        Signer
	chaincode string

	mu       sync.Mutex
	waiting  []*call
	records  map[string]int // commands under way on it
	flight   int            // commands under way
	busy     int            // groups with the endorsers
	crowd    int            // how many commands there were lately, under way and waiting
	crowded  time.Time      // when
	last     chan struct{}  // closed when the last group that left has been handed over
	timer    *time.Timer    // while gathering
	deadline time.Time      // when gathering ends in any case
}

// add queues a call and sends what is due.
func (n *lane) add(c *call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ledger.stopping.Load() {
		n.refuse(c)
		return
	}
	n.waiting = append(n.waiting, c)
	n.ledger.metrics.queued.Inc()
	now := time.Now()
	if there := n.flight + len(n.waiting); there >= n.crowd || now.Sub(n.crowded) > gatherMemory {
		n.crowd, n.crowded = there, now
	}
	n.dispatch(true)
}

// dispatch sends groups while there is something to send and a place with the endorsers. arrived: a command just came.
// n.mu is held.
func (n *lane) dispatch(arrived bool) {
	for n.busy < endorsing && len(n.waiting) > 0 {
		if n.gathers(arrived) {
			return
		}
		calls := n.next()
		if len(calls) == 0 {
			return // all wait for records
		}
		n.send(calls)
	}
	n.rest()
}

// target is how many a group should have.
func (n *lane) target() int { return min(max(n.crowd/gatherParts, min(n.crowd, gatherFew)), MaxGroup) }

// gathers decides whether to wait for more, and arms the timer.
func (n *lane) gathers(arrived bool) bool {
	if len(n.waiting) >= n.target() {
		return false
	}
	now := time.Now()
	if n.timer == nil {
		n.deadline = now.Add(gatherLongest)
		n.timer = time.AfterFunc(gatherQuiet, n.gathered)
		return true
	}
	if !now.Before(n.deadline) {
		return false
	}
	if arrived {
		n.timer.Reset(min(gatherQuiet, n.deadline.Sub(now)))
	}
	return true
}

// gathered ends the gathering.
func (n *lane) gathered() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.timer == nil {
		return // what was gathered is gone already
	}
	n.deadline = time.Time{}
	n.dispatch(false)
	n.rest()
}

// rest stops the timer.
func (n *lane) rest() {
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
}

// drop takes a waiting command out. false: it is not waiting any more.
func (n *lane) drop(c *call) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.Index(n.waiting, c)
	if i < 0 {
		return false
	}
	n.waiting = slices.Delete(n.waiting, i, i+1)
	n.ledger.metrics.queued.Dec()
	return true
}

// stop refuses what waits: it has not been sent.
func (n *lane) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.waiting {
		n.refuse(c)
	}
	n.ledger.metrics.queued.Sub(float64(len(n.waiting)))
	n.waiting = nil
	n.rest()
}

func (n *lane) refuse(c *call) {
	n.ledger.metrics.submits.WithLabelValues(n.chaincode, stateUnsent).Inc()
	c.tell(Outcome{}, Stopping)
}

// next takes the commands of the next group.
func (n *lane) next() []*call {
	most := MaxGroup
	var calls []*call
	var size int
	kept := n.waiting[:0:0]
	closed := map[string]bool{} // records of commands so far: true if no further command on it may join the group
	for i, c := range n.waiting {
		if len(calls) == most || size+len(c.text) > MaxGroupBytes && size > 0 {
			kept = append(kept, n.waiting[i:]...)
			break
		}
		if record := c.command.Record; record != "" {
			shut, seen := closed[record]
			if n.records[record] > 0 || shut || seen && !c.command.Appends {
				closed[record] = true // what came later does not overtake it
				kept = append(kept, c)
				continue
			}
			closed[record] = !c.command.Appends
		}
		calls, size = append(calls, c), size+len(c.text)+1
	}
	n.waiting = kept
	return calls
}

// send starts a group.
func (n *lane) send(calls []*call) {
	now := time.Now()
	g := &group{ledger: n.ledger, as: n.as, chaincode: n.chaincode, calls: calls, endorsed: n.endorsed, released: n.settled, before: n.last, handed: make(chan struct{})}
	n.last = g.handed
	for _, c := range calls {
		c.group.Store(g)
		n.ledger.metrics.stages.WithLabelValues(stageGather).Observe(now.Sub(c.since).Seconds())
		trace.Since(c.ctx, stageGather, c.since)
		if c.command.Record != "" {
			n.records[c.command.Record]++
		}
	}
	n.ledger.metrics.queued.Sub(float64(len(calls)))
	n.flight += len(calls)
	n.busy++
	n.rest()
	go g.run(0)
}

// endorsed frees a place with the endorsers.
func (n *lane) endorsed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy--
	n.dispatch(false)
}

// settled frees the records of commands that are not under way any more.
func (n *lane) settled(calls []*call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.flight -= len(calls)
	for _, c := range calls {
		if c.command.Record == "" {
			continue
		}
		if n.records[c.command.Record]--; n.records[c.command.Record] == 0 {
			delete(n.records, c.command.Record)
		}
	}
	n.dispatch(false)
}
