package anchor

import (
	"sync"
	"sync/atomic"
	"time"
)

// told is what is told of a job while it runs.
type told struct {
	mu    sync.Mutex
	known Progress
	bytes atomic.Int64
}

// often is how often progress is told.
const often = 200 * time.Millisecond

func (t *told) set(change func(*Progress)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.known)
}

// begin begins a phase, in which so many bytes are read.
func (t *told) begin(phase string, total int64) {
	t.set(func(p *Progress) {
		p.Phase, p.TotalBytes = phase, total
		t.bytes.Store(0)
	})
}

func (t *told) read(n int64) { t.bytes.Add(n) }

func (t *told) get() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.known
	p.Bytes = min(t.bytes.Load(), p.TotalBytes)
	return p
}

// start tells progress until the function it gives is called.
func (t *told) start(tell func(Progress)) (stop func()) {
	if tell == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(often)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				tell(t.get())
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		tell(t.get())
	}
}
