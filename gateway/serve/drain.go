package serve

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hutong-gov/hutong/gateway/pause"
)

// partingTime is how long before the end of the delay clients are asked to go on with new connections. A client that
// comes back nevertheless makes a connection for each request, so it is not long.
const partingTime = time.Second

// settlePace is how often the projection is looked at while it catches up with what was received.
const settlePace = 5 * time.Millisecond

// drain ends the serving, in this order:
//
//	not ready ──delay──▶ new requests and writes that were not sent yet are refused
//	  ──▶ those under way are answered ──▶ the projection has what they wrote
//
// The delay is the time that balancers need to notice; everything is served as before. Whoever was told that a write is
// committed finds it on the ledger and, with min_block, in this gateway's tables when it is back. Whoever is still waiting
// when the patience ends gets no answer and repeats the request with the same key.
func (g *Gateway) drain(ctx context.Context, servers []*http.Server) error {
	background := context.WithoutCancel(ctx)
	delay := g.config.Limits.ShutdownDelay.Std()
	g.rest.Leave()
	pause.For(background, delay-partingTime)
	g.rest.Part()
	pause.For(background, min(delay, partingTime))
	g.rest.Refuse()
	g.ledger.Refuse()

	patience, cancel := context.WithTimeout(background, g.config.Limits.ShutdownPatience.Std())
	defer cancel()
	var failures []error
	for i, server := range servers {
		err := server.Shutdown(patience)
		if errors.Is(err, context.DeadlineExceeded) {
			g.log.Warn("requests were still under way when the patience ended")
			err = server.Close()
		}
		failures = append(failures, err)
		if i == 0 { // the API; the operations listener goes on until the tables are there
			g.settle(patience)
		}
	}
	return errors.Join(failures...)
}

// settle waits until every block that was received is applied, or ctx ends.
func (g *Gateway) settle(ctx context.Context) {
	for s := g.follower.Status(); s.Streaming && s.Applied < s.Received && ctx.Err() == nil; s = g.follower.Status() {
		pause.For(ctx, settlePace)
	}
}
