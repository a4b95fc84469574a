// Package bench measures ways into the network against each other: closed-loop clients, alternating runs on one network,
// ratios taken inside each round so that a machine whose speed drifts does not decide the result.
package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Target is one way to do the work. Do carries out one operation, the n-th of the whole measurement, and returns when it
// is committed; it is called from many goroutines. Where Of is set, Do carries out so many operations, and one goroutine
// stands for as many clients.
type Target struct {
	Name string
	Doc  string
	Of   int
	Do   func(ctx context.Context, n uint64) error
}

// Sample is what one run of one target at one number of clients gave.
type Sample struct {
	Target  string        `json:"target"`
	Clients int           `json:"clients"`
	Round   int           `json:"round"`
	Count   int           `json:"count"`  // operations that succeeded
	Errors  int           `json:"errors"` // operations that failed
	Elapsed time.Duration `json:"elapsed_ns"`
	P50     time.Duration `json:"p50_ns"`
	P95     time.Duration `json:"p95_ns"`
	P99     time.Duration `json:"p99_ns"`
	// CPU seconds by component over the run, the measuring client included.
	CPU map[string]float64 `json:"cpu_seconds,omitempty"`
	// FirstError is the text of the first failure, if there was one.
	FirstError string `json:"first_error,omitempty"`
}

// Rate is operations a second.
func (s Sample) Rate() float64 { return float64(s.Count) / s.Elapsed.Seconds() }

// maxConsecutiveErrors ends a run whose target does nothing but fail.
const maxConsecutiveErrors = 50

var sequence atomic.Uint64

// Run lets a number of clients work one after another's answer for a duration. An operation begun inside the duration is
// waited for, and counts.
func Run(ctx context.Context, target Target, clients int, duration time.Duration) Sample {
	type tally struct {
		latencies []time.Duration
		errors    int
		first     error
	}
	each := max(target.Of, 1)
	tallies := make([]tally, max(clients/each, 1))
	var wait sync.WaitGroup
	start := time.Now()
	for i := range tallies {
		wait.Go(func() {
			mine, failing := &tallies[i], 0
			for time.Since(start) < duration && ctx.Err() == nil && failing < maxConsecutiveErrors {
				begin := time.Now()
				err := target.Do(ctx, sequence.Add(1))
				if err != nil {
					mine.errors++
					failing++
					if mine.first == nil {
						mine.first = err
					}
					continue
				}
				failing = 0
				mine.latencies = append(mine.latencies, time.Since(begin))
			}
		})
	}
	wait.Wait()
	sample := Sample{Target: target.Name, Clients: clients, Elapsed: time.Since(start)}
	var all []time.Duration
	var first error
	for _, t := range tallies {
		all = append(all, t.latencies...)
		sample.Errors += t.errors
		first = errors.Join(first, t.first)
	}
	if first != nil {
		sample.FirstError = first.Error()
		if len(sample.FirstError) > 300 {
			sample.FirstError = sample.FirstError[:300]
		}
	}
	slices.Sort(all)
	sample.Count = len(all) * each
	sample.P50, sample.P95, sample.P99 = percentile(all, 50), percentile(all, 95), percentile(all, 99)
	return sample
}

// percentile of sorted latencies by the nearest-rank method; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

// Median of values; 0 of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
