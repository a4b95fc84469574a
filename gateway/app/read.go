package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/store"
)

// After is part of every read of the projection.
type After struct {
	MinBlock uint64 `query:"min_block" json:"-" doc:"Wait until the projection has this block: the block of a receipt makes sure the read sees the write."`
}

// Paging is part of every list.
type Paging struct {
	After
	PageSize  int    `query:"page_size" json:"-" min:"1" max:"200" doc:"Items a page; 50 if absent."`
	PageToken string `query:"page_token" json:"-" max:"512" doc:"next_page_token of the page before."`
}

// Listing is part of every list of records: beside paging, what they can be sorted by and since when they are wanted.
type Listing struct {
	Paging
	Sort         string    `query:"sort" json:"-" enum:"created_at,-created_at,changed_at,-changed_at" doc:"Order, with - the newest first. A list sorted by changed_at shows a record that changes while it is read again, further on."`
	CreatedSince time.Time `query:"created_since" json:"-" doc:"Only records created at this time or later."`
	ChangedSince time.Time `query:"changed_since" json:"-" doc:"Only records changed at this time or later; a record that was created has been changed."`
}

// of puts the listing into a query, whose own order holds where none is asked for.
func (l Listing) of(q store.Query) store.Query {
	q.PageSize, q.PageToken, q.CreatedSince, q.ChangedSince = l.PageSize, l.PageToken, l.CreatedSince, l.ChangedSince
	if l.Sort != "" {
		column, descending := strings.CutPrefix(l.Sort, "-")
		q.ByChange, q.Descending = column == "changed_at", descending
	}
	return q
}

// Page is a list of the projection.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_page_token,omitempty" doc:"Absent on the last page."`
	AsOf  uint64 `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Records is a page of records as the ledger has them. They are written out as they are stored: nobody pays for reading a
// page into structs and writing it from them again. Items is therefore empty here; it describes what is written.
type Records[T any] struct {
	Page[T]
	bodies []json.RawMessage
}

// AppendJSON writes the page.
func (r Records[T]) AppendJSON(to []byte) []byte {
	to = append(to, `{"items":[`...)
	for i, body := range r.bodies {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, body...)
	}
	to = append(to, ']')
	if r.Next != "" {
		to = append(to, `,"next_page_token":`...)
		to = strconv.AppendQuote(to, r.Next) // base64 and the like: Go's quotes and JSON's are the same
	}
	to = append(to, `,"as_of_block":`...)
	return append(strconv.AppendUint(to, r.AsOf, 10), '}')
}

// MarshalJSON implements json.Marshaler.
func (r Records[T]) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// Item is one record of the projection.
type Item[T any] struct {
	Item T      `json:"item"`
	AsOf uint64 `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// wait waits for min_block and gives the block that what is read from now on includes.
func (a *App) wait(ctx context.Context, after After) (asOf uint64, err error) {
	if after.MinBlock > 0 {
		waiting, cancel := context.WithTimeout(ctx, a.MaxWait)
		defer cancel()
		if err := a.Store.WaitBlock(waiting, after.MinBlock); err != nil {
			if ctx.Err() == nil && waiting.Err() != nil {
				return 0, fault.New(fault.Refused, "projection.behind", "the projection does not have the block yet; ask again later").On("query.min_block", "reached")
			}
			return 0, err
		}
	}
	return a.Store.Height(ctx)
}

// record decodes a record's body.
func record[T any](r store.Record) (v T, err error) {
	if err := json.Unmarshal(r.Body, &v); err != nil {
		return v, fmt.Errorf("projection: %s %s: %w", r.Noun, r.ID, err)
	}
	return v, nil
}

// find reads one record that may be absent.
func find[T any](ctx context.Context, a *App, noun, id string) (v T, found bool, err error) {
	r, found, err := a.Store.Get(ctx, noun, id)
	if err != nil || !found {
		return v, false, err
	}
	v, err = record[T](r)
	return v, true, err
}

// get reads one record. Fault: <noun>.missing, naming the request's field.
func get[T any](ctx context.Context, a *App, noun, id, field string) (T, error) {
	v, found, err := find[T](ctx, a, noun, id)
	if err == nil && !found {
		err = missing(noun, field)
	}
	return v, err
}

func missing(noun, field string) error {
	return fault.New(fault.Missing, noun+".missing", "no such record; check the identifier").On(field, "exists")
}

// records reads a page of records to be shown as they are.
func records[T any](ctx context.Context, a *App, l Listing, q store.Query) (page Records[T], err error) {
	if page.AsOf, err = a.wait(ctx, l.After); err != nil {
		return page, err
	}
	page.bodies, page.Next, err = a.Store.Bodies(ctx, l.of(q))
	return page, err
}

// some reads the records of one page.
func some[T any](ctx context.Context, a *App, q store.Query) (items []T, next string, err error) {
	records, next, err := a.Store.Find(ctx, q)
	if err != nil {
		return nil, "", err
	}
	items = make([]T, len(records))
	for i, r := range records {
		if items[i], err = record[T](r); err != nil {
			return nil, "", err
		}
	}
	return items, next, nil
}

// maxAll bounds lists that are read whole: steps of a case, uses of a case.
const maxAll = 1000

// all reads every record that fits, page after page.
func all[T any](ctx context.Context, a *App, q store.Query) (items []T, err error) {
	for {
		page, next, err := some[T](ctx, a, q)
		if err != nil {
			return nil, err
		}
		items = append(items, page...)
		if next == "" || len(items) >= maxAll {
			return items, nil
		}
		q.PageToken = next
	}
}

// one answers a single record with the block it is as of.
func one[T any](ctx context.Context, a *App, after After, noun, id, field string) (item Item[T], err error) {
	if item.AsOf, err = a.wait(ctx, after); err != nil {
		return item, err
	}
	item.Item, err = get[T](ctx, a, noun, id, field)
	return item, err
}
