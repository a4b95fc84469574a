package anchor

import (
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
)

// seen knows the keys of all records that a dataset has in the archive. A filter in memory, two bytes a record, answers for
// nearly all that are new; what it takes for known is looked up in the batches' files.
type seen struct {
	filters []*bloom.BloomFilter // each for twice as many keys as the one before
	room    uint                 // left in the last
	batches []*kept
}

// kept is a batch that was filled. Until its file is written its keys are in memory.
type kept struct {
	mu    sync.Mutex
	found map[key]struct{}
	file  *batch
}

const (
	firstFilter = 1 << 20 // keys
	falsely     = 0.0005  // how often a filter takes a new key for a known one
)

func (s *seen) add(k key) {
	if s.room == 0 {
		s.room = firstFilter << len(s.filters)
		s.filters = append(s.filters, bloom.NewWithEstimates(s.room, falsely))
	}
	s.filters[len(s.filters)-1].Add(k[:])
	s.room--
}

// has says whether a key is in a batch that was kept.
func (s *seen) has(k key) (bool, error) {
	for _, f := range s.filters {
		if f.Test(k[:]) {
			return s.look(k)
		}
	}
	return false, nil
}

func (s *seen) look(k key) (bool, error) {
	for _, b := range s.batches {
		if found, err := b.has(k); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// keep takes a batch in, whose keys were added one by one.
func (s *seen) keep(d *draft) *kept {
	k := &kept{found: d.found}
	s.batches = append(s.batches, k)
	return k
}

// load takes in a batch that is in the archive.
func (s *seen) load(b *batch) error {
	s.batches = append(s.batches, &kept{file: b})
	return b.eachKey(s.add)
}

func (k *kept) has(wanted key) (bool, error) {
	k.mu.Lock()
	found, file := k.found, k.file
	k.mu.Unlock()
	if file == nil {
		_, in := found[wanted]
		return in, nil
	}
	_, in, err := file.find(wanted)
	return in, err
}

// written says that a batch's keys can be found in its file.
func (k *kept) written(file *batch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file, k.found = file, nil
}
