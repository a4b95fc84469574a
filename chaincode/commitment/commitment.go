// Package commitment binds the ledger to data that is not on it. A document is a list of named fields, each with a random
// salt; its commitment is the root of a Merkle tree (RFC 9162 §2.1) over the salted fields. Whoever holds the document can
// show all of it, or single fields with their inclusion paths; whoever holds only the commitment learns nothing, not even
// by guessing low-entropy values, because of the salts.
package commitment

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of a document.
const (
	SaltBytes = 16 // 128 bits
	MaxFields = 256
	MaxName   = 64
)

// Field is one salted field. Value is any JSON value.
type Field struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	Salt  string          `json:"salt"` // base64url, SaltBytes long
}

// Document is data with salts: a delivered payload, an application form, the body of a certificate.
type Document struct {
	Fields []Field `json:"fields"` // in the order of their names
}

var form = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Check says whether s has the form of a commitment: 64 lower-case hexadecimal digits.
func Check(field, s string) error {
	if !form.MatchString(s) {
		return fault.Field(field, "pattern:"+form.String(), "send the commitment as 64 lower-case hexadecimal digits")
	}
	return nil
}

// New salts values. Names are sorted so that a content has one order.
func New(values map[string]any) (Document, error) {
	var d Document
	for name, value := range values {
		raw, err := canonical.Marshal(value)
		if err != nil {
			return d, fmt.Errorf("field %s: %w", name, err)
		}
		salt := make([]byte, SaltBytes)
		if _, err := rand.Read(salt); err != nil {
			return d, err
		}
		d.Fields = append(d.Fields, Field{name, raw, base64.RawURLEncoding.EncodeToString(salt)})
	}
	slices.SortFunc(d.Fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	_, err := d.Root()
	return d, err
}

// Values are the fields without their salts.
func (d Document) Values() map[string]json.RawMessage {
	values := make(map[string]json.RawMessage, len(d.Fields))
	for _, f := range d.Fields {
		values[f.Name] = f.Value
	}
	return values
}

// Root is the document's commitment: 64 lower-case hexadecimal digits. Faults: invalid name, value, salt or order of fields.
func (d Document) Root() (string, error) {
	leaves, err := d.leaves()
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(root(leaves)), nil
}

// leaves checks the document and hashes its fields.
func (d Document) leaves() ([][]byte, error) {
	if len(d.Fields) == 0 || len(d.Fields) > MaxFields {
		return nil, fault.Field("fields", fmt.Sprintf("length:1,%d", MaxFields), "a document has between one and this many fields")
	}
	leaves := make([][]byte, len(d.Fields))
	for i, f := range d.Fields {
		if i > 0 && f.Name <= d.Fields[i-1].Name {
			return nil, fault.Field(fmt.Sprintf("fields[%d].name", i), "sorted_unique", "list fields in the order of their names, each once")
		}
		leaf, err := f.leaf()
		if err != nil {
			return nil, fault.From(err).Under(fmt.Sprintf("fields[%d]", i))
		}
		leaves[i] = leaf
	}
	return leaves, nil
}

// Leaf is the field's leaf hash: 64 lower-case hexadecimal digits. It tells nothing of the field but to who has its salt.
func (f Field) Leaf() (string, error) {
	leaf, err := f.leaf()
	return hex.EncodeToString(leaf), err
}

// leaf is the field's leaf hash: SHA-256(0x00 ‖ JCS([name, value, salt])).
func (f Field) leaf() ([]byte, error) {
	salt, err := base64.RawURLEncoding.Strict().DecodeString(f.Salt)
	if err != nil || len(salt) != SaltBytes || len(f.Salt) != base64.RawURLEncoding.EncodedLen(SaltBytes) {
		return nil, fault.Field("salt", fmt.Sprintf("base64url_bytes:%d", SaltBytes), "keep the salt that came with the field")
	}
	if f.Name == "" || len(f.Name) > MaxName {
		return nil, fault.Field("name", fmt.Sprintf("length:1,%d", MaxName), "name the field")
	}
	if len(f.Value) == 0 {
		return nil, fault.Field("value", "required", "give the field a JSON value; null is one")
	}
	raw, err := canonical.Marshal([]any{f.Name, f.Value, f.Salt})
	if err != nil {
		return nil, fault.Field("value", "json", "give the field a JSON value that has a canonical form (RFC 8785)")
	}
	sum := sha256.Sum256(append([]byte{0x00}, raw...))
	return sum[:], nil
}

// root is RFC 9162's MTH over leaf hashes.
func root(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	return node(root(leaves[:k]), root(leaves[k:]))
}

// split is the largest power of two smaller than n.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func node(left, right []byte) []byte {
	sum := sha256.Sum256(append(append([]byte{0x01}, left...), right...))
	return sum[:]
}
