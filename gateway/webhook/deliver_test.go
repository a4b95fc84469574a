package webhook

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/gateway/webhook/receive"
)

// ledger is a feed in memory that grows.
type ledger struct {
	mu      sync.Mutex
	changes []store.Change
	height  uint64
	grown   chan struct{}
}

func newLedger() *ledger { return &ledger{grown: make(chan struct{})} }

// add puts a block with n events of a subject on it.
func (l *ledger) add(n int, subject string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.height++
	for i := range n {
		l.changes = append(l.changes, store.Change{Block: l.height, N: i, Tx: fmt.Sprintf("t%d", l.height), At: time.UnixMilli(int64(l.height)).UTC(),
			Contract: "certificate", Type: "certificate.issued.v1", ID: fmt.Sprintf("c%d-%d", l.height, i), Subject: subject, Agency: "market.tax"})
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// ids of a subject's events; of all if it is empty.
func (l *ledger) ids(subject string) (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.changes {
		if subject == "" || c.Subject == subject {
			ids = append(ids, feed.Text(c.Cursor()))
		}
	}
	return ids
}

func (l *ledger) Feed(_ context.Context, q store.FeedQuery) (found []store.Change, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.changes {
		after := c.Block > q.After.Block || c.Block == q.After.Block && (c.Position > q.After.Position || c.Position == q.After.Position && c.N > q.After.N)
		if after && c.Block <= q.Through && (q.Subject == "" || q.Subject == c.Subject) && len(found) < q.Limit {
			found = append(found, c)
		}
	}
	return found, nil
}

func (l *ledger) Some(context.Context, string, []string) ([]store.Record, error) { return nil, nil }

func (l *ledger) Opened(context.Context, string, []string) (map[string]feed.Cursor, error) {
	return nil, nil
}

func (l *ledger) Height(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.height, nil
}

func (l *ledger) WaitBlock(ctx context.Context, n uint64) error {
	for {
		l.mu.Lock()
		there, grown := l.height >= n, l.grown
		l.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receiver is somebody's, over TLS. It verifies every delivery.
type receiver struct {
	t       *testing.T
	server  *httptest.Server
	listens string
	keys    []byte
	roots   *x509.CertPool

	mu     sync.Mutex
	answer func(event string) int // status; 0 breaks the connection
	got    []string               // events as they were acknowledged, repeats included
	under  int                    // requests under way
}

func newReceiver(t *testing.T, keys []byte) *receiver {
	r := &receiver{t: t, keys: keys, answer: func(string) int { return http.StatusNoContent }}
	r.up()
	t.Cleanup(r.down)
	return r
}

// up opens the receiver's door, the same as before.
func (r *receiver) up() {
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	if r.listens == "" {
		r.listens = r.server.Listener.Addr().String()
	} else {
		require.NoError(r.t, r.server.Listener.Close())
		var err error
		r.server.Listener, err = net.Listen("tcp", r.listens)
		require.NoError(r.t, err)
	}
	r.server.EnableHTTP2 = true
	r.server.StartTLS()
	if r.roots == nil {
		r.roots = x509.NewCertPool()
		r.roots.AddCert(r.server.Certificate())
	}
}

func (r *receiver) down() {
	r.server.CloseClientConnections()
	r.server.Close()
}

func (r *receiver) url() string { return "https://" + r.listens + "/hook" }

func (r *receiver) serve(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.under++
	if r.under > 1 {
		r.t.Error("two deliveries at once")
	}
	answer := r.answer
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.under--
	}()
	verifies, err := receive.New(r.url(), r.keys)
	if err != nil {
		r.t.Error(err)
	}
	d, err := verifies.Open(request)
	if err != nil {
		r.t.Error(err)
	}
	var e feed.Event
	if err := json.Unmarshal(d.Body, &e); err != nil {
		r.t.Error(err)
	}
	status := answer(e.ID)
	switch {
	case status < 0: // silence, until the gateway has enough
		<-request.Context().Done()
		panic(http.ErrAbortHandler)
	case status == 0:
		panic(http.ErrAbortHandler)
	case status < 300:
		r.mu.Lock()
		r.got = append(r.got, d.ID)
		r.mu.Unlock()
	case status < 400:
		w.Header().Set("Location", r.url()+"/elsewhere")
	}
	w.WriteHeader(status)
}

func (r *receiver) answers(f func(event string) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// events are those that were acknowledged to a webhook, in order; repeated says how often one came again.
func (r *receiver) events(hook string) (ids []string, repeated int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.got {
		event, found := id[len(hook)+1:], id[:len(hook)] == hook
		if !found {
			r.t.Errorf("a delivery of another webhook: %s", id)
		}
		if slices.Contains(ids, event) {
			repeated++
			continue
		}
		ids = append(ids, event)
	}
	return ids, repeated
}

// office is a gateway's part that delivers.
type office struct {
	t        *testing.T
	db       *database.DB
	book     *Book
	ledger   *ledger
	settings Settings
	receiver *receiver
}

var (
	owner   = Owner{Role: "portal", Agency: "services.hall", Client: "portal"}
	auditor = feed.Viewer{All: true}
)

func newOffice(t *testing.T, s database.Settings, change ...func(*Settings)) *office {
	t.Helper()
	key, _ := newKey(t)
	o := &office{t: t, ledger: newLedger(), receiver: newReceiver(t, keySet(t, key))}
	o.settings = Settings{Key: key, Roots: o.receiver.roots, Reach: Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Timeout: 2 * time.Second, MaxPause: 50 * time.Millisecond, DeadAfter: time.Hour, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o.settings)
	}
	o.open(s)
	return o
}

func (o *office) open(s database.Settings) {
	var err error
	o.db, err = database.Open(o.t.Context(), s, Part)
	require.NoError(o.t, err)
	o.t.Cleanup(func() { require.NoError(o.t, o.db.Close()) })
	o.book = NewBook(o.db)
}

// run delivers until the function it gives is called.
func (o *office) run() (stop func(), registry *prometheus.Registry) {
	registry = prometheus.NewRegistry()
	settings := o.settings
	settings.Registry = registry
	d, err := NewDeliverer(o.book, feed.New(o.ledger), settings)
	require.NoError(o.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	o.t.Cleanup(stop)
	return stop, registry
}

// change is a new request to change a webhook.
func change(h Hook) Change { return Change{Owner: owner, Key: fmt.Sprint(rand.Uint64()), ID: h.ID} }

func (o *office) register(v feed.Viewer) Hook {
	h, err := o.book.Add(o.t.Context(), owner, v, fmt.Sprint(rand.Uint64()), Registration{URL: o.receiver.url(), From: "start", After: feed.Start})
	require.NoError(o.t, err)
	return h
}

// settled waits until a webhook has dealt with everything.
func (o *office) settled(h Hook, want []string) {
	o.t.Helper()
	var got []string
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if got, _ = o.receiver.events(h.ID); len(got) >= len(want) {
			break
		}
	}
	require.Equal(o.t, want, got)
}

func (o *office) get(h Hook) Hook {
	o.t.Helper()
	h, err := o.book.Get(o.t.Context(), owner, h.ID)
	require.NoError(o.t, err)
	return h
}

// TestEveryEventArrivesInOrder: the receiver is down at first and in between, fails at random and breaks connections, the
// gateway restarts; every event arrives, in order, once for each delivery id.
func TestEveryEventArrivesInOrder(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		o := newOffice(t, s)
		o.receiver.down()
		h := o.register(auditor)
		for range 20 {
			o.ledger.add(rand.IntN(4), "s")
		}
		stop, _ := o.run()
		require.Eventually(t, func() bool { return o.get(h).Trouble.Attempts > 2 }, 10*time.Second, 10*time.Millisecond)
		require.Equal(t, Unreachable, o.get(h).Trouble.Failure)
		require.Positive(t, o.get(h).Backlog(20))
		o.receiver.up()
		o.settled(h, o.ledger.ids(""))
		_, repeated := o.receiver.events(h.ID)
		require.Zero(t, repeated, "nothing was acknowledged twice")

		o.receiver.answers(func(string) int {
			return []int{0, 204, 200, 202, 204, 500, 503, 429, 404, 301}[rand.IntN(10)]
		})
		for i := range 60 {
			o.ledger.add(rand.IntN(3), "s")
			if i%20 == 10 {
				stop()
				stop, _ = o.run()
			}
			if i == 35 {
				o.receiver.down()
				time.Sleep(100 * time.Millisecond)
				o.receiver.up()
			}
			time.Sleep(2 * time.Millisecond)
		}
		o.ledger.add(1, "s")
		o.settled(h, o.ledger.ids(""))
		require.Eventually(t, func() bool { // the receiver has the last one before the book says so
			now := o.get(h)
			return now.Trouble == Trouble{} && int(now.Delivered) == len(o.ledger.ids(""))
		}, 5*time.Second, 10*time.Millisecond)
		now := o.get(h)
		require.False(t, now.Succeeded.IsZero())
		require.Zero(t, now.Dead)
	})
}

// TestOneGatewayDelivers runs two gateways on one database. The receiver complains of two deliveries at once.
func TestOneGatewayDelivers(t *testing.T) {
	t.Parallel()
	s := databasetest.PostgreSQL(t)
	o := newOffice(t, s)
	other := *o
	other.open(s)
	h := o.register(auditor)
	stop, _ := o.run()
	other.run()
	for i := range 60 {
		o.ledger.add(1+rand.IntN(3), "s")
		if i == 30 {
			stop() // the other one takes over
		}
		time.Sleep(time.Millisecond)
	}
	o.settled(h, o.ledger.ids(""))
	_, repeated := o.receiver.events(h.ID)
	require.Zero(t, repeated)
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		o := newOffice(t, s, func(s *Settings) { s.MaxAttempts = 3 })
		for range 6 {
			o.ledger.add(1, "s")
		}
		all := o.ledger.ids("")
		poison := []string{all[1], all[3]}
		o.receiver.answers(func(event string) int {
			if slices.Contains(poison, event) {
				return http.StatusUnprocessableEntity
			}
			return http.StatusOK
		})
		h := o.register(auditor)
		_, registry := o.run()
		o.settled(h, []string{all[0], all[2], all[4], all[5]})
		letters, err := o.book.Letters(t.Context(), owner, h.ID, feed.Start, 10)
		require.NoError(t, err)
		require.Equal(t, poison, []string{letters[0].Event.ID, letters[1].Event.ID})
		require.Equal(t, []any{3, Refused, false}, []any{letters[0].Attempts, letters[0].Failure, letters[0].Replay})
		first, _ := feed.Parse(poison[0])
		second, _ := feed.Parse(poison[1])
		page, err := o.book.Letters(t.Context(), owner, h.ID, first, 10)
		require.NoError(t, err)
		require.Len(t, page, 1)
		require.Equal(t, int64(2), o.get(h).Dead)

		require.NoError(t, o.book.ReplayAll(t.Context(), change(h))) // the receiver still refuses them
		require.Eventually(t, func() bool {
			letters, err := o.book.Letters(t.Context(), owner, h.ID, feed.Start, 10)
			return err == nil && len(letters) == 2 && letters[0].Attempts == 4 && letters[1].Attempts == 4 && !letters[1].Replay
		}, 10*time.Second, 10*time.Millisecond)
		o.receiver.answers(func(string) int { return http.StatusOK })
		require.NoError(t, o.book.Replay(t.Context(), change(h), second))
		o.ledger.add(1, "s")
		require.Eventually(t, func() bool { return o.get(h).Dead == 1 }, 10*time.Second, 10*time.Millisecond)
		got, _ := o.receiver.events(h.ID)
		require.Contains(t, got, poison[1])
		require.NotContains(t, got, poison[0])
		require.NoError(t, o.book.Forget(t.Context(), change(h), first))
		require.ErrorIs(t, o.book.Forget(t.Context(), change(h), first), ErrNoLetter)
		require.ErrorIs(t, o.book.Replay(t.Context(), change(h), first), ErrNoLetter)
		require.Zero(t, o.get(h).Dead)
		require.Eventually(t, func() bool { return o.get(h).Delivered == 6 }, 10*time.Second, 10*time.Millisecond)

		families, err := registry.Gather()
		require.NoError(t, err)
		counted := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					counted[f.GetName()+" "+l.GetValue()] = m.GetCounter().GetValue()
				}
				if f.GetName() == "hutong_webhook_dead_letters_total" {
					counted[f.GetName()] = m.GetCounter().GetValue()
				}
			}
		}
		require.Equal(t, 6.0, counted["hutong_webhook_attempts_total acknowledged"])
		require.Equal(t, 8.0, counted["hutong_webhook_attempts_total refused"])
		require.Equal(t, 2.0, counted["hutong_webhook_dead_letters_total"])
	})
}

// TestAnEventDiesOfAge: what could not be delivered for too long is given up, and the next one has its own time.
func TestAnEventDiesOfAge(t *testing.T) {
	t.Parallel()
	o := newOffice(t, databasetest.SQLite(t), func(s *Settings) { s.DeadAfter = 200 * time.Millisecond })
	o.ledger.add(2, "s")
	all := o.ledger.ids("")
	o.receiver.answers(func(event string) int {
		if event == all[0] {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	h := o.register(auditor)
	o.run()
	o.settled(h, all[1:])
	require.Equal(t, int64(1), o.get(h).Dead)
}

func TestAFullWebhookStops(t *testing.T) {
	t.Parallel()
	o := newOffice(t, databasetest.SQLite(t), func(s *Settings) { s.MaxAttempts = 1 })
	h := o.register(auditor)
	require.NoError(t, o.db.Atomically(t.Context(), func(tx *database.Tx) error {
		for n := range MaxDeadLetters - 1 {
			if _, err := tx.Exec(t.Context(), `INSERT INTO dead (hook, block, position, n, event, attempts, failure, at, replay) VALUES (?, 0, 0, ?, '{}', 1, 'failed', 1, 0)`, h.ID, n); err != nil {
				return err
			}
		}
		return nil
	}))
	o.receiver.answers(func(string) int { return http.StatusInternalServerError })
	o.ledger.add(3, "s")
	o.run()
	require.Eventually(t, func() bool { return o.get(h).State == Full }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, int64(MaxDeadLetters), o.get(h).Dead)
	require.ErrorIs(t, o.book.Resume(t.Context(), change(h)), ErrFull)
	require.NoError(t, o.book.Forget(t.Context(), change(h), feed.Cursor{}))
	o.receiver.answers(func(string) int { return http.StatusOK })
	require.NoError(t, o.book.Resume(t.Context(), change(h)))
	o.settled(h, o.ledger.ids("")[1:])
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		o := newOffice(t, s)
		h := o.register(feed.Viewer{Subject: "mine"})
		o.run()
		o.ledger.add(2, "mine")
		o.ledger.add(2, "another's")
		o.settled(h, o.ledger.ids("mine"))
		require.NoError(t, o.book.Pause(t.Context(), change(h)))
		require.Equal(t, Paused, o.get(h).State)
		time.Sleep(look + 200*time.Millisecond) // whoever delivers has seen it
		before := o.ledger.ids("mine")
		o.ledger.add(2, "mine")
		time.Sleep(200 * time.Millisecond)
		got, _ := o.receiver.events(h.ID)
		require.Equal(t, before, got)
		require.NoError(t, o.book.Resume(t.Context(), change(h)))
		o.settled(h, o.ledger.ids("mine"))

		require.NoError(t, o.book.Remove(t.Context(), change(h)))
		_, err := o.book.Get(t.Context(), owner, h.ID)
		require.ErrorIs(t, err, ErrMissing)
		for _, work := range []func(context.Context, Change) error{o.book.Remove, o.book.Pause, o.book.Resume} {
			require.ErrorIs(t, work(t.Context(), change(h)), ErrMissing)
		}
	})
}

// TestWhereDeliveriesDoNotGo: nothing arrives where it must not, and the class of the failure says why.
func TestWhereDeliveriesDoNotGo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Settings)
		answer int
		want   Failure
	}{
		"an address that may not be reached": {func(s *Settings) { s.Reach = Reach{} }, 200, Forbidden},
		"a certificate nobody knows":         {func(s *Settings) { s.Roots = x509.NewCertPool() }, 200, Untrusted},
		"a redirect":                         {func(*Settings) {}, 307, Redirected},
		"no":                                 {func(*Settings) {}, 410, Refused},
		"a failure":                          {func(*Settings) {}, 502, Failed},
		"silence":                            {func(s *Settings) { s.Timeout = 50 * time.Millisecond }, -1, TimedOut},
		"a broken connection":                {func(*Settings) {}, 0, Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, databasetest.SQLite(t), c.change)
			o.receiver.answers(func(string) int { return c.answer })
			o.ledger.add(1, "s")
			h := o.register(auditor)
			o.run()
			require.Eventually(t, func() bool { return o.get(h).Trouble.Attempts > 1 }, 10*time.Second, 5*time.Millisecond)
			require.Equal(t, c.want, o.get(h).Trouble.Failure)
			got, _ := o.receiver.events(h.ID)
			require.Empty(t, got)
		})
	}
}

func TestRegistrations(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		o := newOffice(t, s)
		ctx := t.Context()
		r := Registration{URL: o.receiver.url(), Filter: feed.Filter{Types: []string{"case.*"}}, From: "now", After: feed.End(7)}
		viewer := feed.Viewer{Desk: "services.hall"}
		first, err := o.book.Add(ctx, owner, viewer, "k", r)
		require.NoError(t, err)
		require.Equal(t, viewer, first.Viewer)
		require.Equal(t, r.Filter, first.Filter)
		require.Equal(t, feed.End(7), first.At)
		later := r
		later.After = feed.End(9)
		again, err := o.book.Add(ctx, owner, viewer, "k", later)
		require.NoError(t, err)
		require.Equal(t, first, again, "the same request is the same webhook, whatever now is")
		other := r
		other.URL += "/other"
		_, err = o.book.Add(ctx, owner, viewer, "k", other)
		require.ErrorIs(t, err, ErrConflict)
		stranger := Owner{Role: owner.Role, Agency: owner.Agency, Client: "another portal"}
		foreign, err := o.book.Add(ctx, stranger, viewer, "k", other)
		require.NoError(t, err, "keys are their owner's")
		_, err = o.book.Get(ctx, owner, foreign.ID)
		require.ErrorIs(t, err, ErrMissing)
		require.ErrorIs(t, o.book.Remove(ctx, change(foreign)), ErrMissing)
		_, err = o.book.Letters(ctx, owner, foreign.ID, feed.Start, 1)
		require.ErrorIs(t, err, ErrMissing)
		pause := change(first)
		require.NoError(t, o.book.Pause(ctx, pause))
		require.NoError(t, o.book.Resume(ctx, change(first)))
		require.NoError(t, o.book.Pause(ctx, pause), "a repetition")
		require.Equal(t, Active, o.get(first).State, "what was done is not done again")
		require.ErrorIs(t, o.book.Resume(ctx, pause), ErrConflict, "the key was another request's")
		require.NoError(t, o.book.Remove(ctx, change(first)))
		gone, err := o.book.Add(ctx, owner, viewer, "k", r)
		require.NoError(t, err)
		require.Equal(t, []any{first.ID, Removed}, []any{gone.ID, gone.State}, "nor made anew")
		for i := range MaxPerOwner {
			_, err := o.book.Add(ctx, owner, viewer, fmt.Sprint(i), r)
			require.NoError(t, err)
		}
		_, err = o.book.Add(ctx, owner, viewer, "one more", r)
		require.ErrorIs(t, err, ErrTooMany)
		list, err := o.book.List(ctx, owner)
		require.NoError(t, err)
		require.Len(t, list, MaxPerOwner)
	})
}

// TestStoppingDoesNotWaitForAReceiver: an attempt under way is given a moment, and no more.
func TestStoppingDoesNotWaitForAReceiver(t *testing.T) {
	t.Parallel()
	o := newOffice(t, databasetest.SQLite(t), func(s *Settings) { s.Timeout = time.Minute })
	asked, leave := make(chan struct{}, 1), make(chan struct{})
	o.receiver.answers(func(string) int { asked <- struct{}{}; <-leave; return 0 })
	defer close(leave)
	o.ledger.add(1, "s")
	o.register(auditor)
	stop, _ := o.run()
	<-asked
	began := time.Now()
	stop()
	require.Less(t, time.Since(began), 20*time.Second)
	require.GreaterOrEqual(t, time.Since(began), stopPatience)
}

func TestPausesGrow(t *testing.T) {
	d := &Deliverer{Settings: Settings{MaxPause: time.Minute}}
	for attempts, about := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 10: time.Minute, 1000: time.Minute} {
		for range 50 {
			require.InDelta(t, float64(about), float64(d.delay(attempts)), float64(about)/2+1)
		}
	}
}
