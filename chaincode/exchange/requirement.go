package exchange

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions of the map from requirements to evidence.
const (
	RequirementPublish  = "requirement:Publish"
	RequirementRevise   = "requirement:Revise"
	RequirementWithdraw = "requirement:Withdraw"
)

// MaxEvidence is how many ways to meet one requirement there may be.
const MaxEvidence = 16

// Evidence is one way to meet a requirement: a record of a dataset, or a certificate that the applicant holds.
type Evidence struct {
	Dataset     string        `json:"dataset,omitempty"`    // {agency}/{code}
	Fields      []string      `json:"fields,omitempty"`     // of the dataset, that are needed; sorted
	Conditions  []claim.Claim `json:"conditions,omitempty"` // what the fields must say, all of them
	Certificate string        `json:"certificate_type,omitempty"`
}

// Need is what an agency asks of an applicant, and what shows that it is met.
type Need struct {
	Name       Text       `json:"name"`
	LegalBasis string     `json:"legal_basis"` // that it may be asked for
	Evidence   []Evidence `json:"evidence"`    // any one of them is enough
}

// Requirement is an entry of the map from requirements to evidence (the evidence broker of the European Once-Only Technical
// System, Regulation (EU) 2022/1463, art. 6): services name it instead of finding out for themselves what satisfies it. Key:
// id {agency}/{code}. published → withdrawn; the record is the edition in force, those before are its history.
type Requirement struct {
	state.Head
	Agency  string `json:"agency"` // that asks for it
	Code    string `json:"code"`
	Edition int    `json:"edition"` // from 1
	Need
	Reason string `json:"reason,omitempty"` // code: why it was withdrawn
}

// PublishRequirement enters a requirement of the caller's agency in the map (role admin).
type PublishRequirement struct {
	Code string `json:"code"`
	Need
}

// ReviseRequirement makes the next edition of a requirement (owner's admin). Edition is the one it makes.
type ReviseRequirement struct {
	Requirement string `json:"requirement"`
	Edition     int    `json:"edition"`
	Need
}

// WithdrawRequirement takes a requirement out of the map (owner's admin).
type WithdrawRequirement struct {
	Requirement string `json:"requirement"`
	Reason      string `json:"reason"` // code
}

// CheckRequirement checks the form of a requirement's id, {agency}/{code}.
func CheckRequirement(field, id string) error {
	if len(id) > MaxDatasetLength {
		return tooLong(field, MaxDatasetLength)
	}
	return match(field, id, datasetForm, "name a requirement as {agency}/{code}")
}

// Validate checks a need's form; whether datasets have the fields is judged with the datasets at hand.
func (n Need) Validate() error {
	if err := cmp.Or(fault.Under("name", n.Name.Validate()), CheckLegalBasis("legal_basis", n.LegalBasis)); err != nil {
		return err
	}
	if len(n.Evidence) == 0 || len(n.Evidence) > MaxEvidence {
		return fault.Field("evidence", fmt.Sprintf("length:1,%d", MaxEvidence), "list between one and this many ways to meet it")
	}
	for i, e := range n.Evidence {
		if err := e.validate(fmt.Sprintf("evidence[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (e Evidence) validate(at string) error {
	if (e.Dataset == "") == (e.Certificate == "") {
		return fault.Field(at, "one_of:dataset,certificate_type", "name a dataset or a certificate type, one of the two")
	}
	if e.Certificate != "" {
		if e.Fields != nil || e.Conditions != nil {
			return fault.Field(at+".fields", "absent", "name fields and conditions only of a dataset")
		}
		return CheckCode(at+".certificate_type", e.Certificate)
	}
	if err := cmp.Or(CheckDataset(at+".dataset", e.Dataset), checkFieldNames(at+".fields", e.Fields)); err != nil {
		return err
	}
	if len(e.Conditions) > claim.MaxClaims {
		return fault.Field(at+".conditions", fmt.Sprintf("max_items:%d", claim.MaxClaims), "set fewer conditions")
	}
	for i, c := range e.Conditions {
		if _, listed := slices.BinarySearch(e.Fields, c.Field); !listed {
			return fault.Field(fmt.Sprintf("%s.conditions[%d].field", at, i), "one_of:fields", "set conditions on fields that are needed")
		}
		if err := checkStrings(fmt.Sprintf("%s.conditions[%d].value", at, i), c.Value); err != nil {
			return err
		}
	}
	return nil
}

// Validate implements kernel.Validator.
func (r PublishRequirement) Validate() error {
	return cmp.Or(CheckCode("code", r.Code), r.Need.Validate())
}

// Validate implements kernel.Validator.
func (r ReviseRequirement) Validate() error {
	if err := CheckRequirement("requirement", r.Requirement); err != nil {
		return err
	}
	if r.Edition < 2 || r.Edition > MaxEditions {
		return fault.Field("edition", fmt.Sprintf("between:2,%d", MaxEditions), "send the number of the edition this makes: one more than the one in force")
	}
	return r.Need.Validate()
}

// Validate implements kernel.Validator.
func (r WithdrawRequirement) Validate() error {
	return cmp.Or(CheckRequirement("requirement", r.Requirement), CheckCode("reason", r.Reason))
}

// Datasets are those the evidence is taken from, each once, sorted.
func (n Need) Datasets() []string { return n.named(func(e Evidence) string { return e.Dataset }) }

// Certificates are the types of certificates among the evidence, each once, sorted.
func (n Need) Certificates() []string {
	return n.named(func(e Evidence) string { return e.Certificate })
}

func (n Need) named(of func(Evidence) string) []string {
	var names []string
	for _, e := range n.Evidence {
		if name := of(e); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Publish enters a requirement of the caller's agency. datasets are those the evidence names, by id. Guards, in order:
//
//	exchange.dataset_withdrawn   a dataset is not in the directory
//	exchange.field_unknown       a field needed is not in its dataset
//	request.invalid              a condition cannot be set on a field of its type
func (r PublishRequirement) Publish(by access.Caller, datasets map[string]Dataset) (q Requirement, event kernel.Change, err error) {
	if err := r.fits(datasets); err != nil {
		return q, event, err
	}
	q = Requirement{
		Head:   state.Head{ID: by.Agency + "/" + r.Code, Status: Published},
		Agency: by.Agency, Code: r.Code, Edition: 1, Need: r.Need,
	}
	return q, q.change(EventRequirementPublished), nil
}

// fits judges the evidence against the datasets it names.
func (n Need) fits(datasets map[string]Dataset) error {
	for i, e := range n.Evidence {
		if e.Dataset == "" {
			continue
		}
		at, d := fmt.Sprintf("request.evidence[%d]", i), datasets[e.Dataset]
		if err := d.offered(); err != nil {
			return ErrDatasetWithdrawn.On(at+".dataset", "published")
		}
		if !d.has(e.Fields) {
			return ErrFieldUnknown.On(at+".fields", "subset:dataset.fields")
		}
		if len(e.Conditions) == 0 {
			continue
		}
		kindOf := func(field string) string {
			return d.Fields[slices.IndexFunc(d.Fields, func(f FieldSpec) bool { return f.Name == field })].Type
		}
		if err := claim.Check(e.Conditions, kindOf); err != nil {
			return fault.Under(at, err)
		}
	}
	return nil
}

// Revise makes the next edition. Guards, in order:
//
//	access.other_agency               the requirement is not of the caller's agency
//	exchange.requirement_withdrawn    it was withdrawn
//	exchange.edition_gap              the edition is not the one after that in force
//	exchange.dataset_withdrawn        a dataset is not in the directory
//	exchange.field_unknown            a field needed is not in its dataset
//	request.invalid                   a condition cannot be set on a field of its type
func (q Requirement) Revise(by access.Caller, r ReviseRequirement, datasets map[string]Dataset) (Requirement, kernel.Change, error) {
	if err := q.standing(by); err != nil {
		return q, kernel.Change{}, err
	}
	if r.Edition != q.Edition+1 {
		return q, kernel.Change{}, ErrEditionGap
	}
	if err := r.fits(datasets); err != nil {
		return q, kernel.Change{}, err
	}
	q.Edition, q.Need = r.Edition, r.Need
	return q, q.change(EventRequirementRevised), nil
}

// Withdraw takes a requirement out of the map for good. Guards, in order:
//
//	access.other_agency              the requirement is not of the caller's agency
//	exchange.requirement_withdrawn   it was withdrawn before
func (q Requirement) Withdraw(by access.Caller, r WithdrawRequirement) (Requirement, kernel.Change, error) {
	if err := q.standing(by); err != nil {
		return q, kernel.Change{}, err
	}
	q.Status, q.Reason = Withdrawn, r.Reason
	return q, q.change(EventRequirementWithdrawn), nil
}

func (q Requirement) standing(by access.Caller) error {
	if err := by.Own(q.Agency); err != nil {
		return err
	}
	if q.Status != Published {
		return ErrRequirementWithdrawn
	}
	return nil
}

// MetBy says whether a material shows that the requirement is met: fields of a dataset that include those needed, or a
// certificate. Conditions are judged by whoever reads the record.
func (n Need) MetBy(dataset string, fields []string, certificate string) bool {
	return slices.ContainsFunc(n.Evidence, func(e Evidence) bool {
		return e.Dataset == dataset && e.Certificate == certificate && subset(e.Fields, fields)
	})
}

// Tags of a requirement, by which the map is searched.
const (
	TagDataset     = "dataset="
	TagCertificate = "certificate_type="
)

func (q Requirement) index() state.Index {
	index := state.Index{Agency: q.Agency, Kind: q.ID, Words: []string{q.ID, q.Name.Zh, q.Name.En}}
	for _, id := range q.Datasets() {
		index.Tags = append(index.Tags, TagDataset+id)
	}
	for _, code := range q.Certificates() {
		index.Tags = append(index.Tags, TagCertificate+code)
	}
	return index
}

func (q Requirement) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: q.ID, Agency: q.Agency}
}

// Requirements are the map. Its keys are of the form of a dataset's.
var Requirements = state.Map[Requirement]{Noun: "requirement", Parts: []string{"agency", "code"},
	Doc:   "What an agency asks of applicants, and the datasets and certificates that show that it is met.",
	Index: Requirement.index}

// Changes to the map.
const (
	EventRequirementPublished = "requirement.published.v1"
	EventRequirementRevised   = "requirement.revised.v1"
	EventRequirementWithdrawn = "requirement.withdrawn.v1"
)

var requirementEvents = []kernel.Event{
	{Type: EventRequirementPublished, Doc: "A requirement entered the map to evidence. id: the requirement; agency: who asks for it."},
	{Type: EventRequirementRevised, Doc: "A requirement has a new edition. id: the requirement; agency: who asks for it."},
	{Type: EventRequirementWithdrawn, Doc: "A requirement left the map. id: the requirement; agency: who asked for it."},
}

// Changes implements kernel.Changer.
func (r ReviseRequirement) Changes() string { return Requirements.Noun + "/" + r.Requirement }

// Changes implements kernel.Changer.
func (r WithdrawRequirement) Changes() string { return Requirements.Noun + "/" + r.Requirement }
