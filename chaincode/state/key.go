package state

import (
	"fmt"
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

// IDSeparator joins the parts of a key to an id, as a caller writes it.
const IDSeparator = "/"

// checkParts refuses parts that could not be told from another key, or an id from another id, or are too long. Only the
// last part of a key may contain IDSeparator.
func checkParts(parts []string, last int) error {
	for i, part := range parts {
		if part == "" || len(part) > MaxPartLength || !utf8.ValidString(part) || strings.ContainsFunc(part, unfit) ||
			i < last && strings.Contains(part, IDSeparator) {
			return fault.Field("id", "key_part", fmt.Sprintf("use identifiers of 1 to %d bytes without control characters", MaxPartLength))
		}
	}
	return nil
}

// unfit are control characters and the rune that ends ranges.
func unfit(r rune) bool { return r < 0x20 || r == 0x7f || r == utf8.MaxRune }
