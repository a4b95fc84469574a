package state

import (
	"strings"
	"unicode/utf8"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Fabric's composite keys: U+0000 before the noun, U+0000 after the noun and after each part.
const (
	separator     = "\x00"
	lastRune      = string(utf8.MaxRune) // the end of a range over a prefix
	MaxPartLength = 128                  // bytes in one part of a key
)

// Key builds the ledger key of a record. This package alone builds and splits keys.
func Key(noun string, parts ...string) string {
	var b strings.Builder
	b.WriteString(separator + noun + separator)
	for _, part := range parts {
		b.WriteString(part + separator)
	}
	return b.String()
}

// Split takes a ledger key apart. ok is false for a key that Key did not build.
func Split(key string) (noun string, parts []string, ok bool) {
	inner, found := strings.CutPrefix(key, separator)
	if !found {
		return "", nil, false
	}
	inner, found = strings.CutSuffix(inner, separator)
	if !found || inner == "" {
		return "", nil, false
	}
	pieces := strings.Split(inner, separator)
	return pieces[0], pieces[1:], true
}

// checkParts refuses parts that could not be told from another key or are too long.
func checkParts(noun string, parts []string) error {
	for _, part := range parts {
		if part == "" || len(part) > MaxPartLength || !utf8.ValidString(part) || strings.ContainsAny(part, separator+lastRune) {
			return fault.Field("id", "key_part", "use a non-empty identifier without control characters").Under(noun)
		}
	}
	return nil
}
