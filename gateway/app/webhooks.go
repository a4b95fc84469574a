package app

import (
	"cmp"
	"context"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/gateway/webhook"
)

// Webhooks is what a gateway that delivers events by itself has; nil where it does not.
type Webhooks struct {
	Book  *webhook.Book
	Key   *webhook.Key
	Reach webhook.Reach
}

// RegisterWebhook is POST /v1/webhooks.
type RegisterWebhook struct {
	Keyed
	URL    string       `json:"url" min:"1" max:"512" doc:"The https address that events are sent to." example:"https://portal.example/hooks/hutong"`
	Filter *feed.Filter `json:"filter" doc:"Which events; absent: all that the caller may see."`
	From   string       `json:"after,omitempty" pattern:"^(start|now|[0-9]{1,15}(-[0-9]{1,9}-[0-9]{1,9})?)$" doc:"Begin after this event's id; after everything in a block, by its number; at the start; or now, which it is if absent."`
}

// Webhook is a subscription whose events are sent to an address.
type Webhook struct {
	ID          string      `json:"id"`
	URL         string      `json:"url"`
	Filter      feed.Filter `json:"filter"`
	State       string      `json:"state" enum:"active,paused,full,removed" doc:"active; paused by its owner; full: it has so many dead letters that it stopped; or removed, which only a repeated registration answers."`
	Created     *time.Time  `json:"created_at,omitempty"`
	Checkpoint  string      `json:"checkpoint" doc:"Everything up to here was acknowledged, is a dead letter, or is not for it. It may be ten seconds behind where nothing is for it."`
	Backlog     uint64      `json:"backlog_blocks" doc:"Blocks it has not dealt with."`
	Delivered   int64       `json:"delivered" doc:"How many events were acknowledged."`
	LastSuccess *time.Time  `json:"last_success_at,omitempty" doc:"When the last one was."`
	LastFailure string      `json:"last_failure,omitempty" enum:"redirected,refused,failed,timeout,untrusted,unreachable,forbidden" doc:"Class of the last attempt's failure; absent if it succeeded."`
	Attempts    int         `json:"attempts,omitempty" doc:"Failed attempts for the next event."`
	Since       *time.Time  `json:"failing_since,omitempty" doc:"The first of them."`
	Next        *time.Time  `json:"next_attempt_at,omitempty"`
	DeadLetters int64       `json:"dead_letters"`
	AsOf        uint64      `json:"as_of_block" doc:"The last block of the projection."`
}

// DeadLetter is an event that was given up.
type DeadLetter struct {
	Event     feed.Event `json:"event"`
	Delivery  string     `json:"delivery" doc:"The delivery's id; the same when it is sent once more."`
	Attempts  int        `json:"attempts"`
	Failure   string     `json:"failure" enum:"redirected,refused,failed,timeout,untrusted,unreachable,forbidden" doc:"Class of the last attempt's failure."`
	At        time.Time  `json:"at" doc:"When it was given up."`
	Replaying bool       `json:"replaying" doc:"It will be sent once more."`
}

// webhooks gives what is needed to answer who, or says no.
func (a *App) webhooks(who Actor) (*Webhooks, webhook.Owner, error) {
	if err := who.is(AgencyAdmin, Portal, Auditor); err != nil {
		return nil, webhook.Owner{}, err
	}
	if a.Webhooks == nil {
		return nil, webhook.Owner{}, notServed("this gateway has no key to sign deliveries with; follow /v1/events, or ask another gateway")
	}
	return a.Webhooks, webhook.Owner{Role: who.Role, Agency: who.Agency, Client: who.Client}, nil
}

// RegisterWebhook subscribes an address to the events that the caller may see.
func (a *App) RegisterWebhook(ctx context.Context, who Actor, req RegisterWebhook) (Webhook, error) {
	hooks, owner, err := a.webhooks(who)
	if err != nil {
		return Webhook{}, err
	}
	viewer, err := who.viewer()
	if err != nil {
		return Webhook{}, err
	}
	if err := hooks.Reach.Check(req.URL); err != nil {
		return Webhook{}, err
	}
	r := webhook.Registration{URL: req.URL, From: cmp.Or(req.From, "now")}
	if req.Filter != nil {
		r.Filter = *req.Filter
	}
	if err := r.Filter.Check("filter.types"); err != nil {
		return Webhook{}, err
	}
	if r.After, err = a.place(ctx, "after", r.From); err != nil {
		return Webhook{}, err
	}
	h, err := hooks.Book.Add(ctx, owner, viewer, req.Key, r)
	if err != nil {
		return Webhook{}, err
	}
	return a.viewHook(ctx, h)
}

func (a *App) viewHook(ctx context.Context, h webhook.Hook) (w Webhook, err error) {
	height, err := a.Store.Height(ctx)
	w = Webhook{
		ID: h.ID, URL: h.URL, Filter: h.Filter, State: h.State, Created: known(h.Created), Checkpoint: feed.Text(h.At), Backlog: h.Backlog(height),
		Delivered: h.Delivered, LastSuccess: known(h.Succeeded), LastFailure: string(h.Trouble.Failure), Attempts: h.Trouble.Attempts,
		Since: known(h.Trouble.Since), DeadLetters: h.Dead, AsOf: height,
	}
	if h.Trouble.Attempts > 0 {
		w.Next = known(h.Trouble.Next)
	}
	return w, err
}

// known is a time that may not have been.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// ListWebhooks is GET /v1/webhooks.
type ListWebhooks struct{}

// ListWebhooks lists the webhooks of the calling client.
func (a *App) ListWebhooks(ctx context.Context, who Actor, _ ListWebhooks) (page Page[Webhook], err error) {
	hooks, owner, err := a.webhooks(who)
	if err != nil {
		return page, err
	}
	all, err := hooks.Book.List(ctx, owner)
	if err != nil {
		return page, err
	}
	page.Items = make([]Webhook, len(all))
	for i, h := range all {
		if page.Items[i], err = a.viewHook(ctx, h); err != nil {
			return page, err
		}
	}
	page.AsOf, err = a.Store.Height(ctx)
	return page, err
}

// WebhookByID is GET /v1/webhooks/{id}.
type WebhookByID struct {
	ID string `path:"id" json:"-" pattern:"^[0-9a-f]{32}$"`
}

// Webhook shows how a webhook stands.
func (a *App) Webhook(ctx context.Context, who Actor, req WebhookByID) (Webhook, error) {
	hooks, owner, err := a.webhooks(who)
	if err != nil {
		return Webhook{}, err
	}
	h, err := hooks.Book.Get(ctx, owner, req.ID)
	if err != nil {
		return Webhook{}, err
	}
	return a.viewHook(ctx, h)
}

// ChangeWebhook is DELETE /v1/webhooks/{id}, and what happens to one.
type ChangeWebhook struct {
	Keyed
	WebhookByID
}

// Done is the answer where there is nothing to say.
type Done struct{}

func (c ChangeWebhook) by(o webhook.Owner) webhook.Change {
	return webhook.Change{Owner: o, Key: c.Key, ID: c.ID}
}

// RemoveWebhook ends a webhook, with its dead letters.
func (a *App) RemoveWebhook(ctx context.Context, who Actor, req ChangeWebhook) (Done, error) {
	hooks, owner, err := a.webhooks(who)
	if err != nil {
		return Done{}, err
	}
	return Done{}, hooks.Book.Remove(ctx, req.by(owner))
}

// PauseWebhook stops deliveries; what happens meanwhile is delivered later.
func (a *App) PauseWebhook(ctx context.Context, who Actor, req ChangeWebhook) (Webhook, error) {
	return a.changeHook(ctx, who, req, (*webhook.Book).Pause)
}

// ResumeWebhook goes on with deliveries, at once.
func (a *App) ResumeWebhook(ctx context.Context, who Actor, req ChangeWebhook) (Webhook, error) {
	return a.changeHook(ctx, who, req, (*webhook.Book).Resume)
}

// ReplayDeadLetters sends all dead letters once more.
func (a *App) ReplayDeadLetters(ctx context.Context, who Actor, req ChangeWebhook) (Webhook, error) {
	return a.changeHook(ctx, who, req, (*webhook.Book).ReplayAll)
}

func (a *App) changeHook(ctx context.Context, who Actor, req ChangeWebhook, change func(*webhook.Book, context.Context, webhook.Change) error) (Webhook, error) {
	hooks, owner, err := a.webhooks(who)
	if err != nil {
		return Webhook{}, err
	}
	if err := change(hooks.Book, ctx, req.by(owner)); err != nil {
		return Webhook{}, err
	}
	return a.Webhook(ctx, who, req.WebhookByID)
}

// DeadLetters is GET /v1/webhooks/{id}/dead-letters.
type DeadLetters struct {
	WebhookByID
	PageSize  int    `query:"page_size" json:"-" min:"1" max:"200" doc:"Items a page; 50 if absent."`
	PageToken string `query:"page_token" json:"-" max:"512" doc:"next_page_token of the page before."`
}

// DeadLetters lists events that were given up, in the ledger's order.
func (a *App) DeadLetters(ctx context.Context, who Actor, req DeadLetters) (page Page[DeadLetter], err error) {
	hooks, owner, err := a.webhooks(who)
	if err != nil {
		return page, err
	}
	after, ok := feed.Parse(cmp.Or(req.PageToken, feed.Text(feed.Start)))
	if !ok {
		return page, fault.Field("query.page_token", "from_previous_page", "use the next_page_token of the same list, or none")
	}
	size := cmp.Or(req.PageSize, store.DefaultPageSize)
	letters, err := hooks.Book.Letters(ctx, owner, req.ID, after, size+1)
	if err != nil {
		return page, err
	}
	if len(letters) > size {
		letters = letters[:size]
		page.Next = letters[size-1].Event.ID
	}
	page.Items = make([]DeadLetter, len(letters))
	for i, l := range letters {
		page.Items[i] = DeadLetter{Event: l.Event, Delivery: webhook.DeliveryID(req.ID, l.Event.ID), Attempts: l.Attempts, Failure: string(l.Failure), At: l.At, Replaying: l.Replay}
	}
	page.AsOf, err = a.Store.Height(ctx)
	return page, err
}

// ChangeDeadLetter is DELETE /v1/webhooks/{id}/dead-letters/{event}, and what happens to one.
type ChangeDeadLetter struct {
	ChangeWebhook
	Event string `path:"event" json:"-" pattern:"^[0-9]{1,15}-[0-9]{1,9}-[0-9]{1,9}$" doc:"The event's id."`
}

// ReplayDeadLetter sends a dead letter once more.
func (a *App) ReplayDeadLetter(ctx context.Context, who Actor, req ChangeDeadLetter) (Webhook, error) {
	return a.changeHook(ctx, who, req.ChangeWebhook, func(b *webhook.Book, ctx context.Context, c webhook.Change) error {
		return onLetter(ctx, req.Event, c, b.Replay)
	})
}

// RemoveDeadLetter gives a dead letter up for good.
func (a *App) RemoveDeadLetter(ctx context.Context, who Actor, req ChangeDeadLetter) (Done, error) {
	hooks, owner, err := a.webhooks(who)
	if err != nil {
		return Done{}, err
	}
	return Done{}, onLetter(ctx, req.Event, req.by(owner), hooks.Book.Forget)
}

func onLetter(ctx context.Context, event string, c webhook.Change, change func(context.Context, webhook.Change, feed.Cursor) error) error {
	letter, ok := feed.Parse(event)
	if !ok {
		return webhook.ErrNoLetter
	}
	return change(ctx, c, letter)
}

// SigningKeys is GET /v1/signing-keys.
type SigningKeys struct{}

// KeySet is a JWK set (RFC 7517).
type KeySet struct {
	Keys []webhook.PublicKey `json:"keys"`
}

// SigningKeys are the public keys that verify what this gateway signs. Anybody may ask.
func (a *App) SigningKeys(context.Context, Actor, SigningKeys) (KeySet, error) {
	if a.Webhooks == nil {
		return KeySet{Keys: []webhook.PublicKey{}}, nil
	}
	return KeySet{Keys: []webhook.PublicKey{a.Webhooks.Key.Public()}}, nil
}
