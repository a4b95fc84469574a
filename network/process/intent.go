package process

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A start takes three steps, so that a launcher that is killed between any two
// of them leaves no process behind that nobody knows:
//
//  1. the intent: what will be the record, without a pid, and with a mark drawn
//     at random;
//  2. the start, with the mark in the process's environment;
//  3. the record, upon which the intent is removed.
//
// Whoever finds an intent looks for the process that carries its mark. There is
// at most one, and it is ours whatever its ports, arguments or folder: nobody
// else was told the mark. The lock on the state folder is passed on to a
// process until the program in it begins, so a launcher that holds the lock
// also knows that every earlier start has come to its end, one way or the other.

// markVariable names the mark in a process's environment.
const markVariable = "HUTONG_START"

const intentSuffix = ".intent"

func (t *Table) intent(name string) string { return filepath.Join(t.run, name+intentSuffix) }

// intend prepares a start and writes what is about to be started.
func (t *Table) intend(spec Spec) (Record, error) {
	r := Record{
		Name: spec.Name, Kind: spec.Kind, Path: spec.Path, Ports: spec.Ports, Tier: spec.Tier,
		Started: time.Now().UTC(), Mark: rand.Text(),
	}
	if err := t.prepare(spec); err != nil {
		return r, err
	}
	var err error
	if r.Stamp, err = spec.stamp(); err != nil {
		return r, err
	}
	if spec.Versioned {
		r.Version = binaryVersion(spec.Path)
	}
	return r, write(t.intent(spec.Name), r)
}

// settle removes an intent that has been carried out or given up.
func (t *Table) settle(name string) error {
	err := os.Remove(t.intent(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Adopt records the processes of a launcher that was killed before it could do
// so itself, and returns their names. A launcher calls it once it holds the
// lock, before it looks at any record.
func (t *Table) Adopt() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(t.run, "*"+intentSuffix))
	if err != nil {
		return nil, err
	}
	var adopted []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), intentSuffix)
		found, err := t.adopt(file)
		if err != nil {
			return adopted, fmt.Errorf("take over %s: %w", name, err)
		}
		if found {
			adopted = append(adopted, name)
		}
		if err := t.settle(name); err != nil {
			return adopted, err
		}
	}
	return adopted, nil
}

func (t *Table) adopt(file string) (bool, error) {
	r, err := read(file)
	if err != nil {
		return false, err
	}
	if known, err := t.Record(r.Name); err == nil && known.Mark == r.Mark {
		return false, nil // recorded, only the intent was left
	}
	if r.PID, err = marked(markVariable + "=" + r.Mark); err != nil || r.PID == 0 {
		return false, err
	}
	if r.Birth, err = birth(r.PID); err != nil {
		return false, nil // has ended since
	}
	return true, t.record(r)
}
