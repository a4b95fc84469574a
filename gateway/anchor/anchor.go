// Package anchor binds the ledger to millions of an agency's records without putting one of them there. A job reads a source,
// builds a Merkle tree over each batch of its records, keeps what every proof needs in an archive, and anchors the roots.
//
//	source ─▶ rows ─▶ records ─▶ batch ─▶ archive ─▶ checkpoint ─▶ ledger ─▶ receipt
//	         (one)   (all cores)  (one)   (tree, fsync)           (one after the other)
//
// A job may be killed at any instant and goes on where it was when it is started again. What makes it so, in this order: a
// batch's file is on disk before the checkpoint that says so; the checkpoint is on disk before the root is sent; the ledger
// takes a batch once (exchange.AnchorID), so a root that was sent and whose answer was lost is sent again. Starting a job
// and resuming it run the same code.
//
// Invariants: no record leaves the archive but in its own proof; no error, log or list of rejections has a value of a record;
// memory is bounded by the size of a batch, whatever the size of the source, but for two bytes a record that find
// repetitions; of one dataset, one job runs at a time, in whatever process.
package anchor

import (
	"context"
	"errors"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
)

// Limits of a job.
const (
	DefaultBatchSize = 1 << 16                // records of a batch: a path of 16 hashes, half a kilobyte
	MaxBatchSize     = exchange.MaxAnchorSize // that the ledger takes
	MaxRowBytes      = 4 * inclusion.MaxRecordBytes
	MaxFiles         = 1000
	MaxRejections    = 100_000 // that are listed; more are counted
)

// DefaultPatience is how long a job tries to reach a ledger that does not answer before it stops, to be resumed.
const DefaultPatience = 5 * time.Minute

// Ledger is what a job asks of the ledger, in the name of the dataset's agency. An error that may pass by itself is a
// Temporary; anything else ends the job.
type Ledger interface {
	Dataset(ctx context.Context, id string) (exchange.Dataset, error)
	// Withdrawn lists the ids of a dataset's withdrawn anchors.
	Withdrawn(ctx context.Context, dataset string) ([]string, error)
	// Anchor anchors a batch. The same request again is answered with the first receipt. key is the idempotency key.
	Anchor(ctx context.Context, key string, request exchange.CreateAnchor) (Receipt, error)
}

// Receipt says where the ledger has an anchor.
type Receipt struct {
	Anchor string    `json:"anchor"`
	Tx     string    `json:"tx_id"`
	Block  uint64    `json:"block"`
	At     time.Time `json:"at"`
}

// Temporary is an error that may pass by itself: the gateway is down or busy, or the outcome is not known yet.
type Temporary struct{ Cause error }

func (t Temporary) Error() string { return t.Cause.Error() }

// Unwrap gives the cause.
func (t Temporary) Unwrap() error { return t.Cause }

// Request says what to anchor.
type Request struct {
	Dataset   string   // id
	Files     []string // CSV and NDJSON files, in order; what a file is follows from its name, unless Format says so
	Format    string   // CSV or NDJSON; empty: by each file's name
	Extract   Extract  // instead of files: the rows of a department's database
	Replaces  string   // a withdrawn anchor, if its records are anchored anew
	BatchSize int      // a power of two; 0 is DefaultBatchSize. A job that is resumed keeps the one it began with

	Patience time.Duration  // 0 is DefaultPatience
	Progress func(Progress) // may be nil; is called some times a second, from one goroutine at a time

	kept *Order // that goes on in the next process; nil: none does
}

// Extract reads a department's database, once and in one state. It is written to a file of the job before anything else, so
// that a job that is resumed goes on with the rows it began with.
type Extract interface {
	// Name says what is read, without secrets: of two jobs with one name, the second resumes the first if that is unfinished.
	Name() string
	// Rows calls each with every row: the dataset's fields, in its types, null left out.
	Rows(ctx context.Context, fields []exchange.FieldSpec, each func(map[string]any) error) error
}

// Progress is how far a job is.
type Progress struct {
	Job        string `json:"job"`                                             // names it in the archive; it follows from the source
	Phase      string `json:"phase" enum:"extracting,checking,anchoring,done"` // what it does now
	Bytes      int64  `json:"bytes"`                                           // of the source that are read
	TotalBytes int64  `json:"total_bytes"`                                     // of the source
	Records    int    `json:"records"`                                         // accepted
	Rejected   int    `json:"rejected"`                                        // rows that broke a rule
	Duplicates int    `json:"duplicates"`                                      // of these, rows whose record key was there before
	Batches    int    `json:"batches"`                                         // in the archive
	Anchored   int    `json:"anchored"`                                        // of these, on the ledger
}

// Phases of a job.
const (
	Extracting = "extracting"
	Checking   = "checking" // the source is hashed, which names it
	Anchoring  = "anchoring"
	Done       = "done"
)

// Result is a finished job.
type Result struct {
	Progress
	Dataset string    `json:"dataset"`
	Source  string    `json:"source"` // SHA-256 of the manifest
	At      time.Time `json:"finished_at"`
	Before  bool      `json:"-"` // the job was done already: nothing was read or anchored now
}

// Rejection is a row that is not anchored, and why. It has no value of the row.
type Rejection struct {
	File  int    `json:"file"` // of the request, from 0
	Line  int    `json:"line"` // where the row begins, from 1
	Field string `json:"field,omitempty"`
	Rule  string `json:"rule"`
}

// Rules of rejection, beside "type:…" of a field.
const (
	RuleRepeated  = "unique_key"      // a record with this key is in the source or anchored already
	RuleForm      = "well_formed"     // the row is no CSV, or no JSON object
	RuleColumns   = "columns"         // it has more or fewer cells than the header
	RuleUnicode   = "utf8"            // it is not UTF-8
	RuleUnknown   = "unknown_field"   // the dataset has no such field
	RuleRequired  = "required"        // a field of the record key is absent
	RuleTooLong   = "max_bytes:16384" // inclusion.MaxRecordBytes
	RuleRowLength = "max_row_bytes:65536"
)

// Errors that end a job.
var (
	ErrNotOffered = fault.New(fault.Refused, "anchor.dataset_not_offered", "the dataset is not in the directory").On("dataset", "published")
	ErrHeader     = fault.New(fault.Invalid, "anchor.header", "let the file's first line name fields of the dataset, each once, those of its record key among them").On("file", "header")
	ErrRow        = fault.New(fault.Limit, "anchor.row_too_long", "a row of the file is longer than any record may be; a quote may be missing before it").On("file", "max_row_bytes:65536")
	ErrChanged    = fault.New(fault.Refused, "anchor.source_changed", "the source is not what it was when the job began; put back what was there, or anchor what is there now as a source of its own").On("file", "unchanged")
	ErrBusy       = fault.New(fault.Refused, "anchor.job_running", "wait until the job of this dataset that is running has ended").On("dataset", "one_job")
	ErrDamaged    = errors.New("anchor: the archive is damaged: a batch's file is not what its root was computed from")
)
