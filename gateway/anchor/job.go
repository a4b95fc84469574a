package anchor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/chaincode/canonical"
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
	j := &job{archive: a, ledger: ledger, request: r, cores: runtime.GOMAXPROCS(0)}
	j.told.begin(Checking, 0)
	stop := j.told.start(r.Progress)
	result, err := j.run(ctx)
	stop()
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

// dataset asks the ledger what the dataset is and which of its anchors were withdrawn: their records may be anchored anew.
func (j *job) dataset(ctx context.Context) (d exchange.Dataset, err error) {
	err = j.patiently(ctx, func() error {
		d, err = j.ledger.Dataset(ctx, j.request.Dataset)
		return err
	})
	if err != nil {
		return d, err
	}
	if d.Status != exchange.Published {
		return d, ErrNotOffered
	}
	var ids []string
	err = j.patiently(ctx, func() error {
		ids, err = j.ledger.Withdrawn(ctx, j.request.Dataset)
		return err
	})
	if err != nil {
		return d, err
	}
	return d, j.archive.Withdraw(j.request.Dataset, ids)
}

// Withdraw notes that anchors of a dataset were withdrawn. Anchors that are not the archive's are passed over.
func (a *Archive) Withdraw(dataset string, anchors []string) error {
	jobs, err := a.jobs(dataset)
	if err != nil {
		return err
	}
	withdrawn := map[string]bool{}
	for _, id := range anchors {
		withdrawn[id] = true
	}
	for _, d := range jobs {
		for position := 1; ; position++ {
			if _, found, err := d.checkpoint(position); err != nil {
				return err
			} else if !found {
				break
			}
			if withdrawn[d.anchor(position)] {
				if err := keep(d.path(position, withdrawnEnding), struct{}{}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// describe finds the job in the archive, or makes it.
func (j *job) describe(ctx context.Context, d exchange.Dataset) error {
	folder := j.archive.datasetFolder(d.ID)
	jobs, err := j.archive.jobs(d.ID)
	if err != nil {
		return err
	}
	about := description{Dataset: d.ID, Replaces: j.request.Replaces, Shape: shapeOf(d), BatchSize: j.request.BatchSize}
	extract := ""
	if e := j.request.Extract; e != nil {
		for _, other := range jobs {
			if _, err := os.Stat(filepath.Join(other.folder, doneFile)); err != nil && other.Extract == e.Name() {
				j.about = other
				return nil
			}
		}
		about.Extract = e.Name()
		if extract, err = j.extract(ctx, d, folder); err != nil {
			return err
		}
		about.Files = []file{{Path: extract, Format: NDJSON}}
	}
	if err := j.look(ctx, &about); err != nil {
		return err
	}
	if about.Source, err = sourceOf(d.ID, about.Files); err != nil {
		return err
	}
	about.Job, about.Started = jobID(about.Source, about.Replaces), time.Now().UTC().Truncate(time.Millisecond)
	about.folder = filepath.Join(folder, about.Job)
	for _, other := range jobs {
		if other.Job != about.Job {
			continue
		}
		j.about = other
		if extract != "" {
			return os.Remove(extract)
		}
		j.about.Files = about.Files // the same content, which may have moved
		return nil
	}
	if err := os.MkdirAll(about.folder, folderMode); err != nil {
		return err
	}
	if extract != "" {
		about.Files[0].Path = filepath.Join(about.folder, extractFile)
		if err := rename(extract, about.Files[0].Path); err != nil {
			return err
		}
	}
	j.about = about
	return errors.Join(keep(filepath.Join(about.folder, descriptionFile), about), settle(folder))
}

// look hashes the files of a new job, which names its source.
func (j *job) look(ctx context.Context, about *description) error {
	paths := j.request.Files
	for _, f := range about.Files {
		paths = append(paths, f.Path)
	}
	about.Files = nil
	total := int64(0)
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fault.Field("files", "regular", "name files, not folders or pipes: a job reads its source again when it is resumed")
		}
		total += info.Size()
	}
	j.told.begin(Checking, total)
	for _, path := range paths {
		said := j.request.Format
		if j.request.Extract != nil {
			said = NDJSON
		}
		format, err := formatOf(path, said)
		if err != nil {
			return err
		}
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		f, err := look(ctx, path, format, j.told.read)
		if err != nil {
			return err
		}
		about.Files = append(about.Files, f)
	}
	return nil
}

// extract writes a database's rows to a file.
func (j *job) extract(ctx context.Context, d exchange.Dataset, folder string) (path string, err error) {
	j.told.begin(Extracting, 0)
	path = filepath.Join(folder, extractFile)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return path, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	lines := bufio.NewWriterSize(out, 1<<20)
	var fields []exchange.FieldSpec
	for _, f := range d.Fields {
		if !f.Withdrawn {
			fields = append(fields, f)
		}
	}
	err = j.request.Extract.Rows(ctx, fields, func(values map[string]any) error {
		raw, err := canonical.Marshal(values)
		if err != nil {
			return err
		}
		j.told.set(func(p *Progress) { p.Records++ })
		_, err = lines.Write(append(raw, '\n'))
		return err
	})
	j.told.set(func(p *Progress) { p.Records = 0 })
	return path, errors.Join(err, lines.Flush(), out.Sync())
}

// resume takes in what the archive has of the dataset, and finds out how far the job is.
func (j *job) resume() error {
	jobs, err := j.archive.jobs(j.about.Dataset)
	if err != nil {
		return err
	}
	for _, d := range jobs {
		if err := j.take(d); err != nil {
			return err
		}
	}
	path := filepath.Join(j.about.folder, rejectedFile)
	if j.list, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode); err != nil {
		return err
	}
	if err := j.list.Truncate(j.at.ListBytes); err != nil {
		return err
	}
	if _, err := j.list.Seek(j.at.ListBytes, io.SeekStart); err != nil {
		return err
	}
	j.listed = bufio.NewWriter(j.list)
	total := int64(0)
	for _, f := range j.about.Files {
		total += f.Size
	}
	j.told.begin(Anchoring, total)
	j.told.set(func(p *Progress) {
		p.Job, p.Records, p.Rejected, p.Duplicates = j.about.Job, j.at.Records, j.at.Rejected, j.at.Duplicates
		p.Batches, p.Anchored = j.position, j.position-len(j.waiting)
	})
	return nil
}

// take takes a job's batches in: their keys are known from now on. Of the job that runs it is how far that came.
func (j *job) take(d description) error {
	own := d.Job == j.about.Job
	for position := 1; ; position++ {
		c, whole, err := d.checkpoint(position)
		if err != nil {
			return err
		}
		if !whole {
			return nil
		}
		withdrawn, err := d.is(position, withdrawnEnding)
		if err != nil {
			return err
		}
		if !withdrawn || own { // a source is not anchored again below the same ids
			b, err := j.archive.batch(d.path(position, batchEnding))
			if err != nil {
				return err
			}
			if err := j.seen.load(b); err != nil {
				return err
			}
		}
		if !own {
			continue
		}
		j.at, j.position = c.Read, position
		anchored, err := d.is(position, receiptEnding)
		if err != nil {
			return err
		}
		if !anchored {
			j.waiting = append(j.waiting, c)
		}
	}
}

// chunkRows is how many rows go from hand to hand at once.
const chunkRows = 256

// chunk is some rows, and what became of them once done is closed.
type chunk struct {
	rows    []row
	records []judged
	done    chan struct{}
}

type judged struct {
	raw      []byte
	key      key
	rejected Rejection
}

// pipeline reads, judges, gathers, builds and anchors. Each stage waits for the next, so that nothing piles up.
func (j *job) pipeline(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	work, order := make(chan *chunk, 2*j.cores), make(chan *chunk, 4*j.cores)
	full, built := make(chan filled, 1), make(chan checkpoint, 2)
	from := j.at
	group.Go(func() error {
		defer close(order)
		defer close(work)
		return j.reads(ctx, from, func(c *chunk) error {
			if err := hand(ctx, work, c); err != nil {
				return err
			}
			return hand(ctx, order, c)
		})
	})
	for range j.cores {
		group.Go(func() error {
			for c := range work {
				for _, r := range c.rows {
					raw, k, rejected := j.about.Shape.record(r)
					c.records = append(c.records, judged{raw, k, rejected})
				}
				close(c.done)
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(full)
		return j.gather(ctx, order, full)
	})
	group.Go(func() error {
		defer close(built)
		for f := range full {
			c, err := j.build(f)
			if err != nil {
				return err
			}
			if err := hand(ctx, built, c); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error {
		for _, c := range j.waiting {
			if err := j.anchor(ctx, c); err != nil {
				return err
			}
		}
		for c := range built {
			if err := j.anchor(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return j.list.Sync()
}

func hand[T any](ctx context.Context, to chan<- T, what T) error {
	select {
	case to <- what:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reads reads the files from a place on.
func (j *job) reads(ctx context.Context, from place, each func(*chunk) error) error {
	for i, f := range j.about.Files {
		if i < from.File {
			j.told.read(f.Size)
			continue
		}
		offset := int64(0)
		if i == from.File {
			offset = from.Offset
		}
		if err := j.readFile(ctx, i, offset, each); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) readFile(ctx context.Context, index int, offset int64, each func(*chunk) error) (err error) {
	in, err := openAt(ctx, index, j.about.Files[index], offset, j.about.Shape, j.told.read)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	for end := false; !end; {
		c := &chunk{rows: make([]row, 0, chunkRows), done: make(chan struct{})}
		for len(c.rows) < chunkRows {
			r, err := in.rows()
			if errors.Is(err, io.EOF) {
				end = true
				break
			}
			if err != nil {
				return fmt.Errorf("file %d: %w", index+1, err)
			}
			c.rows = append(c.rows, r)
		}
		if err := each(c); err != nil {
			return err
		}
	}
	return in.finish()
}

// filled is a batch that is full, with its keys where repetitions are looked for.
type filled struct {
	*draft
	kept *kept
}

// gather puts records into batches, in the order of the source, each once.
func (j *job) gather(ctx context.Context, from <-chan *chunk, to chan<- filled) error {
	d := newDraft(j.position+1, j.about.BatchSize)
	full := func() error {
		if err := j.listed.Flush(); err != nil {
			return err
		}
		d.at = j.at
		j.position = d.position
		next := filled{d, j.seen.keep(d)}
		d = newDraft(j.position+1, j.about.BatchSize)
		return hand(ctx, to, next)
	}
	for c := range from {
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		for i, r := range c.records {
			if err := j.put(d, c.rows[i], r); err != nil {
				return err
			}
			if len(d.keys) == j.about.BatchSize {
				if err := full(); err != nil {
					return err
				}
			}
		}
		j.told.set(func(p *Progress) {
			p.Records, p.Rejected, p.Duplicates = j.at.Records, j.at.Rejected, j.at.Duplicates
		})
	}
	if ctx.Err() == nil && len(d.keys) > 0 {
		return full()
	}
	return errors.Join(ctx.Err(), j.listed.Flush())
}

// put adds a record to a batch, or rejects its row.
func (j *job) put(d *draft, at row, r judged) error {
	j.at.File, j.at.Offset = at.file, at.end
	if r.rejected.Rule == "" {
		_, repeated := d.found[r.key]
		if !repeated {
			var err error
			if repeated, err = j.seen.has(r.key); err != nil {
				return err
			}
		}
		if !repeated {
			d.add(r.key, r.raw)
			j.seen.add(r.key)
			j.at.Records++
			return nil
		}
		r.rejected.Rule = RuleRepeated
		j.at.Duplicates++
	}
	j.at.Rejected++
	if j.at.Listed == MaxRejections {
		return nil
	}
	line, err := json.Marshal(r.rejected)
	if err != nil {
		return err
	}
	n, err := j.listed.Write(append(line, '\n'))
	j.at.Listed, j.at.ListBytes = j.at.Listed+1, j.at.ListBytes+int64(n)
	return err
}

// build makes a batch's tree and keeps everything on the disk: first the batch, then that it is whole.
func (j *job) build(f filled) (c checkpoint, err error) {
	s := saltsOf(j.archive.secret, j.about.Dataset, j.about.Source, f.position, j.about.Replaces)
	stored, root, err := tree(f.leaves(j.about.Dataset, s, j.cores))
	if err != nil {
		return c, err
	}
	path := j.about.path(f.position, batchEnding)
	if err := f.save(path+".new", stored); err != nil {
		return c, err
	}
	if err := errors.Join(rename(path+".new", path), j.list.Sync()); err != nil {
		return c, err
	}
	file, err := j.archive.batch(path)
	if err != nil {
		return c, err
	}
	f.kept.written(file)
	c = checkpoint{Position: f.position, Size: len(f.keys), Root: root, Read: f.at}
	if err := keep(j.about.path(f.position, checkEnding), c); err != nil {
		return c, err
	}
	j.told.set(func(p *Progress) { p.Batches++ })
	return c, nil
}

// anchor has the ledger take a batch, and keeps what it answered.
func (j *job) anchor(ctx context.Context, c checkpoint) (err error) {
	request := exchange.CreateAnchor{
		Dataset: j.about.Dataset, Source: j.about.Source, Position: c.Position, Size: c.Size, Root: c.Root, Replaces: j.about.Replaces,
	}
	var receipt Receipt
	err = j.patiently(ctx, func() error {
		receipt, err = j.ledger.Anchor(ctx, fmt.Sprintf("anchor.%s.%d", j.about.Job, c.Position), request)
		return err
	})
	if err != nil {
		return err
	}
	if err := keep(j.about.path(c.Position, receiptEnding), receipt); err != nil {
		return err
	}
	j.told.set(func(p *Progress) { p.Anchored++ })
	return nil
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

// told is what is told of a job while it runs.
type told struct {
	mu    sync.Mutex
	known Progress
	bytes atomic.Int64
}

// often is how often progress is told.
const often = 200 * time.Millisecond

func (t *told) set(change func(*Progress)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.known)
}

// begin begins a phase, in which so many bytes are read.
func (t *told) begin(phase string, total int64) {
	t.set(func(p *Progress) {
		p.Phase, p.TotalBytes = phase, total
		t.bytes.Store(0)
	})
}

func (t *told) read(n int64) { t.bytes.Add(n) }

func (t *told) get() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.known
	p.Bytes = min(t.bytes.Load(), p.TotalBytes)
	return p
}

// start tells progress until the function it gives is called.
func (t *told) start(tell func(Progress)) (stop func()) {
	if tell == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(often)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				tell(t.get())
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
		tell(t.get())
	}
}
