package bench

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		sorted []time.Duration
		p      int
		want   time.Duration
	}{
		{nil, 50, 0}, {hundred[:1], 99, 1}, {hundred[:2], 50, 1}, {hundred[:3], 50, 2}, {hundred, 50, 50}, {hundred, 95, 95}, {hundred, 99, 99},
	} {
		require.Equal(t, c.want, percentile(c.sorted, c.p))
	}
}

func TestRunCountsSuccessAndFailureApart(t *testing.T) {
	var calls atomic.Int64
	target := Target{Name: "half", Do: func(context.Context, uint64) error {
		time.Sleep(time.Millisecond)
		if calls.Add(1)%2 == 0 {
			return errors.New("every second one fails")
		}
		return nil
	}}
	sample := Run(t.Context(), target, 4, 50*time.Millisecond)
	require.EqualValues(t, calls.Load(), sample.Count+sample.Errors)
	require.Positive(t, sample.Count)
	require.Positive(t, sample.Errors)
	require.Contains(t, sample.FirstError, "every second one fails")
	require.GreaterOrEqual(t, sample.P50, time.Millisecond)
}

func TestRunGivesUpOnATargetThatOnlyFails(t *testing.T) {
	sample := Run(t.Context(), Target{Do: func(context.Context, uint64) error { return errors.New("no") }}, 2, time.Hour)
	require.Equal(t, 2*maxConsecutiveErrors, sample.Errors)
}

func TestCompareTakesRatiosInsideRounds(t *testing.T) {
	second := time.Second
	r := Report{Samples: []Sample{
		{Target: "a", Clients: 8, Round: 1, Count: 90, Elapsed: second, P50: 5 * time.Millisecond},
		{Target: "b", Clients: 8, Round: 1, Count: 100, Elapsed: second, P50: 3 * time.Millisecond},
		{Target: "a", Clients: 8, Round: 2, Count: 40, Elapsed: second, P50: 9 * time.Millisecond}, // the machine slowed down
		{Target: "b", Clients: 8, Round: 2, Count: 50, Elapsed: second, P50: 8 * time.Millisecond},
		{Target: "a", Clients: 1, Round: 1, Count: 7, Elapsed: second},
	}}
	r.Compare("a_vs_b", "", "a", "b", 8, RateRatio)
	r.Compare("added", "", "a", "b", 8, AddedP50)
	r.Compare("absent", "", "a", "b", 1, RateRatio)
	require.Len(t, r.Ratios, 2)
	require.InDelta(t, 0.85, r.Ratios[0].Value, 1e-9)
	require.InDelta(t, 0.8, r.Ratios[0].Low, 1e-9)
	require.InDelta(t, 1.5, r.Ratios[1].Value, 1e-9)

	var out bytes.Buffer
	require.NoError(t, r.Print(&out))
	require.Contains(t, out.String(), "ratio a_vs_b 0.850")
}
