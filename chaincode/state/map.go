package state

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of a list and of a stored record.
const (
	MaxPageSize     = 200
	DefaultPageSize = 50
	MaxRecordBytes  = 64 << 10
	MaxHistory      = 1000
)

// Stamp says which transaction touched a record, and for whom.
type Stamp struct {
	By    string    `json:"by"`              // agency id
	Staff string    `json:"staff,omitempty"` // the officer's staff number, where an officer acted
	At    time.Time `json:"at"`              // the transaction's timestamp: a claim that endorsers bounded
	Tx    string    `json:"tx_id"`
}

// Head is the part every record has. Embed it first in a record type.
type Head struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	First   string `json:"first_status"` // what Status was when it was created: a repeated creation answers it
	Version int    `json:"version"`      // 1 when created, one more at each change
	Created Stamp  `json:"created"`
	Changed Stamp  `json:"changed,omitzero"` // the last change; none: LastChange is the creation
	Digest  string `json:"digest"`           // of the request that created it: the same request again is the same record
}

// Past is the part of a record that remembers transitions of its own. Embed it beside Head.
type Past struct {
	Done []Done `json:"done,omitempty"` // transitions that were carried out, in their order
}

// Remembered gives generic code access to it.
func (p *Past) Remembered() *[]Done { return &p.Done }

// Done is a transition that was carried out, so that the same command again is told the same.
type Done struct {
	Command string    `json:"command"` // who called which function with which idempotency key (kernel.ID)
	Digest  string    `json:"digest"`  // of the request
	Status  string    `json:"status"`  // what the record became
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	Tx      string    `json:"tx_id"`
}

// Header gives generic code access to the head.
func (h *Head) Header() *Head { return h }

// LastChange is when, by whom and in which transaction the record became what it is.
func (h *Head) LastChange() Stamp {
	if h.Changed == (Stamp{}) {
		return h.Created
	}
	return h.Changed
}

// Record is a pointer to a type that embeds Head.
type Record[T any] interface {
	*T
	Header() *Head
}

// Index is what a read model may look a record up by. Empty fields are not indexed. Nothing personal goes in.
type Index struct {
	Subject string // pseudonym
	Agency  string // the agency that owns or must act on it
	Peer    string // the other agency, where there are two
	Case    string
	Kind    string // dataset, service, certificate type …
	Number  int    // in a series of the subject's; 0: none
	// What a directory is searched for: Words hold a text anywhere, Tags are "name=value" and hold it whole. In any case of
	// letters.
	Words, Tags []string
}

// Map is a typed collection: all records of one noun. Parts names the attributes of the key, broad to narrow.
type Map[T any] struct {
	Noun  string
	Parts []string
	Doc   string        // one sentence for the catalogue of keys
	Index func(T) Index // may be nil
}

// Get reads one record. Fault: <noun>.missing.
func (m Map[T]) Get(s *Store, parts ...string) (T, error) {
	record, found, err := m.Find(s, parts...)
	if err == nil && !found {
		err = missing(m.Noun)
	}
	return record, err
}

// Find reads one record that may be absent.
func (m Map[T]) Find(s *Store, parts ...string) (record T, found bool, err error) {
	if err := m.check(parts); err != nil {
		return record, false, err
	}
	raw, err := s.get(Key(m.Noun, parts...))
	if err != nil || raw == nil {
		return record, false, err
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return record, false, fmt.Errorf("decode %s: %w", m.Noun, err)
	}
	return record, true, nil
}

// View reads one record to look at, decoded once a transaction for all commands that name it. What it refers to (slices,
// maps) is shared between them: change nothing in it. Fault: <noun>.missing.
func (m Map[T]) View(s *Store, parts ...string) (T, error) {
	key := Key(m.Noun, parts...)
	if seen, ok := s.viewed[key].(T); ok {
		return seen, nil
	}
	record, err := m.Get(s, parts...)
	if err == nil && !s.wrote(key) {
		s.viewed[key] = record
	}
	return record, err
}

// Put writes a record, new or changed.
func (m Map[T]) Put(s *Store, record T, parts ...string) error {
	if err := m.check(parts); err != nil {
		return err
	}
	raw, err := canonical.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.Noun, err)
	}
	if len(raw) > MaxRecordBytes {
		return fault.New(fault.Limit, m.Noun+".too_large", "make the request smaller").On("request", fmt.Sprintf("max_bytes:%d", MaxRecordBytes))
	}
	s.put(Key(m.Noun, parts...), raw)
	return nil
}

// Guard sets who must endorse later writes of a record (key-level endorsement, a marshalled SignaturePolicyEnvelope).
func (m Map[T]) Guard(s *Store, policy []byte, parts ...string) error {
	if err := m.check(parts); err != nil {
		return err
	}
	s.setting[Key(m.Noun, parts...)] = policy
	return nil
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_page_token,omitempty"`
}

// Scan lists the records whose key starts with the given parts, in key order. token is a previous page's Next. size 0
// means DefaultPageSize; more than MaxPageSize is a fault.
func (m Map[T]) Scan(s *Store, size int, token string, parts ...string) (Page[T], error) {
	page := Page[T]{Items: []T{}}
	if size == 0 {
		size = DefaultPageSize
	}
	if size < 1 || size > MaxPageSize {
		return page, fault.Field("page_size", fmt.Sprintf("between:1,%d", MaxPageSize), "ask for a smaller page")
	}
	if len(parts) > 0 {
		if err := checkParts(parts, len(m.Parts)-1); err != nil {
			return page, err
		}
	}
	prefix := Key(m.Noun, parts...)
	after := ""
	if token != "" {
		var err error
		if after, err = decodeToken(token, prefix); err != nil {
			return page, err
		}
	}
	entries, err := s.scan(m.Noun, parts, after, size+1)
	if err != nil {
		return page, err
	}
	if len(entries) > size {
		entries = entries[:size]
		page.Next = encodeToken(entries[size-1].key)
	}
	for _, e := range entries {
		var record T
		if err := json.Unmarshal(e.value, &record); err != nil {
			return page, fmt.Errorf("decode %s: %w", m.Noun, err)
		}
		page.Items = append(page.Items, record)
	}
	return page, nil
}

// Token is the page token with which a scan goes on behind the record of a key, whether or not there is one.
func (m Map[T]) Token(parts ...string) string { return encodeToken(Key(m.Noun, parts...)) }

// Revision is one past state of a record.
type Revision[T any] struct {
	Tx      string    `json:"tx_id"`
	At      time.Time `json:"at"`
	Deleted bool      `json:"deleted,omitempty"`
	Record  T         `json:"record"`
}

// History lists a record's past states, newest first. Fault: <noun>.missing where there never was one.
func (m Map[T]) History(s *Store, parts ...string) ([]Revision[T], error) {
	if err := m.check(parts); err != nil {
		return nil, err
	}
	past, err := s.history(Key(m.Noun, parts...), MaxHistory)
	if err != nil {
		return nil, err
	}
	if len(past) == 0 {
		return nil, missing(m.Noun)
	}
	revisions := make([]Revision[T], len(past))
	for i, p := range past {
		revisions[i] = Revision[T]{Tx: p.tx, At: p.at, Deleted: p.deleted}
		if p.deleted {
			continue
		}
		if err := json.Unmarshal(p.value, &revisions[i].Record); err != nil {
			return nil, fmt.Errorf("decode %s: %w", m.Noun, err)
		}
	}
	return revisions, nil
}

func (m Map[T]) check(parts []string) error {
	if len(parts) != len(m.Parts) {
		return fmt.Errorf("%s: a key has %d parts, not %d", m.Noun, len(m.Parts), len(parts))
	}
	return checkParts(parts, len(m.Parts)-1)
}
