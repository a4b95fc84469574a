package anchor

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/hutong-gov/hutong/chaincode/inclusion"
)

// A batch's file has what every proof of its records needs. All numbers are little-endian.
//
//	16 bytes    "hutong batch 1" and two zero bytes
//	8 bytes     n, the number of records
//	32 bytes    each hash of the tree, in the order of tlog.StoredHashIndex: less than 2 n
//	20 bytes    each record's key and its index (4 bytes), sorted: n
//	8 bytes     where each record begins behind this table, and where the last one ends: n + 1
//	            the records, canonical JSON, in their order
const (
	batchMagic = "hutong batch 1\x00\x00"
	headBytes  = int64(len(batchMagic) + 8)
	keyBytes   = 20 // a key and four bytes
)

// draft is a batch that is being filled.
type draft struct {
	position int
	keys     []key
	ends     []uint64 // of each record in text
	text     []byte
	at       place // behind its last row
	found    map[key]struct{}
}

// place is how far a source is read and what was said of it up to there.
type place struct {
	File       int   `json:"file"`
	Offset     int64 `json:"offset"` // in the file
	Records    int   `json:"records"`
	Rejected   int   `json:"rejected"`
	Duplicates int   `json:"duplicates"`
	Listed     int   `json:"listed"`       // rejections that are in the list
	ListBytes  int64 `json:"listed_bytes"` // of the list
}

func newDraft(position, size int) *draft {
	return &draft{position: position, keys: make([]key, 0, size), ends: make([]uint64, 0, size), found: make(map[key]struct{}, size)}
}

func (d *draft) add(k key, record []byte) {
	d.keys, d.found[k] = append(d.keys, k), struct{}{}
	d.text = append(d.text, record...)
	d.ends = append(d.ends, uint64(len(d.text)))
}

func (d *draft) record(i int) []byte {
	start := uint64(0)
	if i > 0 {
		start = d.ends[i-1]
	}
	return d.text[start:d.ends[i]]
}

// salts gives each record of a batch its salt, without any being stored.
type salts []byte

// saltsOf derives a batch's from the secret, which stays with the agency.
func saltsOf(secret []byte, dataset, source string, position int, replaces string) salts {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "hutong/anchor/v1\n%s\n%s\n%d\n%s", dataset, source, position, replaces)
	return mac.Sum(nil)
}

// of gives the salt of the record with an index. Whoever asks for many keeps one function.
func (s salts) of() func(index int) inclusion.Salt {
	mac := hmac.New(sha256.New, s)
	var sum [sha256.Size]byte
	return func(index int) inclusion.Salt {
		mac.Reset()
		var number [8]byte
		binary.BigEndian.PutUint64(number[:], uint64(index))
		mac.Write(number[:])
		return inclusion.Salt(mac.Sum(sum[:0])[:inclusion.SaltBytes])
	}
}

// leaves hashes the records of a batch on so many cores.
func (d *draft) leaves(dataset string, s salts, cores int) []tlog.Hash {
	hashes := make([]tlog.Hash, len(d.keys))
	share := (len(d.keys) + cores - 1) / cores
	var wait sync.WaitGroup
	for from := 0; from < len(d.keys); from += share {
		wait.Go(func() {
			salt, buffer := s.of(), []byte{}
			for i := from; i < min(from+share, len(d.keys)); i++ {
				buffer = inclusion.AppendLeaf(buffer[:0], dataset, d.record(i), salt(i))
				hashes[i] = tlog.RecordHash(buffer)
			}
		})
	}
	wait.Wait()
	return hashes
}

// tree gives all hashes of the tree over leaves, in the order of tlog.StoredHashIndex, and its root.
func tree(leaves []tlog.Hash) (stored []tlog.Hash, root string, err error) {
	stored = make([]tlog.Hash, 0, tlog.StoredHashCount(int64(len(leaves))))
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i, leaf := range leaves {
		hashes, err := tlog.StoredHashesForRecordHash(int64(i), leaf, reader)
		if err != nil {
			return nil, "", err
		}
		stored = append(stored, hashes...)
	}
	top, err := tlog.TreeHash(int64(len(leaves)), reader)
	return stored, hex.EncodeToString(top[:]), err
}

// write writes the batch's file.
func (d *draft) write(to io.Writer, stored []tlog.Hash) error {
	out := bufio.NewWriterSize(to, 1<<20)
	number := func(n uint64) { _, _ = out.Write(binary.LittleEndian.AppendUint64(nil, n)) } // errors stay with the writer
	_, _ = out.WriteString(batchMagic)
	number(uint64(len(d.keys)))
	for _, hash := range stored {
		_, _ = out.Write(hash[:])
	}
	order := make([]uint32, len(d.keys))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(d.keys[a][:], d.keys[b][:]) })
	for _, i := range order {
		_, _ = out.Write(binary.LittleEndian.AppendUint32(d.keys[i][:], i))
	}
	number(0)
	for _, end := range d.ends {
		number(end)
	}
	_, _ = out.Write(d.text)
	return out.Flush()
}

// batch is a batch's file, open for reading. Safe for concurrent use.
type batch struct {
	file *os.File
	size int
}

func openBatch(path string) (*batch, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var head [headBytes]byte
	if _, err := file.ReadAt(head[:], 0); err != nil || string(head[:len(batchMagic)]) != batchMagic {
		return nil, errors.Join(ErrDamaged, err, file.Close())
	}
	return &batch{file, int(binary.LittleEndian.Uint64(head[len(batchMagic):]))}, nil
}

func (b *batch) Close() error { return b.file.Close() }

// Where the parts of the file begin.
func (b *batch) keysAt() int64 { return headBytes + tlog.StoredHashCount(int64(b.size))*tlog.HashSize }
func (b *batch) endsAt() int64 { return b.keysAt() + int64(b.size*keyBytes) }
func (b *batch) textAt() int64 { return b.endsAt() + int64(b.size+1)*8 }

// window is how many keys are read at once: keys are hashes, so where one must be is known to within some hundreds.
const window = 512

// find gives the index of the record with a key.
func (b *batch) find(k key) (index int, found bool, err error) {
	low, high := 0, b.size // it is among these
	for low < high {
		guess := low + int(float64(high-low)*fraction(k, low, high, b.size))
		from := min(max(low, guess-window/2), max(low, high-window))
		to := min(high, from+window)
		page := make([]byte, (to-from)*keyBytes)
		if _, err := b.file.ReadAt(page, b.keysAt()+int64(from*keyBytes)); err != nil {
			return 0, false, err
		}
		at := func(i int) []byte { return page[i*keyBytes : i*keyBytes+len(k)] }
		switch count := to - from; {
		case bytes.Compare(k[:], at(0)) < 0:
			high = from
		case bytes.Compare(k[:], at(count-1)) > 0:
			low = to
		default:
			for i := range count {
				if bytes.Equal(k[:], at(i)) {
					return int(binary.LittleEndian.Uint32(page[i*keyBytes+len(k):])), true, nil
				}
			}
			return 0, false, nil
		}
	}
	return 0, false, nil
}

// fraction is where between low and high of size sorted hashes a key is expected, from 0 to 1.
func fraction(k key, low, high, size int) float64 {
	expected := float64(binary.BigEndian.Uint64(k[:8])) / (1 << 64) * float64(size)
	return min(max((expected-float64(low))/float64(high-low), 0), 1)
}

// eachKey calls f with every key.
func (b *batch) eachKey(f func(key)) error {
	in := bufio.NewReaderSize(io.NewSectionReader(b.file, b.keysAt(), int64(b.size*keyBytes)), 1<<18)
	var entry [keyBytes]byte
	for range b.size {
		if _, err := io.ReadFull(in, entry[:]); err != nil {
			return err
		}
		f(key(entry[:len(key{})]))
	}
	return nil
}

// record reads one record.
func (b *batch) record(index int) ([]byte, error) {
	var around [16]byte
	if _, err := b.file.ReadAt(around[:], b.endsAt()+int64(index)*8); err != nil {
		return nil, err
	}
	start, end := binary.LittleEndian.Uint64(around[:8]), binary.LittleEndian.Uint64(around[8:])
	if end < start || end-start > inclusion.MaxRecordBytes {
		return nil, ErrDamaged
	}
	raw := make([]byte, end-start)
	_, err := b.file.ReadAt(raw, b.textAt()+int64(start))
	return raw, err
}

// path is the way from a record's leaf to the root.
func (b *batch) path(index int) ([]string, error) {
	hashes, err := tlog.ProveRecord(int64(b.size), int64(index), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			if _, err := b.file.ReadAt(found[i][:], headBytes+at*tlog.HashSize); err != nil {
				return nil, err
			}
		}
		return found, nil
	}))
	path := make([]string, len(hashes))
	for i, hash := range hashes {
		path[i] = hex.EncodeToString(hash[:])
	}
	return path, err
}

// fileName is a batch's, by its position.
func fileName(position int, ending string) string {
	return fmt.Sprintf("%07d.%s", position, ending)
}

// save writes the batch's file to the disk.
func (d *draft) save(path string, stored []tlog.Hash) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := d.write(file, stored); err != nil {
		return err
	}
	return file.Sync()
}
