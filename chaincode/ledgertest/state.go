package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	nul          = "\x00"
	maxRune      = string(utf8.MaxRune)
	firstKey     = "\x01" // where a range over simple keys begins
	fetchedAhead = 100    // results a peer sends at once; it reads one more to know whether there are more
)

var (
	errEmptyKey       = errors.New("key must not be an empty string")
	errWriteAfterPage = errors.New("unsuppored transaction. Transaction has already performed a paginated query. Writes are not allowed")
	errPageAfterWrite = errors.New("unsuppored transaction. Paginated queries are supported only in a read-only transaction")
	errNoRichQueries  = errors.New("ExecuteQuery not supported for leveldb")
)

// GetState answers the committed value, whatever this transaction wrote.
func (s *Stub) GetState(key string) ([]byte, error) {
	joined := join(s.namespace, key)
	s.touch(joined)
	committed := s.ledger.state.public[joined]
	s.simulation.reads[joined] = committed.version
	return slices.Clone(committed.value), nil
}

func (s *Stub) GetMultipleStates(keys ...string) ([][]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i], _ = s.GetState(key)
	}
	return values, nil
}

func (s *Stub) PutState(key string, value []byte) error {
	if key == "" {
		return errEmptyKey
	}
	if err := s.write(); err != nil {
		return err
	}
	joined := join(s.namespace, key)
	s.touch(joined)
	s.simulation.writer[joined] = s.call
	s.simulation.writes[joined] = slices.Clone(value)
	return nil
}

// touch notes where an earlier call of the same chaincode in this transaction wrote the key: this one cannot know.
func (s *Stub) touch(joined string) {
	if writer, written := s.simulation.writer[joined]; written && writer != s.call {
		s.simulation.misuse = fmt.Sprintf("a second call of %s in one transaction touches %q, which the first wrote and it cannot see", s.namespace, joined)
	}
}

func (s *Stub) DelState(key string) error {
	if err := s.write(); err != nil {
		return err
	}
	joined := join(s.namespace, key)
	s.touch(joined)
	s.simulation.writer[joined] = s.call
	s.simulation.writes[joined] = nil
	return nil
}

// write checks that the transaction may still write, and remembers that it did.
func (s *Stub) write() error {
	switch {
	case s.simulation.paginated:
		return errWriteAfterPage
	case s.simulation.privateRange:
		return errWriteAfterPrivateRange
	}
	s.simulation.wrote = true
	return nil
}

func (s *Stub) SetStateValidationParameter(key string, policy []byte) error {
	if err := s.write(); err != nil {
		return err
	}
	s.simulation.policies[join(s.namespace, key)] = slices.Clone(policy)
	return nil
}

// GetStateValidationParameter reads the key, and so depends on its value too.
func (s *Stub) GetStateValidationParameter(key string) ([]byte, error) {
	joined := join(s.namespace, key)
	committed := s.ledger.state.public[joined]
	s.simulation.reads[joined] = committed.version
	return slices.Clone(committed.policy), nil
}

func (s *Stub) GetStateByRange(startKey, endKey string) (shim.StateQueryIteratorInterface, error) {
	startKey, err := simpleRange(startKey, endKey)
	if err != nil {
		return nil, err
	}
	return s.scan(startKey, endKey), nil
}

func (s *Stub) GetStateByRangeWithPagination(startKey, endKey string, pageSize int32, bookmark string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
	startKey, err := simpleRange(startKey, endKey)
	if err != nil {
		return nil, nil, err
	}
	return s.page(startKey, endKey, pageSize, bookmark)
}

func (s *Stub) GetStateByPartialCompositeKey(noun string, parts []string) (shim.StateQueryIteratorInterface, error) {
	prefix, err := s.CreateCompositeKey(noun, parts)
	if err != nil {
		return nil, err
	}
	return s.scan(prefix, prefix+maxRune), nil
}

func (s *Stub) GetStateByPartialCompositeKeyWithPagination(noun string, parts []string, pageSize int32, bookmark string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
	prefix, err := s.CreateCompositeKey(noun, parts)
	if err != nil {
		return nil, nil, err
	}
	return s.page(prefix, prefix+maxRune, pageSize, bookmark)
}

func (s *Stub) GetAllStatesCompositeKeyWithPagination(pageSize int32, bookmark string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
	return s.page(nul, nul+maxRune, pageSize, bookmark)
}

func (s *Stub) GetQueryResult(string) (shim.StateQueryIteratorInterface, error) {
	return nil, errNoRichQueries
}

func (s *Stub) GetQueryResultWithPagination(string, int32, string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
	return nil, nil, errNoRichQueries
}

// scan opens a range query whose result set is checked again at commit, as far as it was read.
func (s *Stub) scan(start, end string) *iterator {
	query := &rangeQuery{namespace: s.namespace, start: start, end: end}
	s.simulation.ranges = append(s.simulation.ranges, query)
	it := &iterator{namespace: s.namespace, query: query, rest: s.ledger.state.versions(s.namespace, start, end)}
	for _, r := range it.rest {
		it.values = append(it.values, s.ledger.state.public[join(s.namespace, r.key)].value)
	}
	it.fetch()
	return it
}

// page is a paginated range query: bookmark is the key it starts at, the answer's bookmark the one the next starts at.
func (s *Stub) page(start, end string, size int32, bookmark string) (shim.StateQueryIteratorInterface, *peer.QueryResponseMetadata, error) {
	if s.simulation.wrote {
		return nil, nil, errPageAfterWrite
	}
	s.simulation.paginated = true
	if bookmark != "" {
		start = bookmark
	}
	it := s.scan(start, end)
	metadata := &peer.QueryResponseMetadata{FetchedRecordsCount: int32(len(it.rest))}
	if size > 0 && len(it.rest) > int(size) {
		metadata.FetchedRecordsCount, metadata.Bookmark = size, it.rest[size].key
		it.rest = it.rest[:size]
	}
	return it, metadata, nil
}

// iterator walks a range. The peer reads ahead of the chaincode, and what it read counts as read.
type iterator struct {
	namespace string
	query     *rangeQuery // nil for private data, whose ranges allow no writes
	rest      []seen
	values    [][]byte
	next      int
	closed    bool
}

// fetch has the peer send the next results.
func (it *iterator) fetch() {
	if it.query == nil {
		return
	}
	upTo := it.next + fetchedAhead + 1
	if upTo > len(it.rest) {
		it.query.seen, it.query.exhausted = it.rest, true
		return
	}
	it.query.seen = it.rest[:upTo]
}

func (it *iterator) HasNext() bool { return !it.closed && it.next < len(it.rest) }

func (it *iterator) Next() (*queryresult.KV, error) {
	if !it.HasNext() {
		return nil, errors.New("no such key")
	}
	i := it.next
	if i > 0 && i%fetchedAhead == 0 {
		it.fetch()
	}
	it.next++
	return &queryresult.KV{Namespace: it.namespace, Key: it.rest[i].key, Value: slices.Clone(it.values[i])}, nil
}

func (it *iterator) Close() error {
	it.closed = true
	return nil
}

// GetHistoryForKey lists the values valid transactions gave the key, newest first.
func (s *Stub) GetHistoryForKey(key string) (shim.HistoryQueryIteratorInterface, error) {
	all := slices.Clone(s.ledger.history[join(s.namespace, key)])
	slices.Reverse(all)
	return &historyIterator{rest: all}, nil
}

type historyIterator struct{ rest []past }

func (it *historyIterator) HasNext() bool { return len(it.rest) > 0 }

func (it *historyIterator) Next() (*queryresult.KeyModification, error) {
	if len(it.rest) == 0 {
		return nil, errors.New("no such key")
	}
	p := it.rest[0]
	it.rest = it.rest[1:]
	return &queryresult.KeyModification{TxId: p.tx, Value: slices.Clone(p.value), Timestamp: timestamppb.New(p.at), IsDelete: p.deleted}, nil
}

func (it *historyIterator) Close() error {
	it.rest = nil
	return nil
}

// CreateCompositeKey builds a key as the shim does.
func (s *Stub) CreateCompositeKey(noun string, parts []string) (string, error) {
	return shim.CreateCompositeKey(noun, parts)
}

// SplitCompositeKey takes a key apart; where the shim would crash, it is an error.
func (s *Stub) SplitCompositeKey(key string) (string, []string, error) {
	inner, found := strings.CutPrefix(key, nul)
	if !found || !strings.HasSuffix(inner, nul) {
		return "", nil, errors.New("not a composite key")
	}
	pieces := strings.Split(strings.TrimSuffix(inner, nul), nul)
	return pieces[0], pieces[1:], nil
}

// simpleRange keeps ranges over simple keys out of the composite ones.
func simpleRange(startKey, endKey string) (string, error) {
	if startKey == "" {
		startKey = firstKey
	}
	for _, key := range []string{startKey, endKey} {
		if strings.HasPrefix(key, nul) {
			return "", fmt.Errorf("first character of the key [%s] contains a null character which is not allowed", key)
		}
	}
	return startKey, nil
}
