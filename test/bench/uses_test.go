package bench

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkUses runs what `make bench-use` measures, with few clients for seconds: every use goes through.
func TestNetworkUses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	department := databasetest.PostgreSQL(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n, err := story.Own(ctx, t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, n.Up(ctx))
	uses, err := NewUses(ctx, n, Department{URL: department.URL, PasswordFile: department.PasswordFile}, 16)
	require.NoError(t, err)
	require.NoError(t, uses.Ready(ctx))
	one := Run(ctx, uses.Target(), 1, 3*time.Second)
	many := Run(ctx, uses.Target(), 16, 5*time.Second)
	for _, f := range UseFindings(one, many) {
		t.Log(f.Text)
	}
	require.Positive(t, one.Count)
	require.Zero(t, one.Errors, one.FirstError)
	require.Positive(t, many.Count)
	require.Zero(t, many.Errors, many.FirstError)
}

func TestUseFindingsCanFail(t *testing.T) {
	good := func() (Sample, Sample) {
		return Sample{Count: 20, P50: time.Second}, Sample{Count: 6100, Elapsed: time.Minute, Clients: 128}
	}
	holds := func(one, many Sample) []bool {
		findings := UseFindings(one, many)
		return []bool{findings[0].Holds, findings[1].Holds}
	}
	one, many := good()
	require.Equal(t, []bool{true, true}, holds(one, many))
	one.P50 = MaxUseP50
	many.Count = 5900
	require.Equal(t, []bool{false, false}, holds(one, many))
	one, many = good()
	one.Errors, many.Errors = 1, 1
	require.Equal(t, []bool{false, false}, holds(one, many))
	require.Equal(t, []bool{false, false}, holds(Sample{}, Sample{Elapsed: time.Minute}))
}
