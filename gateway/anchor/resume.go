package anchor

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
)

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
