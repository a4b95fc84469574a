package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/goccy/go-yaml"
)

// source reads records. SQLite, PostgreSQL and HTTP are three.
type source interface {
	// read answers at most r.limit of the records that fit, each as the values of r.columns.
	read(ctx context.Context, r request) ([][]any, error)
	// check finds out whether what a definition names is there and cannot be written. An error that is errUnreachable says
	// that this could not be found out.
	check(ctx context.Context, d Definition) error
	// describe says what read would send, with a placeholder for each value.
	describe(r request) string
	Close() error
}

// maxConnections is how many questions one gateway puts to one source at once. Who comes later waits, within its timeout.
const maxConnections = 8

// A source is left alone for breakFor after breakAfter failures on end; then one question tries it.
const (
	breakAfter = 5
	breakFor   = 10 * time.Second
)

var (
	errUnreachable = errors.New("the source cannot be reached")
	errLeftAlone   = circuitbreaker.ErrOpen
)

// opened is a source behind its circuit breaker.
type opened struct {
	source
	name    string // for people and metrics
	breaker circuitbreaker.CircuitBreaker[any]
	metrics *metrics
}

// openSource opens a source; it need not be reachable.
func openSource(s Source, m *metrics) (*opened, error) {
	var (
		o   = &opened{metrics: m, name: s.name()}
		err error
	)
	switch {
	case s.PostgreSQL != nil:
		o.source, err = openPostgreSQL(*s.PostgreSQL)
	case s.HTTP != nil:
		o.source, err = openHTTP(*s.HTTP)
	default:
		o.source, err = openSQLite(s.SQLite)
	}
	if err != nil {
		return nil, err
	}
	o.guard(breakFor)
	return o, nil
}

// guard puts the circuit breaker before a source. Whoever goes away says nothing about the source.
func (o *opened) guard(wait time.Duration) {
	o.metrics.circuit(o.name, circuitbreaker.ClosedState)
	o.breaker = circuitbreaker.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return err != nil && !errors.Is(err, context.Canceled) }).
		WithFailureThreshold(breakAfter).WithSuccessThreshold(1).WithDelay(wait).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) { o.metrics.circuit(o.name, e.NewState) }).
		Build()
}

// read reads unless the source is left alone.
func (o *opened) read(ctx context.Context, r request) (found [][]any, err error) {
	begin := time.Now()
	err = failsafe.With(o.breaker).RunWithExecution(func(failsafe.Execution[any]) error {
		var err error
		found, err = o.source.read(ctx, r)
		return err
	})
	o.metrics.read(ctx, o.name, len(found), err, time.Since(begin))
	return found, err
}

// openFor is how long the source is still left alone; 0 if it is not.
func (o *opened) openFor() time.Duration {
	if o.breaker.IsOpen() {
		return max(o.breaker.RemainingDelay(), time.Second)
	}
	return 0
}

// key is equal for equal sources: they share connections and a circuit breaker.
func (s Source) key() (string, error) {
	text, err := yaml.Marshal(s)
	return string(text), err
}

// name is how a source is called in metrics and in errors.
func (s Source) name() string {
	switch {
	case s.PostgreSQL != nil:
		return s.PostgreSQL.name()
	case s.HTTP != nil:
		return s.HTTP.URL
	}
	return s.SQLite
}

// unreachable marks an error as of a source that could not be asked.
func unreachable(err error) error { return fmt.Errorf("%w: %w", errUnreachable, err) }
