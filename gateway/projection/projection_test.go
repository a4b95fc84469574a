package projection_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

var ctx = context.Background()

// house is a small one: two contracts, three nouns.
type thing struct {
	state.Head
	Subject string `json:"subject,omitempty"`
	Agency  string `json:"agency,omitempty"`
}

func collection(noun string, parts ...string) state.Collection {
	return state.Map[thing]{Noun: noun, Parts: parts, Index: func(x thing) state.Index { return state.Index{Subject: x.Subject, Agency: x.Agency} }}
}

type receipt struct {
	Digest string `json:"digest"`
}

var house = []projection.Contract{
	{Name: "exchange", Collections: []state.Collection{collection("use", "id"), collection("dataset", "agency", "code"), state.Map[receipt]{Noun: "receipt", Parts: []string{"id"}}}},
	{Name: "certificate", Collections: []state.Collection{collection("certificate", "id"), state.Map[receipt]{Noun: "receipt", Parts: []string{"id"}}}},
}

func record(status string, version int, subject string) thing {
	at := blocktest.Start.Add(time.Duration(version) * time.Minute)
	return thing{Head: state.Head{Status: status, Version: version, Created: state.Stamp{At: blocktest.Start}, Changed: state.Stamp{At: at}}, Subject: subject}
}

func event(contract string, changes ...kernel.Change) *peer.ChaincodeEvent {
	payload, err := json.Marshal(kernel.Envelope{Version: kernel.EnvelopeVersion, Changes: changes})
	if err != nil {
		panic(err)
	}
	return &peer.ChaincodeEvent{ChaincodeId: contract, EventName: kernel.EventName, Payload: payload}
}

func writes(all ...*kvrwset.KVWrite) []*kvrwset.KVWrite { return all }

func decoded(t require.TestingT, c *blocktest.Chain) []block.Block {
	all, err := decodeAll(c)
	require.NoError(t, err)
	return all
}

func decodeAll(c *blocktest.Chain) (all []block.Block, err error) {
	tip, err := c.Tip(ctx)
	if err != nil {
		return nil, err
	}
	var d block.Decoder
	for n := range tip.Number + 1 {
		b, err := d.Decode(c.Block(n))
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

func folder(t require.TestingT) *projection.Folder {
	f, err := projection.NewFolder(house)
	require.NoError(t, err)
	return f
}

func TestFold(t *testing.T) {
	var chain blocktest.Chain
	chain.Add(blocktest.Tx{Config: true})
	use := state.Key("use", "u1")
	chain.Add(
		blocktest.Tx{Chaincode: "exchange", Args: [][]byte{[]byte("use:Request"), []byte(`{"idempotency_key":"k","request":{}}`)},
			Creator: blocktest.Identity("MarketMSP", "tax", "agency"), Endorsers: [][]byte{blocktest.Identity("MarketMSP", "", "")},
			Namespaces: []blocktest.Namespace{ // two contracts in one transaction: both count
				{Name: "certificate", Writes: writes(blocktest.Put(state.Key("certificate", "c1"), record("valid", 1, "s1")))},
				{Name: "exchange", Writes: writes(
					blocktest.Put(use, record("requested", 1, "s1")), blocktest.Put(state.Key("receipt", "r1"), receipt{"d"}),
					blocktest.Put(state.Key("dataset", "market.tax", "vat"), record("published", 3, "")),
					blocktest.Put("plain", "not a record"), blocktest.Put(state.Key("novelty", "n1"), record("new", 2, "s9")))},
				{Name: "_lifecycle", Writes: writes(blocktest.Put("namespaces/x", 1))},
			},
			Event: event("exchange", kernel.Change{Type: "use.requested.v1", ID: "u1", Subject: "s1", Agency: "market.tax", Case: "c"}, kernel.Change{Type: "certificate.issued.v1", ID: "c1"})},
		blocktest.Tx{Chaincode: "exchange", Code: peer.TxValidationCode_MVCC_READ_CONFLICT, // the event is there all the same
			Namespaces: []blocktest.Namespace{{Name: "exchange", Writes: writes(blocktest.Put(use, record("delivered", 2, "s1")))}},
			Event:      event("exchange", kernel.Change{Type: "use.delivered.v1", ID: "u1"})},
		blocktest.Tx{Raw: []byte{0xff}, Code: peer.TxValidationCode_BAD_PAYLOAD},
		blocktest.Tx{Chaincode: "other", Namespaces: []blocktest.Namespace{{Name: "other", Writes: writes(blocktest.Put(use, record("forged", 9, "s1")))}},
			Event: event("other", kernel.Change{Type: "use.delivered.v1", ID: "u1"})},
		blocktest.Tx{Chaincode: "exchange", Namespaces: []blocktest.Namespace{{Name: "exchange", Writes: writes(blocktest.Delete(use))}}},
	)
	b := decoded(t, &chain)[1]
	rows, err := folder(t).Fold(b)
	require.NoError(t, err)

	require.Equal(t, 5, rows.Block.Transactions)
	require.Equal(t, 3, rows.Block.Valid)
	require.Len(t, rows.Transactions, 5)
	first := rows.Transactions[0]
	require.Equal(t, []any{"market.tax", "agency", "use:Request", 1, 7}, []any{first.Agency, first.Role, first.Function, first.Commands, first.Writes})
	require.Equal(t, []string{"MarketMSP"}, first.Endorsers)
	require.NotEmpty(t, rows.Transactions[2].Malformed)

	var seen []string
	for _, w := range rows.Writes {
		seen = append(seen, fmt.Sprintf("%s %s %s %s v%d %s deleted=%v", w.Contract, w.Noun, w.ID, w.Status, w.Version, w.Index.Subject, w.Deleted))
	}
	require.Equal(t, []string{
		"certificate certificate c1 valid v1 s1 deleted=false",
		"exchange use u1 requested v1 s1 deleted=false",
		"exchange dataset market.tax/vat published v3  deleted=false",
		"exchange novelty n1 new v2  deleted=false", // not known to this gateway: kept, not indexed
		"exchange use u1  v0  deleted=true",
	}, seen)
	require.Equal(t, blocktest.Start, rows.Writes[1].Created)
	require.Equal(t, blocktest.Start.Add(time.Minute), rows.Writes[1].Changed)
	require.Len(t, rows.Changes, 2, "only the valid transaction of a contract of the house announces")
	require.Equal(t, "certificate.issued.v1", rows.Changes[1].Type)
	require.Equal(t, 1, rows.Changes[1].N)
}

func TestFoldRefusesWhatItWouldLose(t *testing.T) {
	for name, tx := range map[string]blocktest.Tx{
		"valid but unreadable":  {Raw: []byte{0xff}},
		"a record of no form":   {Chaincode: "exchange", Namespaces: []blocktest.Namespace{{Name: "exchange", Writes: writes(blocktest.Put(state.Key("use", "u"), "text"))}}},
		"an unknown of no form": {Chaincode: "exchange", Namespaces: []blocktest.Namespace{{Name: "exchange", Writes: writes(blocktest.Put(state.Key("novelty", "n"), 7))}}},
	} {
		t.Run(name, func(t *testing.T) {
			var chain blocktest.Chain
			chain.Add(tx)
			p, err := projection.Open(ctx, filepath.Join(t.TempDir(), "p.db"), 1, house)
			require.NoError(t, err)
			defer p.Close()
			require.ErrorIs(t, p.Apply(ctx, decoded(t, &chain)), follow.ErrUnfoldable)
			_, started, err := p.Checkpoint(ctx)
			require.NoError(t, err)
			require.False(t, started)
		})
	}
}

func TestNounsAreUnique(t *testing.T) {
	_, err := projection.NewFolder([]projection.Contract{{Name: "a", Collections: []state.Collection{collection("use")}}, {Name: "b", Collections: []state.Collection{collection("use")}}})
	require.ErrorContains(t, err, "noun use")
	_, err = projection.NewFolder(projection.Contracts())
	require.NoError(t, err)
	require.Len(t, projection.Contracts(), 3)
}

func TestFingerprintFollowsTheCollections(t *testing.T) {
	whole := folder(t).Fingerprint()
	require.Equal(t, whole, folder(t).Fingerprint())
	less, err := projection.NewFolder(house[:1])
	require.NoError(t, err)
	require.NotEqual(t, whole, less.Fingerprint())
}

// randomChain draws a chain with creations, changes and deletions over few keys, in one or two contracts a transaction,
// some transactions invalid.
func randomChain(t *rapid.T) *blocktest.Chain {
	c := new(blocktest.Chain)
	c.Add(blocktest.Tx{Config: true})
	nouns := map[string]string{"exchange": "use", "certificate": "certificate"}
	for range rapid.IntRange(1, 10).Draw(t, "blocks") {
		var txs []blocktest.Tx
		for range rapid.IntRange(1, 4).Draw(t, "transactions") {
			tx := blocktest.Tx{Chaincode: "exchange", Code: rapid.SampledFrom([]peer.TxValidationCode{0, 0, 0, 11}).Draw(t, "code")}
			for _, contract := range rapid.SampledFrom([][]string{{"exchange"}, {"certificate"}, {"certificate", "exchange"}}).Draw(t, "contracts") {
				key := state.Key(nouns[contract], rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id"))
				write := blocktest.Delete(key)
				if rapid.IntRange(0, 4).Draw(t, "delete") > 0 {
					write = blocktest.Put(key, record(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "status"), rapid.IntRange(1, 9).Draw(t, "version"), rapid.SampledFrom([]string{"", "s1", "s2"}).Draw(t, "subject")))
				}
				tx.Namespaces = append(tx.Namespaces, blocktest.Namespace{Name: contract, Writes: writes(write)})
			}
			tx.Event = event("exchange", kernel.Change{Type: "t.v1", ID: "a"})
			txs = append(txs, tx)
		}
		c.Add(txs...)
	}
	return c
}

// dump reads every row of every table, in key order.
func dump(t require.TestingT, file string) map[string][]string {
	db, err := sql.Open("sqlite", "file:"+file)
	require.NoError(t, err)
	defer db.Close()
	tables := map[string]string{"blocks": "number", "transactions": "block, position", "records": "noun, id, contract",
		"revisions": "noun, id, block, position", "changes": "block, position, n", "checkpoint": "one", "meta": "name"}
	all := map[string][]string{}
	for table, order := range tables {
		rows, err := db.Query("SELECT * FROM " + table + " ORDER BY " + order)
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			require.NoError(t, rows.Scan(values...))
			line := ""
			for _, v := range values {
				line += fmt.Sprint(*v.(*any)) + "|"
			}
			all[table] = append(all[table], line)
		}
		require.NoError(t, rows.Err())
		rows.Close()
	}
	return all
}

// TestAnyPortionsGiveTheSameTables: one by one, in random portions, and again from nothing.
func TestAnyPortionsGiveTheSameTables(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		blocks := decoded(rt, randomChain(rt))
		build := func(name string, portion func(left int) int, restart func() bool) map[string][]string {
			file := filepath.Join(t.TempDir(), name+".db")
			p, err := projection.Open(ctx, file, 1, house)
			require.NoError(rt, err)
			for rest := blocks; len(rest) > 0; {
				n := portion(len(rest))
				require.NoError(rt, p.Apply(ctx, rest[:n]))
				if rest = rest[n:]; restart() {
					require.NoError(rt, p.Close())
					p, err = projection.Open(ctx, file, 1, house)
					require.NoError(rt, err)
				}
			}
			require.NoError(rt, p.Close())
			return dump(rt, file)
		}
		never := func() bool { return false }
		whole := build("whole", func(left int) int { return left }, never)
		single := build("single", func(int) int { return 1 }, never)
		random := build("random", func(left int) int { return rapid.IntRange(1, left).Draw(rt, "portion") },
			func() bool { return rapid.IntRange(0, 4).Draw(rt, "restart") == 0 })
		for table, rows := range whole {
			if !reflect.DeepEqual(rows, single[table]) || !reflect.DeepEqual(rows, random[table]) {
				rt.Fatalf("table %s differs:\n%v\n%v\n%v", table, rows, single[table], random[table])
			}
		}
		require.Equal(rt, replay(blocks), present(whole["records"]), "the records are what the ledger's state is")
	})
}

// replay keeps state the way a peer does: the last valid write of a key counts.
func replay(blocks []block.Block) map[string]bool {
	keys := map[string]bool{}
	for _, b := range blocks {
		for _, tx := range b.Transactions {
			for _, n := range tx.Writes {
				for _, w := range n.Writes {
					if tx.Code != block.Valid {
						continue
					}
					noun, parts, _ := state.Split(w.Key)
					if delete(keys, n.Name+"|"+noun+"|"+parts[0]+"|"); !w.Delete {
						keys[n.Name+"|"+noun+"|"+parts[0]+"|"] = true
					}
				}
			}
		}
	}
	return keys
}

func present(rows []string) map[string]bool {
	keys := map[string]bool{}
	for _, r := range rows {
		end := 0
		for range 3 {
			for r[end] != '|' {
				end++
			}
			end++
		}
		keys[r[:end]] = true
	}
	return keys
}
