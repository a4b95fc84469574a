package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/pause"
)

// Pace of the deliverer.
const (
	// look is how often it looks for what owners have changed.
	look = time.Second
	// measureEvery is how often the metrics of webhooks are told.
	measureEvery = 5 * time.Second
	// passEvery is how often at most a cursor is moved behind what is not for the webhook: started again, it looks at that again.
	passEvery = 10 * time.Second
	// firstRetry is the pause after the first failed attempt, about; it doubles.
	firstRetry = time.Second
	// maxDoublings bounds how often: 2^20 seconds are more than any MaxPause.
	maxDoublings = 20
)

// Settings of a Deliverer.
type Settings struct {
	Key      *Key
	Roots    *x509.CertPool // that receivers' certificates stand under; nil: the system's
	Reach    Reach
	Timeout  time.Duration // of one attempt
	MaxPause time.Duration // between attempts
	// An event becomes a dead letter when its first attempt is DeadAfter ago, or after MaxAttempts (0: no bound).
	DeadAfter   time.Duration
	MaxAttempts int
	Log         *slog.Logger
	Registry    prometheus.Registerer
}

// Deliverer delivers what a Book's webhooks subscribe to. Run one in each process; one of them delivers at a time.
type Deliverer struct {
	Settings
	book    *Book
	feed    *feed.Feed
	sender  *sender
	metrics *metrics
}

// NewDeliverer makes one.
func NewDeliverer(book *Book, f *feed.Feed, s Settings) (*Deliverer, error) {
	m, err := newMetrics(s.Registry)
	if err != nil {
		return nil, err
	}
	return &Deliverer{Settings: s, book: book, feed: f, sender: newSender(s), metrics: m}, nil
}

// Run delivers until ctx ends, whenever this process is the one to. An attempt under way is
// finished, if its receiver answers soon.
func (d *Deliverer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := d.book.db.Lead(ctx, "deliver", d.lead)
		d.metrics.idle()
		if err != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "webhooks are not delivered for a moment", "error", err.Error())
			pause.For(ctx, look)
		}
	}
	d.sender.http.CloseIdleConnections()
}

// worker is a webhook that is being delivered.
type worker struct {
	version int64
	stop    context.CancelFunc
	done    chan struct{}
}

func (w worker) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// lead keeps a worker for every active webhook. Each of a webhook's workers has ended before the next one begins.
func (d *Deliverer) lead(ctx context.Context) error {
	workers := map[string]worker{}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for measured := (time.Time{}); ; {
		hooks, err := d.book.active(ctx)
		if err != nil {
			return err
		}
		versions := map[string]int64{}
		for _, h := range hooks {
			versions[h.ID] = h.version
			if w, working := workers[h.ID]; working {
				if w.version != h.version {
					w.stop()
				}
				if !w.ended() {
					continue
				}
			}
			w := worker{version: h.version, done: make(chan struct{})}
			var working context.Context
			working, w.stop = context.WithCancel(ctx)
			workers[h.ID] = w
			group.Go(func() {
				defer close(w.done)
				defer w.stop()
				d.work(working, h)
			})
		}
		for id, w := range workers {
			if _, active := versions[id]; !active {
				w.stop()
				if w.ended() {
					delete(workers, id)
				}
			}
		}
		if time.Since(measured) >= measureEvery {
			if err := errors.Join(d.measure(ctx, hooks), d.book.forgetDone(ctx)); err != nil {
				return err
			}
			measured = time.Now()
		}
		if !pause.For(ctx, look) {
			return nil
		}
	}
}

// work delivers one webhook's events until ctx ends or something is in the way; then it is begun anew.
func (d *Deliverer) work(ctx context.Context, h Hook) {
	if err := d.once(ctx, &h); err != nil && ctx.Err() == nil && !errors.Is(err, errMoved) {
		d.Log.WarnContext(ctx, "a webhook is not delivered for a moment", "webhook", h.ID, "error", err.Error())
	}
}

func (d *Deliverer) once(ctx context.Context, h *Hook) error {
	if err := d.replay(ctx, h); err != nil {
		return err
	}
	passed := time.Now()
	for page, err := range d.feed.Follow(ctx, h.Viewer, h.Filter, h.At, passEvery) {
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			if err := d.deliver(ctx, h, e); err != nil || h.State != Active {
				return err
			}
		}
		if page.At != h.At && time.Since(passed) >= passEvery {
			if err := d.book.passed(ctx, h, page.At); err != nil {
				return err
			}
			passed = time.Now()
		}
	}
	return nil
}

// deliver makes attempts until an event is acknowledged or given up. It fails when ctx ends.
func (d *Deliverer) deliver(ctx context.Context, h *Hook, e feed.Event) error {
	to, ok := feed.Parse(e.ID)
	if !ok {
		return errors.New("webhook: an event without a place")
	}
	for {
		if !pause.For(ctx, time.Until(h.Trouble.Next)) {
			return ctx.Err()
		}
		failure, wait := d.attempt(ctx, *h, e)
		// what the receiver has said is kept, whoever stops us meanwhile
		keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Timeout)
		done, err := d.judge(keeping, h, e, to, failure, wait)
		cancel()
		if done || err != nil {
			return err
		}
	}
}

func (d *Deliverer) attempt(ctx context.Context, h Hook, e feed.Event) (Failure, time.Duration) {
	began := time.Now()
	failure, wait := d.sender.send(ctx, h, e)
	d.metrics.attempts.WithLabelValues(failure.result()).Inc()
	d.metrics.seconds.Observe(time.Since(began).Seconds())
	return failure, wait
}

// judge keeps what became of an attempt. done says that the event is dealt with.
func (d *Deliverer) judge(ctx context.Context, h *Hook, e feed.Event, to feed.Cursor, failure Failure, wait time.Duration) (done bool, err error) {
	if failure == Acknowledged {
		return true, d.book.delivered(ctx, h, to)
	}
	now := d.book.now()
	h.Trouble.Attempts++
	h.Trouble.Failure = failure
	if h.Trouble.Since.IsZero() {
		h.Trouble.Since = now
		d.Log.InfoContext(ctx, "a webhook's receiver fails", "webhook", h.ID, "failure", string(failure))
	}
	if now.Sub(h.Trouble.Since) >= d.DeadAfter || d.MaxAttempts > 0 && h.Trouble.Attempts >= d.MaxAttempts {
		d.Log.WarnContext(ctx, "a webhook's event is a dead letter", "webhook", h.ID, "failure", string(failure), "attempts", h.Trouble.Attempts)
		d.metrics.buried.Inc()
		return true, d.book.bury(ctx, h, e, to)
	}
	h.Trouble.Next = now.Add(min(max(d.delay(h.Trouble.Attempts), wait), d.MaxPause))
	return false, d.book.failed(ctx, h)
}

// delay is the pause after so many failed attempts: twice as long each time, up to MaxPause, each spread at random by half.
func (d *Deliverer) delay(attempts int) (pause time.Duration) {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.Multiplier, b.MaxInterval = min(firstRetry, d.MaxPause), 2, d.MaxPause
	b.Reset()
	for range min(attempts, maxDoublings) {
		pause = b.NextBackOff()
	}
	return pause
}

// replay sends the dead letters that its owner wants sent once more, each once.
func (d *Deliverer) replay(ctx context.Context, h *Hook) error {
	for {
		letters, err := d.book.replays(ctx, *h)
		if err != nil || len(letters) == 0 {
			return err
		}
		for _, l := range letters {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failure, _ := d.attempt(ctx, *h, l.Event)
			keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Timeout)
			err := d.book.replayed(keeping, h, l, failure)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}
