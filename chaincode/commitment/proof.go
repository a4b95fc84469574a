package commitment

import (
	"cmp"
	"crypto/subtle"
	"encoding/hex"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Proof shows that a field belongs to a document, to someone who has the document's commitment and not its other fields
// (RFC 9162 §2.1.3). It says how many fields the document has and which of them this one is, nothing else.
type Proof struct {
	Index  int      `json:"index"`  // of the field, from 0
	Fields int      `json:"fields"` // in the document
	Path   []string `json:"path"`   // hashes, from the leaf up, 64 lower-case hexadecimal digits each
}

// Show gives a field and the proof that it is the document's. Fault: commitment.no_such_field, and those of Root.
func (d Document) Show(name string) (Field, Proof, error) {
	leaves, err := d.leaves()
	if err != nil {
		return Field{}, Proof{}, err
	}
	for i, f := range d.Fields {
		if f.Name == name {
			proof := Proof{Index: i, Fields: len(leaves), Path: []string{}}
			for _, hash := range path(i, leaves) {
				proof.Path = append(proof.Path, hex.EncodeToString(hash))
			}
			return f, proof, nil
		}
	}
	return Field{}, Proof{}, fault.New(fault.Missing, "commitment.no_such_field", "name a field of the document").On("name", "exists")
}

// path is RFC 9162's PATH(m, D[n]).
func path(m int, leaves [][]byte) [][]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if m < k {
		return append(path(m, leaves[:k]), root(leaves[k:]))
	}
	return append(path(m-k, leaves[k:]), root(leaves[:k]))
}

// Verify says whether the field belongs to the document that has the commitment. Fault: commitment.mismatch where it does
// not, and those of form.
func (p Proof) Verify(commitment string, f Field) error {
	if err := cmp.Or(Check("commitment", commitment), p.Check()); err != nil {
		return err
	}
	leaf, err := f.Leaf()
	if err != nil {
		return fault.From(err).Under("field")
	}
	if got := p.Root(leaf); subtle.ConstantTimeCompare([]byte(got), []byte(commitment)) != 1 {
		return fault.New(fault.Refused, "commitment.mismatch", "the field is not part of the document that was committed to").On("field", "committed")
	}
	return nil
}

// Check checks the form of a proof.
func (p Proof) Check() error {
	if p.Fields < 1 || p.Fields > MaxFields || p.Index < 0 || p.Index >= p.Fields {
		return fault.Field("proof.index", fmt.Sprintf("between:0,fields<=%d", MaxFields), "send the proof that came with the field")
	}
	for i, hash := range p.Path {
		if err := Check(fmt.Sprintf("proof.path[%d]", i), hash); err != nil {
			return err
		}
	}
	return nil
}

// Root is the commitment of the document that the leaf belongs to if the proof is right; empty if the path has not the
// length it must have. The leaf has the form of a commitment, and the proof was checked.
func (p Proof) Root(leaf string) string {
	hashes := make([][]byte, len(p.Path))
	for i, hash := range p.Path {
		hashes[i], _ = hex.DecodeString(hash) // Check saw digits
	}
	bottom, err := hex.DecodeString(leaf)
	if err != nil {
		return ""
	}
	top, rest := climb(p.Index, p.Fields, bottom, hashes)
	if len(rest) != 0 {
		return ""
	}
	return hex.EncodeToString(top)
}

// climb computes the root of n leaves from the m-th and its path. It gives the hashes of the path it did not use; a path
// that is too short gives no root.
func climb(m, n int, leaf []byte, path [][]byte) (top []byte, rest [][]byte) {
	if n == 1 {
		return leaf, path
	}
	k := split(n)
	if m < k {
		top, rest = climb(m, k, leaf, path)
	} else {
		top, rest = climb(m-k, n-k, leaf, path)
	}
	if top == nil || len(rest) == 0 {
		return nil, nil
	}
	if m < k {
		return node(top, rest[0]), rest[1:]
	}
	return node(rest[0], top), rest[1:]
}
