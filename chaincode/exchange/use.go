package exchange

import (
	"cmp"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Matter is what a use depends on of the case it is for. The collaboration contract knows it.
type Matter struct {
	Subject  string
	Open     bool
	Agencies []string // that have a part in it
}

// Context is what the ledger says of everything a request for a use names.
type Context struct {
	Dataset Dataset
	Grant   Grant
	Log     Log      // of the subject
	Matter  Matter   // of the case
	Consent *Consent // nil: none named
	Taken   bool     // another use has the ticket proposed (Grant.Ticket)
	Tally   Tally    // of the consent's uses so far
}

// Outcome is what a use changes besides its own record: the count of the consent's uses, if there is one, and the log.
type Outcome struct {
	Log   Log
	Tally *Tally
}

// Validate implements kernel.Validator. Purpose, legal basis and case are compulsory.
func (r RequestUse) Validate() error {
	if err := cmp.Or(r.validate(), checkCommitment("selector", r.Selector)); err != nil || r.Claims == "" {
		return err
	}
	return checkCommitment("claims", r.Claims)
}

// validate checks what is common to all requests.
func (r RequestUse) validate() error {
	if err := cmp.Or(
		CheckSubject("subject", r.Subject),
		CheckDataset("dataset", r.Dataset),
		checkFieldNames("fields", r.Fields),
		CheckCode("purpose", r.Purpose),
		CheckLegalBasis("legal_basis", r.LegalBasis),
		CheckIdentifier("case", r.Case),
		CheckIdentifier("grant", r.Grant),
		checkTicket("ticket", r.Ticket),
	); err != nil || r.Consent == "" {
		return err
	}
	return CheckIdentifier("consent", r.Consent)
}

// Request judges whether the caller's agency may use a subject's data and, if so, numbers the use in the subject's log and
// counts the consent. Guards, in order:
//
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
//	exchange.mode_not_granted       they do not allow to fetch, or with claims, to verify
//	exchange.field_unknown          a field is not in the dataset
//	exchange.case_closed            the case is not open
//	exchange.case_mismatch          the case is another subject's
//	exchange.agency_not_in_case     the caller's agency has no part in the case
//	exchange.consent_required       the terms or the dataset ask for consent and none is named
//	exchange.consent_mismatch       the consent is another subject's
//	exchange.consent_revoked        it was revoked
//	exchange.consent_not_yet_valid  its period has not begun
//	exchange.consent_expired        its period has ended
//	exchange.consent_mismatch       it is for another dataset
//	exchange.field_not_consented    a field is not in it
//	exchange.consent_mismatch       it is for another consumer, purpose or case, in this order
//	exchange.consent_exhausted      it has been used as often as it allows
//	exchange.ticket_mismatch        the terms have a quota and no ticket is proposed, or they have none and one is
//	exchange.quota_exhausted        the ticket's number is beyond the quota
//	exchange.ticket_taken           another use has taken it in this period
//
// A consent that is named is judged and counted even where none is asked for.
func (r RequestUse) Request(id string, by access.Caller, c Context, now kernel.Moment) (u Use, o Outcome, event kernel.Change, err error) {
	if err := c.Dataset.offered(); err != nil {
		return u, o, event, err
	}
	if err := c.Grant.allows(r, by, now); err != nil {
		return u, o, event, err
	}
	if !c.Dataset.has(r.Fields) {
		return u, o, event, ErrFieldUnknown
	}
	if err := c.Matter.concerns(r.Subject, by.Agency); err != nil {
		return u, o, event, err
	}
	if c.Consent == nil && (c.Dataset.NeedsConsent(r.Fields) || c.Grant.Terms.ConsentRequired) {
		return u, o, event, ErrConsentRequired
	}
	if c.Consent != nil {
		spent, err := c.Consent.spend(r, c.Tally, by.Agency, now)
		if err != nil {
			return u, o, event, err
		}
		o.Tally = &spent
	}
	u = Use{
		Head:    state.Head{ID: id, Status: Requested, Created: state.Stamp{At: now.At}},
		Subject: r.Subject, Dataset: r.Dataset, Edition: c.Dataset.Edition, Fields: r.Fields, Provider: c.Dataset.Agency, Consumer: by.Agency,
		Purpose: r.Purpose, LegalBasis: r.LegalBasis, Case: r.Case, Grant: r.Grant, Consent: r.Consent,
		Selector: r.Selector, Claims: r.Claims, Until: now.At.Add(DeliveryPeriod), PreviewRequired: r.Claims == "" && c.asksPreview(),
	}
	if u.Period, u.Ticket, err = c.Grant.Terms.Quota.take(r.Ticket, c.Taken, now); err != nil {
		return u, o, event, err
	}
	if o.Log, u, err = c.Log.append(u); err != nil {
		return u, o, event, err
	}
	return u, o, u.change(EventUseRequested, u.Provider), nil
}

// allows: the grant is the caller's, for the dataset, live, and covers purpose and fields.
func (g Grant) allows(r RequestUse, by access.Caller, now kernel.Moment) error {
	if err := by.Own(g.Consumer); err != nil {
		return err
	}
	if g.Dataset != r.Dataset {
		return ErrGrantMismatch
	}
	return g.covers(r.Purpose, r.Fields, r.Mode(), now)
}

// concerns: the case is open, the subject's, and the agency has a part in it.
func (m Matter) concerns(subject, agency string) error {
	if !m.Open {
		return ErrCaseClosed
	}
	if m.Subject != subject {
		return ErrCaseMismatch
	}
	if !slices.Contains(m.Agencies, agency) {
		return ErrNotInCase
	}
	return nil
}

// Validate implements kernel.Validator.
func (r DeliverUse) Validate() error {
	return cmp.Or(CheckIdentifier("use", r.Use), checkCommitment("commitment", r.Commitment))
}

// Basis is what a delivery rests on, as it stands at the time of delivery.
type Basis struct {
	Dataset Dataset
	Grant   Grant
	Consent *Consent // nil: the use named none
}

// holds: what a use was allowed by holds still, for what the request names in field.
func (b Basis) holds(field, purpose string, fields []string, mode string, now kernel.Moment) error {
	if err := b.Dataset.offered(); err != nil {
		return ErrDatasetWithdrawn.On(field, "dataset:published")
	}
	if !b.Dataset.has(fields) {
		return ErrFieldUnknown.On(field, "subset:dataset.fields")
	}
	if err := b.Grant.covers(purpose, fields, mode, now); err != nil {
		return fault.From(err).On(field, "grant:covers")
	}
	if b.Consent == nil {
		if b.Dataset.NeedsConsent(fields) || b.Grant.Terms.ConsentRequired {
			return ErrConsentRequired.On(field, "consent:live")
		}
		return nil
	}
	if err := b.Consent.live(now); err != nil {
		return fault.From(err).On(field, "consent:live")
	}
	return nil
}

// Deliver records the provider's delivery, once. What allowed the use must still hold. Guards, in order:
//
//	access.other_agency          the caller's agency is not the provider
//	exchange.already_delivered   it was delivered before
//	exchange.use_refused         the subject has looked at it and refused
//	exchange.not_released        the subject is to look at it first and has not released it
//	exchange.preview_mismatch    it is not what the subject was shown
//	exchange.delivery_late       deliver_until has passed
//	exchange.dataset_withdrawn   the dataset is not in the directory any more
//	exchange.field_unknown       a field is not given any more
//	exchange.grant_withdrawn     the grant was withdrawn
//	exchange.grant_suspended     the grant is suspended
//	exchange.grant_not_yet_valid its period was amended to begin later
//	exchange.grant_expired       the grant's period has ended
//	exchange.purpose_not_granted the purpose was taken out of its terms
//	exchange.field_not_granted   a field was taken out of its terms
//	exchange.mode_not_granted    to fetch, or to verify, was taken out of its terms
//	exchange.consent_required    the terms or the dataset ask for consent now and the use has none
//	exchange.consent_revoked     the consent was revoked
//	exchange.consent_expired     the consent's period has ended
func (u Use) Deliver(by access.Caller, r DeliverUse, b Basis, now kernel.Moment) (Use, kernel.Change, error) {
	var none kernel.Change
	if err := by.Own(u.Provider); err != nil {
		return u, none, err
	}
	switch u.Status {
	case Requested, Prepared, Released:
	case Refused:
		return u, none, ErrUseRefused
	default: // a verification without the provider never waited for a delivery
		return u, none, ErrAlreadyDelivered
	}
	if u.PreviewRequired && u.Status != Released {
		return u, none, ErrNotReleased
	}
	if u.PreviewRequired && r.Commitment != u.Preview {
		return u, none, ErrOtherThanShown
	}
	if err := u.deliverable(b, now); err != nil {
		return u, none, err
	}
	u.Status, u.Delivery, u.Waiting = Delivered, r.Commitment, r.Waits
	return u, u.change(EventUseDelivered, u.Consumer), nil
}

// Validate implements kernel.Validator.
func (r AcknowledgeUse) Validate() error {
	return cmp.Or(CheckIdentifier("use", r.Use), checkCommitment("commitment", r.Commitment))
}

// Acknowledge records that the consumer opened what the provider recorded. Guards, in order:
//
//	access.other_agency             the caller's agency is not the consumer
//	exchange.not_delivered          nothing was delivered
//	exchange.already_acknowledged   it was acknowledged before
//	exchange.commitment_mismatch    what was opened is something else
func (u Use) Acknowledge(by access.Caller, r AcknowledgeUse) (Use, kernel.Change, error) {
	var none kernel.Change
	if err := by.Own(u.Consumer); err != nil {
		return u, none, err
	}
	switch u.Status {
	case Requested, Prepared, Released, Refused:
		return u, none, ErrNotDelivered
	case Acknowledged:
		return u, none, ErrAlreadyAcknowledged
	}
	if u.Verified() {
		return u, none, ErrAlreadyAcknowledged
	}
	if r.Commitment != u.Delivery {
		return u, none, ErrCommitmentMismatch
	}
	u.Status = Acknowledged
	return u, u.change(EventUseAcknowledged, u.Provider), nil
}

// checkCommitment checks that a commitment is there and has the form of one.
func checkCommitment(field, c string) error {
	if c == "" {
		return required(field)
	}
	return commitment.Check(field, c)
}

// change announces a change of the use. One that is sealed names nobody: the subject hears of it.
func (u Use) change(event, tell string) kernel.Change {
	if u.Secret() {
		return kernel.Change{Type: event, ID: u.ID, Subject: u.Subject}
	}
	return kernel.Change{Type: event, ID: u.ID, Subject: u.Subject, Agency: tell, Case: u.Case}
}
