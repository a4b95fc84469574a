// Package inclusion shows that one record is in a batch that an agency has anchored on the ledger, to whoever has the
// record's proof, and shows nothing else. The ledger has the root of a Merkle tree (RFC 9162 §2.1, SHA-256) over the batch.
//
//	leaf  = SHA-256( 0x00 ‖ JCS([dataset, record, salt]) )
//	node  = SHA-256( 0x01 ‖ left ‖ right )
//
// Every record has a salt of 128 bits of its own, so that the hashes in somebody else's proof give nothing away, not even to
// whoever tries out all contents a neighbouring record may have.
//
// A proof is one JSON document and needs nothing besides but the root, which is the ledger's or is had from somebody trusted.
package inclusion

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Format is the member by which a document says that it is a proof of this form.
const Format = "hutong-inclusion-v1"

// Limits of a proof.
const (
	SaltBytes      = 16 // 128 bits
	MaxRecordBytes = 16 << 10
	MaxProofBytes  = 32 << 10 // of the document: a record, and a path of at most 20 hashes
)

// Salt makes a record's leaf unguessable.
type Salt [SaltBytes]byte

// String is base64url without padding, as proofs and leaves have it.
func (s Salt) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

// Proof shows that a record is in an anchored batch.
type Proof struct {
	Format  string          `json:"format"`
	Dataset string          `json:"dataset"`
	Record  json.RawMessage `json:"record"`
	Salt    string          `json:"salt"`      // base64url, SaltBytes long
	Index   int             `json:"index"`     // of the record in its batch, from 0
	Size    int             `json:"tree_size"` // records in the batch
	Path    []string        `json:"path"`      // hashes, from the leaf up, 64 lower-case hexadecimal digits each
	Anchor  string          `json:"anchor"`    // id of the record on the ledger that has the root
	Root    string          `json:"root"`      // what the ledger is said to have there
}

// Parse reads a proof strictly. Faults: those of canonical.Decode, and of form.
func Parse(raw []byte) (p Proof, err error) {
	if len(raw) > MaxProofBytes {
		return p, fault.New(fault.Limit, "request.too_large", "a proof is not that long").On("proof", fmt.Sprintf("max_bytes:%d", MaxProofBytes))
	}
	if err := canonical.Decode(raw, &p); err != nil {
		return p, err
	}
	return p, p.Validate()
}

// Validate checks the form of a proof.
func (p Proof) Validate() error {
	if p.Format != Format {
		return fault.Field("format", "equals:"+Format, "send a proof as it was given out")
	}
	if err := exchange.CheckDataset("dataset", p.Dataset); err != nil {
		return err
	}
	if len(p.Record) == 0 || len(p.Record) > MaxRecordBytes {
		return fault.Field("record", fmt.Sprintf("length:1,%d", MaxRecordBytes), "send the record that the proof is of")
	}
	if _, err := p.salt(); err != nil {
		return err
	}
	if p.Size < 1 || p.Size > exchange.MaxAnchorSize {
		return fault.Field("tree_size", fmt.Sprintf("between:1,%d", exchange.MaxAnchorSize), "send a proof as it was given out")
	}
	if p.Index < 0 || p.Index >= p.Size {
		return fault.Field("index", "less_than:tree_size", "send a proof as it was given out")
	}
	for i, hash := range p.Path {
		if err := commitment.Check(fmt.Sprintf("path[%d]", i), hash); err != nil {
			return err
		}
	}
	if err := exchange.CheckIdentifier("anchor", p.Anchor); err != nil {
		return err
	}
	return commitment.Check("root", p.Root)
}

func (p Proof) salt() (s Salt, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.Salt)
	if err != nil || len(raw) != SaltBytes || len(p.Salt) != base64.RawURLEncoding.EncodedLen(SaltBytes) {
		return s, fault.Field("salt", fmt.Sprintf("base64url_bytes:%d", SaltBytes), "keep the salt that came with the record")
	}
	return Salt(raw), nil
}

// ErrMismatch says that the record is not in the batch with the root: one of record, salt, position and path was changed,
// or the root is another batch's.
var ErrMismatch = fault.New(fault.Refused, "inclusion.mismatch", "the record is not in the batch with this root; do not rely on it").On("record", "included")

// Verify says whether the record is in the batch whose root, 64 lower-case hexadecimal digits, is given. What the proof
// itself says of the root is not believed. Faults: inclusion.mismatch, and those of form.
func (p Proof) Verify(root string) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if err := commitment.Check("root", root); err != nil {
		return err
	}
	record, err := canonical.Transform(p.Record)
	if err != nil {
		return fault.Under("record", err)
	}
	salt, err := p.salt()
	if err != nil {
		return err
	}
	path := make(tlog.RecordProof, len(p.Path))
	for i, hash := range p.Path {
		path[i] = parsed(hash)
	}
	if tlog.CheckRecord(path, int64(p.Size), parsed(root), int64(p.Index), Leaf(p.Dataset, record, salt)) != nil {
		return ErrMismatch
	}
	return nil
}

// parsed is a hash whose form was checked.
func parsed(digits string) (h tlog.Hash) {
	raw, _ := hex.DecodeString(digits)
	copy(h[:], raw)
	return h
}

// Leaf is a record's leaf hash. record is in canonical form (RFC 8785), dataset a valid id.
func Leaf(dataset string, record []byte, salt Salt) tlog.Hash {
	return tlog.RecordHash(AppendLeaf(nil, dataset, record, salt))
}

// AppendLeaf appends what a leaf is the hash of: JCS([dataset, record, salt]). Neither an id nor base64url has a character
// that JSON would escape.
func AppendLeaf(to []byte, dataset string, record []byte, salt Salt) []byte {
	to = append(to, `["`...)
	to = append(to, dataset...)
	to = append(to, `",`...)
	to = append(to, record...)
	to = append(to, `,"`...)
	to = base64.RawURLEncoding.AppendEncode(to, salt[:])
	return append(to, `"]`...)
}

// In says whether the proof is of a record in the batch of an anchor, as the ledger has it. Faults: those of form.
func (p Proof) In(a exchange.Anchor) (bool, error) {
	err := p.Verify(a.Root)
	if err != nil && !errors.Is(err, ErrMismatch) {
		return false, err
	}
	return err == nil && p.Anchor == a.ID && p.Dataset == a.Dataset && p.Size == a.Size, nil
}
