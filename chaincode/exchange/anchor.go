package exchange

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions of anchors.
const (
	AnchorCreate   = "anchor:Create"
	AnchorWithdraw = "anchor:Withdraw"
)

// Anchored is the status of an anchor, or of a commitment, that stands; withdrawn is the other.
const Anchored = "anchored"

// Limits of an anchor.
const (
	MaxAnchorSize   = 1 << 20 // records of one batch
	MaxSourceLength = 1 << 20 // batches of one source
)

// Anchor binds the ledger to a batch of an agency's records that are not on it: the root of a Merkle tree (RFC 9162 §2.1)
// over them, salted (package inclusion). anchored → withdrawn. Its id is derived from what is anchored (AnchorID), so that
// a batch of a source is one anchor, however often it is sent.
type Anchor struct {
	state.Head
	Dataset  string `json:"dataset"`
	Agency   string `json:"agency"`             // the dataset's
	Source   string `json:"source"`             // SHA-256 of the source's manifest
	Position int    `json:"position"`           // of the batch in its source, from 1
	Size     int    `json:"size"`               // records: leaves of the tree
	Root     string `json:"root"`               // of the tree
	Number   int    `json:"number"`             // of the anchor in the dataset's series, from 1
	First    int    `json:"first"`              // number of its first record in the series, from 1
	Last     int    `json:"last"`               // number of its last record
	Replaces string `json:"replaces,omitempty"` // the withdrawn anchor whose records are anchored anew
	Reason   string `json:"reason,omitempty"`   // code: why it was withdrawn
}

// CreateAnchor anchors the next batch of a source (the service identity of the dataset's agency). Batches of a source come
// in order; the ledger numbers them, and their records, in the dataset's series.
type CreateAnchor struct {
	Dataset  string `json:"dataset"`
	Source   string `json:"source"`
	Position int    `json:"position"`
	Size     int    `json:"size"`
	Root     string `json:"root"`
	Replaces string `json:"replaces,omitempty"`
}

// WithdrawAnchor says that an anchor's records stand no more (the service identity of its agency). It stays, with its
// reason; what is right is anchored anew.
type WithdrawAnchor struct {
	Anchor string `json:"anchor"`
	Reason string `json:"reason"` // code
}

// Series is all anchors of a dataset, in order: how many, of how many records, and the root of the Merkle tree over all of
// them, made like a subject's log. It exists from the first anchor. Key: that of the dataset.
type Series struct {
	state.Head
	Dataset string   `json:"dataset"`
	Anchors int      `json:"anchors"`
	Records int      `json:"records"`
	Root    string   `json:"root"`
	Peaks   []string `json:"peaks"` // roots of the perfect trees that make up the tree, the largest first
	Last    string   `json:"last"`  // id of the last anchor
}

// Anchors and their series.
var (
	Anchors = state.Map[Anchor]{Noun: "anchor", Parts: []string{"id"},
		Doc:   "A batch of a dataset's records by the root of a Merkle tree over them; the records stay with the agency.",
		Index: func(a Anchor) state.Index { return state.Index{Agency: a.Agency, Kind: a.Dataset} }}

	AllSeries = state.Map[Series]{Noun: "series", Parts: []string{"agency", "code"},
		Doc:   "All anchors of a dataset in order: how many, of how many records, and the root of the Merkle tree over them.",
		Index: func(s Series) state.Index { return state.Index{Agency: providerOf(s.Dataset), Kind: s.Dataset} }}
)

// AnchorID is the id of the anchor of a batch: that at a position (from 1) of a source. Where a withdrawn anchor's records
// are anchored anew, the same source has other ids. It can be computed beforehand.
func AnchorID(dataset, source string, position int, replaces string) string {
	return kernel.ID(dataset, AnchorCreate, source+"\n"+strconv.Itoa(position)+"\n"+replaces)
}

// ID is the id of the anchor that the request makes.
func (r CreateAnchor) ID() string { return AnchorID(r.Dataset, r.Source, r.Position, r.Replaces) }

// Validate implements kernel.Validator.
func (r CreateAnchor) Validate() error {
	return cmp.Or(
		CheckDataset("dataset", r.Dataset),
		commitment.Check("source", r.Source),
		between("position", r.Position, MaxSourceLength),
		between("size", r.Size, MaxAnchorSize),
		commitment.Check("root", r.Root),
		optional("replaces", r.Replaces, CheckIdentifier),
	)
}

func between(field string, value, most int) error {
	if value < 1 || value > most {
		return fault.Field(field, fmt.Sprintf("between:1,%d", most), "send a number within these limits")
	}
	return nil
}

func optional(field, value string, check func(field, value string) error) error {
	if value == "" {
		return nil
	}
	return check(field, value)
}

// Reasons for which exchange refuses an anchor.
var (
	ErrReplacedMismatch = fault.New(fault.Refused, "exchange.replaced_mismatch", "the anchor to replace is another dataset's").On("request.replaces", "of:dataset")
	ErrReplacedStands   = fault.New(fault.Refused, "exchange.replaced_stands", "withdraw the anchor first, then anchor its records anew").On("request.replaces", "status:"+Withdrawn)
	ErrAnchorWithdrawn  = fault.New(fault.Refused, "exchange.anchor_withdrawn", "the anchor was withdrawn before").On("request.anchor", "status:"+Anchored)
)

// Create anchors a batch and numbers it in the dataset's series. replaced is the anchor that the request replaces, nil if
// it names none. The contract asks that the batch before it in its source is anchored. Guards, in order:
//
//	access.other_agency           the dataset is not of the caller's agency
//	exchange.dataset_withdrawn    it is not in the directory
//	exchange.replaced_mismatch    the anchor to replace is another dataset's
//	exchange.replaced_stands      it was not withdrawn
func (r CreateAnchor) Create(id string, by access.Caller, d Dataset, s Series, replaced *Anchor) (Anchor, Series, kernel.Change, error) {
	no := func(err error) (Anchor, Series, kernel.Change, error) { return Anchor{}, s, kernel.Change{}, err }
	if err := by.Own(d.Agency); err != nil {
		return no(err)
	}
	if err := d.offered(); err != nil {
		return no(err)
	}
	if replaced != nil && replaced.Dataset != d.ID {
		return no(ErrReplacedMismatch)
	}
	if replaced != nil && replaced.Status != Withdrawn {
		return no(ErrReplacedStands)
	}
	a := Anchor{
		Head: state.Head{ID: id, Status: Anchored}, Dataset: d.ID, Agency: d.Agency,
		Source: r.Source, Position: r.Position, Size: r.Size, Root: r.Root, Replaces: r.Replaces,
	}
	a, s, err := s.append(a)
	if err != nil {
		return no(err)
	}
	return a, s, a.change(EventAnchorCreated), nil
}

// Validate implements kernel.Validator.
func (r WithdrawAnchor) Validate() error {
	return cmp.Or(CheckIdentifier("anchor", r.Anchor), CheckCode("reason", r.Reason))
}

// Withdraw says that an anchor's records stand no more. Guards, in order:
//
//	access.other_agency          the anchor is not of the caller's agency
//	exchange.anchor_withdrawn    it was withdrawn before
func (a Anchor) Withdraw(by access.Caller, r WithdrawAnchor) (Anchor, kernel.Change, error) {
	if err := by.Own(a.Agency); err != nil {
		return a, kernel.Change{}, err
	}
	if a.Status != Anchored {
		return a, kernel.Change{}, ErrAnchorWithdrawn
	}
	a.Status, a.Reason = Withdrawn, r.Reason
	return a, a.change(EventAnchorWithdrawn), nil
}

// AnchorEntry is what a series says of one anchor: everything that never changes. Its canonical JSON is the leaf of the
// series' tree.
type AnchorEntry struct {
	Number   int    `json:"number"`
	Anchor   string `json:"anchor"`
	Dataset  string `json:"dataset"`
	Source   string `json:"source"`
	Position int    `json:"position"`
	First    int    `json:"first"`
	Size     int    `json:"size"`
	Root     string `json:"root"`
	Replaces string `json:"replaces,omitempty"`
}

// Entry is the anchor's entry in its dataset's series.
func (a Anchor) Entry() AnchorEntry {
	return AnchorEntry{
		Number: a.Number, Anchor: a.ID, Dataset: a.Dataset, Source: a.Source, Position: a.Position,
		First: a.First, Size: a.Size, Root: a.Root, Replaces: a.Replaces,
	}
}

// Leaf is the entry's hash as a leaf of the series' tree: SHA-256( 0x00 ‖ canonical JSON ).
func (e AnchorEntry) Leaf() ([]byte, error) { return leafOf(e.Number, e) }

// append numbers an anchor and its records as the series' next.
func (s Series) append(a Anchor) (Anchor, Series, error) {
	if s.ID == "" {
		s.Head, s.Dataset = state.Head{ID: a.Dataset, Status: Kept, First: Kept}, a.Dataset
	}
	a.Number, a.First, a.Last = s.Anchors+1, s.Records+1, s.Records+a.Size
	leaf, err := a.Entry().Leaf()
	if err != nil {
		return a, s, err
	}
	if s.Root, s.Peaks, _, err = grown(s.Anchors, s.Peaks, leaf); err != nil {
		return a, s, err
	}
	s.Anchors, s.Records, s.Last = a.Number, a.Last, a.ID
	return a, s, nil
}

func (a Anchor) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: a.ID, Agency: a.Agency}
}

// Types of change of an anchor.
const (
	EventAnchorCreated   = "anchor.created.v1"
	EventAnchorWithdrawn = "anchor.withdrawn.v1"
)

var anchorEvents = []kernel.Event{
	{Type: EventAnchorCreated, Doc: "An agency anchored a batch of a dataset's records. id: the anchor; agency: its own."},
	{Type: EventAnchorWithdrawn, Doc: "An agency withdrew an anchor. id: the anchor; agency: its own."},
}

// Changes implements kernel.Changer. An anchor is new; what it shares with others is the dataset's series, in which it
// takes a number.
func (r CreateAnchor) Changes() string { return AllSeries.Noun + "/" + r.Dataset }

// Changes implements kernel.Changer.
func (r WithdrawAnchor) Changes() string { return Anchors.Noun + "/" + r.Anchor }
