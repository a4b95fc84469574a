package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkAnchor is `make bench-anchor` in small.
func TestNetworkAnchor(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	n, err := story.Own(ctx, dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, n.Up(ctx))
	var text strings.Builder
	defer func() { t.Log("\n" + text.String()) }()
	s := AnchorSettings{Dir: dir, Records: 60_000, BatchSize: 2048, Proofs: 500, Kills: 2, KillsWithin: 700 * time.Millisecond, Out: &text}
	anchored, err := Anchor(ctx, n, s)
	require.NoError(t, err)
	for _, f := range anchored.Judge(s) {
		require.True(t, f.Holds || f.Name == "anchor_growth", "%s: %s", f.Name, f.Text) // small batches cost the ledger as much as large ones
	}
}

// TestAnchorJudgement: each thing a run is held to can fail.
func TestAnchorJudgement(t *testing.T) {
	s := AnchorSettings{Proofs: 10, Kills: 2}
	good := Anchored{Records: 1000, Expected: 1000, Elapsed: time.Minute, Memory: 1 << 28, Growth: 500, Kills: 2, Proofs: 10}
	failing := func(change func(*Anchored)) (names []string) {
		a := good
		change(&a)
		for _, f := range a.Judge(s) {
			if !f.Holds {
				names = append(names, f.Name)
			}
		}
		return names
	}
	require.Empty(t, failing(func(*Anchored) {}))
	require.Equal(t, []string{"anchor_records"}, failing(func(a *Anchored) { a.Records-- }))
	require.Equal(t, []string{"anchor_time"}, failing(func(a *Anchored) { a.Elapsed = AnchorLongest }))
	require.Equal(t, []string{"anchor_memory"}, failing(func(a *Anchored) { a.Memory = AnchorMostMemory }))
	require.Equal(t, []string{"anchor_growth"}, failing(func(a *Anchored) { a.Growth = 1000 }))
	require.Equal(t, []string{"anchor_kills"}, failing(func(a *Anchored) { a.Kills = 1 }))
	require.Equal(t, []string{"anchor_proofs"}, failing(func(a *Anchored) { a.Proofs = 9 }))
}
