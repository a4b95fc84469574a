package exchange

import (
	"cmp"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// A use whose subject looks at the data before it leaves the provider (as in the EU's once-only technical system,
// Implementing Regulation (EU) 2022/1463, article 15):
//
//	requested ──Prepare──▶ prepared ──Release──▶ released ──Deliver──▶ delivered
//	                           └────────Refuse───────┴──▶ refused
//
// What is prepared is what is delivered: the two have one commitment.

// Functions of a use that its subject looks at first.
const (
	UseBasis   = "use:Basis" // read: what a delivery would rest on now
	UsePrepare = "use:Prepare"
	UseRelease = "use:Release"
	UseRefuse  = "use:Refuse"
)

// Statuses of such a use.
const (
	Prepared = "prepared"
	Released = "released"
	Refused  = "refused"
)

// Kinds of the subject's signature (the JWS header `typ`).
const (
	ReleaseKind = "hutong-release+jwt"
	RefusalKind = "hutong-refusal+jwt"
)

// MaxWarrants is how many uses one question is about.
const MaxWarrants = 100

// BasisOf asks what deliveries of uses would rest on.
type BasisOf struct {
	Uses []string `json:"uses"`
}

// PrepareUse records what the provider would deliver (the provider's service identity).
type PrepareUse struct {
	Use        string `json:"use"`
	Commitment string `json:"commitment"`
}

// ReleaseUse lets what was prepared go to the consumer (role portal or agency). JWS of kind ReleaseKind over Release.
type ReleaseUse struct {
	Use string `json:"use"`
	JWS string `json:"jws"`
}

// Release is what a subject signs to have what it was shown delivered.
type Release struct {
	Channel string `json:"channel"`
	Subject string `json:"subject"`
	Use     string `json:"use"`
	Preview string `json:"preview"` // commitment of what the subject was shown
}

// RefuseUse keeps what was prepared from the consumer (role portal or agency). JWS of kind RefusalKind over Refusal.
type RefuseUse struct {
	Use string `json:"use"`
	JWS string `json:"jws"`
}

// Refusal is what a subject signs to have nothing delivered.
type Refusal struct {
	Channel string `json:"channel"`
	Subject string `json:"subject"`
	Use     string `json:"use"`
}

// Warrant is a use with what a provider needs to know to read the record: it is given for a use that may be delivered now.
type Warrant struct {
	Use     Use     `json:"use"`
	Dataset Dataset `json:"dataset"`
}

// Judged is the answer for one use: one of the two.
type Judged struct {
	Warrant *Warrant     `json:"warrant,omitempty"`
	Fault   *fault.Fault `json:"fault,omitempty"` // with which a delivery would be refused
}

// Warrants are the answers, in the order of the uses.
type Warrants struct {
	Answers []Judged `json:"answers"`
}

// Reasons of previews.
var (
	ErrPreviewUnasked  = fault.New(fault.Refused, "exchange.preview_unasked", "nobody asks for a preview of this use; deliver it").On("request.use", "preview_required")
	ErrAlreadyPrepared = fault.New(fault.Refused, "exchange.already_prepared", "a use is prepared once").On("request.use", "status:"+Requested)
	ErrNotPrepared     = fault.New(fault.Refused, "exchange.not_prepared", "the provider has not prepared anything yet").On("request.use", "status:"+Prepared)
	ErrNotReleased     = fault.New(fault.Refused, "exchange.not_released", "the subject looks at the data first and has not released it yet").On("request.use", "status:"+Released)
	ErrAlreadyReleased = fault.New(fault.Refused, "exchange.already_released", "the subject has released it before").On("request.use", "status:"+Prepared)
	ErrUseRefused      = fault.New(fault.Refused, "exchange.use_refused", "the subject has refused; nothing is delivered").On("request.use", "status:"+Released)
	ErrOtherThanShown  = fault.New(fault.Refused, "exchange.preview_mismatch", "deliver what was prepared").On("request.commitment", "equals:preview")
	ErrReleaseOther    = fault.New(fault.Refused, "exchange.release_mismatch", "the subject signed for another use, or was shown something else").On("request.jws", "of:use")
)

// Types of change of previews.
const (
	EventUsePrepared = "use.prepared.v1"
	EventUseReleased = "use.released.v1"
	EventUseRefused  = "use.refused.v1"
)

var previewEvents = []kernel.Event{
	{Type: EventUsePrepared, Doc: "The provider prepared what its subject shall see before it is delivered. id: the use; agency: the consumer, who waits."},
	{Type: EventUseReleased, Doc: "The subject released what it was shown. id: the use; agency: the provider, who must deliver."},
	{Type: EventUseRefused, Doc: "The subject refused; nothing is delivered. id: the use; agency: the consumer."},
}

// asksPreview says whether the subject looks first: because of the dataset, the grant's terms or the consent.
func (c Context) asksPreview() bool {
	return c.Dataset.PreviewRequired || c.Grant.Terms.PreviewRequired || c.Consent != nil && c.Consent.Terms.PreviewRequired
}

// Validate implements kernel.Validator.
func (r BasisOf) Validate() error {
	if len(r.Uses) == 0 || len(r.Uses) > MaxWarrants {
		return fault.Field("uses", fmt.Sprintf("length:1,%d", MaxWarrants), "ask for between one and this many uses")
	}
	for i, use := range r.Uses {
		if err := CheckIdentifier(fmt.Sprintf("uses[%d]", i), use); err != nil {
			return err
		}
	}
	return nil
}

// Warrant says whether a use may be delivered now, with the same guards as Deliver from exchange.delivery_late on. A use that
// was delivered is answered as it is: there is nothing to judge any more.
func (u Use) Warrant(b Basis, now kernel.Moment) (Warrant, error) {
	w := Warrant{Use: u, Dataset: b.Dataset}
	switch u.Status {
	case Requested, Prepared, Released:
	case Refused:
		return Warrant{}, ErrUseRefused
	default:
		return w, nil
	}
	if err := u.deliverable(b, now); err != nil {
		return Warrant{}, err
	}
	return w, nil
}

// deliverable: it is not too late, and what allowed the use still holds.
func (u Use) deliverable(b Basis, now kernel.Moment) error {
	if now.Past(u.Until) {
		return ErrDeliveryLate
	}
	return b.holds("request.use", u.Purpose, u.Fields, u.Mode(), now)
}

// Validate implements kernel.Validator.
func (r PrepareUse) Validate() error {
	return cmp.Or(CheckIdentifier("use", r.Use), checkCommitment("commitment", r.Commitment))
}

// Prepare records what the provider would deliver, for the subject to look at. Guards, in order:
//
//	access.other_agency          the caller's agency is not the provider
//	exchange.preview_unasked     nobody asks for a preview
//	exchange.already_prepared    it was prepared before
//	exchange.delivery_late       deliver_until has passed
//	exchange.dataset_withdrawn   the dataset is not in the directory any more
//	exchange.field_unknown       a field is not given any more
//	exchange.grant_withdrawn     the grant was withdrawn
//	exchange.grant_suspended     the grant is suspended
//	exchange.grant_not_yet_valid its period was amended to begin later
//	exchange.grant_expired       the grant's period has ended
//	exchange.purpose_not_granted the purpose was taken out of its terms
//	exchange.field_not_granted   a field was taken out of its terms
//	exchange.mode_not_granted    to fetch was taken out of its terms
//	exchange.consent_required    the terms or the dataset ask for consent now and the use has none
//	exchange.consent_revoked     the consent was revoked
//	exchange.consent_expired     the consent's period has ended
func (u Use) Prepare(by access.Caller, r PrepareUse, b Basis, now kernel.Moment) (Use, kernel.Change, error) {
	var none kernel.Change
	if err := by.Own(u.Provider); err != nil {
		return u, none, err
	}
	if !u.PreviewRequired {
		return u, none, ErrPreviewUnasked
	}
	if u.Status != Requested {
		return u, none, ErrAlreadyPrepared
	}
	if err := u.deliverable(b, now); err != nil {
		return u, none, err
	}
	u.Status, u.Preview = Prepared, r.Commitment
	return u, u.change(EventUsePrepared, u.Consumer), nil
}

// Validate implements kernel.Validator.
func (r ReleaseUse) Validate() error {
	return checkSigned("use", r.Use, r.JWS, ReleaseKind, new(Release))
}

// Validate implements kernel.Validator.
func (r RefuseUse) Validate() error {
	return checkSigned("use", r.Use, r.JWS, RefusalKind, new(Refusal))
}

// Release lets what the subject was shown be delivered; s is the subject of the use. Guards, in order:
//
//	signature.forged            the subject's registered key did not sign the release
//	exchange.channel_mismatch   it is for another channel
//	exchange.subject_mismatch   it names another subject
//	exchange.release_mismatch   it names another use, or something else than was prepared
//	exchange.not_prepared       there is nothing to release yet
//	exchange.use_refused        the subject has refused
//	exchange.already_released   it was released before
//	exchange.delivery_late      deliver_until has passed
func (u Use) Release(r ReleaseUse, channel string, s Subject, now kernel.Moment) (Use, kernel.Change, error) {
	var none kernel.Change
	var said Release
	if err := signed.Open(r.JWS, "request.jws", ReleaseKind, s.SigningKey, &said); err != nil {
		return u, none, err
	}
	if said.Channel != channel {
		return u, none, ErrChannelMismatch
	}
	if said.Subject != u.Subject {
		return u, none, ErrSubjectMismatch
	}
	if said.Use != u.ID || u.Preview != "" && said.Preview != u.Preview {
		return u, none, ErrReleaseOther
	}
	switch u.Status {
	case Requested, UnderSeal:
		return u, none, ErrNotPrepared
	case Refused:
		return u, none, ErrUseRefused
	case Prepared:
	default:
		return u, none, ErrAlreadyReleased
	}
	if now.Past(u.Until) {
		return u, none, ErrDeliveryLate
	}
	u.Status, u.Decision = Released, r.JWS
	return u, u.change(EventUseReleased, u.Provider), nil
}

// Refuse keeps what the subject was shown from the consumer, for good; s is the subject of the use. A release may be taken
// back until it is delivered. Guards, in order:
//
//	signature.forged             the subject's registered key did not sign the refusal
//	exchange.channel_mismatch    it is for another channel
//	exchange.subject_mismatch    it names another subject
//	exchange.release_mismatch    it names another use
//	exchange.not_prepared        there is nothing to refuse yet
//	exchange.use_refused         the subject has refused before
//	exchange.already_delivered   it was delivered, or verified without the provider
func (u Use) Refuse(r RefuseUse, channel string, s Subject) (Use, kernel.Change, error) {
	var none kernel.Change
	var said Refusal
	if err := signed.Open(r.JWS, "request.jws", RefusalKind, s.SigningKey, &said); err != nil {
		return u, none, err
	}
	if said.Channel != channel {
		return u, none, ErrChannelMismatch
	}
	if said.Subject != u.Subject {
		return u, none, ErrSubjectMismatch
	}
	if said.Use != u.ID {
		return u, none, ErrReleaseOther
	}
	switch u.Status {
	case Requested, UnderSeal:
		return u, none, ErrNotPrepared
	case Refused:
		return u, none, ErrUseRefused
	case Prepared, Released:
	default: // what a verification found stays found
		return u, none, ErrAlreadyDelivered
	}
	u.Status, u.Decision = Refused, r.JWS
	return u, u.change(EventUseRefused, u.Consumer), nil
}

// Changes implements kernel.Changer.
func (r PrepareUse) Changes() string { return Uses.Noun + "/" + r.Use }

// Changes implements kernel.Changer.
func (r ReleaseUse) Changes() string { return Uses.Noun + "/" + r.Use }

// Changes implements kernel.Changer.
func (r RefuseUse) Changes() string { return Uses.Noun + "/" + r.Use }
