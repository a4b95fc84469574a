package exchange

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions of the directory.
const (
	DatasetPublish  = "dataset:Publish"
	DatasetRevise   = "dataset:Revise"
	DatasetWithdraw = "dataset:Withdraw"
)

// Limits of an entry.
const (
	MaxEditions   = 1000 // of one dataset: as many as a history shows (state.MaxHistory)
	MaxLegalBases = 16   // that an entry names
)

// Classification of a dataset: who may have it, and how. Each binds what an entry may say (Content.Validate), what becomes of
// a request for a grant (RequestGrant.Request) and what a use needs (Dataset.NeedsConsent).
const (
	Open        = "open"        // nothing in it is about a person; a request for a grant is granted at once
	Shared      = "shared"      // no sensitive field; the owner decides each request
	Conditional = "conditional" // the entry lists the purposes it may be asked for; the owner decides each request
	Restricted  = "restricted"  // as conditional, and every use needs the subject's consent
)

// Sensitivity of a field's values. None: they are about no identifiable person.
const (
	Personal  = "personal"  // about an identifiable person; masked in previews
	Sensitive = "sensitive" // sensitive personal information (Personal Information Protection Law, art. 28); left out of previews, and a use of it always needs the subject's consent (art. 29)
)

var (
	classifications = []string{Open, Shared, Conditional, Restricted}
	sensitivities   = []string{Personal, Sensitive}
)

// FieldSpec describes one field of a dataset.
type FieldSpec struct {
	Name        string `json:"name"`
	Title       Text   `json:"title"`
	Type        string `json:"type"`                  // string | integer | boolean | date | file
	Sensitivity string `json:"sensitivity,omitempty"` // personal | sensitive
	Withdrawn   bool   `json:"withdrawn,omitempty"`   // not given any more, since this edition or one before
}

// Conditions are on what terms a dataset may be asked for. They bind requests for grants; a grant that was given rests on
// its own terms.
type Conditions struct {
	LegalBases []string `json:"legal_bases,omitempty"` // one of which a request cites, word for word; none: any
	Purposes   []string `json:"purposes,omitempty"`    // codes, sorted; none: any
	Retention  Duration `json:"retention,omitempty"`   // how long a consumer may keep what was delivered; none: as the law says
}

// Content is what an agency says of a dataset, edition for edition.
type Content struct {
	Name            Text        `json:"name"`
	Classification  string      `json:"classification"`
	Fields          []FieldSpec `json:"fields"`
	Selector        []string    `json:"selector"`                   // names of the fields a record is found by
	ConsentRequired bool        `json:"consent_required"`           // terms of a grant may add, not drop it
	PreviewRequired bool        `json:"preview_required,omitempty"` // the subject looks at what is delivered first
	Conditions      Conditions  `json:"conditions,omitzero"`
	Freshness       Duration    `json:"freshness,omitempty"` // the owner's promise: no older than this is what it delivers
}

// Dataset is an entry of the directory: what an agency holds about a subject and may share. Key: id {agency}/{code}. The
// record is the edition in force; those before are its history.
type Dataset struct {
	state.Head
	Agency  string `json:"agency"`
	Code    string `json:"code"`
	Edition int    `json:"edition"` // from 1
	Content
	SchemaHash string `json:"schema_hash"`      // of this edition's schema: SHA-256 of its canonical form
	Reason     string `json:"reason,omitempty"` // code: why it was withdrawn
}

// PublishDataset enters a dataset of the caller's agency in the directory (role admin). Publishing other content under
// the same code is a conflict: revise it.
type PublishDataset struct {
	Code string `json:"code"`
	Content
	Schema json.RawMessage `json:"schema,omitempty"` // JSON Schema 2020-12 of a record; absent: derived from the fields
}

// ReviseDataset makes the next edition of a dataset (owner's admin). Edition is the one it makes: of two who revise the same
// edition, one does.
type ReviseDataset struct {
	Dataset string `json:"dataset"`
	Edition int    `json:"edition"`
	Content
	Schema json.RawMessage `json:"schema,omitempty"`
}

// WithdrawDataset takes a dataset out of the directory (owner's admin). No further use is possible.
type WithdrawDataset struct {
	Dataset string `json:"dataset"`
	Reason  string `json:"reason"` // code
}

// Validate checks an entry's form, and that it keeps what its classification means.
func (c Content) Validate() error {
	return cmp.Or(
		fault.Under("name", c.Name.Validate()),
		oneOf("classification", c.Classification, classifications),
		checkFieldSpecs("fields", c.Fields, datasetTypes, true),
		c.checkSelector(),
		fault.Under("conditions", c.Conditions.Validate()),
		checkDuration("freshness", c.Freshness),
		c.checkClassification(),
	)
}

func (c Content) checkSelector() error {
	if len(c.Selector) == 0 || len(c.Selector) > MaxSelectorFields {
		return fault.Field("selector", fmt.Sprintf("length:1,%d", MaxSelectorFields), "name the fields a record is found by")
	}
	for i, name := range c.Selector {
		at := fmt.Sprintf("selector[%d]", i)
		if !c.has([]string{name}) {
			return fault.Field(at, "one_of:fields", "name a field of the dataset")
		}
		if slices.ContainsFunc(c.Fields, func(f FieldSpec) bool { return f.Name == name && f.Type == FileType }) {
			return fault.Field(at, "not_type:"+FileType, "a record is not found by a file")
		}
		if slices.Contains(c.Selector[:i], name) {
			return fault.Field(at, "unique", "name each field once")
		}
	}
	return nil
}

// checkClassification holds an entry to its classification.
func (c Content) checkClassification() error {
	for i, f := range c.Fields {
		if c.Classification == Open && f.Sensitivity != "" || c.Classification == Shared && f.Sensitivity == Sensitive {
			return fault.Field(fmt.Sprintf("fields[%d].sensitivity", i), "allowed_by:classification", "leave the field out, or classify the dataset higher")
		}
	}
	if c.Classification == Open && c.ConsentRequired {
		return fault.Field("consent_required", "equals:false", "what is open is about nobody; classify the dataset higher if somebody must agree")
	}
	if (c.Classification == Conditional || c.Classification == Restricted) && len(c.Conditions.Purposes) == 0 {
		return fault.Field("conditions.purposes", "required", "list the purposes it may be asked for, or classify the dataset as shared")
	}
	return nil
}

// Validate checks the conditions' form.
func (c Conditions) Validate() error {
	return cmp.Or(
		checkList("legal_bases", c.LegalBases, 0, MaxLegalBases, CheckLegalBasis),
		checkList("purposes", c.Purposes, 0, MaxPurposes, CheckCode),
		checkDuration("retention", c.Retention),
	)
}

// allow judges a request for a grant by the conditions.
func (c Conditions) allow(r RequestGrant) error {
	if len(c.Purposes) > 0 && !subset(r.Terms.Purposes, c.Purposes) {
		return ErrPurposeNotOffered
	}
	if len(c.LegalBases) > 0 && !subset([]string{r.Basis}, c.LegalBases) {
		return ErrBasisNotOffered
	}
	return nil
}

// Validate implements kernel.Validator.
func (r PublishDataset) Validate() error {
	if err := cmp.Or(CheckCode("code", r.Code), r.Content.Validate()); err != nil {
		return err
	}
	for i, f := range r.Fields {
		if f.Withdrawn {
			return fault.Field(fmt.Sprintf("fields[%d].withdrawn", i), "equals:false", "leave out what was never given")
		}
	}
	_, err := r.schemaOf(r.Schema)
	return err
}

// Publish enters a dataset of the caller's agency in the directory, with the schema of its first edition. No guards beyond
// form; the contract asks that the agency is registered.
func (r PublishDataset) Publish(by access.Caller) (d Dataset, s Schema, event kernel.Change, err error) {
	d = Dataset{
		Head:   state.Head{ID: by.Agency + "/" + r.Code, Status: Published},
		Agency: by.Agency, Code: r.Code, Content: r.Content,
	}
	d, s, err = d.next(r.Schema)
	return d, s, d.change(EventDatasetPublished), err
}

// Validate implements kernel.Validator.
func (r ReviseDataset) Validate() error {
	if err := CheckDataset("dataset", r.Dataset); err != nil {
		return err
	}
	if r.Edition < 2 || r.Edition > MaxEditions {
		return fault.Field("edition", fmt.Sprintf("between:2,%d", MaxEditions), "send the number of the edition this makes: one more than the one in force")
	}
	if err := r.Content.Validate(); err != nil {
		return err
	}
	_, err := r.schemaOf(r.Schema)
	return err
}

// Revise makes the next edition. Whoever holds a grant can rely on what it names: a field stays in the entry with its
// type, though it may be withdrawn, which shows; a record is found by the same fields; what everybody may have stays so.
// What protects the subject more holds at once, for running grants too: a higher classification, consent, a field's
// sensitivity, a field that is withdrawn. Guards, in order:
//
//	access.other_agency             the dataset is not of the caller's agency
//	exchange.dataset_withdrawn      it was withdrawn
//	exchange.edition_gap            the edition is not the one after that in force
//	exchange.classification_fixed   it is open, and would not be any more
//	exchange.selector_changed       a record would be found by other fields
//	exchange.field_dropped          a field is missing, or has another type
func (d Dataset) Revise(by access.Caller, r ReviseDataset) (Dataset, Schema, kernel.Change, error) {
	refuse := func(err error) (Dataset, Schema, kernel.Change, error) { return d, Schema{}, kernel.Change{}, err }
	if err := by.Own(d.Agency); err != nil {
		return refuse(err)
	}
	if err := d.offered(); err != nil {
		return refuse(err)
	}
	if r.Edition != d.Edition+1 {
		return refuse(ErrEditionGap)
	}
	if d.Classification == Open && r.Classification != Open {
		return refuse(ErrClassificationFixed)
	}
	if !slices.Equal(d.Selector, r.Selector) {
		return refuse(ErrSelectorChanged)
	}
	for _, f := range d.Fields {
		if !slices.ContainsFunc(r.Fields, func(g FieldSpec) bool { return g.Name == f.Name && g.Type == f.Type }) {
			return refuse(ErrFieldDropped)
		}
	}
	d.Content = r.Content
	d, s, err := d.next(r.Schema)
	if err != nil {
		return refuse(err)
	}
	return d, s, d.change(EventDatasetRevised), nil
}

// next counts the edition and gives it its schema.
func (d Dataset) next(given json.RawMessage) (Dataset, Schema, error) {
	document, err := d.schemaOf(given)
	if err != nil {
		return d, Schema{}, err
	}
	d.Edition++
	s := d.schema(document)
	d.SchemaHash = s.Hash
	return d, s, nil
}

// Validate implements kernel.Validator.
func (r WithdrawDataset) Validate() error {
	return cmp.Or(CheckDataset("dataset", r.Dataset), CheckCode("reason", r.Reason))
}

// Withdraw takes a dataset out of the directory for good. Guards, in order:
//
//	access.other_agency          the dataset is not of the caller's agency
//	exchange.dataset_withdrawn   it was withdrawn before
func (d Dataset) Withdraw(by access.Caller, r WithdrawDataset) (Dataset, kernel.Change, error) {
	if err := by.Own(d.Agency); err != nil {
		return d, kernel.Change{}, err
	}
	if err := d.offered(); err != nil {
		return d, kernel.Change{}, err
	}
	d.Status, d.Reason = Withdrawn, r.Reason
	return d, d.change(EventDatasetWithdrawn), nil
}

// NeedsConsent says whether a use of the fields named needs the subject's consent, whatever a grant says.
func (d Dataset) NeedsConsent(fields []string) bool {
	return d.ConsentRequired || d.Classification == Restricted || slices.ContainsFunc(d.Fields, func(f FieldSpec) bool {
		return f.Sensitivity == Sensitive && slices.Contains(fields, f.Name)
	})
}

// offered: the dataset is in the directory.
func (d Dataset) offered() error {
	if d.Status != Published {
		return ErrDatasetWithdrawn
	}
	return nil
}

// has says whether the entry gives all the fields named.
func (c Content) has(names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(c.Fields, func(f FieldSpec) bool { return f.Name == name && !f.Withdrawn }) {
			return false
		}
	}
	return true
}

// words are what the directory is searched for: id, names, and the names and titles of the fields.
func (d Dataset) words() []string {
	words := []string{d.ID, d.Name.Zh, d.Name.En}
	for _, f := range d.Fields {
		words = append(words, f.Name, f.Title.Zh, f.Title.En)
	}
	return words
}

// Tags of a dataset, by which the directory is searched.
const (
	TagClassification = "classification="
	TagField          = "field=" // that is given
	TagPurpose        = "purpose="
)

func (d Dataset) tags() []string {
	tags := []string{TagClassification + d.Classification}
	for _, f := range d.Fields {
		if !f.Withdrawn {
			tags = append(tags, TagField+f.Name)
		}
	}
	for _, purpose := range d.Conditions.Purposes {
		tags = append(tags, TagPurpose+purpose)
	}
	return tags
}

func (d Dataset) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: d.ID, Agency: d.Agency}
}
