package anchor

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
)

// Archive is a folder with what the proofs of an agency's anchored records need: the records, the trees, and a secret from
// which their salts follow. Several processes may use one at the same time.
//
//	secret                           32 bytes, hexadecimal
//	{agency}/{code}/lock             held by the job that runs
//	{agency}/{code}/order.json       what it was started with, while it runs in a gateway
//	{agency}/{code}/{job}/job.json   what is anchored
//	                      rejected.ndjson
//	                      {position}.batch       records, tree, keys
//	                      {position}.checkpoint  the batch is whole, and how far the source is read
//	                      {position}.receipt     the ledger has its root
//	                      {position}.withdrawn   the ledger says that it stands no more
//	                      done.json
type Archive struct {
	folder string
	secret []byte

	mu   sync.Mutex
	open map[string]*batch // by path
}

const (
	folderMode fs.FileMode = 0o700
	fileMode   fs.FileMode = 0o600

	secretBytes = 32

	descriptionFile = "job.json"
	rejectedFile    = "rejected.ndjson"
	extractFile     = "extract.ndjson"
	orderFile       = "order.json"
	doneFile        = "done.json"
	batchEnding     = "batch"
	checkEnding     = "checkpoint"
	receiptEnding   = "receipt"
	withdrawnEnding = "withdrawn"
)

// Open opens an archive, and makes it where there is none.
func Open(folder string) (*Archive, error) {
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	secret, err := secretOf(filepath.Join(folder, "secret"))
	if err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	return &Archive{folder: folder, secret: secret, open: map[string]*batch{}}, nil
}

// secretOf reads the secret, or makes it: of two who do at the same time, one does.
func secretOf(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		fresh := make([]byte, secretBytes)
		if _, err := rand.Read(fresh); err != nil {
			return nil, err
		}
		draft := path + "." + rand.Text()
		if err := write(draft, []byte(hex.EncodeToString(fresh)+"\n")); err != nil {
			return nil, err
		}
		err := os.Link(draft, path)
		if err := errors.Join(os.Remove(draft), settle(filepath.Dir(path))); err != nil {
			return nil, err
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		text, err = os.ReadFile(path)
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != secretBytes {
		return nil, fmt.Errorf("%s: must have %d bytes in hexadecimal", path, secretBytes)
	}
	return secret, nil
}

// Close closes the files.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var failures []error
	for _, b := range a.open {
		failures = append(failures, b.Close())
	}
	a.open = map[string]*batch{}
	return errors.Join(failures...)
}

// batch opens a batch's file, once.
func (a *Archive) batch(path string) (*batch, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b, found := a.open[path]; found {
		return b, nil
	}
	b, err := openBatch(path)
	if err == nil {
		a.open[path] = b
	}
	return b, err
}

// description is what a job anchors. It does not change.
type description struct {
	Job       string    `json:"job"`
	Dataset   string    `json:"dataset"`
	Source    string    `json:"source"`
	Replaces  string    `json:"replaces,omitempty"`
	Shape     shape     `json:"shape"`
	BatchSize int       `json:"batch_size"`
	Files     []file    `json:"files"`
	Extract   string    `json:"extract,omitempty"` // name of what the file is an extract of
	Started   time.Time `json:"started_at"`

	folder string
}

// checkpoint says that a batch is whole.
type checkpoint struct {
	Position int    `json:"position"`
	Size     int    `json:"size"`
	Root     string `json:"root"`
	Read     place  `json:"read"`
}

// jobID follows from what is anchored, so that starting the same job again resumes it.
func jobID(source, replaces string) string {
	return canonical.Sum([]byte(source + "\n" + replaces))[:20]
}

func (a *Archive) datasetFolder(dataset string) string {
	return filepath.Join(a.folder, filepath.FromSlash(dataset))
}

// jobs are a dataset's, the one that began first at the beginning.
func (a *Archive) jobs(dataset string) ([]description, error) {
	if err := exchange.CheckDataset("dataset", dataset); err != nil { // it becomes part of a path
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(escaped(a.datasetFolder(dataset)), "*", descriptionFile))
	if err != nil {
		return nil, err
	}
	var all []description
	for _, path := range paths {
		d := description{folder: filepath.Dir(path)}
		if err := read(path, &d); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b description) int { return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.Job, b.Job)) })
	return all, nil
}

func (d description) path(position int, ending string) string {
	return filepath.Join(d.folder, fileName(position, ending))
}

// checkpoint reads that of a batch; found is false if the batch is not whole.
func (d description) checkpoint(position int) (c checkpoint, found bool, err error) {
	err = read(d.path(position, checkEnding), &c)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	return c, err == nil, err
}

// is says whether a batch has a file with an ending.
func (d description) is(position int, ending string) (bool, error) {
	_, err := os.Stat(d.path(position, ending))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// anchor is the id of a batch's anchor.
func (d description) anchor(position int) string {
	return exchange.AnchorID(d.Dataset, d.Source, position, d.Replaces)
}

// lock keeps other jobs of a dataset out, in this process and others. It ends with the process.
func (a *Archive) lock(dataset string) (release func() error, err error) {
	folder := a.datasetFolder(dataset)
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(ErrBusy, file.Close())
	}
	return file.Close, nil
}

// ErrNoRecord says that the archive has no record with the key.
var ErrNoRecord = fault.New(fault.Missing, "anchor.no_record", "no record with this key was anchored; check the key").On("key", "exists")

// ErrNotYet says that the record's batch is not on the ledger.
var ErrNotYet = fault.New(fault.Refused, "anchor.not_yet", "the record's batch is not on the ledger yet; ask again when its job has gone on").On("key", "anchored")

// Proof gives the proof of the record with a key: the fields of the dataset's record key. It is verified before it is given
// out. Where a record was anchored again after a withdrawal, the proof is that of the anchor that stands. Faults:
// anchor.no_record, anchor.not_yet, request.invalid.
func (a *Archive) Proof(ctx context.Context, dataset string, asked map[string]json.RawMessage) (inclusion.Proof, error) {
	jobs, err := a.jobs(dataset)
	if err != nil {
		return inclusion.Proof{}, err
	}
	var withdrawn *inclusion.Proof
	no := error(ErrNoRecord)
	for _, d := range slices.Backward(jobs) {
		wanted, err := d.Shape.wanted(asked)
		if err != nil {
			return inclusion.Proof{}, err
		}
		for position := 1; ; position++ {
			if err := ctx.Err(); err != nil {
				return inclusion.Proof{}, err
			}
			p, state, err := a.proofIn(d, position, wanted)
			switch {
			case err != nil:
				return inclusion.Proof{}, err
			case state == standing:
				return p, nil
			case state == taken && withdrawn == nil:
				withdrawn = &p
			case state == waiting:
				no = ErrNotYet
			}
			if state == nothing {
				break
			}
		}
	}
	if withdrawn != nil {
		return *withdrawn, nil
	}
	return inclusion.Proof{}, no
}

// What a batch has of a record.
const (
	nothing  = iota // there is no such batch
	absent          // not the record
	waiting         // the record; the ledger does not have the batch yet
	taken           // the record; the anchor was withdrawn
	standing        // the record, on the ledger
)

// ProofOf is Proof for a key whose values are written as text.
func (a *Archive) ProofOf(ctx context.Context, dataset string, text map[string]string) (inclusion.Proof, error) {
	jobs, err := a.jobs(dataset)
	if err != nil {
		return inclusion.Proof{}, err
	}
	if len(jobs) == 0 {
		return inclusion.Proof{}, ErrNoRecord
	}
	asked, err := jobs[len(jobs)-1].Shape.written(text)
	if err != nil {
		return inclusion.Proof{}, err
	}
	return a.Proof(ctx, dataset, asked)
}

func (a *Archive) proofIn(d description, position int, wanted key) (p inclusion.Proof, state int, err error) {
	if whole, err := d.is(position, checkEnding); err != nil || !whole {
		return p, nothing, err
	}
	b, err := a.batch(d.path(position, batchEnding))
	if err != nil {
		return p, nothing, err
	}
	index, found, err := b.find(wanted)
	if err != nil || !found {
		return p, absent, err
	}
	anchored, err := d.is(position, receiptEnding)
	if err != nil || !anchored {
		return p, waiting, err
	}
	p, err = a.prove(d, position, b, index)
	if err != nil {
		return p, absent, err
	}
	withdrawn, err := d.is(position, withdrawnEnding)
	if withdrawn {
		return p, taken, err
	}
	return p, standing, err
}

func (a *Archive) prove(d description, position int, b *batch, index int) (p inclusion.Proof, err error) {
	c, _, err := d.checkpoint(position)
	if err != nil {
		return p, err
	}
	p = inclusion.Proof{Format: inclusion.Format, Dataset: d.Dataset, Index: index, Size: b.size, Anchor: d.anchor(position), Root: c.Root}
	p.Salt = saltsOf(a.secret, d.Dataset, d.Source, position, d.Replaces).of()(index).String()
	if p.Record, err = b.record(index); err != nil {
		return p, err
	}
	if p.Path, err = b.path(index); err != nil {
		return p, err
	}
	if err := p.Verify(c.Root); err != nil {
		return p, errors.Join(ErrDamaged, err)
	}
	return p, nil
}

// escaped keeps a folder's name from being read as a pattern.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// keep writes a small file as a whole: after a crash it is there or it is not.
func keep(path string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	draft := path + ".new"
	if err := write(draft, append(text, '\n')); err != nil {
		return err
	}
	return rename(draft, path)
}

// write writes a file to the disk.
func write(path string, text []byte) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(text); err != nil {
		return err
	}
	return file.Sync()
}

// rename puts a draft in its place, on the disk.
func rename(draft, path string) error {
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return settle(filepath.Dir(path))
}

// settle makes sure that a folder's names are on the disk.
func settle(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
