package state

import (
	"cmp"
	"fmt"
	"slices"
)

// Private data: values that only the peers of a collection's organisations keep, while all peers keep their hashes. They
// are read as the peer has them, written and purged with the command that does so, and never listed.

// private is a value of a collection that a command writes, or purges.
type private struct {
	value []byte
	purge bool
}

// place is where a private value is.
type place struct{ collection, key string }

// Private reads a value of a collection, nil where there is none. A peer whose organisation is not a member of the
// collection cannot answer; that is an error. What this transaction writes is not seen: Fabric does not show it either.
func (s *Store) Private(collection, key string) ([]byte, error) {
	value, err := s.stub.GetPrivateData(collection, key)
	if err != nil {
		return nil, fmt.Errorf("read private data: %w", err)
	}
	return value, nil
}

// PutPrivate writes a value of a collection.
func (s *Store) PutPrivate(collection, key string, value []byte) {
	s.hiding[place{collection, key}] = private{value: value}
}

// PurgePrivate removes a value of a collection, and every earlier value under its key, from all peers for good. Hashes stay.
func (s *Store) PurgePrivate(collection, key string) {
	s.hiding[place{collection, key}] = private{purge: true}
}

// flushPrivate sends the accepted writes to collections to the peer, in the order of collections and keys.
func (s *Store) flushPrivate() error {
	places := make([]place, 0, len(s.hidden))
	for at := range s.hidden {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.collection, b.collection), cmp.Compare(a.key, b.key))
	})
	for _, at := range places {
		w := s.hidden[at]
		var err error
		if w.purge {
			err = s.stub.PurgePrivateData(at.collection, at.key)
		} else {
			err = s.stub.PutPrivateData(at.collection, at.key, w.value)
		}
		if err != nil {
			return fmt.Errorf("write private data: %w", err)
		}
	}
	return nil
}
