package webhook

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/feed"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Part is where webhooks are kept.
var Part = database.Part{Name: "webhooks", Durable: true, Migrations: migrations}

// Book keeps webhooks, their cursors and their dead letters. Safe for concurrent use, also by several processes.
type Book struct {
	db  *database.DB
	now func() time.Time
}

// NewBook keeps them in an open Part.
func NewBook(db *database.DB) *Book { return &Book{db: db, now: time.Now} }

const hookColumns = `id, viewer, url, filter, state, version, created, block, position, n, delivered, succeeded, attempts, since, next, failure`

func scanHook(r database.Row) (h Hook, err error) {
	var viewer, filter string
	var created, succeeded, since, next int64
	err = r.Scan(&h.ID, &viewer, &h.URL, &filter, &h.State, &h.version, &created, &h.At.Block, &h.At.Position, &h.At.N, &h.Delivered, &succeeded,
		&h.Trouble.Attempts, &since, &next, &h.Trouble.Failure)
	if err != nil {
		return h, err
	}
	h.Created, h.Succeeded, h.Trouble.Since, h.Trouble.Next = database.FromMillis(created), database.FromMillis(succeeded), database.FromMillis(since), database.FromMillis(next)
	return h, errors.Join(json.Unmarshal([]byte(viewer), &h.Viewer), json.Unmarshal([]byte(filter), &h.Filter))
}

// once says whether an owner's request with a key has been carried out before, and notes that it is now. The requests of one
// owner wait for each other. Fault: webhook.conflict.
func (b *Book) once(ctx context.Context, tx *database.Tx, o Owner, key, content string) (before bool, err error) {
	if err := tx.Lock(ctx, o.key()); err != nil {
		return false, err
	}
	var kept string
	switch err := tx.QueryRow(ctx, `SELECT digest FROM done WHERE owner = ? AND key = ?`, o.key(), key).Scan(&kept); {
	case err == nil && kept != content:
		return true, ErrConflict
	case err == nil:
		return true, nil
	case !errors.Is(err, sql.ErrNoRows):
		return false, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO done (owner, key, digest, at) VALUES (?, ?, ?, ?)`, o.key(), key, content, database.Millis(b.now()))
	return false, err
}

// Add registers a webhook for an owner. The key makes its id: the same key with the same registration is the same webhook,
// also if it has been removed since. Faults: webhook.conflict, webhook.too_many.
func (b *Book) Add(ctx context.Context, o Owner, v feed.Viewer, key string, r Registration) (h Hook, err error) {
	viewer, err1 := json.Marshal(v)
	filter, err2 := json.Marshal(r.Filter)
	if err := errors.Join(err1, err2); err != nil {
		return h, err
	}
	id := digest(o.key(), key)[:32]
	before := false
	err = b.db.Atomically(ctx, func(tx *database.Tx) (err error) {
		if before, err = b.once(ctx, tx, o, key, digest("add", r.URL, string(filter), r.From)); err != nil || before {
			return err
		}
		var has int64
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM hooks WHERE owner = ?`, o.key()).Scan(&has); err != nil {
			return err
		}
		if has >= MaxPerOwner {
			return ErrTooMany
		}
		_, err = tx.Exec(ctx, `INSERT INTO hooks (id, owner, viewer, url, filter, state, version, created, block, position, n, delivered, succeeded, attempts, since, next, failure)
			VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, 0, 0, 0, 0, 0, '')`,
			id, o.key(), string(viewer), r.URL, string(filter), Active, database.Millis(b.now()), int64(r.After.Block), int64(r.After.Position), int64(r.After.N))
		return err
	})
	if err != nil {
		return h, kept(err)
	}
	h, err = b.Get(ctx, o, id)
	if before && errors.Is(err, ErrMissing) {
		return Hook{ID: id, Viewer: v, URL: r.URL, Filter: r.Filter, State: Removed, At: r.After}, nil
	}
	return h, err
}

// digest of texts, in hexadecimal.
func digest(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Get reads one of an owner's webhooks. Fault: webhook.missing.
func (b *Book) Get(ctx context.Context, o Owner, id string) (h Hook, err error) {
	h, err = scanHook(b.db.QueryRow(ctx, `SELECT `+hookColumns+` FROM hooks WHERE id = ? AND owner = ?`, id, o.key()))
	if err == nil {
		err = b.db.QueryRow(ctx, `SELECT count(*) FROM dead WHERE hook = ?`, id).Scan(&h.Dead)
	}
	return h, kept(err)
}

// List reads all of an owner's, oldest first.
func (b *Book) List(ctx context.Context, o Owner) ([]Hook, error) {
	return gather(ctx, b, scanHook, `SELECT `+hookColumns+` FROM hooks WHERE owner = ? ORDER BY created, id`, o.key())
}

// gather reads all rows of a query whose text bounds it.
func gather[T any](ctx context.Context, b *Book, scan func(database.Row) (T, error), text string, values ...any) ([]T, error) {
	rows, err := b.db.Query(ctx, text, values...)
	if err != nil {
		return nil, kept(err)
	}
	defer rows.Close()
	items := []T{}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, kept(err)
		}
		items = append(items, item)
	}
	return items, kept(rows.Err())
}

// Change is a request to change a webhook, with its owner's key for it: carried out once.
type Change struct {
	Owner Owner
	Key   string
	ID    string // of the webhook
}

// change carries a change out, unless it has been, and counts the webhook's version on, so that whoever delivers begins
// anew. what is what it does. Faults: webhook.missing, webhook.conflict.
func (b *Book) change(ctx context.Context, c Change, what string, work func(tx *database.Tx) error) error {
	return kept(b.db.Atomically(ctx, func(tx *database.Tx) error {
		before, err := b.once(ctx, tx, c.Owner, c.Key, digest(what, c.ID))
		if err != nil || before {
			return err
		}
		changed, err := tx.Exec(ctx, `UPDATE hooks SET version = version + 1 WHERE id = ? AND owner = ?`, c.ID, c.Owner.key())
		if err := one(changed, err, ErrMissing); err != nil {
			return err
		}
		return work(tx)
	}))
}

// one says absent where no row was changed.
func one(changed sql.Result, err, absent error) error {
	if err != nil {
		return err
	}
	if n, err := changed.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, absent)
	}
	return nil
}

// Remove ends a webhook, with its dead letters. Faults: webhook.missing, webhook.conflict.
func (b *Book) Remove(ctx context.Context, c Change) error {
	return b.change(ctx, c, "remove", func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM dead WHERE hook = ?`, c.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM hooks WHERE id = ?`, c.ID)
		return err
	})
}

// Pause stops deliveries until Resume. What happens meanwhile is delivered then. Faults: webhook.missing, webhook.conflict.
func (b *Book) Pause(ctx context.Context, c Change) error {
	return b.change(ctx, c, "pause", func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE hooks SET state = ? WHERE id = ? AND state = ?`, Paused, c.ID, Active)
		return err
	})
}

// Resume goes on with deliveries, at once. Faults: webhook.missing, webhook.full, webhook.conflict.
func (b *Book) Resume(ctx context.Context, c Change) error {
	return b.change(ctx, c, "resume", func(tx *database.Tx) error {
		if full, err := isFull(ctx, tx, c.ID); err != nil || full {
			return errors.Join(err, when(full, ErrFull))
		}
		_, err := tx.Exec(ctx, `UPDATE hooks SET state = ?, next = 0 WHERE id = ?`, Active, c.ID)
		return err
	})
}

func when(holds bool, err error) error {
	if holds {
		return err
	}
	return nil
}

func isFull(ctx context.Context, tx *database.Tx, id string) (bool, error) {
	var letters int64
	err := tx.QueryRow(ctx, `SELECT count(*) FROM dead WHERE hook = ?`, id).Scan(&letters)
	return letters >= MaxDeadLetters, err
}

const letterColumns = `event, attempts, failure, at, replay`

func scanLetter(r database.Row) (l Letter, err error) {
	var event string
	var at, replay int64
	if err := r.Scan(&event, &l.Attempts, &l.Failure, &at, &replay); err != nil {
		return l, err
	}
	l.At, l.Replay = database.FromMillis(at), replay != 0
	return l, json.Unmarshal([]byte(event), &l.Event)
}

// Letters lists a webhook's dead letters after a place, in the ledger's order. Fault: webhook.missing.
func (b *Book) Letters(ctx context.Context, o Owner, id string, after feed.Cursor, limit int) ([]Letter, error) {
	if _, err := b.Get(ctx, o, id); err != nil {
		return nil, err
	}
	return gather(ctx, b, scanLetter, `SELECT `+letterColumns+` FROM dead WHERE hook = ? AND (block, position, n) > (?, ?, ?) ORDER BY block, position, n LIMIT ?`,
		id, int64(after.Block), int64(after.Position), int64(after.N), limit)
}

// ReplayAll has all dead letters sent once more. Faults: webhook.missing, webhook.conflict.
func (b *Book) ReplayAll(ctx context.Context, c Change) error {
	return b.change(ctx, c, "replay", func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE dead SET replay = 1 WHERE hook = ?`, c.ID)
		return err
	})
}

// Replay has a dead letter sent once more. Faults: webhook.missing, dead_letter.missing, webhook.conflict.
func (b *Book) Replay(ctx context.Context, c Change, letter feed.Cursor) error {
	return b.change(ctx, c, "replay "+feed.Text(letter), func(tx *database.Tx) error {
		changed, err := tx.Exec(ctx, `UPDATE dead SET replay = 1 WHERE hook = ? AND block = ? AND position = ? AND n = ?`, c.ID, int64(letter.Block), int64(letter.Position), int64(letter.N))
		return one(changed, err, ErrNoLetter)
	})
}

// Forget removes a dead letter. Faults: webhook.missing, dead_letter.missing, webhook.conflict.
func (b *Book) Forget(ctx context.Context, c Change, letter feed.Cursor) error {
	return b.change(ctx, c, "forget "+feed.Text(letter), func(tx *database.Tx) error {
		changed, err := tx.Exec(ctx, `DELETE FROM dead WHERE hook = ? AND block = ? AND position = ? AND n = ?`, c.ID, int64(letter.Block), int64(letter.Position), int64(letter.N))
		return one(changed, err, ErrNoLetter)
	})
}

// forgetDone forgets requests that are too old to be repeated.
func (b *Book) forgetDone(ctx context.Context) error {
	return b.db.Atomically(ctx, func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM done WHERE at < ?`, database.Millis(b.now().Add(-keepDone)))
		return err
	})
}

// kept words an error of the database; faults stay as they are.
func kept(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrMissing
	case isFault(err):
		return err
	}
	return fmt.Errorf("webhook: %w", err)
}
