package anchor

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

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
