package app

import (
	"cmp"
	"context"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/store"
)

// Events is GET /v1/events.
type Events struct {
	Paging
	EventFilter
	From string `query:"after" json:"-" pattern:"^(start|now|[0-9]{1,15}(-[0-9]{1,9}-[0-9]{1,9})?)$" doc:"Begin after this event's id; after everything in a block, by its number; at the start; or now. Absent: a list begins at the start, a stream now." example:"1027-3-0"`
	Last string `header:"Last-Event-ID,omitempty" json:"-" pattern:"^(start|[0-9]{1,15}(-[0-9]{1,9}-[0-9]{1,9})?)$" doc:"Of a stream that goes on: the id of the last message that came. It goes before the query's after."`
}

// EventFilter is feed.Filter in a query.
type EventFilter struct {
	Contract string   `query:"contract" json:"-" enum:"exchange,collaboration,certificate" doc:"Only events of this contract."`
	Types    []string `query:"type" json:"-" doc:"Only events of these types, up to 16: certificate.issued.v1, or case.* for all that begin so." example:"case.*"`
	Agency   string   `query:"agency" json:"-" max:"64" doc:"Only events that name this agency."`
	Case     string   `query:"case" json:"-" max:"64" doc:"Only events of this case."`
	Subject  string   `query:"subject" json:"-" max:"64" doc:"Only events about this subject, a pseudonym."`
}

// EventPage is a page of events.
type EventPage struct {
	Items      []feed.Event `json:"items" doc:"In the ledger's order. There may be fewer than a page, or none, and more behind."`
	Next       string       `json:"next_page_token,omitempty" doc:"Absent where the ledger ends: ask again after the checkpoint."`
	Checkpoint string       `json:"checkpoint" doc:"Everything up to here has been looked at. Send it as after, or as Last-Event-ID."`
	AsOf       uint64       `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Checkpoint is a message of a stream of events: it is complete up to here.
type Checkpoint struct {
	AsOf uint64 `json:"as_of_block" doc:"Every event up to this block that the caller may see and asked for has been sent."`
}

// checkpointName is what such a message is called.
const checkpointName = "checkpoint"

// maxStretches bounds how much of the feed is looked at to fill one page.
const maxStretches = 16

// Events lists events that the caller may see, oldest first.
func (a *App) Events(ctx context.Context, who Actor, req Events) (page EventPage, err error) {
	viewer, err := who.viewer()
	if err != nil {
		return page, err
	}
	if req.Last != "" {
		return page, fault.Field("Last-Event-ID", "stream", "accept text/event-stream, or send it as after")
	}
	after, err := a.cursor(ctx, req, feed.Start)
	if err != nil {
		return page, err
	}
	if page.AsOf, err = a.wait(ctx, req.After); err != nil {
		return page, err
	}
	size := cmp.Or(req.PageSize, store.DefaultPageSize)
	page.Items = make([]feed.Event, 0, size)
	for range maxStretches {
		found, err := a.feed.Read(ctx, viewer, feed.Filter(req.EventFilter), after, size-len(page.Items))
		if err != nil {
			return page, err
		}
		page.Items, page.AsOf, after = append(page.Items, found.Events...), found.Height, found.At
		page.Checkpoint, page.Next = feed.Text(after), feed.Text(after)
		if found.Idle() {
			page.Next = ""
			break
		}
		if len(page.Items) == size {
			break
		}
	}
	return page, nil
}

// FollowEvents tells events that the caller may see as they come, from a place in the past or from now on.
func (a *App) FollowEvents(ctx context.Context, who Actor, req Events) (Messages, error) {
	viewer, err := who.viewer()
	if err != nil {
		return nil, err
	}
	switch {
	case req.PageSize != 0:
		return nil, fault.Field("query.page_size", "absent", "a stream has no pages")
	case req.PageToken != "":
		return nil, fault.Field("query.page_token", "absent", "a stream has no pages; send the token as after")
	}
	height, err := a.wait(ctx, req.After)
	if err != nil {
		return nil, err
	}
	after, err := a.cursor(ctx, req, feed.End(height))
	if err != nil {
		return nil, err
	}
	return func(yield func([]Message, error) bool) {
		if !yield([]Message{{ID: feed.Text(after)}}, nil) { // where it begins, for who comes back before anything happened
			return
		}
		for page, err := range a.feed.Follow(ctx, viewer, feed.Filter(req.EventFilter), after, Heartbeat) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(messagesOf(page), nil) {
				return
			}
		}
	}, nil
}

// messagesOf are a page's events, and a checkpoint where the page ends with a block.
func messagesOf(page feed.Page) []Message {
	messages := make([]Message, 0, len(page.Events)+1)
	for _, e := range page.Events {
		messages = append(messages, Message{ID: e.ID, Data: e})
	}
	if page.Idle() {
		messages = append(messages, Message{ID: feed.Text(page.At), Name: checkpointName, Data: Checkpoint{page.Height}})
	}
	return messages
}

// cursor is where a request begins. Faults: request.invalid.
func (a *App) cursor(ctx context.Context, req Events, absent feed.Cursor) (after feed.Cursor, err error) {
	if err := feed.Filter(req.EventFilter).Check("query.type"); err != nil {
		return after, err
	}
	switch {
	case req.Last != "":
		return a.place(ctx, "Last-Event-ID", req.Last)
	case req.PageToken != "":
		return a.place(ctx, "query.page_token", req.PageToken)
	case req.From != "":
		return a.place(ctx, "query.after", req.From)
	}
	return absent, nil
}

// place reads a place in the feed. Fault: request.invalid on the field.
func (a *App) place(ctx context.Context, field, text string) (feed.Cursor, error) {
	if text == "now" {
		height, err := a.Store.Height(ctx)
		return feed.End(height), err
	}
	at, ok := feed.Parse(text)
	if !ok {
		return at, fault.Field(field, "cursor", "send an event's id, a block's number, start or now")
	}
	return at, nil
}

// viewer is the caller, as far as it matters for which events may be seen.
func (a Actor) viewer() (v feed.Viewer, err error) {
	if err := a.is(Citizen, Officer, AgencyAdmin, Portal, Auditor); err != nil {
		return v, err
	}
	switch a.Role {
	case Citizen:
		v.Subject = a.Subject
	case Officer, AgencyAdmin:
		v.Agency = a.Agency
	case Portal:
		v.Desk = a.Agency
	case Auditor:
		v.All = true
	}
	return v, nil
}
