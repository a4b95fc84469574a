package serve

import (
	"context"

	"github.com/hutong-gov/hutong/gateway/pause"
)

// resumeAnchorJobs goes on with the jobs that the gateway before was cut off from, once the ledger can be read and written.
func (g *Gateway) resumeAnchorJobs(ctx context.Context) {
	l := g.config.Limits
	for g.endorsed.state() != nil || g.follower.Ready(ctx, l.MaxLagBlocks, l.MaxLag.Std()) != nil {
		if !pause.For(ctx, probeEvery) {
			return
		}
	}
	if err := g.resumeJobs(); err != nil {
		g.log.ErrorContext(ctx, "anchor jobs that were cut off could not be resumed; start them again", "error", err.Error())
	}
}
