package projection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/store"
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
			p := openOn(t, databasetest.Chosen(t))
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

// digests says what is in the tables.
func digests(t require.TestingT, p *projection.Projection) map[string]store.Digest {
	_, _, all, err := p.Store().Digests(ctx)
	require.NoError(t, err)
	tables := map[string]store.Digest{}
	for _, d := range all {
		tables[d.Table] = d
	}
	return tables
}

func openOn(t require.TestingT, settings database.Settings) *projection.Projection {
	p, err := projection.Open(ctx, settings, 1, house)
	require.NoError(t, err)
	return p
}

// TestAnyPortionsGiveTheSameTables: one by one, in random portions, again from nothing, and on either database.
func TestAnyPortionsGiveTheSameTables(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		builds := 0
		rapid.Check(t, func(rt *rapid.T) {
			blocks := decoded(rt, randomChain(rt))
			build := func(settings database.Settings, portion func(left int) int, restart func() bool) (map[string]store.Digest, map[string]bool) {
				builds++ // a new place, in the same database
				settings.Organisation, settings.Folder = fmt.Sprintf("o%d", builds), filepath.Join(settings.Folder, fmt.Sprint(builds))
				p := openOn(rt, settings)
				defer func() { require.NoError(rt, p.Close()) }()
				for rest := blocks; len(rest) > 0; {
					n := portion(len(rest))
					require.NoError(rt, p.Apply(ctx, rest[:n]))
					if rest = rest[n:]; restart() {
						require.NoError(rt, p.Close())
						p = openOn(rt, settings)
					}
				}
				return digests(rt, p), present(rt, p.Store())
			}
			never := func() bool { return false }
			random, keys := build(settings, func(left int) int { return rapid.IntRange(1, left).Draw(rt, "portion") },
				func() bool { return rapid.IntRange(0, 4).Draw(rt, "restart") == 0 })
			sqlite := database.Settings{Folder: settings.Folder}
			whole, _ := build(sqlite, func(left int) int { return left }, never)
			single, _ := build(sqlite, func(int) int { return 1 }, never)
			require.Equal(rt, whole, single)
			require.Equal(rt, whole, random)
			require.Equal(rt, replay(blocks), keys, "the records are what the ledger's state is")
		})
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
					key := n.Name + "|" + noun + "|" + parts[0]
					if delete(keys, key); !w.Delete {
						keys[key] = true
					}
				}
			}
		}
	}
	return keys
}

func present(t require.TestingT, s *store.Store) map[string]bool {
	keys := map[string]bool{}
	for _, noun := range []string{"use", "certificate"} {
		records, _, err := s.Find(ctx, store.Query{Noun: noun, PageSize: store.MaxPageSize})
		require.NoError(t, err)
		for _, r := range records {
			keys[r.Contract+"|"+r.Noun+"|"+r.ID] = true
		}
	}
	return keys
}
