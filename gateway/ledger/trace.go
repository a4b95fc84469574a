package ledger

import (
	"context"

	"github.com/hutong-gov/hutong/gateway/trace"
)

// traced begins a caller's write as a step of the caller's trace.
func traced(ctx context.Context, chaincode, function string) (context.Context, trace.Span) {
	ctx, step := trace.Start(ctx, "write")
	step.Text("hutong.chaincode", chaincode)
	step.Text("hutong.function", function)
	return ctx, step
}

// told ends a write's step with what became of it.
func told(step trace.Span, outcome Outcome, err error) {
	if !step.Recorded() {
		return
	}
	switch {
	case err != nil:
		step.Failed(stateUnsent)
	case outcome.Fault != nil:
		step.Text("hutong.reason", outcome.Fault.Reason)
	}
	step.Text("hutong.state", string(outcome.State))
	step.End()
}

// step begins the step of a group: in the trace of the first caller that is traced, and linked with the writes of the
// others.
func (g *group) step(try int) (context.Context, trace.Span) {
	first := g.calls[0]
	for _, c := range g.calls {
		if trace.Of(c.ctx).Recorded() {
			first = c
			break
		}
	}
	ctx, step := trace.Start(context.WithoutCancel(first.ctx), "group")
	if !step.Recorded() {
		return ctx, step
	}
	step.Number("hutong.commands", int64(len(g.calls)))
	step.Number("hutong.try", int64(try+1))
	for _, c := range g.calls {
		if of := trace.Of(c.ctx); c != first && of.Recorded() {
			step.Link(of)
			of.Link(step)
		}
	}
	return ctx, step
}

// journey lets the traces of the group's callers go on when the transaction's block comes.
func (g *group) journey() {
	var callers []context.Context
	for _, c := range g.calls {
		if trace.Of(c.ctx).Recorded() {
			callers = append(callers, c.ctx)
		}
	}
	if len(callers) > 0 {
		g.ledger.commits.Journeys.Begin(g.tx(), callers...)
	}
}
