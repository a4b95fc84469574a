package state_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

type item struct {
	state.Head
	Text string `json:"text"`
}

var items = state.Map[item]{Noun: "item", Parts: []string{"group", "code"}, Doc: "An item.",
	Index: func(i item) state.Index { return state.Index{Kind: i.Text} }}

// inside runs a transaction whose chaincode is the function, on committed state, and commits it.
type inside func(stub shim.ChaincodeStubInterface) error

func (inside) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (f inside) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	if err := f(stub); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

// runner gives a ledger on which functions run as transactions.
func runner() (l *ledgertest.Ledger, endorse func(inside) (*ledgertest.Tx, error)) {
	var current inside
	l = ledgertest.New()
	l.Install("cc", inside(func(stub shim.ChaincodeStubInterface) error { return current(stub) }))
	client := l.As("market.tax", access.Agency)
	return l, func(f inside) (*ledgertest.Tx, error) {
		current = f
		return client.EndorseRaw("cc")
	}
}

func run(t require.TestingT, endorse func(inside) (*ledgertest.Tx, error), f inside) *ledgertest.Tx {
	tx, err := endorse(f)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	return tx
}

// model is what a Store promises: three layers, the uppermost counts.
type model struct{ committed, accepted, pending map[string]string }

func (m *model) get(id string) (string, bool) {
	for _, layer := range []map[string]string{m.pending, m.accepted, m.committed} {
		if text, ok := layer[id]; ok {
			return text, true
		}
	}
	return "", false
}

func (m *model) list(group, after string, size int) []string {
	all := map[string]bool{}
	for _, layer := range []map[string]string{m.pending, m.accepted, m.committed} {
		for id := range layer {
			if strings.HasPrefix(id, group+"/") && id > after {
				all[id] = true
			}
		}
	}
	ids := slices.Sorted(maps.Keys(all))
	return ids[:min(size, len(ids))]
}

// step is one thing a transaction does.
type step struct {
	do          int // 0 put, 1 accept, 2 discard, 3 get, 4 list, 5 view
	group, code string
	text        string
	size        int
}

// TestStoreAgainstAModel carries out random commands in random transactions on a Store and on a model of maps.
func TestStoreAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, endorse := runner()
		m := &model{committed: map[string]string{}}
		for range rapid.IntRange(1, 4).Draw(t, "transactions") {
			steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
				return step{
					do: rapid.IntRange(0, 5).Draw(t, "do"), group: rapid.SampledFrom([]string{"a", "b", "ab"}).Draw(t, "group"),
					code: rapid.StringMatching("[a-d]{1,2}").Draw(t, "code"), text: rapid.StringMatching("[x-z]{1,3}").Draw(t, "text"),
					size: rapid.IntRange(1, 5).Draw(t, "size"),
				}
			}), 1, 40).Draw(t, "steps")
			var after model
			run(t, endorse, func(stub shim.ChaincodeStubInterface) error {
				after = model{maps.Clone(m.committed), map[string]string{}, map[string]string{}} // two endorsers: each from the start
				store := state.NewStore(stub)
				for _, s := range steps {
					apply(t, store, &after, s)
				}
				return store.Flush()
			})
			maps.Copy(after.committed, after.accepted)
			m.committed = after.committed
			for id, text := range m.committed {
				group, code, _ := strings.Cut(id, "/")
				require.Contains(t, string(l.Value("cc", state.Key("item", group, code))), `"text":"`+text+`"`)
			}
			require.Len(t, l.Keys("cc"), len(m.committed), "what was discarded or not accepted is not written")
		}
	})
}

func apply(t *rapid.T, store *state.Store, m *model, s step) {
	id := s.group + "/" + s.code
	switch s.do {
	case 0:
		require.NoError(t, items.Put(store, item{state.Head{ID: id}, s.text}, s.group, s.code))
		m.pending[id] = s.text
	case 1:
		store.Accept()
		maps.Copy(m.accepted, m.pending)
		clear(m.pending)
	case 2:
		store.Discard()
		clear(m.pending)
	case 3:
		want, exists := m.get(id)
		got, found, err := items.Find(store, s.group, s.code)
		require.NoError(t, err)
		require.Equal(t, exists, found)
		require.Equal(t, want, got.Text)
	case 5:
		want, exists := m.get(id)
		got, err := items.View(store, s.group, s.code)
		require.Equal(t, exists, err == nil)
		require.Equal(t, want, got.Text)
	case 4:
		page, err := items.Scan(store, s.size, "", s.group)
		require.NoError(t, err)
		got := []string{}
		for _, i := range page.Items {
			got = append(got, i.ID)
			want, _ := m.get(i.ID)
			require.Equal(t, want, i.Text)
		}
		require.Equal(t, append([]string{}, m.list(s.group, "", s.size)...), got)
		require.Equal(t, len(m.list(s.group, "", s.size+1)) > s.size, page.Next != "")
	}
}

// TestPagesOfAReadingTransaction: pages join up to the list, whatever their size.
func TestPagesOfAReadingTransaction(t *testing.T) {
	_, endorse := runner()
	const many = 230 // more than twice what a peer sends at once
	run(t, endorse, func(stub shim.ChaincodeStubInterface) error {
		store := state.NewStore(stub)
		for i := range many {
			if err := items.Put(store, item{Head: state.Head{ID: fmt.Sprint(i)}}, "g", fmt.Sprintf("%03d", i)); err != nil {
				return err
			}
		}
		if err := items.Put(store, item{Head: state.Head{ID: "other"}}, "h", "0"); err != nil {
			return err
		}
		store.Accept()
		return store.Flush()
	})
	for _, size := range []int{1, 7, 99, 100, 101, 115, 200} {
		var ids []string
		token := ""
		for {
			var page state.Page[item]
			_, err := endorse(func(stub shim.ChaincodeStubInterface) (err error) {
				page, err = items.Scan(state.NewStore(stub), size, token, "g")
				return err
			})
			require.NoError(t, err)
			for _, i := range page.Items {
				ids = append(ids, i.ID)
			}
			if token = page.Next; token == "" {
				break
			}
		}
		require.Len(t, ids, many, "size %d", size)
		for i, id := range ids {
			require.Equal(t, fmt.Sprint(i), id)
		}
	}
}

// TestAKeyIsReadOnce: the second read of a key does not go to the peer, nor does one of a key just written.
func TestAKeyIsReadOnce(t *testing.T) {
	_, endorse := runner()
	_, err := endorse(func(stub shim.ChaincodeStubInterface) error {
		counted := &counting{ChaincodeStubInterface: stub}
		store := state.NewStore(counted)
		for range 3 {
			_, _, err := items.Find(store, "g", "absent")
			require.NoError(t, err)
		}
		require.NoError(t, items.Put(store, item{}, "g", "new"))
		_, found, err := items.Find(store, "g", "new")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, 1, counted.reads)
		require.NoError(t, store.Flush())
		require.Zero(t, counted.writes, "what was not accepted is not flushed")
		store.Accept()
		require.NoError(t, store.Flush())
		require.Equal(t, 1, counted.writes)
		return nil
	})
	require.NoError(t, err)
}

// TestPrefetch: keys read together are not read again, are asked for in one order, and once each; a read that fails leaves
// nothing behind.
func TestPrefetch(t *testing.T) {
	_, endorse := runner()
	there := state.Key("item", "g", "there")
	run(t, endorse, func(stub shim.ChaincodeStubInterface) error {
		store := state.NewStore(stub)
		require.NoError(t, items.Put(store, item{Text: "x"}, "g", "there"))
		store.Accept()
		return store.Flush()
	})
	_, err := endorse(func(stub shim.ChaincodeStubInterface) error {
		counted := &counting{ChaincodeStubInterface: stub}
		store := state.NewStore(counted)
		counted.fails = true
		require.ErrorContains(t, store.Prefetch([]string{there}), "read state: the peer is gone")
		counted.fails = false
		require.NoError(t, store.Prefetch([]string{there, state.Key("item", "g", "absent"), there}))
		require.NoError(t, store.Prefetch([]string{there}))
		for _, code := range []string{"there", "absent"} {
			_, found, err := items.Find(store, "g", code)
			require.NoError(t, err)
			require.Equal(t, code == "there", found)
		}
		require.Equal(t, [][]string{{there}, {state.Key("item", "g", "absent"), there}}, counted.together)
		require.Zero(t, counted.reads)
		return nil
	})
	require.NoError(t, err)
}

type counting struct {
	shim.ChaincodeStubInterface
	reads, writes int
	together      [][]string
	fails         bool
}

func (c *counting) GetMultipleStates(keys ...string) ([][]byte, error) {
	c.together = append(c.together, slices.Clone(keys))
	if c.fails {
		return nil, errors.New("the peer is gone")
	}
	return c.ChaincodeStubInterface.GetMultipleStates(keys...)
}

func (c *counting) GetState(key string) ([]byte, error) {
	c.reads++
	return c.ChaincodeStubInterface.GetState(key)
}

func (c *counting) PutState(key string, value []byte) error {
	c.writes++
	return c.ChaincodeStubInterface.PutState(key, value)
}

func TestLimitsAndMissing(t *testing.T) {
	_, endorse := runner()
	_, err := endorse(func(stub shim.ChaincodeStubInterface) error {
		store := state.NewStore(stub)
		_, err := items.Get(store, "g", "x")
		require.Equal(t, "item.missing", fault.From(err).Reason)
		require.Equal(t, fault.Missing, fault.From(err).Kind)
		_, err = items.History(store, "g", "x")
		require.Equal(t, "item.missing", fault.From(err).Reason)
		err = items.Put(store, item{Text: strings.Repeat("x", state.MaxRecordBytes)}, "g", "x")
		require.Equal(t, "item.too_large", fault.From(err).Reason)
		require.Equal(t, fault.Limit, fault.From(err).Kind)
		_, err = items.Get(store, "g")
		require.Equal(t, fault.Internal, fault.From(err).Kind, "a wrong number of parts is an error of the program")
		require.Equal(t, fault.Invalid, fault.From(items.Put(store, item{}, "g", "")).Kind)
		return nil
	})
	require.NoError(t, err)
}

// TestGuard: the policy of a key goes with the command, and to the ledger with the transaction.
func TestGuard(t *testing.T) {
	l, endorse := runner()
	run(t, endorse, func(stub shim.ChaincodeStubInterface) error {
		store := state.NewStore(stub)
		require.NoError(t, items.Put(store, item{}, "g", "kept"))
		require.NoError(t, items.Guard(store, []byte("policy"), "g", "kept"))
		store.Accept()
		require.NoError(t, items.Put(store, item{}, "g", "dropped"))
		require.NoError(t, items.Guard(store, []byte("policy"), "g", "dropped"))
		store.Discard()
		return store.Flush()
	})
	require.Equal(t, "policy", string(l.Policy("cc", state.Key("item", "g", "kept"))))
	require.Equal(t, []string{state.Key("item", "g", "kept")}, l.Keys("cc"))
}

func TestCollectionReadsItsValues(t *testing.T) {
	var c state.Collection = items
	require.Equal(t, "item", c.Name())
	require.Equal(t, []string{"group", "code"}, c.KeyParts())
	head, index, err := c.Read([]byte(`{"id":"a/b","status":"open","version":3,"text":"kind"}`))
	require.NoError(t, err)
	require.Equal(t, state.Head{ID: "a/b", Status: "open", Version: 3}, head)
	require.Equal(t, state.Index{Kind: "kind"}, index)
	_, _, err = c.Read([]byte(`[]`))
	require.ErrorContains(t, err, "decode item")
}
