package serve

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A gateway at rest shall be small, and a busy one shall not spend its time on collecting garbage: the live heap is a few
// megabytes, so that a collector that is content with little would run several times a second. These settings give way to
// the environment's GOMEMLIMIT and GOGC.
const (
	memoryLimit = 512 << 20 // bytes; from here on the collector works harder
	restPercent = 75        // garbage to live heap before a collection, while little happens
	busyPercent = 400       // the same while requests come
	busyBytes   = 2 << 20   // allocated within a pace: busy
	pace        = time.Second
	calmPaces   = 10 // paces without much to do until the memory is given back
)

// allocated counts all bytes of heap ever allocated.
const allocated = "/gc/heap/allocs:bytes"

// tune keeps memory and collections in proportion until ctx ends.
func tune(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(restPercent)
	go func() {
		ticks := time.NewTicker(pace)
		defer ticks.Stop()
		t := tuner{last: heapAllocated(), percent: func(p int) { debug.SetGCPercent(p) }, release: debug.FreeOSMemory}
		for {
			select {
			case <-ticks.C:
				t.look(heapAllocated())
			case <-ctx.Done():
				return
			}
		}
	}()
}

func heapAllocated() uint64 {
	sample := []metrics.Sample{{Name: allocated}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// tuner decides once a pace whether the gateway is busy.
type tuner struct {
	last    uint64 // allocated at the last look
	busy    bool
	calm    int // looks without much to do, while busy
	percent func(int)
	release func()
}

func (t *tuner) look(now uint64) {
	grown := now - t.last
	t.last = now
	switch {
	case grown >= busyBytes && !t.busy:
		t.busy, t.calm = true, 0
		t.percent(busyPercent)
	case grown >= busyBytes:
		t.calm = 0
	case t.busy:
		if t.calm++; t.calm == calmPaces {
			t.busy = false
			t.percent(restPercent)
			t.release() // collects, and gives the pages back
		}
	}
}
