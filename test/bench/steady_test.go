package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// Sizes of the runs in `make test`; `make bench-soak` and `make bench-overload` take minutes.
const (
	smallClients  = 64
	smallDuration = 10 * time.Second
	smallShare    = 0.5 // of a limit that is measured for seconds only, on a machine that does other things
)

// TestNetworkSteady offers what a gateway can bear, and then far too much. How much is still done then is measured by
// `make bench-overload`: in seconds, what is begun outweighs what is done.
func TestNetworkSteady(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n, err := story.Own(ctx, t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, n.Up(ctx))
	w, err := On(ctx, n)
	require.NoError(t, err)
	limit, err := w.Limit(ctx, smallClients, smallDuration/2)
	require.NoError(t, err)
	var text strings.Builder
	defer func() { t.Log("\n" + text.String()) }()

	offered, err := w.Offer(ctx, smallShare*limit.Rate(), smallDuration)
	require.NoError(t, err)
	for _, f := range Soak(limit.Rate(), offered) {
		fmt.Fprintf(&text, "%s: %s\n", f.Name, f.Text)
		require.True(t, f.Holds || f.Name == "soak_memory", f.Text)
	}
	offered, err = w.Offer(ctx, OverloadTimes*limit.Rate(), smallDuration)
	require.NoError(t, err)
	for _, f := range Overload(limit.Rate(), offered) {
		fmt.Fprintf(&text, "%s: %s\n", f.Name, f.Text)
		require.True(t, f.Holds || f.Name == "overload_goodput", f.Text)
	}
	require.Positive(t, offered.Done)
}

// TestJudgement: each thing a load is held to can fail.
func TestJudgement(t *testing.T) {
	flat := func(from, to float64) (points []Point) {
		for i := range 100 {
			points = append(points, Point{time.Duration(i) * time.Second, from + (to-from)*float64(i)/99})
		}
		return points
	}
	soak := func(change func(*Offered)) Offered {
		o := Offered{Rate: 80, Sent: 800, Done: 800, Watched: Watched{Memory: flat(100, 105), Lag: 10 * time.Millisecond, Looks: 100}}
		change(&o)
		return o
	}
	overload := func(change func(*Offered)) Offered {
		o := Offered{Rate: 400, Goodput: 81, Sent: 4000, Done: 810, Refused: 3190, Watched: Watched{Memory: flat(100, 300)}}
		change(&o)
		return o
	}
	failing := func(findings []Finding) (names []string) {
		for _, f := range findings {
			if !f.Holds {
				names = append(names, f.Name)
			}
		}
		return names
	}
	require.Empty(t, failing(Soak(100, soak(func(*Offered) {}))))
	require.Equal(t, []string{"soak_errors"}, failing(Soak(100, soak(func(o *Offered) { o.Done--; o.Refused++ }))))
	require.Equal(t, []string{"soak_memory"}, failing(Soak(100, soak(func(o *Offered) { o.Memory = flat(100, 150) }))))
	require.Equal(t, []string{"soak_lag"}, failing(Soak(100, soak(func(o *Offered) { o.Lag = MaxLag }))))
	require.Equal(t, []string{"soak_lag"}, failing(Soak(100, soak(func(o *Offered) { o.Looks = 0 }))), "nobody looked")
	require.Empty(t, failing(Overload(100, overload(func(*Offered) {}))))
	require.Equal(t, []string{"overload_goodput"}, failing(Overload(100, overload(func(o *Offered) { o.Goodput = 79 }))))
	require.Equal(t, []string{"overload_refusal"}, failing(Overload(100, overload(func(o *Offered) { o.Otherwise = map[string]int{"500 internal": 1} }))))
	require.Equal(t, []string{"overload_refusal"}, failing(Overload(100, overload(func(o *Offered) { o.Refused = 0 }))), "it was no overload")
	require.Equal(t, []string{"overload_memory"}, failing(Overload(100, overload(func(o *Offered) { o.Memory = flat(100, 1000) }))))
	require.Error(t, PrintFindings(new(strings.Builder), []Finding{{Name: "x"}}))
	require.InDelta(t, 60, Watched{Memory: flat(0, 99)}.slope(), .01, "MiB a minute")
}

func TestGauge(t *testing.T) {
	page := []byte("# HELP x y\nx_more 3\nx 1.25e-03\n")
	value, err := gauge(page, "x")
	require.NoError(t, err)
	require.InDelta(t, .00125, value, 1e-9)
	_, err = gauge(page, "z")
	require.ErrorContains(t, err, "no metric z")
}
