package exchange_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

func batch() exchange.CreateAnchor {
	return exchange.CreateAnchor{Dataset: housing + "/premises", Source: hashA, Position: 1, Size: 1000, Root: hashB}
}

func anchor() exchange.Anchor {
	return exchange.Anchor{Head: state.Head{ID: otherID, Status: exchange.Anchored}, Dataset: housing + "/premises", Agency: housing, Source: hashA, Position: 1, Size: 1000, Root: hashB}
}

func TestCreateAnchor(t *testing.T) {
	type world struct {
		by       access.Caller
		dataset  exchange.Dataset
		replaced exchange.Anchor
	}
	fresh := func() *world {
		w := &world{asHouse, premises(), anchor()}
		w.replaced.Status = exchange.Withdrawn
		return w
	}
	request := batch()
	request.Replaces = otherID
	require.NoError(t, request.Validate())
	run := func(w *world) error {
		a, series, event, err := request.Create(request.ID(), w.by, w.dataset, exchange.Series{}, &w.replaced)
		if err == nil {
			require.Equal(t, exchange.Anchored, a.Status)
			require.Equal(t, [3]int{1, 1, 1000}, [3]int{a.Number, a.First, a.Last})
			require.Equal(t, [2]int{1, 1000}, [2]int{series.Anchors, series.Records})
			require.Equal(t, kernel.Change{Type: exchange.EventAnchorCreated, ID: a.ID, Agency: housing}, event)
		}
		return err
	}
	checkGuards(t, exchange.AnchorCreate, fresh, run, []guard[world]{
		{"another agency's dataset", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"dataset withdrawn", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"replaces another dataset's", func(w *world) { w.replaced.Dataset = housing + "/plans" }, "exchange.replaced_mismatch"},
		{"what it replaces stands", func(w *world) { w.replaced.Status = exchange.Anchored }, "exchange.replaced_stands"},
	})
}

func TestWithdrawAnchor(t *testing.T) {
	type world struct {
		by     access.Caller
		anchor exchange.Anchor
	}
	request := exchange.WithdrawAnchor{Anchor: otherID, Reason: "Wrong source"}
	require.Equal(t, "reason", fault.From(request.Validate()).Field)
	request.Reason = "wrong-source"
	require.NoError(t, request.Validate())
	run := func(w *world) error {
		a, event, err := w.anchor.Withdraw(w.by, request)
		if err == nil {
			require.Equal(t, [2]string{exchange.Withdrawn, "wrong-source"}, [2]string{a.Status, a.Reason})
			require.Equal(t, kernel.Change{Type: exchange.EventAnchorWithdrawn, ID: a.ID, Agency: housing}, event)
		}
		return err
	}
	checkGuards(t, exchange.AnchorWithdraw, func() *world { return &world{asHouse, anchor()} }, run, []guard[world]{
		{"another agency", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"withdrawn before", func(w *world) { w.anchor.Status = exchange.Withdrawn }, "exchange.anchor_withdrawn"},
	})
}

func TestAnchorForm(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*exchange.CreateAnchor)
		field  string
	}{
		{"no dataset", func(r *exchange.CreateAnchor) { r.Dataset = "" }, "dataset"},
		{"no source", func(r *exchange.CreateAnchor) { r.Source = "" }, "source"},
		{"source in capitals", func(r *exchange.CreateAnchor) { r.Source = strings.ToUpper(hashA) }, "source"},
		{"no position", func(r *exchange.CreateAnchor) { r.Position = 0 }, "position"},
		{"position too large", func(r *exchange.CreateAnchor) { r.Position = exchange.MaxSourceLength + 1 }, "position"},
		{"empty batch", func(r *exchange.CreateAnchor) { r.Size = 0 }, "size"},
		{"batch too large", func(r *exchange.CreateAnchor) { r.Size = exchange.MaxAnchorSize + 1 }, "size"},
		{"root too short", func(r *exchange.CreateAnchor) { r.Root = hashB[:62] }, "root"},
		{"replaces no id", func(r *exchange.CreateAnchor) { r.Replaces = "anchor 1" }, "replaces"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := batch()
			c.change(&r)
			require.Equal(t, c.field, fault.From(r.Validate()).Field)
		})
	}
}

// A series numbers records without a gap, whatever the batches are, and its root can be computed again from its anchors.
func TestSeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var series exchange.Series
		var all []exchange.Anchor
		for i, size := range rapid.SliceOfN(rapid.IntRange(1, exchange.MaxAnchorSize), 1, 20).Draw(t, "sizes") {
			r := batch()
			r.Position, r.Size = i+1, size
			a, s, _, err := r.Create(r.ID(), asHouse, premises(), series, nil)
			require.NoError(t, err)
			series, all = s, append(all, a)
		}
		next, tree := 1, (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
		for i, a := range all {
			require.Equal(t, [3]int{i + 1, next, next + a.Size - 1}, [3]int{a.Number, a.First, a.Last})
			next = a.Last + 1
			raw, err := canonical.Marshal(a.Entry())
			require.NoError(t, err)
			require.NoError(t, tree.Append(rfc6962.DefaultHasher.HashLeaf(raw), nil))
		}
		root, err := tree.GetRootHash(nil)
		require.NoError(t, err)
		require.Equal(t, [3]any{len(all), next - 1, hex.EncodeToString(root)}, [3]any{series.Anchors, series.Records, series.Root})
		require.Equal(t, all[len(all)-1].ID, series.Last)
	})
}

func TestAnchorID(t *testing.T) {
	ids := map[string]bool{}
	for _, dataset := range []string{housing + "/premises", housing + "/plans"} {
		for _, source := range []string{hashA, hashB} {
			for position := range 3 {
				for _, replaces := range []string{"", otherID} {
					ids[exchange.AnchorID(dataset, source, position, replaces)] = true
				}
			}
		}
	}
	require.Len(t, ids, 24, "each has an id of its own")
	require.Equal(t, exchange.AnchorID(housing+"/premises", hashA, 1, ""), batch().ID())
}
