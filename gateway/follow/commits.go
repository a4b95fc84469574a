package follow

import (
	"sync"

	"github.com/hutong-gov/hutong/gateway/trace"
	"github.com/hutong-gov/hutong/network/block"
)

// Commit is what became of a transaction: the block it is in and what the peer found of it.
type Commit struct {
	Tx    string
	Block uint64
	Code  block.Code
}

// Commits tells writers what became of their transactions, from the block stream. One registry serves a gateway: the
// ledger registers before it sends, the follower resolves as soon as a block arrives.
//
// Invariants: a wait receives at most one commit and never blocks the follower; while the stream is not live, Lost's
// channel is closed, so that nobody waits for blocks that do not come.
type Commits struct {
	mu      sync.Mutex
	waiting map[string]chan Commit
	lost    chan struct{} // closed while the stream is not live
	live    bool

	// Journeys are the traces of what was sent: the ledger begins them, the follower goes on with them.
	Journeys trace.Journeys
}

// NewCommits makes a registry whose stream is not live yet.
func NewCommits() *Commits {
	c := &Commits{waiting: map[string]chan Commit{}, lost: make(chan struct{})}
	close(c.lost)
	return c
}

// Await registers for a transaction. stop ends the registration and must be called.
func (c *Commits) Await(tx string) (commit <-chan Commit, stop func()) {
	ch := make(chan Commit, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[tx] = ch
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.waiting[tx] == ch {
			delete(c.waiting, tx)
		}
	}
}

// Lost is closed as soon as the stream is not live. It is already closed if the stream is not live now.
func (c *Commits) Lost() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// Waiting is the number of transactions somebody waits for.
func (c *Commits) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

// Awaited says whether somebody waits for a transaction.
func (c *Commits) Awaited(tx string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.waiting[tx]
	return ok
}

// Resolve tells whoever waits for transactions of a block.
func (c *Commits) Resolve(number uint64, outcomes []block.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return
	}
	for _, o := range outcomes {
		if ch, ok := c.waiting[o.ID]; ok {
			delete(c.waiting, o.ID)
			ch <- Commit{Tx: o.ID, Block: number, Code: o.Code} // has room for the one it gets
		}
	}
}

// SetLive says whether blocks arrive as they are committed.
func (c *Commits) SetLive(live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case live && !c.live:
		c.lost = make(chan struct{})
	case !live && c.live:
		close(c.lost)
	}
	c.live = live
}
