package block

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"google.golang.org/protobuf/proto"
)

// writes reads the write sets of every namespace of a transaction.
func writes(tx *Transaction, raw []byte) error {
	var pieces [][]byte
	err := open(raw, part{number: 2, pieces: &pieces})
	all := make([]written, len(pieces))
	for i, piece := range pieces {
		err = errors.Join(err, all[i].open(piece))
	}
	if err != nil {
		return fmt.Errorf("read-write set: %w", err)
	}
	var failures []error
	for _, one := range all {
		namespace, err := namespace(one)
		if err != nil {
			failures = append(failures, fmt.Errorf("write set of %s: %w", printable(one.namespace), err))
		}
		if namespace.empty() && err == nil {
			continue // only read
		}
		tx.Writes = append(tx.Writes, namespace)
	}
	return errors.Join(failures...)
}

func (n Namespace) empty() bool {
	return len(n.Writes) == 0 && len(n.Guards) == 0 && len(n.Collections) == 0
}

// written is what a transaction did in one namespace, its public part still encoded.
type written struct {
	namespace   string
	public      []byte
	collections []*rwset.CollectionHashedReadWriteSet
}

func (w *written) open(raw []byte) error {
	var collections [][]byte
	if err := open(raw, part{number: 1, text: &w.namespace}, part{number: 2, bytes: &w.public}, part{number: 3, pieces: &collections}); err != nil {
		return err
	}
	for _, piece := range collections {
		c := new(rwset.CollectionHashedReadWriteSet)
		if err := proto.Unmarshal(piece, c); err != nil {
			return err
		}
		w.collections = append(w.collections, c)
	}
	return nil
}

func namespace(one written) (Namespace, error) {
	n := Namespace{Name: printable(one.namespace)}
	var public kvrwset.KVRWSet
	if err := proto.Unmarshal(one.public, &public); err != nil {
		return n, err
	}
	for _, w := range public.GetWrites() {
		n.Writes = append(n.Writes, Write{Key: w.GetKey(), Value: w.GetValue(), Delete: w.GetIsDelete()})
	}
	for _, w := range public.GetMetadataWrites() {
		n.Guards = append(n.Guards, Guard{Key: w.GetKey(), Entries: entries(w.GetEntries())})
	}
	var failures []error
	for _, c := range one.collections {
		collection, err := collection(c)
		if err != nil {
			failures = append(failures, fmt.Errorf("collection %s: %w", collection.Name, err))
		}
		if len(collection.Writes) > 0 || len(collection.Guards) > 0 {
			n.Collections = append(n.Collections, collection)
		}
	}
	return n, errors.Join(failures...)
}

func collection(c *rwset.CollectionHashedReadWriteSet) (Collection, error) {
	hashed := Collection{Name: printable(c.GetCollectionName()), Hash: c.GetPvtRwsetHash()}
	var set kvrwset.HashedRWSet
	if err := proto.Unmarshal(c.GetHashedRwset(), &set); err != nil {
		return hashed, err
	}
	for _, w := range set.GetHashedWrites() {
		hashed.Writes = append(hashed.Writes, HashedWrite{w.GetKeyHash(), w.GetValueHash(), w.GetIsDelete(), w.GetIsPurge()})
	}
	for _, w := range set.GetMetadataWrites() {
		hashed.Guards = append(hashed.Guards, HashedGuard{Key: w.GetKeyHash(), Entries: entries(w.GetEntries())})
	}
	return hashed, nil
}

func entries(all []*kvrwset.KVMetadataEntry) map[string][]byte {
	if len(all) == 0 {
		return nil
	}
	m := make(map[string][]byte, len(all))
	for _, e := range all {
		m[e.GetName()] = e.GetValue()
	}
	return m
}
