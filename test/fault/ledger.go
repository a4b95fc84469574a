package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/test/story"
)

// Written is one version of a record as a valid transaction wrote it.
type Written struct {
	Tx    string
	Block uint64
}

// Version names a version of a record.
type Version struct {
	Noun, ID string
	Version  int
}

// Ledger is what the blocks say, as an uninvolved peer has them.
type Ledger struct {
	Versions map[Version][]Written // more than one is a double
	Blocks   []block.Block
}

// Read reads every block of the channel from the auditor's peer.
func Read(ctx context.Context, n *network.Network) (*Ledger, error) {
	l := &Ledger{Versions: map[Version][]Written{}}
	var decoder block.Decoder
	_, err := story.EachBlock(ctx, n, func(b *common.Block) error {
		decoded, err := decoder.Decode(b)
		if err != nil {
			return err
		}
		l.Blocks = append(l.Blocks, decoded)
		for _, tx := range decoded.Transactions {
			if tx.Code == block.Valid {
				l.add(decoded.Number, tx)
			}
		}
		return nil
	})
	return l, err
}

// add notes what a transaction wrote. Of a record that it changes several times its write set has the last version only;
// the others are in its answer, which the endorsers have signed: a receipt a command.
func (l *Ledger) add(number uint64, tx block.Transaction) {
	last := map[Version]int{} // of each record written
	for _, namespace := range tx.Writes {
		for _, w := range namespace.Writes {
			noun, parts, ok := state.Split(w.Key)
			if !ok || len(parts) == 0 || w.Delete {
				continue
			}
			var record struct {
				Version int `json:"version"`
			}
			if json.Unmarshal(w.Value, &record) != nil || record.Version == 0 {
				continue // not a record: a receipt, an index
			}
			last[Version{Noun: noun, ID: strings.Join(parts, "/")}] = record.Version
		}
	}
	answered := map[Version]bool{}
	for _, receipt := range receipts(tx) {
		for record, version := range last {
			if record.ID == receipt.ID && receipt.Version <= version {
				v := Version{record.Noun, record.ID, receipt.Version}
				l.Versions[v] = append(l.Versions[v], Written{tx.ID, number})
				answered[v] = true
			}
		}
	}
	for record, version := range last { // what was written along with something else has no receipt
		if v := (Version{record.Noun, record.ID, version}); !answered[v] {
			l.Versions[v] = append(l.Versions[v], Written{tx.ID, number})
		}
	}
}

// receipts are those of what a transaction did; what was done before is not among them.
func receipts(tx block.Transaction) (list []kernel.Receipt) {
	var answer struct {
		kernel.Receipt
		kernel.Outcomes
	}
	if json.Unmarshal(tx.Response.Payload, &answer) != nil {
		return nil
	}
	all := []*kernel.Receipt{&answer.Receipt}
	for _, o := range answer.Outcomes.Outcomes {
		all = append(all, o.Receipt)
	}
	for _, r := range all {
		if r != nil && r.ID != "" && !r.Replayed {
			list = append(list, *r)
		}
	}
	return list
}

// Hold compares acknowledgements with the ledger and says what does not agree: an acknowledgement whose version of its
// record is not written once, by the transaction and in the block it names; and of the records acknowledged, versions that
// nobody was told of, are there twice, or are missing between others. Clients that stop halfway leave none of these: each
// repeats until it is told.
func (l *Ledger) Hold(acknowledged []Acknowledgement) (wrong []string) {
	records := map[Version]int{} // highest version acknowledged, by record
	told := map[Version]bool{}
	for _, a := range acknowledged {
		v := Version{a.Noun, a.ID, a.Version}
		written := l.Versions[v]
		if len(written) != 1 || written[0] != (Written{a.Tx, a.Block}) {
			wrong = append(wrong, fmt.Sprintf("%s %s version %d was acknowledged as %s in block %d; on the ledger: %v", a.Noun, a.ID, a.Version, a.Tx, a.Block, written))
		}
		if told[v] {
			wrong = append(wrong, fmt.Sprintf("%s %s version %d was acknowledged to two requests", a.Noun, a.ID, a.Version))
		}
		told[v] = true
		record := Version{Noun: a.Noun, ID: a.ID}
		records[record] = max(records[record], a.Version)
	}
	for v, written := range l.Versions {
		highest, ours := records[Version{Noun: v.Noun, ID: v.ID}]
		if ours && (len(written) != 1 || v.Version > highest) {
			wrong = append(wrong, fmt.Sprintf("%s %s version %d is on the ledger %d times; acknowledged up to %d", v.Noun, v.ID, v.Version, len(written), highest))
		}
	}
	for record, highest := range records {
		for version := 1; version <= highest; version++ {
			if v := (Version{record.Noun, record.ID, version}); len(l.Versions[v]) == 0 {
				wrong = append(wrong, fmt.Sprintf("%s %s version %d is missing on the ledger", v.Noun, v.ID, v.Version))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// repeaters is how many clients repeat at once.
const repeaters = 16

// Repeat sends every acknowledged request once more and says which were not given their first answer.
func (l *Load) Repeat(ctx context.Context) (repeated int, wrong []string, err error) {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(repeaters)
	for _, a := range l.acknowledged {
		group.Go(func() error {
			again, err := l.send(ctx, a.Operation)
			for err != nil && Repeatable(err) && ctx.Err() == nil {
				if !pause.For(ctx, retryPause) {
					return ctx.Err()
				}
				again, err = l.send(ctx, a.Operation)
			}
			if err != nil {
				return fmt.Errorf("repeat %s %s under the key %s: %w", a.Method, a.Path, a.Key, err)
			}
			first := a.Receipt
			first.Replayed = true // of a repetition it is said that it is one
			mu.Lock()
			defer mu.Unlock()
			if repeated++; !again.Replayed || !sameAnswer(again, first) {
				wrong = append(wrong, fmt.Sprintf("%s: first %+v, then %+v", a.Key, first, again))
			}
			return nil
		})
	}
	return repeated, wrong, group.Wait()
}

func sameAnswer(a, b app.Receipt) bool {
	at := a.At.Equal(b.At)
	a.At, b.At = time.Time{}, time.Time{}
	return at && a == b
}
