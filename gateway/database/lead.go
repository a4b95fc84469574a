package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"
)

// leadCheck is how often a leader makes sure that its connection, and with it the lead, is still there.
const leadCheck = 2 * time.Second

// ErrLeadLost is the cause of a context that ends because the lead was lost.
var ErrLeadLost = errors.New("database: the lead was lost")

// leaders are who leads in this process, where no other has the part.
type leaders struct {
	mu    sync.Mutex
	rooms map[string]chan struct{} // has room for one
}

func (l *leaders) room(name string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rooms == nil {
		l.rooms = map[string]chan struct{}{}
	}
	if l.rooms[name] == nil {
		l.rooms[name] = make(chan struct{}, 1)
	}
	return l.rooms[name]
}

// Lead runs work while nobody else who has the part open, in whatever process, runs work under the same name, and waits for
// that first. The context that work gets ends with the lead: on PostgreSQL a connection that breaks takes it along
// (ErrLeadLost), and for at most leadCheck work may not know it. Errors: work's; ctx's while waiting.
func (d *DB) Lead(ctx context.Context, name string, work func(context.Context) error) error {
	if !d.Shared() {
		room := d.leaders.room(name)
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer func() { <-room }()
		return work(ctx)
	}
	own, err := d.leading.Conn(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	if _, err := own.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, d.lockKey("lead "+name)); err != nil {
		return errors.Join(ended(ctx, err), d.drop(own))
	}
	working, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(working, cancel, own)
	}()
	err = work(working)
	cancel(nil)
	<-watched
	return errors.Join(err, d.drop(own))
}

// watch ends the lead when its connection is gone.
func watch(ctx context.Context, end context.CancelCauseFunc, own *sql.Conn) {
	ticks := time.NewTicker(leadCheck)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		asking, cancel := context.WithTimeout(ctx, leadCheck)
		_, err := own.ExecContext(asking, `SELECT 1`)
		cancel()
		if err != nil && ctx.Err() == nil {
			end(errors.Join(ErrLeadLost, err))
			return
		}
	}
}

// drop gives the lead back, with the session where that is not certain otherwise: the server lets go of what a session held.
func (d *DB) drop(own *sql.Conn) error {
	unlocking, cancel := context.WithTimeout(context.Background(), leadCheck)
	defer cancel()
	if _, err := own.ExecContext(unlocking, `SELECT pg_advisory_unlock_all()`); err != nil {
		return ignoreBroken(own.Raw(func(any) error { return driver.ErrBadConn }))
	}
	return ignoreBroken(own.Close())
}

func ignoreBroken(err error) error {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
