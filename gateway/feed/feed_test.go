package feed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/store"
)

// town makes blocks of a small town at random, and knows who may see what by having made it.
type town struct {
	blocks []store.Rows
	all    []store.Change
	seen   map[string][]string // by viewer: ids of events
}

var (
	agencies = []string{"market.tax", "market.regulation", "planning.housing", "services.police"}
	desks    = []string{"services.hall", "planning.hall"}
	subjects = []string{"s1", "s2", "s3"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// add puts a change into the last block, and notes who may see it.
func (w *town) add(c store.Change, viewers ...string) {
	rows := &w.blocks[len(w.blocks)-1]
	c.Block, c.Tx, c.At = rows.Block.Number, fmt.Sprintf("tx%d", len(w.all)), time.UnixMilli(int64(len(w.all))).UTC()
	if n := len(rows.Changes); n > 0 {
		last := rows.Changes[n-1]
		c.Position, c.N = last.Position, last.N+1
		if len(w.all)%3 == 0 {
			c.Position, c.N = last.Position+2, 0
		}
	}
	rows.Changes, w.all = append(rows.Changes, c), append(w.all, c)
	if c.Subject != "" {
		viewers = append(viewers, "subject "+c.Subject)
	}
	if c.Agency != "" {
		viewers = append(viewers, "agency "+c.Agency)
	}
	slices.Sort(viewers)
	for _, v := range append(slices.Compact(viewers), "all") {
		w.seen[v] = append(w.seen[v], feed.Text(c.Cursor()))
	}
}

func (w *town) write(noun, id string, index state.Index, body any) {
	rows := &w.blocks[len(w.blocks)-1]
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	rows.Writes = append(rows.Writes, store.Write{Record: store.Record{Contract: "x", Noun: noun, ID: id, Status: "x", Version: 1, Index: index, Body: raw, Block: rows.Block.Number}})
}

// newTown makes some blocks in which agencies ask for each other's data, with and without a case.
func newTown(r *rand.Rand, blocks int) *town {
	w := &town{seen: map[string][]string{}}
	type openCase struct {
		id, subject, desk string
		agencies          []string
	}
	var open []openCase
	for n := range blocks {
		w.blocks = append(w.blocks, store.Rows{Block: store.Block{Number: uint64(n), Hash: fmt.Sprintf("%064x", n), Previous: fmt.Sprintf("%064x", n-1)}})
		if n == 0 {
			continue
		}
		for range r.IntN(6) {
			id := fmt.Sprintf("id%d", len(w.all))
			switch r.IntN(4) {
			case 0: // a certificate, of no case
				w.add(store.Change{Contract: "certificate", Type: certificate.EventIssued, ID: id, Subject: pick(r, subjects), Agency: pick(r, agencies)})
			case 1: // a consent, and perhaps the case it is for
				c := openCase{id: id, subject: pick(r, subjects), desk: pick(r, desks), agencies: []string{pick(r, agencies), pick(r, agencies)}}
				provider, consumer := pick(r, agencies), pick(r, agencies)
				w.write("consent", "c"+id, state.Index{Agency: provider, Peer: consumer, Case: id}, struct{}{})
				w.add(store.Change{Contract: "exchange", Type: exchange.EventConsentGiven, ID: "c" + id, Subject: c.subject, Agency: consumer, Case: id})
				if r.IntN(3) > 0 {
					open = append(open, c)
					w.write("case", id, state.Index{Case: id}, collaboration.Case{Head: state.Head{ID: id, Created: state.Stamp{By: c.desk}}, Agencies: c.agencies})
					w.add(store.Change{Contract: "collaboration", Type: collaboration.EventCaseOpened, ID: id, Subject: c.subject, Agency: c.agencies[0], Case: id},
						"agency "+c.agencies[0], "agency "+c.agencies[1], "desk "+c.desk)
				}
			case 2: // a use, in a case
				if len(open) == 0 {
					continue
				}
				c := open[r.IntN(len(open))]
				provider, consumer := pick(r, agencies), pick(r, agencies)
				w.write("use", id, state.Index{Agency: provider, Peer: consumer, Case: c.id}, struct{}{})
				w.add(store.Change{Contract: "exchange", Type: exchange.EventUseRequested, ID: id, Subject: c.subject, Agency: provider, Case: c.id},
					"agency "+consumer, "agency "+c.agencies[0], "agency "+c.agencies[1], "desk "+c.desk)
			case 3: // a grant
				provider, consumer := pick(r, agencies), pick(r, agencies)
				w.write("grant", id, state.Index{Agency: provider, Peer: consumer}, struct{}{})
				w.add(store.Change{Contract: "exchange", Type: exchange.EventGrantGranted, ID: id, Agency: consumer}, "agency "+provider)
			}
		}
	}
	return w
}

func viewerOf(name string) (v feed.Viewer) {
	kind, who, _ := strings.Cut(name, " ")
	switch kind {
	case "all":
		v.All = true
	case "subject":
		v.Subject = who
	case "agency":
		v.Agency = who
	case "desk":
		v.Desk = who
	}
	return v
}

// restarting is a projection that its process leaves and comes back to.
type restarting struct {
	t        *testing.T
	settings database.Settings
	mu       sync.RWMutex
	*store.Store
}

func (r *restarting) open() {
	s, err := store.Open(context.Background(), r.settings, 2, "x")
	require.NoError(r.t, err)
	r.Store = s
}

// restart closes the store and opens it again.
func (r *restarting) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NoError(r.t, r.Close())
	r.open()
}

// TestNothingIsMissedAndNothingComesTwice lets readers of every kind follow a growing ledger, break off at any moment and
// come back where they were, while the projection restarts: each ends with exactly the list of what it may see, in order.
func TestNothingIsMissedAndNothingComesTwice(t *testing.T) {
	const shortest = 20 * time.Millisecond
	blocks := 300
	if testing.Short() {
		blocks = 60
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newTown(rand.New(rand.NewPCG(seed, 1)), blocks)
	r := &restarting{t: t, settings: databasetest.Chosen(t)}
	r.open()
	defer func() { require.NoError(t, r.Close()) }()

	var readers sync.WaitGroup
	for name, want := range w.seen {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(len(name)+len(want))))
			got, at := []string{}, feed.Start
			patience := shortest
			for at.Block < uint64(blocks-1) {
				before := at
				r.mu.RLock()
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Int64N(int64(patience))))
				for page, err := range feed.New(r).Follow(ctx, viewerOf(name), feed.Filter{}, at, time.Duration(1+random.IntN(10))*time.Millisecond) {
					if err != nil {
						t.Error(err)
					}
					for _, e := range page.Events {
						got = append(got, e.ID)
					}
					at = page.At
					if random.IntN(4) == 0 || at == feed.End(uint64(blocks-1)) {
						break
					}
				}
				cancel()
				r.mu.RUnlock()
				if patience *= 2; at != before { // who never gets as far as one page on a busy machine waits longer
					patience = shortest
				}
			}
			if !slices.Equal(want, got) {
				t.Errorf("%s: saw %d events, may see %d", name, len(got), len(want))
			}
		})
	}
	random := rand.New(rand.NewPCG(seed, 2))
	for rest := w.blocks; len(rest) > 0; {
		some := min(1+random.IntN(5), len(rest))
		require.NoError(t, r.Apply(t.Context(), rest[:some]))
		rest = rest[some:]
		if random.IntN(15) == 0 {
			r.restart()
		}
	}
	readers.Wait()

	// lists, page after page, are the same; so is a list with a filter
	f := feed.New(r)
	for name, want := range w.seen {
		require.Equal(t, want, whole(t, f, viewerOf(name), feed.Filter{}, 1+random.IntN(7)), name)
	}
	for _, subject := range subjects {
		require.Equal(t, w.seen["subject "+subject], whole(t, f, feed.Viewer{All: true}, feed.Filter{Subject: subject}, 50))
		require.Empty(t, whole(t, f, feed.Viewer{Subject: "s4"}, feed.Filter{Subject: subject}, 50), "a filter does not widen what may be seen")
	}
	var certificates []string
	for _, c := range w.all {
		if c.Contract == "certificate" && c.Agency == agencies[0] {
			certificates = append(certificates, feed.Text(c.Cursor()))
		}
	}
	require.Equal(t, certificates, whole(t, f, feed.Viewer{All: true}, feed.Filter{Types: []string{"certificate.*"}, Agency: agencies[0]}, 50))
	require.Empty(t, whole(t, f, feed.Viewer{}, feed.Filter{}, 50))
}

// whole reads everything, page by page.
func whole(t *testing.T, f *feed.Feed, v feed.Viewer, only feed.Filter, limit int) (ids []string) {
	t.Helper()
	for at := feed.Start; ; {
		p, err := f.Read(t.Context(), v, only, at, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(p.Events), limit)
		for _, e := range p.Events {
			ids = append(ids, e.ID)
		}
		if at = p.At; p.Idle() {
			return ids
		}
	}
}

// TestACursorAheadOfThisGatewayWaits: the gateway that gave it is further.
func TestACursorAheadOfThisGatewayWaits(t *testing.T) {
	w := newTown(rand.New(rand.NewPCG(1, 1)), 10)
	r := &restarting{t: t, settings: databasetest.Chosen(t)}
	r.open()
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, r.Apply(t.Context(), w.blocks[:3]))
	pages := make(chan feed.Page)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for p := range feed.New(r).Follow(ctx, feed.Viewer{All: true}, feed.Filter{}, feed.End(5), time.Millisecond) {
			pages <- p
		}
		close(pages)
	}()
	p := <-pages
	require.Empty(t, p.Events)
	require.Equal(t, feed.End(5), p.At, "a beat takes nothing back")
	for _, rows := range w.blocks[3:] {
		require.NoError(t, r.Apply(t.Context(), []store.Rows{rows}))
	}
	var got []string
	for p := range pages {
		for _, e := range p.Events {
			require.Greater(t, e.Block, uint64(5))
			got = append(got, e.ID)
		}
		if p.At == feed.End(9) {
			cancel()
		}
	}
	after := slices.IndexFunc(w.all, func(c store.Change) bool { return c.Block > 5 })
	require.Len(t, got, len(w.all)-after)
}
