package serve

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/gateway/rest"
)

// probeEvery is how often the endorsement of all organisations is asked for until it has been obtained once.
const probeEvery = 500 * time.Millisecond

// chaincodes that must answer before the gateway is ready.
var chaincodes = []string{exchange.Name, collaboration.Name, certificate.Name}

// checks are the conditions of readiness, in the order /readyz lists them.
func (g *Gateway) checks() []rest.Check {
	return []rest.Check{
		{Name: "peer", Run: func(ctx context.Context) error { _, err := g.ledger.Tip(ctx); return err }, Note: g.ledger.Peers},
		{Name: "endorsement", Run: func(context.Context) error { return g.endorsed.state() }},
		{Name: "projection", Run: func(ctx context.Context) error {
			return g.follower.Ready(ctx, g.config.Limits.MaxLagBlocks, g.config.Limits.MaxLag.Std())
		}},
		{Name: "identity_provider", Run: func(context.Context) error { return g.providers.Ready() }},
		{Name: "connectors", Run: func(context.Context) error { return nil }, Note: g.connectors.State},
	}
}

// endorsed remembers whether the peers of all organisations have endorsed once since the start: only then is it known that
// discovery between the peers is through and that every organisation's chaincode runs.
type endorsed struct {
	ledger *ledger.Ledger
	log    *slog.Logger
	done   atomic.Bool
	last   atomic.Pointer[string]
}

func (e *endorsed) state() error {
	switch last := e.last.Load(); {
	case e.done.Load():
		return nil
	case last != nil:
		return errors.New(*last)
	default:
		return errors.New("the organisations' peers are being asked")
	}
}

// probe asks until it succeeds or ctx ends.
func (e *endorsed) probe(ctx context.Context) {
	for ctx.Err() == nil {
		err := e.ledger.EndorseEverywhere(ctx, chaincodes...)
		if err == nil {
			e.done.Store(true)
			e.log.InfoContext(ctx, "all organisations endorse")
			return
		}
		reason := err.Error()
		e.last.Store(&reason)
		pause.For(ctx, probeEvery)
	}
}
