package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/store"
)

// shelf is a store whose one record says at which height it was read.
type shelf struct {
	Store
	height atomic.Uint64
	ahead  atomic.Uint64 // a block whose records can be read and whose height is not told yet
	reads  atomic.Int64
	size   int
	absent bool
}

func (s *shelf) Height(context.Context) (uint64, error) { return s.height.Load(), nil }

func (s *shelf) Get(_ context.Context, noun, id string) (store.Record, bool, error) {
	s.reads.Add(1)
	return store.Record{Noun: noun, ID: id, Block: max(s.height.Load(), s.ahead.Load()), Body: []byte(strings.Repeat("x", s.size))}, !s.absent, nil
}

func TestRecentReadsOnceABlock(t *testing.T) {
	under := &shelf{}
	r := newRecent(under)
	read := func(id string, block uint64, reads int64) {
		t.Helper()
		record, found, err := r.Get(t.Context(), "type", id)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, id, record.ID)
		require.Equal(t, block, record.Block)
		require.Equal(t, reads, under.reads.Load())
	}
	read("a", 0, 1)
	read("a", 0, 2) // no block yet, or the first: nothing is remembered
	under.height.Store(7)
	read("a", 7, 3)
	read("a", 7, 3)
	read("b", 7, 4)
	read("a", 7, 4)
	under.height.Store(8)
	read("a", 8, 5)
	read("a", 8, 5)
	under.ahead.Store(9)
	read("c", 9, 6)
	under.height.Store(9)
	read("c", 9, 7) // remembered as of 8: read again
}

func TestRecentForgets(t *testing.T) {
	ctx := t.Context()
	under := &shelf{}
	under.height.Store(1)
	r := newRecent(under)
	for n := range 3 * maxRecent {
		_, _, err := r.Get(ctx, "type", fmt.Sprint(n))
		require.NoError(t, err)
		require.LessOrEqual(t, len(r.records), maxRecent)
	}
	under.size = maxRecentBytes + 1
	_, _, err := r.Get(ctx, "type", "large")
	require.NoError(t, err)
	require.NotContains(t, r.records, recordKey{"type", "large"})
	under.size, under.absent = 0, true
	for range 2 {
		before := under.reads.Load()
		_, found, err := r.Get(ctx, "type", "none")
		require.NoError(t, err)
		require.False(t, found)
		require.Equal(t, before+1, under.reads.Load(), "what is absent may come: it is looked for each time")
	}
	r.remember(0, recordKey{"type", "old"}, store.Record{})
	require.NotContains(t, r.records, recordKey{"type", "old"}, "read before the last block")
}

// TestRecentIsNeverBehind: whoever knows a height reads nothing older.
func TestRecentIsNeverBehind(t *testing.T) {
	under := &shelf{}
	r := newRecent(under)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				known := under.height.Load()
				record, _, err := r.Get(t.Context(), "type", "a")
				if err != nil || record.Block < known {
					t.Errorf("at height %d a record of block %d was read: %v", known, record.Block, err)
					return
				}
			}
		})
	}
	for n := uint64(1); n <= 2000; n++ {
		under.ahead.Store(n)
		under.height.Store(n)
	}
	close(done)
	readers.Wait()
}
