package anchor

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Jobs runs jobs in a gateway: one of a dataset at a time, in the background. They end with the gateway, and go on with the
// next (Resume).
type Jobs struct {
	*Archive
	inbox string // folder with files to anchor, of each agency in a folder of its name; empty: none
	log   *slog.Logger

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	running map[string]*background // by dataset
}

// Job is one job, as far as it is.
type Job struct {
	Dataset string `json:"dataset"`
	State   string `json:"state" enum:"running,stopped,failed,done"` // stopped and failed ones go on when they are started again
	Progress
	Source   string       `json:"source,omitempty"`      // SHA-256 of the source's manifest, which names it
	Started  *time.Time   `json:"started_at,omitempty"`  // when its source was named
	Finished *time.Time   `json:"finished_at,omitempty"` // when it was done
	Failure  *fault.Fault `json:"failure,omitempty"`     // why it failed
	Resumed  int          `json:"resumed,omitempty"`     // how often it went on by itself after the gateway had ended
}

// States of a job.
const (
	Running = "running"
	Stopped = "stopped"
	Failed  = "failed"
	// Done is a phase and a state.
)

// background is a job that runs, or has run since the gateway started.
type background struct {
	cancel   context.CancelCauseFunc
	request  Request
	progress Progress
	state    string
	failure  *fault.Fault
	changed  chan struct{} // is closed and made anew whenever something changes
}

// NewJobs opens an archive to run jobs in.
func NewJobs(archive, inbox string, log *slog.Logger) (*Jobs, error) {
	a, err := Open(archive)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Jobs{Archive: a, inbox: inbox, log: log, ctx: ctx, stop: stop, running: map[string]*background{}}, nil
}

// Close stops all jobs and waits for them.
func (j *Jobs) Close() error {
	j.stop()
	j.done.Wait()
	return j.Archive.Close()
}

// ErrNoFile says that a file is not in the agency's folder.
var ErrNoFile = fault.New(fault.Missing, "file.missing", "no such file; put it into the agency's folder of the gateway's inbox").On("files", "exists")

// Files are the paths of files in an agency's folder of the inbox. Fault: file.missing.
func (j *Jobs) Files(agency string, names []string) (paths []string, err error) {
	if j.inbox == "" {
		return nil, ErrNoFile
	}
	root, err := os.OpenRoot(filepath.Join(j.inbox, agency))
	if err != nil {
		return nil, ErrNoFile
	}
	defer root.Close()
	for _, name := range names {
		info, err := root.Stat(filepath.FromSlash(name)) // refuses what leads out of the folder
		if err != nil || !info.Mode().IsRegular() {
			return nil, ErrNoFile
		}
		paths = append(paths, filepath.Join(j.inbox, agency, filepath.FromSlash(name)))
	}
	return paths, nil
}

// Start starts a job for somebody, or resumes it, and comes back at once. Of a job that runs already, the same request again
// does nothing. Fault: anchor.job_running.
func (j *Jobs) Start(ledger Ledger, by By, r Request) error {
	if err := r.check(); err != nil {
		return err
	}
	r.kept = r.order(by)
	return j.begin(ledger, r)
}

func (j *Jobs) begin(ledger Ledger, r Request) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	b, found := j.running[r.Dataset]
	if found && b.state == Running && b.request.same(r) {
		return nil
	}
	if found && b.state == Running || j.ctx.Err() != nil {
		return ErrBusy
	}
	ctx, cancel := context.WithCancelCause(j.ctx)
	b = &background{cancel: cancel, request: r, state: Running, changed: make(chan struct{}), progress: Progress{Phase: Checking}}
	j.running[r.Dataset] = b
	r.Progress = func(p Progress) { j.change(b, func() { b.progress = p }) }
	j.done.Go(func() {
		defer cancel(nil)
		result, err := j.Run(ctx, ledger, r)
		j.change(b, func() { b.end(result, err) })
		j.log.Info("anchor job ended", "dataset", r.Dataset, "job", b.progress.Job, "state", b.state, "records", b.progress.Records, "anchored", b.progress.Anchored, "error", logged(err))
	})
	return nil
}

// same says whether two requests ask for the same job.
func (r Request) same(other Request) bool {
	name := func(e Extract) string {
		if e == nil {
			return ""
		}
		return e.Name()
	}
	return slices.Equal(r.Files, other.Files) && r.Format == other.Format && r.Replaces == other.Replaces && r.BatchSize == other.BatchSize && name(r.Extract) == name(other.Extract)
}

func (b *background) end(result Result, err error) {
	switch {
	case err == nil:
		b.state, b.progress = Done, result.Progress
	case errors.Is(err, context.Canceled), errors.Is(err, errStopped):
		b.state = Stopped
	default:
		b.state, b.failure = Failed, reported(err)
	}
}

// reported is an error as it may be shown: a fault, or that there was one.
func reported(err error) *fault.Fault {
	if f := new(fault.Fault); errors.As(err, &f) {
		return f
	}
	if errors.As(err, new(Temporary)) {
		return fault.New(fault.Internal, "anchor.ledger_unreachable", "the ledger was not reached for too long; start the job again")
	}
	return fault.New(fault.Internal, "anchor.failed", "the job failed on the gateway's machine; its log says why; start the job again")
}

func logged(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (j *Jobs) change(b *background, change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
	close(b.changed)
	b.changed = make(chan struct{})
}

// ErrNoJob says that there is no job.
var ErrNoJob = fault.New(fault.Missing, "job.missing", "no records of this dataset are being anchored or were anchored here").On("dataset", "exists")

// Stop stops a dataset's job, if it runs or is to be resumed. What is anchored stays; the job goes on when it is started
// again.
func (j *Jobs) Stop(ctx context.Context, dataset string) (Job, error) {
	for {
		job, changed, err := j.Job(dataset)
		if (err == nil || errors.Is(err, ErrNoJob)) && job.State != Running {
			err = cmp.Or(j.forget(dataset), err)
		}
		if err != nil || job.State != Running {
			return job, err
		}
		j.mu.Lock()
		if b, found := j.running[dataset]; found {
			b.cancel(errStopped)
		}
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return job, ctx.Err()
		}
	}
}

// Job is a dataset's: the one that runs, else the one that was started last. changed is closed when it has changed; nil if it
// will not. Fault: job.missing.
func (j *Jobs) Job(dataset string) (job Job, changed <-chan struct{}, err error) {
	all, err := j.archived(dataset)
	if err != nil {
		return job, nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	b, found := j.running[dataset]
	switch {
	case !found && len(all) == 0:
		return job, nil, ErrNoJob
	case !found:
		return all[len(all)-1], nil, nil
	}
	job = Job{Dataset: dataset}
	for _, a := range all {
		if a.Progress.Job == b.progress.Job {
			job = a
		}
	}
	job.State, job.Progress, job.Failure, job.Resumed = b.state, b.progress, b.failure, b.request.kept.Resumed
	if b.state != Running {
		return job, nil, nil
	}
	return job, b.changed, nil
}

// List lists the jobs of an agency's datasets, those that began last at the beginning, at most limit.
func (j *Jobs) List(agency string, limit int) ([]Job, error) {
	folders, err := filepath.Glob(filepath.Join(escaped(j.folder), agency, "*", "lock"))
	if err != nil {
		return nil, err
	}
	all := []Job{}
	for _, path := range folders {
		dataset := agency + "/" + filepath.Base(filepath.Dir(path))
		jobs, err := j.archived(dataset)
		if err != nil {
			return nil, err
		}
		now, _, err := j.Job(dataset)
		if err != nil && !errors.Is(err, ErrNoJob) {
			return nil, err
		}
		if i := slices.IndexFunc(jobs, func(o Job) bool { return o.Progress.Job == now.Progress.Job }); i >= 0 {
			jobs[i] = now
		} else if err == nil {
			jobs = append(jobs, now)
		}
		all = append(all, jobs...)
	}
	slices.SortFunc(all, func(a, b Job) int {
		return cmp.Or(began(b).Compare(began(a)), strings.Compare(a.Dataset, b.Dataset))
	})
	return all[:min(len(all), limit)], nil
}

func began(j Job) time.Time {
	if j.Started == nil {
		return time.Now() // its source has no name yet
	}
	return *j.Started
}

// archived are a dataset's jobs as the archive has them.
func (j *Jobs) archived(dataset string) ([]Job, error) {
	described, err := j.jobs(dataset)
	if err != nil {
		return nil, err
	}
	all := make([]Job, 0, len(described))
	for _, d := range described {
		job := Job{Dataset: dataset, State: Stopped, Source: d.Source, Started: &d.Started, Progress: Progress{Job: d.Job, Phase: Anchoring}}
		var result Result
		switch err := read(filepath.Join(d.folder, doneFile), &result); {
		case err == nil:
			job.State, job.Progress, job.Finished = Done, result.Progress, &result.At
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		default:
			for _, f := range d.Files {
				job.TotalBytes += f.Size
			}
			if job.Progress, err = d.progress(job.Progress); err != nil {
				return nil, err
			}
		}
		all = append(all, job)
	}
	return all, nil
}

// progress is how far a job came that is not done.
func (d description) progress(p Progress) (Progress, error) {
	for position := 1; ; position++ {
		c, whole, err := d.checkpoint(position)
		if err != nil || !whole {
			return p, err
		}
		anchored, err := d.is(position, receiptEnding)
		if err != nil {
			return p, err
		}
		p.Records, p.Rejected, p.Duplicates, p.Batches, p.Bytes = c.Read.Records, c.Read.Rejected, c.Read.Duplicates, position, c.Read.Offset
		for _, f := range d.Files[:c.Read.File] {
			p.Bytes += f.Size
		}
		if anchored {
			p.Anchored = position
		}
	}
}
