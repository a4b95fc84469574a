package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Delayed disclosure: an investigation's use of a subject's data is in the subject's log at once, under its number, but the
// entry says only that there was one and on which day it is opened.
//
//	sealed ──Open──▶ what it has come to: requested, delivered or acknowledged
//
// What it was about is a document of salted fields (Details). Its commitment is in the log's leaf, so the details that are
// opened are those that were sealed; the date is there too, so it cannot be put off. The document travels as transient data,
// and waits in a private data collection of the consumer's organisation. Record and events name neither dataset, fields,
// purpose, legal basis, case nor grant before it is opened. They name the two agencies, whose signatures are in the blocks
// anyway: a debt needs a debtor. The log's entry does not, and it is all that a subject is shown.

// Functions of sealed uses.
const (
	UseSeal        = "use:Seal"
	UseOpen        = "use:Open"
	UseDetails     = "use:Details"     // read: the details of a sealed use, at a peer of the consumer's organisation
	UseSealedBasis = "use:SealedBasis" // read: use:Basis of one sealed use, by its details
)

// UnderSeal is the status of a use whose details are not open.
const UnderSeal = "sealed"

// Limits of a delay.
const (
	MaxDelayDays  = 5 * 366 // that a grant may allow
	MaxCaseLength = 64      // characters of an agency's own file number
)

// SealedCollection is the private data collection in which the details of an organisation's sealed uses are kept.
func SealedCollection(msp string) string { return "sealed_" + msp }

// TransientDetails is the name of the transient data with the details of a use.
func TransientDetails(use string) string { return "details/" + use }

// Details are what a sealed use is about. They are the values of a commitment.Document, a field each.
type Details struct {
	Consumer   string   `json:"consumer"`
	Dataset    string   `json:"dataset"`
	Fields     []string `json:"fields"` // sorted
	Purpose    string   `json:"purpose"`
	LegalBasis string   `json:"legal_basis"`
	Case       string   `json:"case"` // the consumer's own file number: a case that is on the ledger would be known to the subject
	Grant      string   `json:"grant"`
	Selector   string   `json:"selector"` // commitment
}

// Seal is what a use has besides that was sealed.
type Seal struct {
	Commitment string               `json:"commitment"` // of the details
	OpensAt    time.Time            `json:"opens_at"`
	Stage      string               `json:"stage,omitempty"`     // while it is sealed: what its status is beneath
	OpenedAt   time.Time            `json:"opened_at,omitzero"`  // absent: it is sealed
	Details    *commitment.Document `json:"details,omitempty"`   // once it is opened, with the salts
	OpenedBy   string               `json:"opened_by,omitempty"` // agency id
}

// SealUse asks for a use that is sealed (the consumer's service identity). The details come along as transient data.
type SealUse struct {
	Subject    string    `json:"subject"`
	Commitment string    `json:"commitment"` // of the details
	OpensAt    time.Time `json:"opens_at"`
	Ticket     int       `json:"ticket,omitempty"`
}

// OpenUse opens a sealed use (the service identity of the consumer, or from its date on of whoever has the details).
type OpenUse struct {
	Use     string              `json:"use"`
	Details commitment.Document `json:"details"`
}

// DetailsOf asks for the details of a sealed use (the consumer's service identity, at a peer of its organisation).
type DetailsOf struct {
	Use string `json:"use"`
}

// SealedBasisOf asks what the delivery of a sealed use would rest on. It is a read, so no block has the details.
type SealedBasisOf struct {
	Use     string              `json:"use"`
	Details commitment.Document `json:"details"`
}

// Reasons of sealed uses.
var (
	ErrDetailsMissing = fault.New(fault.Invalid, "exchange.details_missing", "send the details as transient data under details/{use}").On("transient.details", "required")
	ErrDetailsOther   = fault.New(fault.Refused, "exchange.details_mismatch", "send the details that were committed to, with their salts").On("details", "of:commitment")
	ErrDelayUngranted = fault.New(fault.Refused, "exchange.delay_not_granted", "the grant does not allow to delay disclosure, or not for so long; name an earlier date, or ask the owner for a grant that does").On("request.opens_at", "within:grant.delay_days")
	ErrOpeningPast    = fault.New(fault.Refused, "exchange.opening_past", "name a date that is still to come").On("request.opens_at", "future")
	ErrSealConsent    = fault.New(fault.Refused, "exchange.seal_excluded", "what needs the subject's consent or preview cannot be kept from the subject; request the use openly").On("request.opens_at", "without:consent,preview")
	ErrUseSealed      = fault.New(fault.Refused, "exchange.use_sealed", "the use is sealed; open it first, or send its details").On("request.use", "open")
	ErrNotSealed      = fault.New(fault.Refused, "exchange.not_sealed", "only a sealed use has details to ask for or to open").On("request.use", "status:"+UnderSeal)
	ErrAlreadyOpened  = fault.New(fault.Refused, "exchange.already_opened", "a sealed use is opened once").On("request.use", "status:"+UnderSeal)
	ErrNothingSealed  = fault.New(fault.Missing, "exchange.details_gone", "the details are not kept here; open the use with the document that was sealed").On("use", "kept")
)

// Types of change of sealed uses. Until they are opened no change of theirs names an agency or a case.
const (
	EventUseSealed = "use.sealed.v1"
	EventUseOpened = "use.opened.v1"
)

var disclosureEvents = []kernel.Event{
	{Type: EventUseSealed, Doc: "An agency used a subject's data and will say later which and what for. id: the use; no agency."},
	{Type: EventUseOpened, Doc: "The details of a sealed use were opened. id: the use; agency: the consumer."},
}

// checkDelay checks how long a grant is to let disclosure be delayed, and that nothing is told the subject before.
func (t Terms) checkDelay() error {
	switch {
	case t.DelayDays == 0:
		return nil
	case t.DelayDays < 0 || t.DelayDays > MaxDelayDays:
		return fault.Field("delay_days", fmt.Sprintf("between:1,%d", MaxDelayDays), "allow a delay of fewer days, or leave it out")
	case t.ConsentRequired || t.PreviewRequired:
		return fault.Field("delay_days", "without:consent_required,preview_required", "what the subject consents to or looks at cannot be kept from it; leave one of them out")
	case !t.Allow(ModeFetch):
		return fault.Field("delay_days", "with:fetch", "only what is fetched can be sealed; let the grant allow to fetch")
	}
	return nil
}

// Validate checks the form of details: that of any request for a use, but for the case, which is the agency's own.
func (d Details) Validate() error {
	return cmp.Or(
		CheckAgency("consumer", d.Consumer),
		CheckDataset("dataset", d.Dataset),
		checkFieldNames("fields", d.Fields),
		CheckCode("purpose", d.Purpose),
		CheckLegalBasis("legal_basis", d.LegalBasis),
		CheckText("case", d.Case, MaxCaseLength),
		CheckIdentifier("grant", d.Grant),
		checkCommitment("selector", d.Selector),
	)
}

// Values are the values of the details' document.
func (d Details) Values() map[string]any {
	return map[string]any{
		"consumer": d.Consumer, "dataset": d.Dataset, "fields": d.Fields, "purpose": d.Purpose, "legal_basis": d.LegalBasis,
		"case": d.Case, "grant": d.Grant, "selector": d.Selector,
	}
}

// OpenDetails gives the details of a document if it is the one that was committed to: exchange.details_mismatch if not.
func OpenDetails(document commitment.Document, committed string) (d Details, err error) {
	root, err := document.Root()
	if err != nil || root != committed {
		return d, ErrDetailsOther
	}
	raw, err := canonical.Marshal(document.Values())
	if err != nil {
		return d, ErrDetailsOther
	}
	return d, fault.Under("details", cmp.Or(canonical.Decode(raw, &d), d.Validate()))
}

// ReadDetails reads the transient data that travels with a sealed use. Guards, in order:
//
//	exchange.details_missing    it was not sent
//	exchange.details_mismatch   it is not what was committed to
func ReadDetails(transient []byte, committed string) (d Details, err error) {
	if len(transient) == 0 {
		return d, ErrDetailsMissing
	}
	var document commitment.Document
	if err := canonical.Decode(transient, &document); err != nil {
		return d, ErrDetailsOther.On("transient.details", "of:commitment")
	}
	d, err = OpenDetails(document, committed)
	return d, fault.Under("transient", err)
}

// Validate implements kernel.Validator.
func (r SealUse) Validate() error {
	return cmp.Or(
		CheckSubject("subject", r.Subject),
		checkCommitment("commitment", r.Commitment),
		checkTime("opens_at", r.OpensAt),
		checkTicket("ticket", r.Ticket),
	)
}

// Request is the request for a use that is sealed.
func (r SealUse) Request(d Details) RequestUse {
	return RequestUse{
		Subject: r.Subject, Dataset: d.Dataset, Fields: d.Fields, Purpose: d.Purpose, LegalBasis: d.LegalBasis, Case: d.Case,
		Grant: d.Grant, Ticket: r.Ticket, Selector: d.Selector,
	}
}

// Seal judges whether the caller's agency may use a subject's data and say so later and, if so, numbers the use in the
// subject's log. d are the details, which were found to be those committed to. Guards, in order:
//
//	access.other_agency             the details name another agency than the caller's
//	exchange.dataset_withdrawn      the dataset is not in the directory
//	access.other_agency             the grant is not the caller's
//	exchange.grant_mismatch         it is for another dataset
//	exchange.grant_pending          it has not been granted
//	exchange.grant_denied           it was denied
//	exchange.grant_withdrawn        it was withdrawn
//	exchange.grant_suspended        it is suspended
//	exchange.grant_not_yet_valid    its period has not begun
//	exchange.grant_expired          its period has ended
//	exchange.purpose_not_granted    the purpose is not in its terms
//	exchange.field_not_granted      a field is not in its terms
//	exchange.mode_not_granted       they do not allow to fetch
//	exchange.field_unknown          a field is not in the dataset
//	exchange.opening_past           it would be opened now or earlier
//	exchange.delay_not_granted      the terms do not allow a delay, or not for so long
//	exchange.seal_excluded          the terms or the dataset ask for consent or a preview
//	exchange.ticket_mismatch        the terms have a quota and no ticket is proposed, or they have none and one is
//	exchange.quota_exhausted        the ticket's number is beyond the quota
//	exchange.ticket_taken           another use has taken it in this period
func (r SealUse) Seal(id string, by access.Caller, d Details, c Context, now kernel.Moment) (u Use, o Outcome, event kernel.Change, err error) {
	if err := by.Own(d.Consumer); err != nil {
		return u, o, event, err
	}
	if err := c.Dataset.offered(); err != nil {
		return u, o, event, err
	}
	if err := c.Grant.allows(r.Request(d), by, now); err != nil {
		return u, o, event, err
	}
	if !c.Dataset.has(d.Fields) {
		return u, o, event, ErrFieldUnknown
	}
	if now.Over(r.OpensAt) {
		return u, o, event, ErrOpeningPast
	}
	if now.Early(r.OpensAt.AddDate(0, 0, -c.Grant.Terms.DelayDays)) {
		return u, o, event, ErrDelayUngranted
	}
	if c.Dataset.NeedsConsent(d.Fields) || c.Grant.Terms.ConsentRequired || c.asksPreview() {
		return u, o, event, ErrSealConsent
	}
	u = Use{
		Head:    state.Head{ID: id, Status: Requested, Created: state.Stamp{At: now.At}},
		Subject: r.Subject, Edition: c.Dataset.Edition, Provider: c.Dataset.Agency, Until: now.At.Add(DeliveryPeriod),
		Seal: &Seal{Commitment: r.Commitment, OpensAt: r.OpensAt},
	}
	if u.Period, u.Ticket, err = c.Grant.Terms.Quota.take(r.Ticket, c.Taken, now); err != nil {
		return u, o, event, err
	}
	if o.Log, u, err = c.Log.append(u); err != nil {
		return u, o, event, err
	}
	u = u.filled(d).Resealed()
	return u, o, u.change(EventUseSealed, ""), nil
}

// filled is the use with its details.
func (u Use) filled(d Details) Use {
	u.Consumer, u.Dataset, u.Fields, u.Purpose, u.LegalBasis = d.Consumer, d.Dataset, d.Fields, d.Purpose, d.LegalBasis
	u.Case, u.Grant, u.Selector = d.Case, d.Grant, d.Selector
	return u
}

// Secret says whether the use is sealed and not opened yet, also while a rule judges it with its details.
func (u Use) Secret() bool { return u.Seal != nil && u.Seal.OpenedAt.IsZero() }

// Unsealed is a sealed use as it is beneath, for a rule to judge: with its status, and with the details of the document given.
func (u Use) Unsealed(d Details) Use { return u.Lifted().filled(d) }

// Lifted is a sealed use with the status that it has beneath.
func (u Use) Lifted() Use {
	if u.Status == UnderSeal {
		u.Status = u.Seal.Stage
	}
	return u
}

// Resealed is the use as the ledger may have it before it is opened.
func (u Use) Resealed() Use {
	if !u.Secret() {
		return u
	}
	seal := *u.Seal
	seal.Stage, u.Status, u.Seal = u.Lifted().Status, UnderSeal, &seal
	return u.filled(Details{Consumer: u.Consumer, Fields: []string{}})
}

// Validate implements kernel.Validator.
func (r OpenUse) Validate() error {
	if err := CheckIdentifier("use", r.Use); err != nil {
		return err
	}
	_, err := r.Details.Root()
	return fault.Under("details", err)
}

// Changes implements kernel.Changer.
func (r OpenUse) Changes() string { return Uses.Noun + "/" + r.Use }

// Open opens a sealed use: its details are on the ledger from now on, with the salts that show that they are those that were
// sealed. The consumer may open it before its date, and from its date on whoever has the details. Guards, in order:
//
//	exchange.not_sealed         the use never was sealed
//	exchange.already_opened     it was opened before
//	access.other_agency         its date has not come and the caller's agency is not the consumer
//	exchange.details_mismatch   the details are not those that were sealed
func (u Use) Open(by access.Caller, r OpenUse, now kernel.Moment) (Use, kernel.Change, error) {
	var none kernel.Change
	if u.Seal == nil {
		return u, none, ErrNotSealed
	}
	if u.Status != UnderSeal {
		return u, none, ErrAlreadyOpened
	}
	if now.Early(u.Seal.OpensAt) {
		if err := by.Own(u.Consumer); err != nil {
			return u, none, err
		}
	}
	d, err := OpenDetails(r.Details, u.Seal.Commitment)
	if err != nil {
		return u, none, fault.Under("request", err)
	}
	u = u.Unsealed(d)
	seal := *u.Seal
	seal.Stage, seal.OpenedAt, seal.OpenedBy, seal.Details, u.Seal = "", now.At, by.Agency, &r.Details, &seal
	return u, u.change(EventUseOpened, u.Consumer), nil
}

// Validate implements kernel.Validator.
func (r DetailsOf) Validate() error { return CheckIdentifier("use", r.Use) }

// Validate implements kernel.Validator.
func (r SealedBasisOf) Validate() error { return OpenUse(r).Validate() }

// Disclosure opens an entry of a subject's log that was sealed.
type Disclosure struct {
	Number  int                 `json:"number"`
	Details commitment.Document `json:"details" doc:"With the salts: its commitment is the entry's."`
}

// ErrNotDisclosed says that details do not open an entry.
var ErrNotDisclosed = errors.New("the details are not those that were sealed")

// Disclosure is what opens the use's entry, if it was sealed and is open.
func (u Use) Disclosure() (d Disclosure, opened bool) {
	if u.Seal == nil || u.Seal.Details == nil {
		return d, false
	}
	return Disclosure{Number: u.Number, Details: *u.Seal.Details}, true
}

// Opens gives the details that the entry has sealed. Errors: ErrNotDisclosed.
func (d Disclosure) Opens(e Entry) (Details, error) {
	if e.Sealed == "" || d.Number != e.Number {
		return Details{}, fmt.Errorf("%w: entry %d is not sealed", ErrNotDisclosed, d.Number)
	}
	details, err := OpenDetails(d.Details, e.Sealed)
	if err != nil {
		return details, fmt.Errorf("%w: entry %d", ErrNotDisclosed, d.Number)
	}
	return details, nil
}
