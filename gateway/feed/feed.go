// Package feed gives what happened on the ledger to those who may know it: the events that contracts announced, in exactly
// the ledger's order, from any place on, without a gap.
//
//	changes (gateway/store) ──a stretch──▶ filter ──▶ sees ──▶ events, and a cursor: how far was looked
//
// A reader holds a cursor and nothing is kept for it here. Whoever asks from a cursor gets what comes after it, so there is
// no gap; whoever asks twice gets it twice, and nobody else does. A stretch has a bounded number of changes, so a question
// costs the same whatever is found; the cursor that comes back is behind all that was looked at.
//
// Invariants: only blocks that are applied are looked at, whole; whether a viewer sees a change depends on nothing that is
// added to the ledger after it; an event holds no personal data, for the ledger has none.
package feed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/hutong-gov/hutong/gateway/store"
)

// Stretch is how many changes are looked at in one question to the store.
const Stretch = 512

// Source is the projection of the ledger.
type Source interface {
	Feed(ctx context.Context, q store.FeedQuery) ([]store.Change, error)
	Some(ctx context.Context, noun string, ids []string) ([]store.Record, error)
	Opened(ctx context.Context, event string, cases []string) (map[string]Cursor, error)
	Height(ctx context.Context) (uint64, error)
	WaitBlock(ctx context.Context, number uint64) error
}

// Event is one thing that happened, as a contract announced it.
type Event struct {
	ID       string    `json:"id" doc:"Its place in the ledger's order: {block}-{position of the transaction}-{n}. The same on every gateway, and for good." example:"1027-3-0"`
	Type     string    `json:"type" example:"certificate.issued.v1"`
	Contract string    `json:"contract"`
	Record   string    `json:"record" doc:"Id of the record it is about."`
	Subject  string    `json:"subject,omitempty" doc:"The pseudonym it is about."`
	Agency   string    `json:"agency,omitempty" doc:"The agency whose business it is, or that must act."`
	Case     string    `json:"case,omitempty"`
	Tx       string    `json:"tx_id"`
	Block    uint64    `json:"block"`
	At       time.Time `json:"at" doc:"The transaction's timestamp: a claim that endorsers bounded."`
}

func eventOf(c store.Change) Event {
	return Event{ID: Text(c.Cursor()), Type: c.Type, Contract: c.Contract, Record: c.ID, Subject: c.Subject, Agency: c.Agency,
		Case: c.Case, Tx: c.Tx, Block: c.Block, At: c.At}
}

// Feed reads events. It is safe for concurrent use.
type Feed struct {
	source Source
	cases  cases
}

// New makes a feed.
func New(source Source) *Feed { return &Feed{source: source} }

// Page is some events, and how far was looked to find them.
type Page struct {
	Events []Event
	At     Cursor
	Height uint64 // the last block that was applied
}

// Read gives at most limit events after a cursor. A page without events that is not whole says that there was nothing in a
// stretch of the feed.
func (f *Feed) Read(ctx context.Context, v Viewer, only Filter, after Cursor, limit int) (Page, error) {
	height, err := f.source.Height(ctx)
	if err != nil {
		return Page{}, err
	}
	p := Page{Events: []Event{}, At: after, Height: height}
	if !before(after, End(height)) {
		return p, nil // at the end, or beyond: a gateway that is behind the one the cursor is from
	}
	q := store.FeedQuery{After: after, Through: height, Subject: only.Subject, Agency: only.Agency, Case: only.Case, Limit: Stretch}
	if v.Subject != "" {
		if only.Subject != "" && only.Subject != v.Subject {
			p.At = End(height)
			return p, nil
		}
		q.Subject = v.Subject
	}
	changes, err := f.source.Feed(ctx, q)
	if err != nil {
		return p, err
	}
	p.At = End(height)
	if len(changes) == Stretch {
		p.At = changes[Stretch-1].Cursor()
	}
	selected := changes[:0]
	for _, c := range changes {
		if only.passes(c) {
			selected = append(selected, c)
		}
	}
	look, err := f.lookUp(ctx, v, selected)
	if err != nil {
		return p, err
	}
	for _, c := range selected {
		if !v.sees(c, look(c)) {
			continue
		}
		if len(p.Events) == limit {
			p.At = last(p.Events)
			break
		}
		p.Events = append(p.Events, eventOf(c))
	}
	return p, nil
}

func last(events []Event) Cursor {
	c, _ := Parse(events[len(events)-1].ID)
	return c
}

// lookUp fetches what is needed to judge changes: a bounded number of records and cases.
func (f *Feed) lookUp(ctx context.Context, v Viewer, changes []store.Change) (func(store.Change) parties, error) {
	records, cases := map[string][]string{}, []string{}
	for _, c := range changes {
		record, within := v.needs(c)
		if record {
			noun := nounOf(c.Type)
			records[noun] = append(records[noun], c.ID)
		}
		if within {
			cases = append(cases, c.Case)
		}
	}
	agencies := map[[2]string][]string{}
	for noun, ids := range records {
		found, err := f.source.Some(ctx, noun, ids)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			agencies[[2]string{noun, r.ID}] = []string{r.Index.Agency, r.Index.Peer}
		}
	}
	opened, err := f.casesOf(ctx, cases)
	return func(c store.Change) parties {
		return parties{record: agencies[[2]string{nounOf(c.Type), c.ID}], in: opened[c.Case]}
	}, err
}

// Follow gives page after page: what there is, and what comes. A page comes when it has events, and without any after every
// beat in which there were none. It ends when ctx does, and with an error of the store.
func (f *Feed) Follow(ctx context.Context, v Viewer, only Filter, after Cursor, beat time.Duration) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for spoken := time.Now(); ctx.Err() == nil; {
			p, err := f.Read(ctx, v, only, after, Stretch)
			if err == nil && len(p.Events) == 0 && p.Idle() && time.Since(spoken) < beat {
				after, err = p.At, f.wait(ctx, p.Height+1, beat-time.Since(spoken))
				if err == nil {
					continue
				}
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(p, fmt.Errorf("feed: %w", err))
				return
			}
			after = p.At
			if len(p.Events) > 0 || time.Since(spoken) >= beat {
				if !yield(p, nil) {
					return
				}
				spoken = time.Now()
			}
		}
	}
}

// Idle says whether there is nothing to look at until the next block.
func (p Page) Idle() bool { return !before(p.At, End(p.Height)) }

// wait waits for a block, but not longer than patience.
func (f *Feed) wait(ctx context.Context, block uint64, patience time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := f.source.WaitBlock(waiting, block)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// Height is the last block that was applied.
func (f *Feed) Height(ctx context.Context) (uint64, error) { return f.source.Height(ctx) }
