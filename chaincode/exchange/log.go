package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
)

// Entry is what a subject's access log says of one use: everything that is known when it is requested, nothing that
// changes later. Its canonical digest is hashed into the log.
type Entry struct {
	Number     int       `json:"number"`
	Use        string    `json:"use"`
	At         time.Time `json:"at"`
	Subject    string    `json:"subject"`
	Dataset    string    `json:"dataset"`
	Fields     []string  `json:"fields"`
	Provider   string    `json:"provider"`
	Consumer   string    `json:"consumer"`
	Purpose    string    `json:"purpose"`
	LegalBasis string    `json:"legal_basis"`
	Case       string    `json:"case"`
	Grant      string    `json:"grant"`
	Consent    string    `json:"consent,omitempty"`
	Selector   string    `json:"selector"`
}

// Entry is the use's entry in its subject's access log.
func (u Use) Entry() Entry {
	return Entry{
		Number: u.Number, Use: u.ID, At: u.Created.At, Subject: u.Subject, Dataset: u.Dataset, Fields: u.Fields,
		Provider: u.Provider, Consumer: u.Consumer, Purpose: u.Purpose, LegalBasis: u.LegalBasis, Case: u.Case,
		Grant: u.Grant, Consent: u.Consent, Selector: u.Selector,
	}
}

// Chain is the hash of a log that had the hash previous (empty: no entry) after one more entry: lower-case hexadecimal
// SHA-256 over the 32 bytes of previous, if there are any, and the 32 bytes of SHA-256 over the entry's canonical JSON.
func Chain(previous string, e Entry) (string, error) {
	before, err := hex.DecodeString(previous)
	if err != nil {
		return "", fmt.Errorf("hash of the log before entry %d: %w", e.Number, err)
	}
	raw, err := canonical.Marshal(e)
	if err != nil {
		return "", err
	}
	entry := sha256.Sum256(raw)
	sum := sha256.Sum256(append(before, entry[:]...))
	return hex.EncodeToString(sum[:]), nil
}

// append numbers a use as the log's next entry and links it to the one before.
func (l Log) append(u Use) (Log, Use, error) {
	u.Number, u.Previous = l.Count+1, l.Hash
	hash, err := Chain(l.Hash, u.Entry())
	if err != nil {
		return l, u, err
	}
	l.Count, l.Hash, l.Last = u.Number, hash, u.ID
	return l, u, nil
}
