package serve

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTuner(t *testing.T) {
	percent, released := restPercent, 0
	tuner := tuner{last: 100, percent: func(p int) { percent = p }, release: func() { released++ }}
	var now uint64 = 100
	look := func(grown uint64) {
		now += grown
		tuner.look(now)
	}
	look(busyBytes - 1)
	require.Equal(t, restPercent, percent)
	look(busyBytes)
	require.Equal(t, busyPercent, percent)
	for range calmPaces - 1 {
		look(0)
	}
	look(busyBytes) // a pause of less than the patience changes nothing
	for range calmPaces - 1 {
		look(busyBytes - 1)
	}
	require.Equal(t, busyPercent, percent)
	require.Zero(t, released)
	look(0)
	require.Equal(t, restPercent, percent)
	require.Equal(t, 1, released)
	for range 2 * calmPaces {
		look(0)
	}
	require.Equal(t, 1, released, "memory is given back once")
	look(2 * busyBytes)
	require.Equal(t, busyPercent, percent)
}

func TestHeapAllocatedGrows(t *testing.T) {
	before := heapAllocated()
	kept := make([]byte, 8<<20)
	require.GreaterOrEqual(t, heapAllocated()-before, uint64(len(kept)))
}
