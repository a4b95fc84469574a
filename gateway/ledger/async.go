package ledger

import (
	"context"
	"time"

	"github.com/hutong-gov/hutong/gateway/follow"
)

type asyncKey struct{}

// Async gives a context under which the caller wants an answer by a time; the zero time means at once. A write under it
// waits for its block no longer than until then: as soon as an orderer has the transaction, and not before, its outcome is
// Pending. Whatever is refused before, by a contract or on the way, is answered as without Async.
func Async(ctx context.Context, by time.Time) context.Context {
	return context.WithValue(ctx, asyncKey{}, by)
}

// AnswerBy is when the caller wants an answer; ok is false if the caller waits for the outcome.
func AnswerBy(ctx context.Context) (by time.Time, ok bool) {
	by, ok = ctx.Value(asyncKey{}).(time.Time)
	return by, ok
}

// early waits for an ordered transaction's block as long as an asynchronous caller wants to. false: the caller is answered
// before it; the registration then stays as long as a block may be expected, so that Awaited knows of it.
func (a *attempt) early(ctx context.Context, commit <-chan follow.Commit, stop func()) (follow.Commit, bool) {
	by, _ := AnswerBy(ctx)
	timer := time.NewTimer(time.Until(by))
	defer timer.Stop()
	select {
	case found := <-commit:
		return found, true
	case <-timer.C:
	case <-ctx.Done():
	}
	time.AfterFunc(a.ledger.limits.CommitTimeout.Std(), stop)
	return follow.Commit{}, false
}

// Awaited says whether this gateway has a transaction under way and expects its block.
func (l *Ledger) Awaited(tx string) bool { return l.commits.Awaited(tx) }
