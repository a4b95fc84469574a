// Package process runs a network's processes without a daemon of its own.
// A process is started detached, in a session of its own, with its output in a
// log file, and is known from then on by a record in the run folder.
//
// Ownership: a record names a pid together with the moment that process began.
// Only a process for which both agree is ours; a pid that the system has given
// to somebody else in the meantime is never signalled. A record is written
// right after the start and removed after the end was seen; one whose process
// is gone means that the process crashed, and is what `up` heals. Before the
// start an intent is written, by which the next launcher finds the process of
// one that was killed before it could write the record (see Adopt).
//
// State of a process:
//
//	absent ──Start──▶ running ──Stop──▶ absent
//	                     │crash             ▲
//	                     └──▶ dead ──Stop───┘   (Start takes dead to running)
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hutong-gov/hutong/network/material"
)

// Port is one listener of a process.
type Port struct {
	Number  int    `json:"number"`
	Purpose string `json:"purpose"`
}

// Spec is a process to run.
type Spec struct {
	Name string
	// Kind groups processes in a listing: orderer, peer, chaincode, gateway.
	Kind  string
	Path  string
	Args  []string
	Env   []string
	Dir   string
	Ports []Port
	// Versioned says that the binary prints its version when asked with
	// --version, as ours do.
	Versioned bool
	// Ready asks the process whether it does its work; nil means that
	// running is enough.
	Ready func(ctx context.Context) error
	// Configs are the files the process reads at its start. When one of them
	// or the binary is not what the running process was started with, Begin
	// starts it anew.
	Configs []Config
	// Tier orders the start (ascending) and the stop (descending).
	Tier int
}

// Config is a file that a process reads at its start. One with content is
// written right before the start; one without is there already.
type Config struct {
	Path    string
	Content []byte
}

// Record is what is kept about a process that was started.
type Record struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	PID     int       `json:"pid"`
	Birth   string    `json:"birth"`
	Path    string    `json:"path"`
	Version string    `json:"version"`
	Ports   []Port    `json:"ports"`
	Started time.Time `json:"started"`
	Tier    int       `json:"tier"`
	Stamp   string    `json:"stamp"`
	// Mark is in the process's environment, see intent.go.
	Mark string `json:"mark"`
}

const (
	recordMode  fs.FileMode = 0o600
	folderMode  fs.FileMode = 0o700
	maxLogBytes             = 64 << 20
)

// Table is the processes of one network.
type Table struct {
	run, logs string
	// patience is how long a process may take to end when asked.
	patience time.Duration
}

// NewTable opens the tables under a state folder.
func NewTable(state string) *Table {
	return &Table{run: filepath.Join(state, "run"), logs: filepath.Join(state, "logs"), patience: StopTimeout}
}

// Log is where a process's output goes.
func (t *Table) Log(name string) string { return filepath.Join(t.logs, name+".log") }

func (t *Table) file(name string) string { return filepath.Join(t.run, name+".json") }

// Records lists what was started and not yet stopped, by name.
func (t *Table) Records() ([]Record, error) {
	files, err := filepath.Glob(filepath.Join(t.run, "*.json"))
	if err != nil {
		return nil, err
	}
	records := make([]Record, 0, len(files))
	for _, file := range files {
		name := filepath.Base(file)
		r, err := t.Record(name[:len(name)-len(".json")])
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// Record is what is known of one process; fs.ErrNotExist if it was never
// started or was stopped.
func (t *Table) Record(name string) (Record, error) {
	return read(t.file(name))
}

func read(file string) (Record, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, fmt.Errorf("%s: %w: remove the file if its process is gone", file, err)
	}
	return r, nil
}

// Alive says whether the recorded process still runs: the same process, not
// another that was given the same pid.
func (r Record) Alive() bool {
	born, err := birth(r.PID)
	return err == nil && born == r.Birth
}

// Start begins a process and records it. The caller has checked that the name
// is not running and that its ports are free.
func (t *Table) Start(spec Spec) (Record, error) {
	r, err := t.intend(spec)
	if err != nil {
		return r, err
	}
	if r.PID, err = t.spawn(spec, r.Mark); err != nil {
		return r, errors.Join(fmt.Errorf("start %s: %w", spec.Name, err), t.settle(spec.Name))
	}
	if r.Birth, err = birth(r.PID); err != nil {
		return r, errors.Join(fmt.Errorf("%s ended at once; the end of %s:\n%s", spec.Name, t.Log(spec.Name), t.Tail(spec.Name)), t.settle(spec.Name))
	}
	if err := t.record(r); err != nil {
		// Unrecorded, it could never be stopped again.
		_ = syscall.Kill(-r.PID, syscall.SIGKILL)
		return r, err
	}
	return r, t.settle(spec.Name)
}

// record writes what is known of a process that runs.
func (t *Table) record(r Record) error { return write(t.file(r.Name), r) }

func write(file string, r Record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = material.Write(file, append(text, '\n'), recordMode)
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", r.Name, err)
	}
	return nil
}

// prepare makes the folders and the files that a process reads.
func (t *Table) prepare(spec Spec) error {
	if err := errors.Join(os.MkdirAll(t.run, folderMode), os.MkdirAll(t.logs, folderMode)); err != nil {
		return err
	}
	for _, c := range spec.Configs {
		if c.Content == nil {
			continue
		}
		if err := material.WriteIfChanged(c.Path, c.Content, recordMode); err != nil {
			return err
		}
	}
	return nil
}

// umasking lets one start at a time change the file mode mask, which belongs to
// the launcher as a whole.
var umasking sync.Mutex

// privateMask closes whatever a process writes (ledgers, databases, keys) to
// other users, also where the program itself would leave it open.
const privateMask = 0o077

// spawn starts the program and lets go of it.
func (t *Table) spawn(spec Spec, mark string) (pid int, err error) {
	log, err := openLog(t.Log(spec.Name))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = spec.Env, spec.Dir, log, log
	// A session of its own: neither a closed terminal nor a Ctrl-C given to
	// the launcher reaches it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(cmd.Environ(), markVariable+"="+mark)
	if err := startPrivately(cmd); err != nil {
		return 0, err
	}
	// A launcher that lives on (a test) must collect the dead, or the system
	// would keep them as ended but uncollected.
	go func() { _ = cmd.Wait() }()
	return cmd.Process.Pid, nil
}

// startPrivately starts a program under privateMask. What the launcher itself
// writes at this moment is not affected: it sets every mode explicitly.
func startPrivately(cmd *exec.Cmd) error {
	umasking.Lock()
	defer umasking.Unlock()
	defer syscall.Umask(syscall.Umask(privateMask))
	return cmd.Start()
}

// openLog opens a log to append to. One that has grown large is set aside
// first, once, so that a network left running does not fill the disk unseen.
func openLog(file string) (*os.File, error) {
	if info, err := os.Stat(file); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(file, file+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, recordMode)
}

// forget removes a process's record.
func (t *Table) forget(name string) error {
	err := os.Remove(t.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// signal sends a signal to a process and all it started, if it is still ours.
func (r Record) signal(sig syscall.Signal) error {
	if !r.Alive() {
		return nil
	}
	err := syscall.Kill(-r.PID, sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("signal %s (pid %s): %w", r.Name, strconv.Itoa(r.PID), err)
	}
	return nil
}
