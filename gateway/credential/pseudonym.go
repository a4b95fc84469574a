// Package credential turns what callers show into who they are: access tokens into claims, and a person's identity at the
// provider into the pseudonym under which the ledger knows them.
package credential

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// PseudonymKeyBytes is the length of the pseudonym key.
const PseudonymKeyBytes = 32

// PseudonymLength is the length of a pseudonym: 26 characters of base32, 130 bits.
const PseudonymLength = 26

// Pseudonyms makes pseudonyms with a key that only the gateway which serves citizens has. The key never changes while
// records refer to the pseudonyms, and never touches the ledger.
type Pseudonyms struct{ key []byte }

// LoadPseudonyms reads the key from a file: 32 bytes in hexadecimal.
func LoadPseudonyms(path string) (*Pseudonyms, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("pseudonym_key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, errors.New("pseudonym_key: the file must hold 64 hexadecimal digits")
	}
	return NewPseudonyms(key)
}

// NewPseudonyms takes the key itself.
func NewPseudonyms(key []byte) (*Pseudonyms, error) {
	if len(key) != PseudonymKeyBytes {
		return nil, fmt.Errorf("pseudonym_key: must be %d bytes, 64 hexadecimal digits", PseudonymKeyBytes)
	}
	return &Pseudonyms{key}, nil
}

// Of is the pseudonym of a provider's subject: the first 26 characters of base32(HMAC-SHA256(key, issuer|sub)), lower case
// for keys and addresses. Without the key nobody can tell whose it is, not even by trying all identities.
func (p *Pseudonyms) Of(issuer, subject string) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(issuer + "|" + subject))
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil))
	return strings.ToLower(text[:PseudonymLength])
}
