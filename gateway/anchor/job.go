package anchor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// job is a job that runs.
type job struct {
	archive *Archive
	ledger  Ledger
	request Request
	about   description
	cores   int

	seen     seen
	at       place
	position int           // of the last batch that was filled
	list     *os.File      // of rejections
	listed   *bufio.Writer // to it
	waiting  []checkpoint  // batches of a run before that are not on the ledger

	told told
}

// Run runs a job to its end, or resumes it. Of a source that was anchored before it does nothing. Faults: anchor.…,
// dataset.missing, request.invalid, and what the ledger refuses; anything else is an error of the machine.
func (a *Archive) Run(ctx context.Context, ledger Ledger, r Request) (Result, error) {
	if err := r.check(); err != nil {
		return Result{}, err
	}
	release, err := a.lock(r.Dataset)
	if err != nil {
		return Result{}, err
	}
	if r.kept != nil {
		if err := a.keepOrder(r.kept); err != nil {
			return Result{}, errors.Join(err, release())
		}
	}
	j := &job{archive: a, ledger: ledger, request: r, cores: runtime.GOMAXPROCS(0)}
	j.told.begin(Checking, 0)
	stop := j.told.start(r.Progress)
	result, err := j.run(ctx)
	stop()
	if r.kept != nil {
		err = errors.Join(err, a.endOrder(ctx, r.kept))
	}
	return result, errors.Join(err, release())
}

func (r *Request) check() error {
	if err := exchange.CheckDataset("dataset", r.Dataset); err != nil {
		return err
	}
	if r.Replaces != "" {
		if err := exchange.CheckIdentifier("replaces", r.Replaces); err != nil {
			return err
		}
	}
	if r.BatchSize == 0 {
		r.BatchSize = DefaultBatchSize
	}
	if r.BatchSize < 1 || r.BatchSize > MaxBatchSize || r.BatchSize&(r.BatchSize-1) != 0 {
		return fault.Field("batch_size", fmt.Sprintf("power_of_two_between:1,%d", MaxBatchSize), "choose a power of two within these limits")
	}
	if (len(r.Files) == 0) == (r.Extract == nil) || len(r.Files) > MaxFiles {
		return fault.Field("files", fmt.Sprintf("length:1,%d", MaxFiles), "name files, or a database")
	}
	if r.Patience == 0 {
		r.Patience = DefaultPatience
	}
	return nil
}

func (j *job) run(ctx context.Context) (Result, error) {
	d, err := j.dataset(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := j.describe(ctx, d); err != nil {
		return Result{}, err
	}
	var before Result
	if err := read(filepath.Join(j.about.folder, doneFile), &before); err == nil {
		before.Before = true
		j.told.begin(Done, before.TotalBytes)
		j.told.set(func(p *Progress) { *p = before.Progress })
		j.told.read(before.Bytes)
		return before, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return Result{}, err
	}
	if err := j.resume(); err != nil {
		return Result{}, err
	}
	defer func() { _ = j.list.Close() }() // it was synced where that matters
	if err := j.pipeline(ctx); err != nil {
		return Result{}, err
	}
	j.told.set(func(p *Progress) { p.Phase = Done })
	result := Result{Progress: j.told.get(), Dataset: j.about.Dataset, Source: j.about.Source, At: time.Now().UTC().Truncate(time.Millisecond)}
	return result, keep(filepath.Join(j.about.folder, doneFile), result)
}

// patiently repeats what fails for a while.
func (j *job) patiently(ctx context.Context, try func() error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := try()
		if passing := (Temporary{}); err != nil && !errors.As(err, &passing) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(j.request.Patience))
	if permanent := new(backoff.PermanentError); errors.As(err, &permanent) {
		return permanent.Err
	}
	return err
}
