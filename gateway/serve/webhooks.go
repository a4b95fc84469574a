package serve

import (
	"context"
	"fmt"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/reload"
	"github.com/hutong-gov/hutong/gateway/webhook"
)

// openWebhooks opens what delivers events to addresses; nil where there is no key to sign with.
func (g *Gateway) openWebhooks(ctx context.Context) (*app.Webhooks, error) {
	c := g.config.Webhooks
	if c.SigningKey == "" {
		return nil, nil
	}
	key, err := webhook.LoadKey(c.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("webhooks.signing_key: %w", err)
	}
	roots, err := reload.Roots(c.TLSRoot)
	if err != nil {
		return nil, fmt.Errorf("webhooks.tls_root: %w", err)
	}
	networks, err := c.Prefixes()
	if err != nil {
		return nil, err
	}
	db, err := database.Open(ctx, g.config.Kept(), webhook.Part)
	if err != nil {
		return nil, err
	}
	g.onClose(db.Close)
	hooks := &app.Webhooks{Book: webhook.NewBook(db), Key: key, Reach: webhook.Reach{Hosts: c.Hosts, Networks: networks}}
	g.webhooks, err = webhook.NewDeliverer(hooks.Book, feed.New(g.projection.Store()), webhook.Settings{
		Key: key, Roots: roots, Reach: hooks.Reach, Timeout: c.Timeout.Std(), MaxPause: c.MaxPause.Std(),
		DeadAfter: c.DeadAfter.Std(), MaxAttempts: c.MaxAttempts, Log: g.log, Registry: g.registry,
	})
	return hooks, err
}

// deliver delivers to webhooks until ctx ends; then, once attempts under way are over, the channel is closed.
func (g *Gateway) deliver(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if g.webhooks != nil {
			g.webhooks.Run(ctx)
		}
	}()
	return done
}
