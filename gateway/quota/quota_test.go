package quota_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/gateway/quota"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func TestBucket(t *testing.T) {
	q := quota.New[string](2, 3, 10)
	for i, c := range []struct {
		after time.Duration
		want  quota.Grant
	}{
		{0, quota.Grant{OK: true, Remaining: 2, Reset: 500 * time.Millisecond}},
		{0, quota.Grant{OK: true, Remaining: 1, Reset: time.Second}},
		{0, quota.Grant{OK: true, Remaining: 0, Reset: 1500 * time.Millisecond}},
		{0, quota.Grant{OK: false, Wait: 500 * time.Millisecond, Reset: 1500 * time.Millisecond}},
		{250 * time.Millisecond, quota.Grant{OK: false, Wait: 250 * time.Millisecond, Reset: 1250 * time.Millisecond}},
		{500 * time.Millisecond, quota.Grant{OK: true, Remaining: 0, Reset: 1500 * time.Millisecond}},
		{time.Hour, quota.Grant{OK: true, Remaining: 2, Reset: 500 * time.Millisecond}},
	} {
		require.Equal(t, c.want, q.Take("a", start.Add(c.after)), "%d", i)
	}
	require.True(t, q.Take("b", start).OK, "everybody has a bucket of their own")
}

func TestMemoryIsBounded(t *testing.T) {
	q := quota.New[int](1, 1, 3)
	for client := range 1000 {
		require.True(t, q.Take(client, start).OK)
		q.Take(0, start) // asks all the time, and so is remembered
	}
	require.Equal(t, 3, q.Clients())
	require.False(t, q.Take(0, start).OK)
	require.True(t, q.Take(500, start).OK, "forgotten")
}

// TestRate: whatever the pattern, nobody gets more than rate × time + burst, and who waits as told is served.
func TestRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond, burst := rapid.Float64Range(0.1, 1000).Draw(t, "rate"), rapid.IntRange(1, 50).Draw(t, "burst")
		q := quota.New[string](perSecond, burst, 2)
		now, served := start, 0
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, int(3*float64(time.Second)/perSecond)).Draw(t, "pause")))
			g := q.Take("a", now)
			if g.OK {
				served++
				continue
			}
			if !(g.Wait > 0 && g.Remaining == 0) {
				t.Fatalf("refused without a wait: %+v", g)
			}
			now = now.Add(g.Wait + time.Microsecond)
			if !q.Take("a", now).OK {
				t.Fatalf("refused after waiting %s as told", g.Wait)
			}
			served++
		}
		if allowed := now.Sub(start).Seconds()*perSecond + float64(burst) + 1e-3; float64(served) > allowed {
			t.Fatalf("%d served, %f allowed", served, allowed)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	q := quota.New[string](1e9, 1e6, 1000)
	keys := make([]string, 256)
	for i := range keys {
		keys[i] = fmt.Sprint("client", i)
	}
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q.Take(keys[i%len(keys)], now)
	}
}
