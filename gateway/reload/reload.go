// Package reload keeps what is made of files — a certificate with its key, a pool of roots, an identity — as the files have
// it, while the process runs: whoever renews a certificate replaces the files, and nobody restarts anything.
//
// A Value holds what was read last. A Set looks at the files of all its values every few seconds and, where a file has been
// replaced, reads anew and swaps. Files that cannot be read, or do not belong together (the new certificate is there, its
// key is not yet), leave the value as it is: the log and a metric say so, and each look tries again. Files are polled
// because a certificate lives for months, a look costs microseconds, and notifications of the system do not work on every
// file system on which secrets are mounted.
//
// Invariant: Get never fails and never gives something half read. A value is wrong for at most Every after the last of its
// files was replaced.
package reload

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Every is how often the files are looked at.
const Every = 2 * time.Second

// Value is something made of files. Get may be called from anywhere.
type Value[T any] struct {
	name  string
	read  func() (T, error)
	paths []string
	after func(T)
	now   atomic.Pointer[T]

	// owned by the Set's lock
	seen   []stamp // of the files when they were read last
	failed string  // what was said of the last failure; empty after a success
}

// Get is what the files said when they were last sound.
func (v *Value[T]) Get() T { return *v.now.Load() }

// Option changes how a value is kept.
type Option[T any] func(*kept[T])

type kept[T any] struct {
	expires func(T) time.Time
	after   func(T)
}

// Expires makes the end of the value's validity a metric, hutong_certificate_expires_seconds.
func Expires[T any](of func(T) time.Time) Option[T] { return func(k *kept[T]) { k.expires = of } }

// After is called with each new value once it has taken the old one's place; not with the first.
func After[T any](f func(T)) Option[T] { return func(k *kept[T]) { k.after = f } }

// Add reads a value for the first time and keeps it current while the set runs. The paths are the files read makes it of;
// a folder stands for the files directly in it. name is the setting that names them, for the log and the metrics: its
// values must be bounded by the configuration. The error is read's.
func Add[T any](s *Set, name string, read func() (T, error), paths []string, options ...Option[T]) (*Value[T], error) {
	var k kept[T]
	for _, o := range options {
		o(&k)
	}
	v := &Value[T]{name: name, read: read, paths: paths, after: k.after, seen: stamps(paths)}
	first, err := read()
	if err != nil {
		return nil, err
	}
	v.now.Store(&first)
	s.add(v)
	if k.expires != nil {
		s.metrics.expiring(name, func() time.Time { return k.expires(v.Get()) })
	}
	return v, nil
}

// Set is the values of one process.
type Set struct {
	log     *slog.Logger
	metrics *metrics

	mu     sync.Mutex
	values []interface{ look(*Set) }
}

func (s *Set) add(v interface{ look(*Set) }) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = append(s.values, v)
}

// Run looks at the files again and again until ctx ends.
func (s *Set) Run(ctx context.Context) {
	ticks := time.NewTicker(Every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			s.Look()
		}
	}
}

// Look looks at all files once. It returns when every value is as its files are.
func (s *Set) Look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		v.look(s)
	}
}

// look reads the files anew where they have changed, or where the last reading failed.
func (v *Value[T]) look(s *Set) {
	found := stamps(v.paths)
	if v.failed == "" && slices.Equal(found, v.seen) {
		return
	}
	v.seen = found // as they were before reading: what is written meanwhile is seen by the next look
	value, err := v.read()
	if err != nil {
		if v.failed != err.Error() {
			s.log.Error("files were replaced but are not sound; what was read before stays in use", "name", v.name, "error", err.Error())
			s.metrics.done(v.name, false)
		}
		v.failed = err.Error()
		return
	}
	v.failed = ""
	v.now.Store(&value)
	s.metrics.done(v.name, true)
	s.log.Info("replaced files are in use", "name", v.name)
	if v.after != nil {
		v.after(value)
	}
}

// stamp is how a file looks from outside. A file that is renamed into place has another modification time or size; one
// that is rewritten has another modification time.
type stamp struct {
	path     string
	modified time.Time
	size     int64
	mode     fs.FileMode
}

// stamps of files, and of the files in folders; one that is not there has an empty stamp. Links are followed, also those of
// a folder that is swapped as a whole.
func stamps(paths []string) []stamp {
	var list []stamp
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			list = append(list, stamp{path: path})
			continue
		}
		list = append(list, stamp{path, info.ModTime(), info.Size(), info.Mode()})
		if !info.IsDir() {
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		for _, entry := range entries {
			if file, err := os.Stat(filepath.Join(path, entry.Name())); err == nil && !file.IsDir() {
				list = append(list, stamp{entry.Name(), file.ModTime(), file.Size(), file.Mode()})
			}
		}
	}
	return list
}
