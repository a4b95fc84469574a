package exchange

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions of one-time codes.
const (
	CodeGive    = "code:Give"
	CodePresent = "code:Present"
	CodeRedeem  = "code:Redeem"
	CodeCancel  = "code:Cancel"
)

// Statuses of a code that is not good any more: consents were made of it, or its subject took it back before.
const (
	Redeemed  = "redeemed"
	Cancelled = "cancelled"
)

// Types of JWS by which a subject gives a one-time code, and cancels it.
const (
	CodeKind         = "hutong-code+jwt"
	CancellationKind = "hutong-code-cancellation+jwt"
)

// Types of change.
const (
	EventCodeGiven     = "code.given.v1"
	EventCodePresented = "code.presented.v1"
	EventCodeRedeemed  = "code.redeemed.v1"
	EventCodeCancelled = "code.cancelled.v1"
)

var codeEvents = []kernel.Event{
	{Type: EventCodeGiven, Doc: "A subject gave a one-time code for a window. id: the code; agency: the consumer it is for, if it names one."},
	{Type: EventCodePresented, Doc: "Digits were entered for a code at a window. id: the code; agency: whose window."},
	{Type: EventCodeRedeemed, Doc: "Consents were made of a code at a window. id: the code; agency: whose window."},
	{Type: EventCodeCancelled, Doc: "A subject took a code back before it was redeemed. id: the code; agency: the consumer it was for, if it names one."},
}

// Limits of one-time codes.
const (
	CodeDigits    = 8
	CodeSaltBytes = 32
	MaxCodePeriod = 2 * time.Hour // in which a code can be redeemed
	MaxAttempts   = 5             // at a code, right or wrong; then it is dead

	MaxCodeDatasets = 8 // of which data may be used with one code
)

// Forms of a code and of what it is hashed with.
var (
	digitsForm = regexp.MustCompile(`^[0-9]{8}$`)
	saltForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$`)
	hashForm   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// CodeTerms is what a subject signs so that an officer at a window can make consents of it with a one-time code, one for each
// dataset: JWS of kind CodeKind. Consumer and case may be left open: then they are those of the window at which the code is
// shown.
type CodeTerms struct {
	Channel      string        `json:"channel"`
	Subject      string        `json:"subject"`
	Datasets     []CodeDataset `json:"datasets"` // sorted by dataset
	Consumer     string        `json:"consumer,omitempty"`
	Purpose      string        `json:"purpose"`
	Case         string        `json:"case,omitempty"`
	MaxUses      int           `json:"max_uses"`      // of each consent
	From         time.Time     `json:"valid_from"`    // the code can be redeemed from
	Until        time.Time     `json:"valid_until"`   // and until, exclusive
	ConsentUntil time.Time     `json:"consent_until"` // the end of the consents
	Hash         string        `json:"hash"`          // HashCode of the digits
	Nonce        string        `json:"nonce"`
}

// CodeDataset is what may be read of one dataset.
type CodeDataset struct {
	Dataset string   `json:"dataset"`
	Fields  []string `json:"fields"` // sorted
}

// Code is a one-time code on the ledger: what it allows, and a hash that says nothing about its digits to who has not the
// salt. given → redeemed or cancelled. Its id is derived from the signed terms' digest.
type Code struct {
	state.Head
	Terms        CodeTerms `json:"terms"`
	JWS          string    `json:"jws"`
	Key          string    `json:"key"`                    // thumbprint of the key that signed it
	Attempts     int       `json:"attempts"`               // presentations so far
	Attempt      string    `json:"attempt,omitempty"`      // commitment of the digits that were presented last
	Presenter    string    `json:"presenter,omitempty"`    // agency that presented them
	Consents     []string  `json:"consents,omitempty"`     // what it was redeemed for, in the order of the datasets
	Cancellation string    `json:"cancellation,omitempty"` // the JWS
}

// GiveCode records a code that a subject has signed (role portal or agency).
type GiveCode struct {
	JWS string `json:"jws"`
}

// PresentCode says that digits were entered at a window (the service identity of the window's agency), before anybody can
// say whether they are the right ones: each presentation is an attempt, and no guess is answered that is not counted.
type PresentCode struct {
	Code    string `json:"code"`
	Case    string `json:"case"`
	Attempt string `json:"attempt"` // commitment of a document with the digits, salted
}

// RedeemCode makes consents of a code (the service identity of the window's agency).
type RedeemCode struct {
	Code   string `json:"code"`
	Case   string `json:"case"`
	Digits string `json:"digits"`
	Salt   string `json:"salt"` // base64url
}

// CancelCode takes a code back before it is redeemed (role portal or agency). JWS of kind CancellationKind over Cancellation.
type CancelCode struct {
	Code string `json:"code"`
	JWS  string `json:"jws"`
}

// Cancellation is what a subject signs to take a code back.
type Cancellation struct {
	Channel string `json:"channel"`
	Subject string `json:"subject"`
	Code    string `json:"code"`
}

// HashCode is what the ledger has of a code's digits: lower-case hexadecimal HMAC-SHA-256 under the salt (32 bytes) over
// "hutong/code/v1", the channel, the subject and the digits, joined by line feeds. Eight digits are searched in a second;
// the salt is as long as a key and is not on the ledger before the code is used up.
func HashCode(salt, channel, subject, digits string) (string, error) {
	key, err := base64.RawURLEncoding.DecodeString(salt)
	if err != nil || !saltForm.MatchString(salt) {
		return "", fault.Field("salt", fmt.Sprintf("base64url_bytes:%d", CodeSaltBytes), "send the salt the code was made with")
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.Join([]string{"hutong/code/v1", channel, subject, digits}, "\n")))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// NewDigits makes the digits of a code, each of the 10^8 equally likely.
func NewDigits() (string, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(CodeDigits), nil))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%0*d", CodeDigits, n), nil
}

// CodeTicket is what a subject shows at a window instead of saying digits: all that a code is redeemed with.
type CodeTicket struct {
	Code, Digits, Salt string
}

// ticketHead begins a ticket's text, and says its version.
const ticketHead = "hutong-code/1/"

// Text is the content of a ticket's QR code.
func (t CodeTicket) Text() string { return ticketHead + t.Code + "/" + t.Digits + "/" + t.Salt }

// ReadCodeTicket reads a ticket's text. Fault: request.invalid naming the field.
func ReadCodeTicket(field, text string) (t CodeTicket, err error) {
	malformed := fault.Field(field, "pattern:"+ticketHead+"{code}/{digits}/{salt}", "scan the one-time code that the applicant shows")
	rest, ok := strings.CutPrefix(text, ticketHead)
	pieces := strings.Split(rest, "/")
	if !ok || len(pieces) != 3 {
		return t, malformed
	}
	t = CodeTicket{Code: pieces[0], Digits: pieces[1], Salt: pieces[2]}
	if CheckIdentifier("", t.Code) != nil || !digitsForm.MatchString(t.Digits) || !saltForm.MatchString(t.Salt) {
		return CodeTicket{}, malformed
	}
	return t, nil
}

// Validate checks the form of what a subject signs to give a code.
func (t CodeTerms) Validate() error {
	if t.Channel == "" {
		return required("channel")
	}
	if t.MaxUses < 1 || t.MaxUses > MaxConsentUses {
		return fault.Field("max_uses", fmt.Sprintf("between:1,%d", MaxConsentUses), "allow between one and this many uses")
	}
	if err := cmp.Or(
		CheckSubject("subject", t.Subject),
		t.checkDatasets(),
		CheckCode("purpose", t.Purpose),
		CheckPeriod("valid_from", t.From, "valid_until", t.Until, MaxCodePeriod),
		CheckPeriod("valid_from", t.From, "consent_until", t.ConsentUntil, MaxConsentPeriod),
		match("hash", t.Hash, hashForm, "send the hash of the digits"),
		match("nonce", t.Nonce, nonceForm, "send 16 to 64 random characters of base64url"),
	); err != nil {
		return err
	}
	if t.Consumer != "" {
		if err := CheckAgency("consumer", t.Consumer); err != nil {
			return err
		}
	}
	if t.Case != "" {
		return CheckIdentifier("case", t.Case)
	}
	return nil
}

func (t CodeTerms) checkDatasets() error {
	if len(t.Datasets) == 0 || len(t.Datasets) > MaxCodeDatasets {
		return fault.Field("datasets", fmt.Sprintf("length:1,%d", MaxCodeDatasets), "name between one and this many datasets")
	}
	for i, d := range t.Datasets {
		at := fmt.Sprintf("datasets[%d]", i)
		if err := fault.Under(at, cmp.Or(CheckDataset("dataset", d.Dataset), checkFieldNames("fields", d.Fields))); err != nil {
			return err
		}
		if i > 0 && d.Dataset <= t.Datasets[i-1].Dataset {
			return fault.Field(at+".dataset", "sorted_unique", "sort the datasets and name each once")
		}
	}
	return nil
}

// ID is the id of the code that these terms make once they are signed.
func (t CodeTerms) ID() (string, error) { return agreedID(t.Subject, CodeGive, t) }

// RedeemedConsent is the id of the consent for a dataset that a code is redeemed for.
func RedeemedConsent(subject, code, dataset string) string {
	return kernel.ID(subject, CodeRedeem, code+"\n"+dataset)
}

// Terms are what the JWS says, before its signature is verified.
func (r GiveCode) Terms() (terms CodeTerms, err error) {
	err = signed.Peek(r.JWS, "jws", CodeKind, &terms)
	return terms, err
}

// Validate implements kernel.Validator.
func (r GiveCode) Validate() error { return checkAgreed(r.JWS, r.Terms) }

// Validate implements kernel.Validator.
func (r PresentCode) Validate() error {
	return cmp.Or(CheckIdentifier("code", r.Code), CheckIdentifier("case", r.Case), checkCommitment("attempt", r.Attempt))
}

// Validate implements kernel.Validator.
func (r RedeemCode) Validate() error {
	return cmp.Or(
		CheckIdentifier("code", r.Code), CheckIdentifier("case", r.Case),
		match("digits", r.Digits, digitsForm, "send the eight digits"), match("salt", r.Salt, saltForm, "send the salt the code was made with"),
	)
}

// Validate implements kernel.Validator.
func (r CancelCode) Validate() error {
	return checkSigned("code", r.Code, r.JWS, CancellationKind, new(Cancellation))
}

// Faults of one-time codes.
var (
	ErrCodeExpired   = fault.New(fault.Refused, "exchange.code_expired", "the code's time is over; let the subject make another").On("request.code", "valid")
	ErrCodeNotYet    = fault.New(fault.Refused, "exchange.code_not_yet_valid", "the code's time has not begun").On("request.code", "valid")
	ErrCodeRedeemed  = fault.New(fault.Refused, "exchange.code_redeemed", "a code is good once; let the subject make another").On("request.code", "status:"+Given)
	ErrCodeRetired   = fault.New(fault.Refused, "exchange.code_key_retired", "the subject has another key now; let the subject make another code").On("request.code", "signed_by:signing_key")
	ErrCodeMismatch  = fault.New(fault.Refused, "exchange.code_mismatch", "the code was made for something else").On("request.code", "fits")
	ErrCodeDead      = fault.New(fault.Refused, "exchange.code_dead", "too many attempts were made; let the subject make another code").On("request.code", fmt.Sprintf("max_attempts:%d", MaxAttempts))
	ErrCodeCancelled = fault.New(fault.Refused, "exchange.code_cancelled", "the subject has taken the code back; let them make another").On("request.code", "status:"+Given)
	ErrCodeOther     = fault.New(fault.Refused, "exchange.cancellation_mismatch", "the subject signed to cancel another code").On("request.jws.code", "equals:request.code")
	ErrCodeWrong     = fault.New(fault.Refused, "exchange.code_wrong", "these are not the code's digits").On("request.digits", "equals:code")
)

// Give makes a code of what the subject signed. Guards, in order:
//
//	signature.forged             the subject's registered key did not sign the terms
//	exchange.channel_mismatch    they are for another channel
//	exchange.dataset_withdrawn   a dataset is not in the directory
//	exchange.field_unknown       a field is not in its dataset
//	exchange.code_expired        the time to redeem it has ended already
//
// The datasets are those that the terms name, in their order.
func (r GiveCode) Give(id, channel string, s Subject, datasets []Dataset, now kernel.Moment) (c Code, event kernel.Change, err error) {
	var terms CodeTerms
	if err := signed.Open(r.JWS, "request.jws", CodeKind, s.SigningKey, &terms); err != nil {
		return c, event, err
	}
	for i, d := range datasets {
		if err := d.named(fmt.Sprintf("request.jws.datasets[%d]", i), terms.Channel, terms.Datasets[i].Fields, channel); err != nil {
			return c, event, err
		}
	}
	if now.Over(terms.Until) {
		return c, event, ErrCodeExpired.On("request.jws.valid_until", "future")
	}
	c = Code{Head: state.Head{ID: id, Status: Given}, Terms: terms, JWS: r.JWS, Key: s.SigningKey.Thumbprint()}
	return c, c.change(EventCodeGiven, terms.Consumer, terms.Case), nil
}

// Present counts an attempt at the code; s is its subject, m the case it is shown for. Guards, in order:
//
//	exchange.code_redeemed        it was redeemed before
//	exchange.code_cancelled       its subject took it back
//	exchange.code_not_yet_valid   its time has not begun
//	exchange.code_expired         its time is over
//	exchange.code_key_retired     the key that signed it is not the subject's any more
//	exchange.code_mismatch        it is for another agency or case, in this order
//	exchange.case_closed          the case is not open
//	exchange.case_mismatch        the case is another subject's
//	exchange.agency_not_in_case   the caller's agency has no part in the case
//	exchange.code_dead            too many attempts were made before
//
// Only who could redeem the code can use up its attempts: nobody else can make it useless.
func (c Code) Present(r PresentCode, by access.Caller, s Subject, m Matter, now kernel.Moment) (Code, kernel.Change, error) {
	var none kernel.Change
	if err := c.open(r.Case, by, s, m, now); err != nil {
		return c, none, err
	}
	if c.Attempts >= MaxAttempts {
		return c, none, ErrCodeDead
	}
	c.Attempts, c.Attempt, c.Presenter = c.Attempts+1, r.Attempt, by.Agency
	return c, c.change(EventCodePresented, by.Agency, r.Case), nil
}

// Redeem makes the consents, one for each dataset: for the caller's agency and the case. Guards, in order: those of Present, where a code that is
// dead can still be redeemed by who has its salt, which is no guess; and last
//
//	exchange.code_wrong           the digits and the salt do not give the code's hash
func (c Code) Redeem(r RedeemCode, by access.Caller, s Subject, m Matter, now kernel.Moment) (Code, []Consent, kernel.Change, error) {
	var none kernel.Change
	if err := c.open(r.Case, by, s, m, now); err != nil {
		return c, nil, none, err
	}
	hash, err := HashCode(r.Salt, c.Terms.Channel, c.Terms.Subject, r.Digits)
	if err != nil {
		return c, nil, none, fault.Under("request", err)
	}
	if hash != c.Terms.Hash {
		return c, nil, none, ErrCodeWrong
	}
	t := c.Terms
	made := make([]Consent, len(t.Datasets))
	c.Status, c.Consents = Redeemed, make([]string, len(t.Datasets))
	for i, d := range t.Datasets {
		c.Consents[i] = RedeemedConsent(t.Subject, c.ID, d.Dataset)
		made[i] = Consent{
			Head: state.Head{ID: c.Consents[i], Status: Given, First: Given},
			Terms: ConsentTerms{
				Channel: t.Channel, Subject: t.Subject, Dataset: d.Dataset, Fields: d.Fields, Consumer: by.Agency, Purpose: t.Purpose, Case: r.Case,
				MaxUses: t.MaxUses, From: t.From, Until: t.ConsentUntil, Nonce: t.Nonce,
			},
			JWS: c.JWS, Key: c.Key, Code: c.ID,
		}
	}
	return c, made, c.change(EventCodeRedeemed, by.Agency, r.Case), nil
}

// open: the code can be redeemed now by the caller, for the case.
func (c Code) open(id string, by access.Caller, s Subject, m Matter, now kernel.Moment) error {
	switch {
	case c.Status != Given:
		return c.used()
	case now.Early(c.Terms.From):
		return ErrCodeNotYet
	case now.Over(c.Terms.Until):
		return ErrCodeExpired
	case c.Key != s.SigningKey.Thumbprint():
		return ErrCodeRetired
	case c.Terms.Consumer != "" && c.Terms.Consumer != by.Agency:
		return ErrCodeMismatch.On("creator.agency", "equals:code.consumer")
	case c.Terms.Case != "" && c.Terms.Case != id:
		return ErrCodeMismatch.On("request.case", "equals:code.case")
	}
	return m.concerns(c.Terms.Subject, by.Agency)
}

// used is why a code is not good any more.
func (c Code) used() error {
	if c.Status == Cancelled {
		return ErrCodeCancelled
	}
	return ErrCodeRedeemed
}

// Cancel takes a code back for good; s is its subject. Guards, in order:
//
//	signature.forged                 the subject's registered key did not sign the cancellation
//	exchange.channel_mismatch        it is for another channel
//	exchange.subject_mismatch        it names another subject
//	exchange.cancellation_mismatch   it names another code
//	exchange.code_redeemed           consents were made of it before: revoke them
//	exchange.code_cancelled          it was cancelled before
//
// One whose time is over may be cancelled too, and one that an earlier key of the subject's signed.
func (c Code) Cancel(r CancelCode, channel string, s Subject) (Code, kernel.Change, error) {
	var none kernel.Change
	var said Cancellation
	if err := signed.Open(r.JWS, "request.jws", CancellationKind, s.SigningKey, &said); err != nil {
		return c, none, err
	}
	if said.Channel != channel {
		return c, none, ErrChannelMismatch
	}
	if said.Subject != c.Terms.Subject {
		return c, none, ErrSubjectMismatch
	}
	if said.Code != c.ID {
		return c, none, ErrCodeOther
	}
	if c.Status != Given {
		return c, none, c.used()
	}
	c.Status, c.Cancellation = Cancelled, r.JWS
	return c, c.change(EventCodeCancelled, c.Terms.Consumer, c.Terms.Case), nil
}

func (c Code) change(event, agency, id string) kernel.Change {
	return kernel.Change{Type: event, ID: c.ID, Subject: c.Terms.Subject, Agency: agency, Case: id}
}

// Changes implements kernel.Changer.
func (r PresentCode) Changes() string { return Codes.Noun + "/" + r.Code }

// Changes implements kernel.Changer.
func (r RedeemCode) Changes() string { return Codes.Noun + "/" + r.Code }

// Changes implements kernel.Changer.
func (r CancelCode) Changes() string { return Codes.Noun + "/" + r.Code }
