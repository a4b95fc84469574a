package app

import (
	"context"
	"sync"

	"github.com/hutong-gov/hutong/gateway/store"
)

// Limits of what is remembered.
const (
	maxRecent      = 128      // records
	maxRecentBytes = 16 << 10 // of one record; a larger one is read each time
)

// recent is a store that remembers single records for as long as the projection stands at one block: a hundred officers
// who issue certificates of one type between two blocks read the type once.
//
// Invariant: Get answers what the projection has at its present height or later, as it does without memory. A record is
// remembered under the height from before it was read, and given only while that is the height still; a block's records
// can be read before its height is told.
type recent struct {
	Store
	mu      sync.Mutex
	height  uint64
	records map[recordKey]store.Record // as of height
}

type recordKey struct{ noun, id string }

func newRecent(s Store) *recent { return &recent{Store: s, records: map[recordKey]store.Record{}} }

// Get reads one record. Its body is shared and must not be changed.
func (r *recent) Get(ctx context.Context, noun, id string) (store.Record, bool, error) {
	height, err := r.Height(ctx)
	if err != nil {
		return store.Record{}, false, err
	}
	key := recordKey{noun, id}
	if record, ok := r.remembered(height, key); ok {
		return record, true, nil
	}
	record, found, err := r.Store.Get(ctx, noun, id)
	if err == nil && found && height > 0 && len(record.Body) <= maxRecentBytes { // 0 may mean that there is no block at all
		r.remember(height, key, record)
	}
	return record, found, err
}

func (r *recent) remembered(height uint64, key recordKey) (store.Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.height != height {
		return store.Record{}, false
	}
	record, ok := r.records[key]
	return record, ok
}

// remember keeps a record, unless something newer is kept by now. What belongs to an older height is forgotten.
func (r *recent) remember(height uint64, key recordKey, record store.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if height < r.height {
		return
	}
	if height > r.height || len(r.records) >= maxRecent {
		clear(r.records)
		r.height = height
	}
	r.records[key] = record
}
