// Package canonical has the one JSON form that is hashed, signed and stored: RFC 8785 (JCS). Two programs that hold the
// same content hold the same bytes.
//
// Nothing here repeats what a document says: errors name members and rules, never values.
package canonical

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// MaxSafeInteger is the largest integer a JSON number carries without change (RFC 8785 §3.2.2.3). Larger ones travel as strings.
const MaxSafeInteger = 1<<53 - 1

// Bounds of nesting: of a document a caller sends, and of what such documents are put into (a command, a batch).
const (
	MaxDepth      = 32
	EnvelopeDepth = 4
)

// Marshal gives v's canonical form.
func Marshal(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Transform(raw)
}

// Transform gives a JSON text's canonical form. It refuses, as a fault that names the member and the rule, numbers that
// would change silently, duplicate names, text that is not Unicode, and nesting deeper than MaxDepth and EnvelopeDepth
// together.
func Transform(raw []byte) ([]byte, error) {
	return transform(raw, MaxDepth+EnvelopeDepth)
}

// Digest is the lower-case hexadecimal SHA-256 of v's canonical form, 64 characters.
func Digest(v any) (string, error) {
	raw, err := Marshal(v)
	if err != nil {
		return "", err
	}
	return Sum(raw), nil
}

// Sum is the lower-case hexadecimal SHA-256 of raw.
func Sum(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
