// Package state is the ledger as the contracts see it: typed collections of records over Fabric's key–value state.
//
// A Store stands between one transaction and the peer. It adds what Fabric leaves out: a transaction reads its own
// writes, and a command that fails leaves nothing behind while its neighbours in the same transaction stay.
//
//	command writes ──Accept──▶ transaction writes ──Flush──▶ PutState, in key order
//	      └──Discard──▶ nothing
//
// Invariants: a key is read from the peer at most once a transaction; writes reach the peer only in Flush, sorted by
// key, so that every endorser makes the same write set.
package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Stub is what a Store needs of a chaincode stub (shim.ChaincodeStubInterface has it all).
type Stub interface {
	GetState(key string) ([]byte, error)
	PutState(key string, value []byte) error
	SetStateValidationParameter(key string, policy []byte) error
	GetStateByPartialCompositeKey(noun string, parts []string) (shim.StateQueryIteratorInterface, error)
	GetStateByPartialCompositeKeyWithPagination(noun string, parts []string, pageSize int32, bookmark string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error)
	GetHistoryForKey(key string) (shim.HistoryQueryIteratorInterface, error)
	GetPrivateData(collection, key string) ([]byte, error)
	PutPrivateData(collection, key string, value []byte) error
	PurgePrivateData(collection, key string) error
}

// Store is one transaction's view of the ledger. Not safe for concurrent use: a transaction is one thread.
type Store struct {
	stub     Stub
	read     map[string][]byte // what the peer answered; nil value: absent
	viewed   map[string]any    // of what was read and not written since, what is only looked at, decoded
	accepted map[string][]byte // writes of commands that succeeded
	pending  map[string][]byte // writes of the command being carried out
	policies map[string][]byte // key-level endorsement policies, accepted
	setting  map[string][]byte // key-level endorsement policies, pending
	hidden   map[place]private // writes to private data collections, accepted
	hiding   map[place]private // writes to private data collections, pending
}

// NewStore opens a transaction's view.
func NewStore(stub Stub) *Store {
	return &Store{
		stub: stub, read: map[string][]byte{}, viewed: map[string]any{}, accepted: map[string][]byte{}, pending: map[string][]byte{},
		policies: map[string][]byte{}, setting: map[string][]byte{}, hidden: map[place]private{}, hiding: map[place]private{},
	}
}

// get returns the value under a key as this transaction sees it, nil if absent.
func (s *Store) get(key string) ([]byte, error) {
	if value, ok := s.pending[key]; ok {
		return value, nil
	}
	if value, ok := s.accepted[key]; ok {
		return value, nil
	}
	if value, ok := s.read[key]; ok {
		return value, nil
	}
	value, err := s.stub.GetState(key)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	s.read[key] = value
	return value, nil
}

func (s *Store) put(key string, value []byte) {
	s.pending[key] = value
	delete(s.viewed, key)
}

// wrote says whether this transaction has written a key, or is about to.
func (s *Store) wrote(key string) bool {
	_, pending := s.pending[key]
	_, accepted := s.accepted[key]
	return pending || accepted
}

// multipleReader is the peer v3.1 read of many keys of the stub. With a peer that does not offer it, the stub reads them one
// by one.
type multipleReader interface {
	GetMultipleStates(keys ...string) ([][]byte, error)
}

// Prefetch reads keys that will be asked for, in one exchange with the peer where it offers that. Sorted and once each: all
// endorsers read the same in the same order.
func (s *Store) Prefetch(keys []string) error {
	stub, ok := s.stub.(multipleReader)
	if !ok {
		return nil
	}
	keys = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(keys))), func(key string) bool {
		_, read := s.read[key]
		return read
	})
	if len(keys) == 0 {
		return nil
	}
	values, err := stub.GetMultipleStates(keys...)
	if err == nil && len(values) != len(keys) {
		err = fmt.Errorf("%d values for %d keys", len(values), len(keys))
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	for i, key := range keys {
		s.read[key] = values[i]
	}
	return nil
}

// Accept keeps the current command's writes.
func (s *Store) Accept() {
	for key, value := range s.pending {
		s.accepted[key] = value
	}
	for key, policy := range s.setting {
		s.policies[key] = policy
	}
	maps.Copy(s.hidden, s.hiding)
	s.Discard()
}

// Discard drops the current command's writes.
func (s *Store) Discard() {
	clear(s.pending)
	clear(s.setting)
	clear(s.hiding)
}

// batchWriter is the peer v3.1 batch interface of the stub, used where the stub has it.
type batchWriter interface {
	StartWriteBatch()
	FinishWriteBatch() error
}

// Flush sends the accepted writes to the peer in key order.
func (s *Store) Flush() error {
	if len(s.accepted) > 1 {
		if b, ok := s.stub.(batchWriter); ok {
			b.StartWriteBatch()
			if err := s.flush(); err != nil {
				return err
			}
			return b.FinishWriteBatch()
		}
	}
	return s.flush()
}

func (s *Store) flush() error {
	for _, key := range sorted(s.accepted) {
		if err := s.stub.PutState(key, s.accepted[key]); err != nil {
			return fmt.Errorf("write state: %w", err)
		}
	}
	for _, key := range sorted(s.policies) {
		if err := s.stub.SetStateValidationParameter(key, s.policies[key]); err != nil {
			return fmt.Errorf("set endorsement policy of a key: %w", err)
		}
	}
	return s.flushPrivate()
}

func sorted(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// entry is one key and value of a scan.
type entry struct {
	key   string
	value []byte
}

// scan returns up to limit entries of a noun whose keys start with the given parts and come after the key `after` (empty:
// from the start), in key order, with this transaction's own writes merged in.
//
// Fabric allows no writes after a paginated query, so only a scan that resumes (a read function turning pages) uses one.
func (s *Store) scan(noun string, parts []string, after string, limit int) ([]entry, error) {
	prefix, start := Key(noun, parts...), ""
	var iterator shim.StateQueryIteratorInterface
	var err error
	if after == "" {
		iterator, err = s.stub.GetStateByPartialCompositeKey(noun, parts)
	} else {
		start = after + separator // the first key that sorts behind `after`
		iterator, _, err = s.stub.GetStateByPartialCompositeKeyWithPagination(noun, parts, int32(limit), start)
	}
	if err != nil {
		return nil, fmt.Errorf("scan state: %w", err)
	}
	defer iterator.Close()
	merged := map[string][]byte{}
	for iterator.HasNext() && len(merged) < limit {
		kv, err := iterator.Next()
		if err != nil {
			return nil, fmt.Errorf("scan state: %w", err)
		}
		merged[kv.GetKey()] = kv.GetValue()
	}
	for _, own := range []map[string][]byte{s.accepted, s.pending} {
		for key, value := range own {
			if key >= start && strings.HasPrefix(key, prefix) {
				merged[key] = value
			}
		}
	}
	keys := sorted(merged)
	if len(keys) > limit {
		keys = keys[:limit]
	}
	entries := make([]entry, len(keys))
	for i, key := range keys {
		entries[i] = entry{key, merged[key]}
	}
	return entries, nil
}

// modification is one past value of a key.
type modification struct {
	tx      string
	at      time.Time
	deleted bool
	value   []byte
}

// history returns up to limit past values of a key, newest first, as the peer's history index has them.
func (s *Store) history(key string, limit int) ([]modification, error) {
	iterator, err := s.stub.GetHistoryForKey(key)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer iterator.Close()
	var all []modification
	for iterator.HasNext() && len(all) < limit {
		m, err := iterator.Next()
		if err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		all = append(all, modification{m.GetTxId(), asTime(m.GetTimestamp()), m.GetIsDelete(), m.GetValue()})
	}
	return all, nil
}

func asTime(t *timestamppb.Timestamp) time.Time { return t.AsTime().UTC().Truncate(time.Millisecond) }

// missing is the fault for a record that is not there.
func missing(noun string) error {
	return fault.New(fault.Missing, noun+".missing", "no such record; check the identifier").On("id", "exists")
}
