package exchange

import (
	"cmp"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions.
const (
	CommitmentAnchor    = "commitment:Anchor"
	CommitmentSupersede = "commitment:Supersede"
	CommitmentWithdraw  = "commitment:Withdraw"
)

// Types of change.
const (
	EventCommitmentAnchored   = "commitment.anchored.v1"
	EventCommitmentSuperseded = "commitment.superseded.v1"
	EventCommitmentWithdrawn  = "commitment.withdrawn.v1"
)

// Reasons.
var (
	ErrCommitmentKnown     = fault.New(fault.Refused, "exchange.commitment_known", "the record has or had this commitment; commit to it anew, with new salts").On("request.root", "new")
	ErrCommitmentMoved     = fault.New(fault.Refused, "exchange.commitment_moved", "read the commitment again; it was superseded meanwhile").On("request.supersedes", "equals:root")
	ErrCommitmentWithdrawn = fault.New(fault.Refused, "exchange.commitment_withdrawn", "the commitment was withdrawn before; supersede it").On("request.dataset", "status:"+Anchored)
	ErrCommitmentOver      = fault.New(fault.Refused, "exchange.commitment_over", "choose an end that has not passed").On("request.valid_until", "future")
)

// MaxPastRoots is how many commitments a record keeps of those it had before: who shows one of them is told that there is a
// newer one; who shows one from before them, that it is none of the record's.
const MaxPastRoots = 16

// Commitment is what a provider has committed to about one subject: the root of a Merkle tree over the salted fields of its
// record (package commitment). Fields can be verified against it without the provider. Key: agency, code, pseudonym.
type Commitment struct {
	state.Head
	Dataset  string     `json:"dataset"`
	Provider string     `json:"provider"`
	Subject  string     `json:"subject"`
	Fields   []string   `json:"fields"` // names of the record's fields, sorted: the tree has a leaf for each, in this order
	Root     string     `json:"root"`
	Past     []string   `json:"past,omitempty"`        // roots it had before, the newest first; at most MaxPastRoots
	Until    *time.Time `json:"valid_until,omitempty"` // until when the provider vouches for it; absent: until it is superseded
	Reason   string     `json:"reason,omitempty"`      // code: why it was withdrawn
}

// AnchorCommitment commits to a subject's record (the provider's service identity), once; what follows supersedes it.
type AnchorCommitment struct {
	Dataset string     `json:"dataset"`
	Subject string     `json:"subject"`
	Fields  []string   `json:"fields"` // sorted
	Root    string     `json:"root"`
	Until   *time.Time `json:"valid_until,omitempty"`
}

// SupersedeCommitment replaces the commitment to a subject's record, because the record changed or its salts are to be new
// (the provider's service identity). What was withdrawn stands again with the new one.
type SupersedeCommitment struct {
	AnchorCommitment
	Supersedes string `json:"supersedes"` // the root that is replaced
}

// WithdrawCommitment says that the provider does not vouch for the record any more (its service identity).
type WithdrawCommitment struct {
	Dataset string `json:"dataset"`
	Subject string `json:"subject"`
	Reason  string `json:"reason"` // code
}

// Commitments of records. See Collections.
var Commitments = state.Map[Commitment]{Noun: "commitment", Parts: []string{"agency", "code", "pseudonym"},
	Doc: "What a provider has committed to about one subject's record: the root over its salted fields, and the roots before.",
	Index: func(c Commitment) state.Index {
		return state.Index{Subject: c.Subject, Agency: c.Provider, Kind: c.Dataset}
	}}

var commitmentEvents = []kernel.Event{
	{Type: EventCommitmentAnchored, Doc: "A provider committed to a subject's record. id: the commitment; agency: the provider."},
	{Type: EventCommitmentSuperseded, Doc: "A provider committed to a subject's record anew. id: the commitment; agency: the provider."},
	{Type: EventCommitmentWithdrawn, Doc: "A provider does not vouch for a subject's record any more. id: the commitment; agency: the provider."},
}

// CommitmentKey is the key of the commitment to a subject's record.
func CommitmentKey(dataset, subject string) []string { return append(DatasetKey(dataset), subject) }

// Validate implements kernel.Validator.
func (r AnchorCommitment) Validate() error {
	if err := cmp.Or(
		CheckDataset("dataset", r.Dataset),
		CheckSubject("subject", r.Subject),
		checkFieldNames("fields", r.Fields),
		checkCommitment("root", r.Root),
	); err != nil || r.Until == nil {
		return err
	}
	return checkTime("valid_until", *r.Until)
}

// Validate implements kernel.Validator.
func (r SupersedeCommitment) Validate() error {
	return cmp.Or(r.AnchorCommitment.Validate(), checkCommitment("supersedes", r.Supersedes))
}

// Validate implements kernel.Validator.
func (r WithdrawCommitment) Validate() error {
	return cmp.Or(CheckDataset("dataset", r.Dataset), CheckSubject("subject", r.Subject), CheckCode("reason", r.Reason))
}

// may judges whether the caller may commit to the record of a dataset.
func (r AnchorCommitment) may(by access.Caller, d Dataset, now kernel.Moment) error {
	if err := by.Own(d.Agency); err != nil {
		return err
	}
	if err := d.offered(); err != nil {
		return err
	}
	if !d.has(r.Fields) {
		return ErrFieldUnknown
	}
	if r.Until != nil && now.Over(*r.Until) {
		return ErrCommitmentOver
	}
	return nil
}

// Anchor makes the commitment to a record. Guards, in order:
//
//	access.other_agency          the dataset is not of the caller's agency
//	exchange.dataset_withdrawn   the dataset is not in the directory
//	exchange.field_unknown       a field is not in the dataset
//	exchange.commitment_over     its end has passed already
func (r AnchorCommitment) Anchor(id string, by access.Caller, d Dataset, now kernel.Moment) (c Commitment, event kernel.Change, err error) {
	if err := r.may(by, d, now); err != nil {
		return c, event, err
	}
	c = Commitment{
		Head:    state.Head{ID: id, Status: Anchored},
		Dataset: d.ID, Provider: d.Agency, Subject: r.Subject, Fields: r.Fields, Root: r.Root, Until: r.Until,
	}
	return c, c.change(EventCommitmentAnchored), nil
}

// Supersede replaces it. Guards, in order:
//
//	access.other_agency          the dataset is not of the caller's agency
//	exchange.dataset_withdrawn   the dataset is not in the directory
//	exchange.field_unknown       a field is not in the dataset
//	exchange.commitment_over     the new one's end has passed already
//	exchange.commitment_moved    the commitment is another than the one to be replaced
//	exchange.commitment_known    the record has or had the new one
func (c Commitment) Supersede(r SupersedeCommitment, by access.Caller, d Dataset, now kernel.Moment) (Commitment, kernel.Change, error) {
	if err := r.may(by, d, now); err != nil {
		return c, kernel.Change{}, err
	}
	if r.Supersedes != c.Root {
		return c, kernel.Change{}, ErrCommitmentMoved
	}
	if r.Root == c.Root || slices.Contains(c.Past, r.Root) {
		return c, kernel.Change{}, ErrCommitmentKnown
	}
	past := append([]string{c.Root}, c.Past...)
	c.Past = past[:min(len(past), MaxPastRoots)]
	c.Status, c.Fields, c.Root, c.Until, c.Reason = Anchored, r.Fields, r.Root, r.Until, ""
	return c, c.change(EventCommitmentSuperseded), nil
}

// Withdraw ends it. Guards, in order:
//
//	access.other_agency              the commitment is not of the caller's agency
//	exchange.commitment_withdrawn    it was withdrawn before
func (c Commitment) Withdraw(r WithdrawCommitment, by access.Caller) (Commitment, kernel.Change, error) {
	if err := by.Own(c.Provider); err != nil {
		return c, kernel.Change{}, err
	}
	if c.Status == Withdrawn {
		return c, kernel.Change{}, ErrCommitmentWithdrawn
	}
	c.Status, c.Reason = Withdrawn, r.Reason
	return c, c.change(EventCommitmentWithdrawn), nil
}

func (c Commitment) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: c.ID, Subject: c.Subject, Agency: c.Provider}
}

// Opening shows that a field is in a record without showing the field: its leaf hash and the way up to the root.
type Opening struct {
	Leaf string   `json:"leaf"`
	Path []string `json:"path"`
}

// Findings of a commitment against which fields are opened, in the order they are judged. All but Proven mean that nothing is
// known of the fields.
const (
	Absent     = "absent"     // there is no commitment to the subject's record, or it has not the field
	Superseded = "superseded" // the fields are of an earlier commitment: the record has changed since, or its salts
	Mismatched = "mismatched" // they are of no commitment the record has or lately had
	Stale      = "stale"      // they are of the commitment, whose end has passed
	Proven     = "proven"     // they are of the commitment that stands
)

// Find judges openings of the fields named, in their order: absent, withdrawn, superseded, mismatched, stale or proven. The
// openings have been checked.
func (c Commitment) Find(fields []string, openings []Opening, now kernel.Moment) string {
	if c.Root == "" {
		return Absent
	}
	if c.Status == Withdrawn {
		return Withdrawn
	}
	if !subset(fields, c.Fields) {
		return Absent
	}
	root := ""
	for i, name := range fields {
		index, _ := slices.BinarySearch(c.Fields, name)
		got := commitment.Proof{Index: index, Fields: len(c.Fields), Path: openings[i].Path}.Root(openings[i].Leaf)
		if got == "" || root != "" && got != root {
			return Mismatched
		}
		root = got
	}
	switch {
	case slices.Contains(c.Past, root):
		return Superseded
	case root != c.Root:
		return Mismatched
	case c.Until != nil && now.Over(*c.Until):
		return Stale
	}
	return Proven
}
