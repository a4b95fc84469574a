package credential

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// cache remembers verified tokens by their hash: the token itself is kept nowhere. The least recently used goes first.
type cache struct {
	mu    sync.Mutex
	size  int
	order *list.List // of entry, most recently used in front
	index map[[sha256.Size]byte]*list.Element
}

type entry struct {
	hash   [sha256.Size]byte
	claims Claims
	until  time.Time // verified again after this
}

func hashOf(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

func newCache(size int) *cache {
	return &cache{size: size, order: list.New(), index: make(map[[sha256.Size]byte]*list.Element)}
}

func (c *cache) get(hash [sha256.Size]byte, now time.Time) (Claims, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.index[hash]
	if !ok {
		return Claims{}, false
	}
	e := element.Value.(entry)
	if now.After(e.until) {
		c.order.Remove(element)
		delete(c.index, hash)
		return Claims{}, false
	}
	c.order.MoveToFront(element)
	return e.claims, true
}

func (c *cache) put(hash [sha256.Size]byte, claims Claims, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.index[hash]; ok {
		c.order.Remove(old)
	}
	c.index[hash] = c.order.PushFront(entry{hash, claims, until})
	for c.order.Len() > c.size {
		last := c.order.Back()
		delete(c.index, last.Value.(entry).hash)
		c.order.Remove(last)
	}
}
