package ledgertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
)

var (
	errNoCollection           = errors.New("collection must not be an empty string")
	errWriteAfterPrivateRange = errors.New("unsuppored transaction. Transaction has already performed queries on pvt data. Writes are not allowed")
	errPrivateRangeAfterWrite = errors.New("unsuppored transaction. Queries on pvt data is supported only in a read-only transaction")
)

// collection checks that a collection exists and gives the joined name of a key in it.
func (s *Stub) collection(collection, key string) (joined string, members map[string]bool, err error) {
	if collection == "" {
		return "", nil, errNoCollection
	}
	members, exists := s.ledger.members(s.namespace, collection)
	if !exists {
		return "", nil, fmt.Errorf("collection [%s] not defined in the collection config for chaincode [%s]", collection, s.namespace)
	}
	return join(s.namespace, join(collection, key)), members, nil
}

// GetPrivateData answers the committed value. A peer of an organisation that is not a member knows only the hash, and
// says so where there is one.
func (s *Stub) GetPrivateData(collection, key string) ([]byte, error) {
	joined, members, err := s.collection(collection, key)
	if err != nil {
		return nil, err
	}
	hashed := s.ledger.state.hashed[joined]
	if hashed.version != (version{}) && !members[s.msp] {
		return nil, errors.New("private data matching public hash version is not available")
	}
	s.simulation.hashedReads[joined] = hashed.version
	return slices.Clone(s.ledger.state.private[joined].value), nil
}

func (s *Stub) GetMultiplePrivateData(collection string, keys ...string) ([][]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		var err error
		if values[i], err = s.GetPrivateData(collection, key); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// GetPrivateDataHash answers on every peer.
func (s *Stub) GetPrivateDataHash(collection, key string) ([]byte, error) {
	joined, _, err := s.collection(collection, key)
	if err != nil {
		return nil, err
	}
	hashed := s.ledger.state.hashed[joined]
	s.simulation.hashedReads[joined] = hashed.version
	return slices.Clone(hashed.value), nil
}

func (s *Stub) PutPrivateData(collection, key string, value []byte) error {
	return s.writePrivate(collection, key, privateWrite{value: slices.Clone(value)})
}

func (s *Stub) DelPrivateData(collection, key string) error {
	return s.writePrivate(collection, key, privateWrite{})
}

// PurgePrivateData removes the value from the members' peers for good; its hash stays in the blocks.
func (s *Stub) PurgePrivateData(collection, key string) error {
	return s.writePrivate(collection, key, privateWrite{purge: true})
}

func (s *Stub) writePrivate(collection, key string, w privateWrite) error {
	joined, _, err := s.collection(collection, key)
	switch {
	case err != nil:
		return err
	case key == "":
		return errEmptyKey
	}
	if err := s.write(); err != nil {
		return err
	}
	w.namespace, w.collection, w.key = s.namespace, collection, key
	s.simulation.private[joined] = w
	return nil
}

func (s *Stub) SetPrivateDataValidationParameter(collection, key string, policy []byte) error {
	joined, _, err := s.collection(collection, key)
	if err != nil {
		return err
	}
	if err := s.write(); err != nil {
		return err
	}
	s.simulation.privatePolicies[joined] = slices.Clone(policy)
	return nil
}

func (s *Stub) GetPrivateDataValidationParameter(collection, key string) ([]byte, error) {
	joined, _, err := s.collection(collection, key)
	if err != nil {
		return nil, err
	}
	hashed := s.ledger.state.hashed[joined]
	s.simulation.hashedReads[joined] = hashed.version
	return slices.Clone(hashed.policy), nil
}

func (s *Stub) GetPrivateDataByRange(collection, startKey, endKey string) (shim.StateQueryIteratorInterface, error) {
	startKey, err := simpleRange(startKey, endKey)
	if err != nil {
		return nil, err
	}
	return s.scanPrivate(collection, startKey, endKey)
}

func (s *Stub) GetPrivateDataByPartialCompositeKey(collection, noun string, parts []string) (shim.StateQueryIteratorInterface, error) {
	prefix, err := s.CreateCompositeKey(noun, parts)
	if err != nil {
		return nil, err
	}
	return s.scanPrivate(collection, prefix, prefix+maxRune)
}

func (s *Stub) GetPrivateDataQueryResult(string, string) (shim.StateQueryIteratorInterface, error) {
	return nil, errNoRichQueries
}

// scanPrivate lists a collection. Such a query is allowed only in a transaction that writes nothing.
func (s *Stub) scanPrivate(collection, start, end string) (shim.StateQueryIteratorInterface, error) {
	prefix, members, err := s.collection(collection, "")
	if err != nil {
		return nil, err
	}
	if s.simulation.wrote {
		return nil, errPrivateRangeAfterWrite
	}
	s.simulation.privateRange = true
	it := &iterator{namespace: s.namespace}
	if !members[s.msp] {
		return it, nil
	}
	for _, joined := range slices.Sorted(maps.Keys(s.ledger.state.private)) {
		key, inside := strings.CutPrefix(joined, prefix)
		if inside && key >= start && (end == "" || key < end) {
			it.rest = append(it.rest, seen{key: key})
			it.values = append(it.values, s.ledger.state.private[joined].value)
		}
	}
	return it, nil
}
