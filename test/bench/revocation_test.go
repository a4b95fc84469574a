package bench

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/block"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkRevocation revokes twelve consents under use. `make bench-revocation` revokes two hundred.
func TestNetworkRevocation(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n, err := story.Own(ctx, t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, story.Prepare(ctx, n, departments.Generate()))
	require.NoError(t, n.Up(ctx))
	r, err := Revoke(ctx, n, RevocationOptions{Times: 12, Citizens: story.DefaultCitizens[:2], Keys: filepath.Join(t.TempDir(), "devices")})
	require.NoError(t, err)
	var text strings.Builder
	err = r.Print(&text)
	t.Log("\n" + text.String())
	require.NoError(t, err)
	require.Empty(t, r.Otherwise, "uses end for no other reason")
}

// TestWhatRestsOnARevokedConsentIsFound: a use or a delivery behind the revocation is told, in the same block too; what
// came before, and a receipt that comes later, is not.
func TestWhatRestsOnARevokedConsentIsFound(t *testing.T) {
	write := func(key string, record any) block.Write {
		raw, err := json.Marshal(record)
		require.NoError(t, err)
		return block.Write{Key: key, Value: raw}
	}
	use := func(id, status string) block.Write {
		return write(state.Key("use", id), exchange.Use{Head: state.Head{ID: id, Status: status}, Consent: "c"})
	}
	revocation := write(state.Key("consent", "c"), exchange.Consent{Head: state.Head{ID: "c", Status: exchange.Revoked}})
	given := write(state.Key("consent", "c"), exchange.Consent{Head: state.Head{ID: "c", Status: exchange.Given}})
	for _, c := range []struct {
		name  string
		write block.Write
		at    place
		late  bool
	}{
		{"requested before", use("u", exchange.Requested), place{4, 9}, false},
		{"requested before in the same block", use("u", exchange.Requested), place{5, 0}, false},
		{"requested after in the same block", use("u", exchange.Requested), place{5, 2}, true},
		{"delivered after", use("u", exchange.Delivered), place{6, 0}, true},
		{"acknowledged after", use("u", exchange.Acknowledged), place{6, 0}, false},
		{"the consent counted before", given, place{4, 0}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ends, rests := map[string]place{}, map[string]map[string]place{}
			tx := func(w block.Write) block.Transaction {
				return block.Transaction{Writes: []block.Namespace{{Writes: []block.Write{w}}}}
			}
			require.NoError(t, note(tx(c.write), c.at, ends, rests))
			require.NoError(t, note(tx(revocation), place{5, 1}, ends, rests))
			late := false
			for _, at := range rests["c"] {
				late = late || at.after(ends["c"])
			}
			require.Equal(t, c.late, late)
		})
	}
}

// TestRevocationsAreHeldToTheirLines: each thing that does not hold is an error.
func TestRevocationsAreHeldToTheirLines(t *testing.T) {
	sound := func() Revocations {
		return Revocations{Times: 2, Effects: []time.Duration{200 * time.Millisecond, 300 * time.Millisecond}, Commits: make([]time.Duration, 2), Before: 4, Refused: 4}
	}
	r := sound()
	require.NoError(t, r.Print(new(strings.Builder)))
	for name, change := range map[string]func(*Revocations){
		"effect":      func(r *Revocations) { r.Effects[1] = MaxRevocationP95 },
		"none_after":  func(r *Revocations) { r.Late = []string{"a use"} },
		"used_before": func(r *Revocations) { r.Before = 1 },
	} {
		r := sound()
		change(&r)
		require.ErrorContains(t, r.Print(new(strings.Builder)), name)
	}
}
