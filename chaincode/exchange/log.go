package exchange

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// LogGet reads a subject's log head: what statements of a log are of.
const LogGet = "log:Get"

// Log is the head of a subject's access log: how many uses there are, and the root of the Merkle tree over all of them in
// order (RFC 9162, section 2.1, SHA-256). It exists from the subject's registration, so that "nobody has used it" is a
// record too. Key: the pseudonym. Hashes are lower-case hexadecimal digits.
type Log struct {
	state.Head
	Subject string   `json:"subject"`
	Count   int      `json:"count"`
	Root    string   `json:"root,omitempty"`  // empty: no use yet
	Peaks   []string `json:"peaks,omitempty"` // roots of the perfect trees that make up the tree, the largest first: enough to append
	Last    string   `json:"last,omitempty"`  // id of the last use
}

// Beijing is the time of days and of plain words. There is one all over the country, and no summer time.
var Beijing = time.FixedZone("+08:00", 8*60*60)

// Entry is what a subject's access log says of one use: everything that is known when it is requested, nothing that
// changes later. Its canonical JSON is the leaf of the log's tree.
type Entry struct {
	Number     int       `json:"number"`
	Use        string    `json:"use"`
	At         time.Time `json:"at"`
	Subject    string    `json:"subject"`
	Dataset    string    `json:"dataset,omitempty"`
	Fields     []string  `json:"fields,omitempty"`
	Provider   string    `json:"provider,omitempty"`
	Consumer   string    `json:"consumer,omitempty"`
	Purpose    string    `json:"purpose,omitempty"`
	LegalBasis string    `json:"legal_basis,omitempty"`
	Case       string    `json:"case,omitempty"`
	Grant      string    `json:"grant,omitempty"`
	Consent    string    `json:"consent,omitempty"`
	Selector   string    `json:"selector,omitempty"`
	Claims     string    `json:"claims,omitempty"`  // what was asked, where it was verified and not fetched
	Sealed     string    `json:"sealed,omitempty"`  // of a sealed use, in place of all that follows the subject: commitment of its details
	OpensAt    time.Time `json:"opens_at,omitzero"` // when they are opened at the latest
}

// Entry is the use's entry in its subject's access log. That of a sealed use stays as it was sealed (Disclosure opens it).
func (u Use) Entry() Entry {
	if u.Seal != nil {
		return Entry{Number: u.Number, Use: u.ID, At: u.Created.At, Subject: u.Subject, Sealed: u.Seal.Commitment, OpensAt: u.Seal.OpensAt}
	}
	return Entry{
		Number: u.Number, Use: u.ID, At: u.Created.At, Subject: u.Subject, Dataset: u.Dataset, Fields: u.Fields,
		Provider: u.Provider, Consumer: u.Consumer, Purpose: u.Purpose, LegalBasis: u.LegalBasis, Case: u.Case,
		Grant: u.Grant, Consent: u.Consent, Selector: u.Selector, Claims: u.Claims,
	}
}

// Leaf is the entry's hash as a leaf of the log's tree: SHA-256( 0x00 ‖ canonical JSON ).
func (e Entry) Leaf() ([]byte, error) { return leafOf(e.Number, e) }

func leafOf(number int, entry any) ([]byte, error) {
	raw, err := canonical.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", number, err)
	}
	return rfc6962.DefaultHasher.HashLeaf(raw), nil
}

// trees joins hashes as RFC 9162 does: SHA-256( 0x01 ‖ left ‖ right ).
var trees = &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// append numbers a use as the log's next entry. The use keeps the roots of the trees that it completes, so that whoever
// has the uses can prove any of them without hashing all.
func (l Log) append(u Use) (Log, Use, error) {
	u.Number, u.Nodes = l.Count+1, nil
	leaf, err := u.Entry().Leaf()
	if err != nil {
		return l, u, err
	}
	if l.Root, l.Peaks, u.Nodes, err = grown(l.Count, l.Peaks, leaf); err != nil {
		return l, u, err
	}
	l.Count, l.Last = u.Number, u.ID
	return l, u, nil
}

// grown gives root and peaks of a tree of count leaves after one more, and nodes: the roots of the trees that it completes.
func grown(count int, before []string, leaf []byte) (root string, peaks, nodes []string, err error) {
	known, err := hashes(before)
	if err != nil {
		return "", nil, nil, fmt.Errorf("log of %d entries: %w", count, err)
	}
	tree, err := trees.NewRange(0, uint64(count), known)
	if err != nil {
		return "", nil, nil, fmt.Errorf("log of %d entries: %w", count, err)
	}
	err = tree.Append(leaf, func(id compact.NodeID, hash []byte) {
		if id.Level > 0 {
			nodes = append(nodes, hex.EncodeToString(hash))
		}
	})
	if err != nil {
		return "", nil, nil, err
	}
	top, err := tree.GetRootHash(nil)
	return hex.EncodeToString(top), digits(tree.Hashes()), nodes, err
}

func hashes(digits []string) (all [][]byte, err error) {
	all = make([][]byte, len(digits))
	for i, d := range digits {
		if all[i], err = hex.DecodeString(d); err != nil || len(all[i]) != rfc6962.DefaultHasher.Size() {
			return nil, fmt.Errorf("hash %d is not one of SHA-256", i)
		}
	}
	return all, nil
}

func digits(hashes [][]byte) []string {
	all := make([]string, len(hashes))
	for i, h := range hashes {
		all[i] = hex.EncodeToString(h)
	}
	return all
}
