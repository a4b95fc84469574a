package anchor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// MaxLost is how many processes one after the other may die in a job without another batch on the ledger before it is not
// resumed by itself any more: it may be what they die of.
const MaxLost = 3

// By is for whom a job runs.
type By struct {
	Agency string `json:"agency"`
	Role   string `json:"role"`
	Staff  string `json:"staff,omitempty"`
}

// Order is a job that somebody started and that is to come to its end. It is kept from when the job has its dataset to itself
// until it is done, has failed or was stopped by somebody. A process that dies leaves it behind, and so does one that stops:
// the next one goes on.
type Order struct {
	Dataset   string   `json:"dataset"`
	Files     []string `json:"files,omitempty"`
	Format    string   `json:"format,omitempty"`
	Database  bool     `json:"database,omitempty"` // instead of files: the department's
	Replaces  string   `json:"replaces,omitempty"`
	BatchSize int      `json:"batch_size"`
	By        By       `json:"by"`
	Resumed   int      `json:"resumed"`  // how often it went on by itself
	Lost      int      `json:"lost"`     // how often of late it was cut off where it had been before
	Anchored  int      `json:"anchored"` // the dataset's batches on the ledger when it was started last
}

// order is that of a request.
func (r Request) order(by By) *Order {
	return &Order{Dataset: r.Dataset, Files: r.Files, Format: r.Format, Database: r.Extract != nil, Replaces: r.Replaces, BatchSize: r.BatchSize, By: by}
}

// request is that of an order, without what only a process has.
func (o *Order) request() Request {
	return Request{Dataset: o.Dataset, Files: o.Files, Format: o.Format, Replaces: o.Replaces, BatchSize: o.BatchSize, kept: o}
}

// errStopped is why a job ends that somebody stopped.
var errStopped = errors.New("anchor: the job was stopped")

// keepOrder keeps the order of a job that begins.
func (a *Archive) keepOrder(o *Order) error { return keep(a.orderPath(o.Dataset), o) }

// endOrder ends the order of a job that ends, unless the process is what ends.
func (a *Archive) endOrder(ctx context.Context, o *Order) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errStopped) {
		o.Lost = 0 // not cut off
		return a.keepOrder(o)
	}
	return a.forget(o.Dataset)
}

// forget removes a dataset's order, if there is one.
func (a *Archive) forget(dataset string) error {
	if err := os.Remove(a.orderPath(dataset)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (a *Archive) orderPath(dataset string) string {
	return filepath.Join(a.datasetFolder(dataset), orderFile)
}

// orders are the jobs that processes have left behind.
func (a *Archive) orders() (all []*Order, err error) {
	paths, err := filepath.Glob(filepath.Join(escaped(a.folder), "*", "*", orderFile))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		o := new(Order)
		switch err := read(path, o); {
		case errors.Is(err, fs.ErrNotExist): // it ended in another process
			continue
		case err != nil:
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// errLost says that a job is not resumed by itself any more.
var errLost = fault.New(fault.Internal, "anchor.interrupted", "the gateway ended in this job time after time before another batch was anchored; see why, and start the job again")

// Resume goes on with the jobs that were cut off when the process before ended, each for whom it was started; with gives the
// ledger and, for a database, what reads it. A job that cannot be resumed, or was cut off MaxLost times where it had been
// before, has failed.
func (j *Jobs) Resume(with func(*Order) (Ledger, Extract, error)) error {
	left, err := j.orders()
	if err != nil {
		return err
	}
	for _, o := range left {
		if err := j.resume(o, with); err != nil {
			return err
		}
	}
	return nil
}

func (j *Jobs) resume(o *Order, with func(*Order) (Ledger, Extract, error)) error {
	jobs, err := j.archived(o.Dataset)
	if err != nil {
		return err
	}
	anchored := 0
	for _, job := range jobs {
		anchored += job.Anchored
	}
	if o.Lost++; anchored > o.Anchored {
		o.Lost = 0
	}
	o.Anchored, o.Resumed = anchored, o.Resumed+1
	r := o.request()
	ledger, extract, err := with(o)
	if r.Extract = extract; err == nil && o.Lost > MaxLost {
		err = errLost
	}
	if err == nil {
		err = j.begin(ledger, r)
	}
	j.log.Info("anchor job that was cut off", "dataset", o.Dataset, "resumed", o.Resumed, "lost", o.Lost, "anchored", anchored, "error", logged(err))
	if err == nil || errors.Is(err, ErrBusy) {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	failed := &background{cancel: func(error) {}, request: r, state: Failed, failure: reported(err), changed: make(chan struct{})}
	if i := slices.IndexFunc(jobs, func(job Job) bool { return job.State != Done }); i >= 0 {
		failed.progress = jobs[i].Progress
	}
	j.running[o.Dataset] = failed
	return j.forget(o.Dataset)
}
