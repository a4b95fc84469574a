package ledger

import (
	"context"
	"time"
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

// Awaited says whether this gateway has a transaction under way and expects its block.
func (l *Ledger) Awaited(tx string) bool { return l.commits.Awaited(tx) }
