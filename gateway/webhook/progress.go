package webhook

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/feed"
)

// errMoved says that another process, or the owner, has changed the webhook: begin anew.
var errMoved = errors.New("webhook: it was changed elsewhere")

func isFault(err error) bool { return errors.As(err, new(*fault.Fault)) }

// active lists the webhooks that are to be delivered.
func (b *Book) active(ctx context.Context) ([]Hook, error) {
	return gather(ctx, b, scanHook, `SELECT `+hookColumns+` FROM hooks WHERE state = ? ORDER BY id`, Active)
}

// at are the values that select a webhook whose cursor is where h has it.
func (h Hook) at() []any { return []any{h.ID, int64(h.At.Block), int64(h.At.Position), int64(h.At.N)} }

const whereAt = ` WHERE id = ? AND block = ? AND position = ? AND n = ?`

// delivered moves the cursor behind an event that was acknowledged. Error: errMoved.
func (b *Book) delivered(ctx context.Context, h *Hook, to feed.Cursor) error {
	now := b.now()
	err := b.move(ctx, h, to, `UPDATE hooks SET delivered = delivered + 1, succeeded = ?, attempts = 0, since = 0, next = 0, failure = '', block = ?, position = ?, n = ?`, database.Millis(now))
	if err == nil {
		h.Delivered, h.Succeeded, h.Trouble = h.Delivered+1, now, Trouble{}
	}
	return err
}

// passed moves the cursor behind what is not for the webhook. Error: errMoved.
func (b *Book) passed(ctx context.Context, h *Hook, to feed.Cursor) error {
	return b.move(ctx, h, to, `UPDATE hooks SET block = ?, position = ?, n = ?`)
}

func (b *Book) move(ctx context.Context, h *Hook, to feed.Cursor, update string, values ...any) error {
	values = append(values, int64(to.Block), int64(to.Position), int64(to.N))
	err := b.db.Atomically(ctx, func(tx *database.Tx) error {
		changed, err := tx.Exec(ctx, update+whereAt, append(values, h.at()...)...)
		return one(changed, err, errMoved)
	})
	if err == nil {
		h.At = to
	}
	return err
}

// failed notes a failed attempt. Error: errMoved.
func (b *Book) failed(ctx context.Context, h *Hook) error {
	t := h.Trouble
	return b.db.Atomically(ctx, func(tx *database.Tx) error {
		values := []any{int64(t.Attempts), database.Millis(t.Since), database.Millis(t.Next), string(t.Failure)}
		changed, err := tx.Exec(ctx, `UPDATE hooks SET attempts = ?, since = ?, next = ?, failure = ?`+whereAt, append(values, h.at()...)...)
		return one(changed, err, errMoved)
	})
}

// bury makes a dead letter of an event and moves the cursor behind it. A webhook that is full after it stops.
// Error: errMoved.
func (b *Book) bury(ctx context.Context, h *Hook, e feed.Event, to feed.Cursor) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	state := h.State
	err = b.db.Atomically(ctx, func(tx *database.Tx) error {
		values := append([]any{int64(to.Block), int64(to.Position), int64(to.N)}, h.at()...)
		changed, err := tx.Exec(ctx, `UPDATE hooks SET attempts = 0, since = 0, next = 0, block = ?, position = ?, n = ?`+whereAt, values...)
		if err := one(changed, err, errMoved); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO dead (hook, block, position, n, event, attempts, failure, at, replay) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)
			ON CONFLICT (hook, block, position, n) DO NOTHING`,
			h.ID, int64(to.Block), int64(to.Position), int64(to.N), string(raw), int64(h.Trouble.Attempts), string(h.Trouble.Failure), database.Millis(b.now())); err != nil {
			return err
		}
		full, err := isFull(ctx, tx, h.ID)
		if err != nil || !full {
			return err
		}
		state = Full
		_, err = tx.Exec(ctx, `UPDATE hooks SET state = ? WHERE id = ? AND state = ?`, Full, h.ID, Active)
		return err
	})
	if err == nil {
		h.At, h.Trouble, h.State = to, Trouble{Failure: h.Trouble.Failure}, state
	}
	return err
}

// replays lists the dead letters that are to be sent once more, some at a time.
func (b *Book) replays(ctx context.Context, h Hook) ([]Letter, error) {
	return gather(ctx, b, scanLetter, `SELECT `+letterColumns+` FROM dead WHERE hook = ? AND replay = 1 ORDER BY block, position, n LIMIT 100`, h.ID)
}

// replayed notes what became of a dead letter that was sent once more: it goes, or stays with one attempt more.
func (b *Book) replayed(ctx context.Context, h *Hook, l Letter, failure Failure) error {
	at, _ := feed.Parse(l.Event.ID)
	place := []any{h.ID, int64(at.Block), int64(at.Position), int64(at.N)}
	now := b.now()
	return b.db.Atomically(ctx, func(tx *database.Tx) error {
		if failure != Acknowledged {
			_, err := tx.Exec(ctx, `UPDATE dead SET replay = 0, attempts = attempts + 1, failure = ?, at = ? WHERE hook = ? AND block = ? AND position = ? AND n = ?`,
				append([]any{string(failure), database.Millis(now)}, place...)...)
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM dead WHERE hook = ? AND block = ? AND position = ? AND n = ?`, place...); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE hooks SET delivered = delivered + 1, succeeded = ? WHERE id = ?`, database.Millis(now), h.ID)
		return err
	})
}

// letters counts all dead letters.
func (b *Book) letters(ctx context.Context) (n int64, err error) {
	err = b.db.QueryRow(ctx, `SELECT count(*) FROM dead`).Scan(&n)
	return n, err
}

// states counts webhooks by state.
func (b *Book) states(ctx context.Context) (map[string]int64, error) {
	type count struct {
		state string
		n     int64
	}
	counts, err := gather(ctx, b, func(r database.Row) (c count, err error) { return c, r.Scan(&c.state, &c.n) }, `SELECT state, count(*) FROM hooks GROUP BY state`)
	all := map[string]int64{Active: 0, Paused: 0, Full: 0}
	for _, c := range counts {
		all[c.state] = c.n
	}
	return all, err
}
