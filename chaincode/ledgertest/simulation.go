package ledgertest

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
)

// version of a committed value: where it was written. The zero version means absent; blocks that write start at 1.
type version struct {
	block uint64
	tx    int
}

// entry is a committed value.
type entry struct {
	value   []byte
	policy  []byte
	version version
}

// world is the committed state. Keys are joined: namespace/key, or namespace/collection/key for private data.
type world struct {
	public  map[string]entry
	hashed  map[string]entry    // of private data: what every peer has
	private map[string]entry    // of private data: what members' peers have
	sorted  map[string][]string // keys of a namespace in order; nil when stale
}

func newWorld() world {
	return world{public: map[string]entry{}, hashed: map[string]entry{}, private: map[string]entry{}}
}

// keys of a namespace, without the namespace, in order.
func (w *world) keys(namespace string) []string {
	if w.sorted == nil {
		w.sorted = map[string][]string{}
		for joined := range w.public {
			ns, key, _ := strings.Cut(joined, "/")
			w.sorted[ns] = append(w.sorted[ns], key)
		}
		for _, keys := range w.sorted {
			slices.Sort(keys)
		}
	}
	return slices.Clone(w.sorted[namespace])
}

// between lists the keys of a namespace from start (included) to end (excluded; "" is the end of the namespace).
func (w *world) between(namespace, start, end string) []string {
	keys := w.keys(namespace)
	from, _ := slices.BinarySearch(keys, start)
	to := len(keys)
	if end != "" {
		to, _ = slices.BinarySearch(keys, end)
	}
	return keys[from:max(from, to)]
}

// seen is one key a range query met, with its version.
type seen struct {
	key     string
	version version
}

func (w *world) versions(namespace, start, end string) []seen {
	var all []seen
	for _, key := range w.between(namespace, start, end) {
		all = append(all, seen{key, w.public[join(namespace, key)].version})
	}
	return all
}

// rangeQuery remembers what a range query met, to be compared when the transaction commits.
type rangeQuery struct {
	namespace, start, end string
	exhausted             bool
	seen                  []seen
}

// reached is the end of what was read: the range's end, or just behind the last key read.
func (r *rangeQuery) reached() string {
	if r.exhausted {
		return r.end
	}
	if len(r.seen) == 0 {
		return r.start
	}
	return r.seen[len(r.seen)-1].key + "\x00"
}

// privateWrite is a write to a collection.
type privateWrite struct {
	namespace, collection, key string
	value                      []byte
	purge                      bool
}

func (w privateWrite) deletes() bool { return w.purge || len(w.value) == 0 }

// simulation gathers what one transaction reads and writes, all its chaincodes together.
type simulation struct {
	reads           map[string]version
	ranges          []*rangeQuery
	writes          map[string][]byte // nil or empty: a deletion
	policies        map[string][]byte
	hashedReads     map[string]version
	private         map[string]privateWrite
	privatePolicies map[string][]byte
	event           *Event

	wrote, paginated, privateRange bool // Fabric allows no write after, and no paginated query after a write
	running                        map[string]bool
	calls                          int            // of one chaincode by another
	writer                         map[string]int // key → the invocation that wrote it
	misuse                         string         // what Fabric lets pass and a test must not
}

func newSimulation() *simulation {
	return &simulation{
		reads: map[string]version{}, writes: map[string][]byte{}, policies: map[string][]byte{}, hashedReads: map[string]version{},
		private: map[string]privateWrite{}, privatePolicies: map[string][]byte{}, running: map[string]bool{},
		writer: map[string]int{},
	}
}

// writeSet lists the public writes and the hashes of the private ones, in order.
func (s *simulation) writeSet() []Write {
	var all []Write
	for _, joined := range slices.Sorted(maps.Keys(s.writes)) {
		namespace, key, _ := strings.Cut(joined, "/")
		value := s.writes[joined]
		all = append(all, Write{Namespace: namespace, Key: key, Value: value, Delete: len(value) == 0})
	}
	for _, joined := range slices.Sorted(maps.Keys(s.private)) {
		w := s.private[joined]
		public := Write{Namespace: w.namespace, Collection: w.collection, Key: string(hash([]byte(w.key))), Delete: w.deletes(), Purge: w.purge}
		if !public.Delete {
			public.Value = hash(w.value)
		}
		all = append(all, public)
	}
	return all
}

// difference names the first part in which two simulations of one transaction differ, "" if they agree.
func (s *simulation) difference(other *simulation) string {
	equalBytes := func(a, b []byte) bool { return string(a) == string(b) }
	equalRange := func(a, b *rangeQuery) bool {
		return a.namespace == b.namespace && a.start == b.start && a.end == b.end && a.exhausted == b.exhausted && slices.Equal(a.seen, b.seen)
	}
	equalPrivate := func(a, b privateWrite) bool { return string(a.value) == string(b.value) && a.purge == b.purge }
	switch {
	case !maps.Equal(s.reads, other.reads) || !maps.Equal(s.hashedReads, other.hashedReads):
		return "read set"
	case !slices.EqualFunc(s.ranges, other.ranges, equalRange):
		return "range queries"
	case !maps.EqualFunc(s.writes, other.writes, equalBytes):
		return "write set"
	case !maps.EqualFunc(s.policies, other.policies, equalBytes) || !maps.EqualFunc(s.privatePolicies, other.privatePolicies, equalBytes):
		return "endorsement policies of keys"
	case !maps.EqualFunc(s.private, other.private, equalPrivate):
		return "private write set"
	case (s.event == nil) != (other.event == nil), s.event != nil && (s.event.Name != other.event.Name || !equalBytes(s.event.Payload, other.event.Payload)):
		return "event"
	}
	return ""
}

func hash(value []byte) []byte {
	sum := sha256.Sum256(value)
	return sum[:]
}
