package fault

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkKilledUnderLoad kills one process of each kind. `make test-faults` kills ten.
func TestNetworkKilledUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n, err := story.Own(ctx, t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, n.Up(ctx))
	report, err := Run(ctx, n, Options{Clients: 12, Times: 1})
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, report.Print(&text))
	t.Log("\n" + text.String())
	require.Empty(t, report.Wrong)
	require.Len(t, report.Strikes, len(Kinds))
	require.Equal(t, report.Acknowledged, report.Repeated)
	require.Positive(t, report.Failed, "no client noticed anything: the test tests nothing")
}

// TestWhatDoesNotHold: each way in which acknowledgements and ledger can disagree is told.
func TestWhatDoesNotHold(t *testing.T) {
	v := func(version int) Version { return Version{"certificate", "c1", version} }
	told := func(version int, tx string) Acknowledgement {
		return Acknowledgement{Operation: Operation{Noun: "certificate"}, Receipt: app.Receipt{ID: "c1", Version: version, Tx: tx, Block: 7}}
	}
	sound := map[Version][]Written{v(1): {{"a", 7}}, v(2): {{"b", 7}}, {"certificate", "other", 1}: {{"x", 3}}}
	for _, c := range []struct {
		name         string
		ledger       map[Version][]Written
		acknowledged []Acknowledgement
		says         string
	}{
		{"sound", sound, []Acknowledgement{told(1, "a"), told(2, "b")}, ""},
		{"lost", map[Version][]Written{v(1): {{"a", 7}}}, []Acknowledgement{told(1, "a"), told(2, "b")}, "version 2 was acknowledged as b in block 7; on the ledger: []"},
		{"twice", map[Version][]Written{v(1): {{"a", 7}, {"z", 9}}}, []Acknowledgement{told(1, "a")}, "version 1 is on the ledger 2 times"},
		{"another transaction", sound, []Acknowledgement{told(1, "z"), told(2, "b")}, "version 1 was acknowledged as z"},
		{"nobody was told", sound, []Acknowledgement{told(1, "a")}, "version 2 is on the ledger 1 times; acknowledged up to 1"},
		{"two were told the same", sound, []Acknowledgement{told(1, "a"), told(1, "a"), told(2, "b")}, "version 1 was acknowledged to two requests"},
		{"a gap", map[Version][]Written{v(2): {{"b", 7}}}, []Acknowledgement{told(2, "b")}, "version 1 is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wrong := (&Ledger{Versions: c.ledger}).Hold(c.acknowledged)
			if c.says == "" {
				require.Empty(t, wrong)
				return
			}
			require.Contains(t, strings.Join(wrong, "\n"), c.says)
		})
	}
}

// TestWhatATransactionWrote: every version that its answer has a receipt for, and what it wrote besides.
func TestWhatATransactionWrote(t *testing.T) {
	write := func(noun, id, value string) block.Write {
		return block.Write{Key: state.Key(noun, id), Value: []byte(value)}
	}
	l := &Ledger{Versions: map[Version][]Written{}}
	l.add(7, block.Transaction{ID: "a", Writes: []block.Namespace{{Writes: []block.Write{
		write("certificate", "c1", `{"version":4}`), write("log", "s1", `{"version":2}`), write("receipt", "x", `{"id":"c1"}`),
	}}}, Response: block.Response{Payload: []byte(`{"outcomes":[{"receipt":{"id":"c1","version":3}},{"fault":{}},{"receipt":{"id":"c1","version":4}},{"receipt":{"id":"c1","version":1,"replayed":true}}]}`)}})
	l.add(8, block.Transaction{ID: "b", Writes: []block.Namespace{{Writes: []block.Write{write("certificate", "c1", `{"version":4}`)}}},
		Response: block.Response{Payload: []byte(`{"id":"c1","version":4}`)}})
	require.Equal(t, map[Version][]Written{
		{"certificate", "c1", 3}: {{"a", 7}}, {"certificate", "c1", 4}: {{"a", 7}, {"b", 8}}, {"log", "s1", 2}: {{"a", 7}},
	}, l.Versions)
}
