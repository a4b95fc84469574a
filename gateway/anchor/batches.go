package anchor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

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
