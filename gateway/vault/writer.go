package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/gateway/database"
)

// Limits of the writer.
const (
	maxGathered = 256              // puts in one SQL transaction
	writeWait   = 30 * time.Second // for one SQL transaction, the disk included
)

// ErrClosed answers a Put on a vault that is closed.
var ErrClosed = errors.New("vault: closed")

// put is a Put that waits to be written.
type put struct {
	entries []Entry
	done    chan error // has room for the answer: the writer never waits for who asked
}

// writer is the only one who writes. What arrives while a transaction is on its way to the disk goes into the next one
// together, so that many at once cost one wait for the disk and not one each.
func (v *Vault) writer() {
	defer close(v.stopped)
	for first := range v.queue {
		batch := append([]put{first}, v.waiting()...)
		err := v.commit(batch...)
		for _, p := range batch {
			if err != nil && len(batch) > 1 {
				p.done <- v.commit(p) // one bad entry must not spoil its neighbours
				continue
			}
			p.done <- err
		}
	}
}

// waiting takes what is there now.
func (v *Vault) waiting() (batch []put) {
	for len(batch) < maxGathered-1 {
		select {
		case p, open := <-v.queue:
			if !open {
				return batch
			}
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// commit writes puts in one SQL transaction; it is on disk when commit returns.
func (v *Vault) commit(batch ...put) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeWait)
	defer cancel()
	rows := insert.Rows()
	for _, p := range batch {
		for _, e := range p.entries {
			if e.Created.IsZero() {
				e.Created = time.Now()
			}
			rows.Add(e.Envelope.Commitment, e.Envelope.To, e.Kind, e.Case, e.Envelope.Sealed, e.Created.UTC().Format(time.RFC3339Nano))
		}
	}
	if err := v.db.Atomically(ctx, func(tx *database.Tx) error { _, err := tx.ExecMany(ctx, rows); return err }); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}
