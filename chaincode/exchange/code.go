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
	"github.com/hutong-gov/hutong/chaincode/canonical"
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
)

// Redeemed is the status of a code that a consent was made of.
const Redeemed = "redeemed"

// CodeKind is the type of JWS by which a subject gives a one-time code.
const CodeKind = "hutong-code+jwt"

// Limits of one-time codes.
const (
	CodeDigits    = 8
	CodeSaltBytes = 32
	MaxCodePeriod = 2 * time.Hour // in which a code can be redeemed
	MaxAttempts   = 5             // at a code, right or wrong; then it is dead
)

// Forms of a code and of what it is hashed with.
var (
	digitsForm = regexp.MustCompile(`^[0-9]{8}$`)
	saltForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$`)
	hashForm   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// CodeTerms is what a subject signs so that an officer at a window can make a consent of it with a one-time code: JWS of
// kind CodeKind. Consumer and case may be left open: then they are those of the window at which the code is shown.
type CodeTerms struct {
	Channel      string    `json:"channel"`
	Subject      string    `json:"subject"`
	Dataset      string    `json:"dataset"`
	Fields       []string  `json:"fields"` // sorted
	Consumer     string    `json:"consumer,omitempty"`
	Purpose      string    `json:"purpose"`
	Case         string    `json:"case,omitempty"`
	MaxUses      int       `json:"max_uses"`      // of the consent
	From         time.Time `json:"valid_from"`    // the code can be redeemed from
	Until        time.Time `json:"valid_until"`   // and until, exclusive
	ConsentUntil time.Time `json:"consent_until"` // the end of the consent
	Hash         string    `json:"hash"`          // HashCode of the digits
	Nonce        string    `json:"nonce"`
}

// Code is a one-time code on the ledger: what it allows, and a hash that says nothing about its digits to who has not the
// salt. given → redeemed. Its id is derived from the signed terms' digest.
type Code struct {
	state.Head
	Terms     CodeTerms `json:"terms"`
	JWS       string    `json:"jws"`
	Key       string    `json:"key"`                 // thumbprint of the key that signed it
	Attempts  int       `json:"attempts"`            // presentations so far
	Attempt   string    `json:"attempt,omitempty"`   // commitment of the digits that were presented last
	Presenter string    `json:"presenter,omitempty"` // agency that presented them
	Consent   string    `json:"consent,omitempty"`   // what it was redeemed for
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

// RedeemCode makes a consent of a code (the service identity of the window's agency).
type RedeemCode struct {
	Code   string `json:"code"`
	Case   string `json:"case"`
	Digits string `json:"digits"`
	Salt   string `json:"salt"` // base64url
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
		CheckDataset("dataset", t.Dataset),
		checkFieldNames("fields", t.Fields),
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

// ID is the id of the code that these terms make once they are signed.
func (t CodeTerms) ID() (string, error) {
	digest, err := canonical.Digest(t)
	if err != nil {
		return "", err
	}
	return kernel.ID(t.Subject, CodeGive, digest), nil
}

// RedeemedConsent is the id of the consent that a code is redeemed for.
func RedeemedConsent(subject, code string) string { return kernel.ID(subject, CodeRedeem, code) }

// Terms are what the JWS says, before its signature is verified.
func (r GiveCode) Terms() (terms CodeTerms, err error) {
	err = signed.Peek(r.JWS, "jws", CodeKind, &terms)
	return terms, err
}

// Validate implements kernel.Validator.
func (r GiveCode) Validate() error {
	if r.JWS == "" {
		return required("jws")
	}
	terms, err := r.Terms()
	if err != nil {
		return err
	}
	return fault.Under("jws", terms.Validate())
}

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

// Faults of one-time codes.
var (
	ErrCodeExpired  = fault.New(fault.Refused, "exchange.code_expired", "the code's time is over; let the subject make another").On("request.code", "valid")
	ErrCodeNotYet   = fault.New(fault.Refused, "exchange.code_not_yet_valid", "the code's time has not begun").On("request.code", "valid")
	ErrCodeRedeemed = fault.New(fault.Refused, "exchange.code_redeemed", "a code is good once; let the subject make another").On("request.code", "status:"+Given)
	ErrCodeRetired  = fault.New(fault.Refused, "exchange.code_key_retired", "the subject has another key now; let the subject make another code").On("request.code", "signed_by:signing_key")
	ErrCodeMismatch = fault.New(fault.Refused, "exchange.code_mismatch", "the code was made for something else").On("request.code", "fits")
	ErrCodeDead     = fault.New(fault.Refused, "exchange.code_dead", "too many attempts were made; let the subject make another code").On("request.code", fmt.Sprintf("max_attempts:%d", MaxAttempts))
	ErrCodeWrong    = fault.New(fault.Refused, "exchange.code_wrong", "these are not the code's digits").On("request.digits", "equals:code")
)

// Give makes a code of what the subject signed. Guards, in order:
//
//	signature.forged             the subject's registered key did not sign the terms
//	exchange.channel_mismatch    they are for another channel
//	exchange.dataset_withdrawn   the dataset is not in the directory
//	exchange.field_unknown       a field is not in the dataset
//	exchange.code_expired        the time to redeem it has ended already
func (r GiveCode) Give(id, channel string, s Subject, d Dataset, now kernel.Moment) (c Code, event kernel.Change, err error) {
	var terms CodeTerms
	if err := signed.Open(r.JWS, "request.jws", CodeKind, s.SigningKey, &terms); err != nil {
		return c, event, err
	}
	if err := d.named(terms.Channel, terms.Fields, channel); err != nil {
		return c, event, err
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

// Redeem makes the consent: for the caller's agency and the case. Guards, in order: those of Present, where a code that is
// dead can still be redeemed by who has its salt, which is no guess; and last
//
//	exchange.code_wrong           the digits and the salt do not give the code's hash
func (c Code) Redeem(r RedeemCode, by access.Caller, s Subject, m Matter, now kernel.Moment) (Code, Consent, kernel.Change, error) {
	var none kernel.Change
	if err := c.open(r.Case, by, s, m, now); err != nil {
		return c, Consent{}, none, err
	}
	hash, err := HashCode(r.Salt, c.Terms.Channel, c.Terms.Subject, r.Digits)
	if err != nil {
		return c, Consent{}, none, fault.Under("request", err)
	}
	if hash != c.Terms.Hash {
		return c, Consent{}, none, ErrCodeWrong
	}
	t := c.Terms
	made := Consent{
		Head: state.Head{ID: RedeemedConsent(t.Subject, c.ID), Status: Given, First: Given},
		Terms: ConsentTerms{
			Channel: t.Channel, Subject: t.Subject, Dataset: t.Dataset, Fields: t.Fields, Consumer: by.Agency, Purpose: t.Purpose, Case: r.Case,
			MaxUses: t.MaxUses, From: t.From, Until: t.ConsentUntil, Nonce: t.Nonce,
		},
		JWS: c.JWS, Key: c.Key, Code: c.ID,
	}
	c.Status, c.Consent = Redeemed, made.ID
	return c, made, c.change(EventCodeRedeemed, by.Agency, r.Case), nil
}

// open: the code can be redeemed now by the caller, for the case.
func (c Code) open(id string, by access.Caller, s Subject, m Matter, now kernel.Moment) error {
	switch {
	case c.Status != Given:
		return ErrCodeRedeemed
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

func (c Code) change(event, agency, id string) kernel.Change {
	return kernel.Change{Type: event, ID: c.ID, Subject: c.Terms.Subject, Agency: agency, Case: id}
}

// Changes implements kernel.Changer.
func (r PresentCode) Changes() string { return Codes.Noun + "/" + r.Code }

// Changes implements kernel.Changer.
func (r RedeemCode) Changes() string { return Codes.Noun + "/" + r.Code }
