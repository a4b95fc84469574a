package exchange

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
)

// LogProof shows that entries that follow each other are in a log under their numbers: with their own leaves and the
// roots of the trees before and behind them, anyone computes the log's root. At most two hashes for each doubling of the
// log, whatever the number of entries.
type LogProof struct {
	Before []string `json:"before" doc:"Roots of the perfect trees before the entries, from left to right; lower-case hexadecimal digits."`
	After  []string `json:"after" doc:"Roots of the perfect trees behind the entries, from left to right."`
}

// ErrNotInLog says that entries with their proof do not give the log's root: one is left out, changed or moved, or the log
// is another.
var ErrNotInLog = errors.New("the entries are not those of the log")

// Proves checks that entries are those of the log from the first one's number on, without a gap; with all entries, that
// there are no others. No entries prove nothing but an empty log. Errors: ErrNotInLog.
func (l Log) Proves(entries []Entry, p LogProof) error {
	if len(entries) == 0 {
		if l.Count == 0 && l.Root == "" && len(p.Before)+len(p.After) == 0 {
			return nil
		}
		return fmt.Errorf("%w: none is given, the log has %d", ErrNotInLog, l.Count)
	}
	first, last := entries[0].Number, entries[0].Number+len(entries)-1
	if first < 1 || last > l.Count {
		return fmt.Errorf("%w: %d to %d of %d", ErrNotInLog, first, last, l.Count)
	}
	tree, err := part(0, first-1, p.Before)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if e.Number != first+i || e.Subject != l.Subject {
			return fmt.Errorf("%w: number %d is missing or another subject's", ErrNotInLog, first+i)
		}
		leaf, err := e.Leaf()
		if err != nil {
			return err
		}
		if err := tree.Append(leaf, nil); err != nil {
			return err
		}
	}
	after, err := part(last, l.Count, p.After)
	if err != nil {
		return err
	}
	if err := tree.AppendRange(after, nil); err != nil {
		return err
	}
	root, err := tree.GetRootHash(nil)
	if err != nil {
		return err
	}
	if hex.EncodeToString(root) != l.Root {
		return fmt.Errorf("%w: they give the root %x, it has %s", ErrNotInLog, root, l.Root)
	}
	return nil
}

// part is the part of a log's tree over the entries after number begin up to number end, made of the trees' roots given.
func part(begin, end int, roots []string) (*compact.Range, error) {
	raw, err := hashes(roots)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotInLog, err)
	}
	tree, err := trees.NewRange(uint64(begin), uint64(end), raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotInLog, err)
	}
	return tree, nil
}

// ProofUses are the numbers of the uses that Prove needs to prove the entries from first to last in a log of count.
func ProofUses(first, last, count int) []int {
	var numbers []int
	for _, id := range proofNodes(first, last, count) {
		numbers = append(numbers, completes(id))
	}
	return numbers
}

// Prove makes the proof for the entries from first to last in a log of count. use gives the use of a number.
func Prove(first, last, count int, use func(number int) (Use, error)) (p LogProof, err error) {
	p.Before, p.After = []string{}, []string{}
	for _, id := range proofNodes(first, last, count) {
		u, err := use(completes(id))
		if err != nil {
			return p, err
		}
		node, err := u.node(id.Level)
		if err != nil {
			return p, err
		}
		if _, end := id.Coverage(); int(end) < first {
			p.Before = append(p.Before, node)
		} else {
			p.After = append(p.After, node)
		}
	}
	return p, nil
}

func proofNodes(first, last, count int) []compact.NodeID {
	nodes := compact.RangeNodes(0, uint64(first-1), nil)
	return compact.RangeNodes(uint64(last), uint64(count), nodes)
}

// completes is the number of the entry that completes a tree: its last.
func completes(id compact.NodeID) int {
	_, end := id.Coverage()
	return int(end)
}

// node is the root of the tree of 2^level entries that the use's own completes.
func (u Use) node(level uint) (string, error) {
	if level == 0 {
		leaf, err := u.Entry().Leaf()
		return hex.EncodeToString(leaf), err
	}
	if int(level) > len(u.Nodes) {
		return "", fmt.Errorf("use %d of a log has %d nodes, not %d", u.Number, len(u.Nodes), level)
	}
	return u.Nodes[level-1], nil
}
