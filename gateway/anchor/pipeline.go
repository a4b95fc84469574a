package anchor

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

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
