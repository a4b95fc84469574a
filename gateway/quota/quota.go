// Package quota shares a gateway out among those who ask it: a token bucket for each, of which a bounded number is
// remembered.
//
// Invariants: a client that stays within its rate is never refused, whatever others do. Memory is bounded: beyond Max
// clients the one that has not asked for longest is forgotten, and its next request finds a full bucket, as after a pause.
package quota

import (
	"container/list"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quota holds the buckets of clients that are told apart by K. Safe for concurrent use.
type Quota[K comparable] struct {
	every rate.Limit // tokens a second
	burst int
	max   int

	mu    sync.Mutex
	known map[K]*list.Element // of *entry[K]
	order *list.List          // who asked last is in front
}

type entry[K comparable] struct {
	key    K
	bucket *rate.Limiter
}

// New makes a quota of perSecond requests a second in the long run and burst at once, for at most max clients at a time.
func New[K comparable](perSecond float64, burst, max int) *Quota[K] {
	return &Quota[K]{every: rate.Limit(perSecond), burst: burst, max: max, known: map[K]*list.Element{}, order: list.New()}
}

// Grant is the answer to one request.
type Grant struct {
	OK        bool
	Remaining int           // requests that may follow at once
	Wait      time.Duration // until the next one may, if this may not
	Reset     time.Duration // until the bucket is full
}

// Take asks for one request of a client at a time.
func (q *Quota[K]) Take(key K, now time.Time) Grant {
	bucket := q.bucket(key)
	g := Grant{OK: bucket.AllowN(now, 1)}
	tokens := bucket.TokensAt(now)
	if !g.OK {
		g.Wait = q.duration(1 - tokens)
	}
	g.Remaining = max(0, int(math.Floor(tokens)))
	g.Reset = q.duration(float64(q.burst) - tokens)
	return g
}

// Clients is how many are remembered.
func (q *Quota[K]) Clients() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order.Len()
}

func (q *Quota[K]) duration(tokens float64) time.Duration {
	return time.Duration(max(0, tokens) / float64(q.every) * float64(time.Second))
}

func (q *Quota[K]) bucket(key K) *rate.Limiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e, ok := q.known[key]; ok {
		q.order.MoveToFront(e)
		return e.Value.(*entry[K]).bucket
	}
	if q.order.Len() >= q.max {
		last := q.order.Back()
		delete(q.known, last.Value.(*entry[K]).key)
		q.order.Remove(last)
	}
	bucket := rate.NewLimiter(q.every, q.burst)
	q.known[key] = q.order.PushFront(&entry[K]{key, bucket})
	return bucket
}
