package process

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hutong-gov/hutong/network/topology"
)

// Time limits of starting and stopping.
const (
	// ReadyTimeout is how long a process may take to become ready.
	ReadyTimeout = 60 * time.Second
	// StopTimeout is how long a process may take to end when asked; then it
	// is killed.
	StopTimeout = 10 * time.Second
	// KillTimeout is how long the system may take to end what was killed.
	KillTimeout = 10 * time.Second
	// probeInterval paces readiness probes: short, since a start waits for it.
	probeInterval = 50 * time.Millisecond
	// probeTimeout bounds one probe.
	probeTimeout = 5 * time.Second
	// tailBytes of a log are shown when its process failed.
	tailBytes = 2000
)

// Begin starts those of the processes that do not run, in order of their
// tiers, and returns which. One that runs but was started with another binary
// or configuration is stopped first. Begin does not wait for any to become
// ready: see Await. Ports of all that will be started are checked before the
// first.
func (t *Table) Begin(ctx context.Context, specs []Spec) ([]string, error) {
	var missing []Spec
	var outdated []Record
	for _, spec := range specs {
		if _, err := os.Stat(spec.Path); err != nil {
			return nil, fmt.Errorf("%s: the binary %s is missing", spec.Name, spec.Path)
		}
		r, err := t.Record(spec.Name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil && r.Alive() {
			stamp, err := spec.stamp()
			if err != nil {
				return nil, err
			}
			if r.Stamp == stamp {
				continue
			}
			outdated = append(outdated, r)
		}
		missing = append(missing, spec)
	}
	if err := t.Stop(ctx, outdated); err != nil {
		return nil, err
	}
	if err := CheckPorts(missing); err != nil {
		return nil, err
	}
	slices.SortStableFunc(missing, func(a, b Spec) int { return a.Tier - b.Tier })
	started := make([]string, 0, len(missing))
	for _, spec := range missing {
		if _, err := t.Start(spec); err != nil {
			return started, err
		}
		started = append(started, spec.Name)
	}
	return started, nil
}

// Await waits until every process is ready. It fails as soon as one has ended,
// with the end of its log.
func (t *Table) Await(ctx context.Context, specs []Spec) error {
	ctx, cancel := context.WithTimeout(ctx, ReadyTimeout)
	defer cancel()
	errs := make([]error, len(specs))
	var group sync.WaitGroup
	for i, spec := range specs {
		group.Go(func() {
			if errs[i] = t.await(ctx, spec); errs[i] != nil {
				cancel()
			}
		})
	}
	group.Wait()
	// The one that failed first cancelled the others: its error is the news.
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

func (t *Table) await(ctx context.Context, spec Spec) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		r, err := t.Record(spec.Name)
		if err != nil {
			return fmt.Errorf("%s was not started: %w", spec.Name, err)
		}
		if !r.Alive() {
			return fmt.Errorf("%s ended while starting; the end of %s:\n%s", spec.Name, t.Log(spec.Name), t.Tail(spec.Name))
		}
		err = spec.Probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w): %w; the end of %s:\n%s",
				spec.Name, ctx.Err(), err, t.Log(spec.Name), t.Tail(spec.Name))
		case <-ticker.C:
		}
	}
}

// Probe asks a process whether it is ready.
func (s Spec) Probe(ctx context.Context) error {
	if s.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return s.Ready(ctx)
}

// Handshake makes sure that somebody who can prove to be meant speaks TLS at
// each port. A bare connection would prove less, and leave a line of error in
// the log of the process each time.
func Handshake(ctx context.Context, config *tls.Config, ports ...Port) error {
	dialer := tls.Dialer{Config: config}
	for _, port := range ports {
		conn, err := dialer.DialContext(ctx, "tcp", topology.Address(port.Number))
		if err != nil {
			return fmt.Errorf("%s: %w", port.Purpose, err)
		}
		conn.Close()
	}
	return nil
}

// Stop ends processes, those of one tier together and the highest tier first,
// and forgets them. Each is asked first, and killed if it has not ended after
// StopTimeout. Names that are not running are forgotten.
func (t *Table) Stop(ctx context.Context, records []Record) error {
	tiers := map[int][]Record{}
	highest := 0
	for _, r := range records {
		tiers[r.Tier] = append(tiers[r.Tier], r)
		highest = max(highest, r.Tier)
	}
	for tier := highest; tier >= 0; tier-- {
		var group sync.WaitGroup
		errs := make([]error, len(tiers[tier]))
		for i, r := range tiers[tier] {
			group.Go(func() { errs[i] = t.stop(ctx, r) })
		}
		group.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) stop(ctx context.Context, r Record) error {
	if !r.Alive() {
		return t.forget(r.Name)
	}
	if err := r.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if !r.gone(ctx, t.patience) {
		if err := r.signal(syscall.SIGKILL); err != nil {
			return err
		}
		if !r.gone(ctx, KillTimeout) {
			return fmt.Errorf("%s (pid %d) does not end, not even killed", r.Name, r.PID)
		}
	}
	if err := t.forget(r.Name); err != nil {
		return err
	}
	for _, port := range r.Ports {
		if err := awaitFree(ctx, port.Number); err != nil {
			return fmt.Errorf("%s is stopped, but %w", r.Name, err)
		}
	}
	return nil
}

// gone waits for a process to end.
func (r Record) gone(ctx context.Context, limit time.Duration) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(probeInterval / 5)
	defer ticker.Stop()
	for r.Alive() {
		select {
		case <-ctx.Done():
			return !r.Alive()
		case <-deadline.C:
			return !r.Alive()
		case <-ticker.C:
		}
	}
	return true
}

// Tail is the end of a process's log.
func (t *Table) Tail(name string) string {
	file, err := os.Open(t.Log(name))
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		if _, err := file.Seek(-tailBytes, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return strings.TrimRight(string(text), "\n")
}
