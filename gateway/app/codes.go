package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/qr"
	"github.com/hutong-gov/hutong/gateway/store"
)

// What a draft of a one-time code proposes where nothing else is said.
const (
	CodePeriod        = 15 * time.Minute
	CodeConsentPeriod = 30 * 24 * time.Hour
)

// DraftCode is POST /v1/code-drafts.
type DraftCode struct {
	Keyed
	Datasets []exchange.CodeDataset `json:"datasets" min:"1" max:"8" doc:"The datasets that may be read, each with the fields, and nothing else."`
	Purpose  string                 `json:"purpose" min:"1" max:"64" doc:"Code: what for." example:"business.start"`
	Consumer string                 `json:"consumer,omitempty" max:"64" doc:"The agency at whose window it may be redeemed; without it, any with a part in the case."`
	Case     string                 `json:"case,omitempty" max:"64" doc:"The case it is for; without it, the officer names one of the citizen's."`
	Minutes  int                    `json:"minutes,omitempty" min:"1" max:"120" doc:"In which it can be redeemed; 15 if absent."`
}

// DraftedCode is everything a citizen needs to make a code. Nothing has been written.
type DraftedCode struct {
	Terms exchange.CodeTerms `json:"terms" doc:"To sign as hutong-code+jwt, with hash set to HMAC-SHA-256 of the digits under the salt."`
	Salt  string             `json:"salt" doc:"Base64url, 32 bytes. It is in the QR code and nowhere on the ledger."`
}

// DraftCode prepares a one-time code. The digits are the citizen's own: the gateway is not told them.
func (a *App) DraftCode(_ context.Context, who Actor, req DraftCode) (d DraftedCode, err error) {
	if err := who.is(Citizen); err != nil {
		return d, err
	}
	portal, err := a.asPortal(who)
	if err != nil {
		return d, err
	}
	period := time.Duration(req.Minutes) * time.Minute
	if period == 0 {
		period = CodePeriod
	}
	from := a.now().Truncate(time.Minute)
	datasets := slices.Clone(req.Datasets)
	slices.SortFunc(datasets, func(a, b exchange.CodeDataset) int { return strings.Compare(a.Dataset, b.Dataset) })
	for i, d := range datasets {
		datasets[i].Fields = slices.Compact(slices.Sorted(slices.Values(d.Fields)))
	}
	d.Terms = exchange.CodeTerms{
		Channel: a.Channel, Subject: who.Subject, Datasets: datasets, Consumer: req.Consumer, Purpose: req.Purpose,
		Case: req.Case, MaxUses: ConsentUses, From: from, Until: a.now().Truncate(time.Second).Add(period), ConsentUntil: from.Add(CodeConsentPeriod), Nonce: nonce(),
	}
	if d.Terms.Until.Sub(from) > exchange.MaxCodePeriod {
		d.Terms.Until = from.Add(exchange.MaxCodePeriod)
	}
	d.Salt, err = a.codeSalt(portal.Agency, d.Terms)
	return d, err
}

// codeSalt makes the salt of a code from the private key of the portal's agency, the subject and the nonce that is signed:
// nothing need be kept, several gateways make the same, and without the key it cannot be guessed.
func (a *App) codeSalt(portal string, t exchange.CodeTerms) (string, error) {
	key, held := a.Keys[portal]
	if !held {
		return "", notServed("this gateway does not hold the portal's exchange key; GET /v1/agencies says which gateway does")
	}
	salt, err := hkdf.Key(sha256.New, key.Bytes(), nil, strings.Join([]string{"hutong/code-salt/v1", t.Channel, t.Subject, t.Nonce}, "\n"), exchange.CodeSaltBytes)
	return base64.RawURLEncoding.EncodeToString(salt), err
}

// GiveCode is POST /v1/codes.
type GiveCode struct {
	Keyed
	Code string `json:"code" max:"16384" doc:"Compact JWS of type hutong-code+jwt over the terms."`
}

// GiveCode records a one-time code the citizen has signed.
func (a *App) GiveCode(ctx context.Context, who Actor, req GiveCode) (Receipt, error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.GiveCode{JWS: req.Code}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "code")
	}
	terms, err := request.Terms()
	if err != nil {
		return Receipt{}, err
	}
	if err := who.mayAct(terms.Subject, "code.subject"); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, portal, exchange.Name, exchange.CodeGive, req.Keyed, request)
}

// Codes is GET /v1/codes.
type Codes struct {
	Listing
	Status string `query:"status" json:"-" enum:"given,redeemed,cancelled" doc:"Only codes of this status."`
}

// Codes lists a citizen's one-time codes, or all for an auditor: what they allow, how often digits were entered for them,
// and what they were redeemed for. Their digits are not on the ledger.
func (a *App) Codes(ctx context.Context, who Actor, req Codes) (page Records[exchange.Code], err error) {
	if err := who.is(Citizen, Auditor); err != nil {
		return page, err
	}
	return records[exchange.Code](ctx, a, req.Listing, store.Query{Noun: exchange.Codes.Noun, Status: req.Status, Subject: who.Subject, Descending: true})
}

// CancelCode is PUT /v1/codes/{id}/cancellation.
type CancelCode struct {
	Keyed
	ID           string `path:"id" json:"-"`
	Cancellation string `json:"cancellation" max:"16384" doc:"Compact JWS of type hutong-code-cancellation+jwt over {channel, subject, code}."`
}

// CancelCode takes a one-time code back that nobody has redeemed yet.
func (a *App) CancelCode(ctx context.Context, who Actor, req CancelCode) (Receipt, error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return Receipt{}, err
	}
	code, err := get[exchange.Code](ctx, a, exchange.Codes.Noun, req.ID, "id")
	if err != nil {
		return Receipt{}, err
	}
	if who.Role == Citizen {
		if err := who.self(code.Terms.Subject, "code"); err != nil {
			return Receipt{}, err
		}
	}
	request := exchange.CancelCode{Code: req.ID, JWS: req.Cancellation}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "cancellation")
	}
	return a.write(ctx, who, portal, exchange.Name, exchange.CodeCancel, req.Keyed, request)
}

// PictureCode is POST /v1/code-pictures.
type PictureCode struct {
	Keyed
	Ticket string `json:"ticket" min:"1" max:"256" doc:"hutong-code/1/{code}/{digits}/{salt}: what the officer scans."`
}

// CodePicture is a QR code.
type CodePicture struct {
	SVG string `json:"svg" doc:"The picture as SVG."`
	PNG []byte `json:"png" doc:"The picture as PNG, base64."`
}

// PictureCode draws the QR code that a citizen shows at a window. Nothing is kept.
func (a *App) PictureCode(_ context.Context, who Actor, req PictureCode) (p CodePicture, err error) {
	if err := who.is(Citizen); err != nil {
		return p, err
	}
	ticket, err := exchange.ReadCodeTicket("ticket", req.Ticket)
	if err != nil {
		return p, err
	}
	picture, err := qr.Draw(ticket.Text())
	return CodePicture(picture), err
}

// RedeemCode is POST /v1/codes/redemption.
type RedeemCode struct {
	Keyed
	Case    string `json:"case" min:"1" max:"64" doc:"The case at the window."`
	Digits  string `json:"digits,omitempty" pattern:"^[0-9]{8}$" doc:"The eight digits the citizen says. Each time they are sent is an attempt; a code has five."`
	Dataset string `json:"dataset,omitempty" max:"128" doc:"With digits: a dataset the code is for, where the citizen has open codes for several."`
	Ticket  string `json:"ticket,omitempty" max:"256" doc:"Instead of digits: the text of the QR code the citizen shows."`
}

// RedeemedCode is the answer to a code that was redeemed.
type RedeemedCode struct {
	Receipt
	Consents []RedeemedConsent `json:"consents" doc:"The consents that were made of it, one for each dataset."`
}

// RedeemedConsent is one of the consents that a code was redeemed for.
type RedeemedConsent struct {
	Consent string   `json:"consent"`
	Dataset string   `json:"dataset" doc:"What may be read."`
	Fields  []string `json:"fields" doc:"The fields that may be read."`
}

// RedeemCode makes consents of a one-time code at a window, for the officer's agency and the case. By ticket it is one
// write. By digits the attempt is counted on the ledger first, and then the citizens' gateway asked whether they are right.
// Sent again with the same key, it goes on where it stopped.
func (a *App) RedeemCode(ctx context.Context, who Actor, req RedeemCode) (answer RedeemedCode, err error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return answer, err
	}
	if (req.Digits == "") == (req.Ticket == "") {
		return answer, fault.Field("digits", "alone", "send the digits or the ticket, not both")
	}
	c, err := a.visibleCase(ctx, who, req.Case)
	if err != nil {
		return answer, err
	}
	request := exchange.RedeemCode{Case: c.ID, Digits: req.Digits}
	if req.Ticket != "" {
		ticket, err := exchange.ReadCodeTicket("ticket", req.Ticket)
		if err != nil {
			return answer, err
		}
		request.Code, request.Digits, request.Salt = ticket.Code, ticket.Digits, ticket.Salt
	} else if request.Code, request.Salt, err = a.present(ctx, who, as, c, req); err != nil {
		return answer, err
	}
	if answer.Receipt, err = a.write(ctx, who, as, exchange.Name, exchange.CodeRedeem, req.Keyed, request); err != nil {
		return answer, err
	}
	var code exchange.Code
	if err = a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, "code:Get", kernel.ByID{ID: request.Code}, &code); err != nil {
		return answer, err
	}
	for i, d := range code.Terms.Datasets {
		answer.Consents = append(answer.Consents, RedeemedConsent{Consent: code.Consents[i], Dataset: d.Dataset, Fields: d.Fields})
	}
	return answer, nil
}

// present counts an attempt at a code of the case's subject and asks the citizens' gateway for its salt.
func (a *App) present(ctx context.Context, who Actor, as ledger.Signer, c collaboration.Case, req RedeemCode) (id, salt string, err error) {
	key := scoped(who.owner(), req.Key)
	digits, err := json.Marshal(req.Digits)
	if err != nil {
		return "", "", err
	}
	entered, err := a.salted(who.Agency, "code", key, map[string]json.RawMessage{"digits": digits})
	if err != nil {
		return "", "", err
	}
	attempt, err := entered.Root()
	if err != nil {
		return "", "", err
	}
	code, err := a.codeAt(ctx, who, c, req.Dataset, attempt)
	if err != nil {
		return "", "", err
	}
	request := exchange.PresentCode{Code: code.ID, Case: c.ID, Attempt: attempt}
	presented, err := a.submit(ctx, as, exchange.Name, exchange.CodePresent, scoped("present", key), who.Staff, request)
	if err != nil {
		return "", "", err
	}
	sealed, err := a.sealTo(ctx, code.Created.By, entered)
	if err != nil {
		return "", "", err
	}
	opening := Opening{Digits: sealed, Block: presented.Block}
	var envelope seal.Envelope
	if a.serves(code.Created.By) {
		envelope, err = a.openCode(ctx, code.ID, opening)
	} else {
		envelope, err = a.Peers.OpenCode(ctx, access.MSPOf(code.Created.By), code.ID, opening)
	}
	if err != nil {
		return "", "", err
	}
	if envelope.To != who.Agency {
		return "", "", fault.New(fault.Refused, "sealed.other_content", "the other gateway answered something else than was asked for").On("to", "equals:presenter")
	}
	document, err := a.open(envelope)
	if err != nil {
		return "", "", err
	}
	return code.ID, text(document.Values()["salt"]), nil
}

// codeAt finds the code that digits at a window can be meant for: the one that this very request was an attempt at before,
// else the latest of the subject's that can be redeemed there now.
func (a *App) codeAt(ctx context.Context, who Actor, c collaboration.Case, dataset, attempt string) (found exchange.Code, err error) {
	codes, err := all[exchange.Code](ctx, a, store.Query{Noun: exchange.Codes.Noun, Subject: c.Subject, Descending: true})
	if err != nil {
		return found, err
	}
	now := a.now()
	for _, code := range codes {
		t := code.Terms
		fits := code.Status == exchange.Given && !now.Before(t.From) && now.Before(t.Until) && (t.Consumer == "" || t.Consumer == who.Agency) &&
			(t.Case == "" || t.Case == c.ID) && (dataset == "" || slices.Contains(datasetsOf(t), dataset))
		switch {
		case code.Attempt == attempt:
			return code, nil
		case !fits:
		case found.ID == "":
			found = code
		case !slices.Equal(datasetsOf(found.Terms), datasetsOf(t)):
			return found, fault.New(fault.Refused, "code.ambiguous", "the applicant has codes for other datasets too; name one that it is for").On("dataset", "required")
		}
	}
	if found.ID == "" {
		return found, fault.New(fault.Missing, "code.missing", "the applicant has no code that can be redeemed at this window now; let them make one").On("digits", "exists")
	}
	return found, nil
}

// datasetsOf are the datasets of a code.
func datasetsOf(t exchange.CodeTerms) (names []string) {
	for _, d := range t.Datasets {
		names = append(names, d.Dataset)
	}
	return names
}

// text is a JSON string's; empty for anything else.
func text(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// Opening asks the citizens' gateway whether digits are a code's.
type Opening struct {
	Digits seal.Envelope `json:"digits" doc:"The digits that were entered, sealed to the portal's agency; their commitment is the code's last attempt."`
	Block  uint64        `json:"block" doc:"The block the attempt is in."`
}

// OpenCode is POST /v1/codes/{id}/opening.
type OpenCode struct {
	ID string `path:"id" json:"-"`
	Opening
}

// OpenCode answers the last attempt at a code, sealed to the agency that made it: the code's salt, if the digits are right.
// It needs no token: the ledger authorises it. What is asked must be what the ledger has counted, and whoever asks, only the
// agency that presented the code can open the answer.
func (a *App) OpenCode(ctx context.Context, _ Actor, req OpenCode) (seal.Envelope, error) {
	return a.openCode(ctx, req.ID, req.Opening)
}

func (a *App) openCode(ctx context.Context, id string, o Opening) (none seal.Envelope, err error) {
	if o.Block > 0 { // the attempt may have reached the other organisation's peer first
		if _, err := a.wait(ctx, After{MinBlock: o.Block}); err != nil {
			return none, err
		}
	}
	var code exchange.Code
	if err := a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, "code:Get", kernel.ByID{ID: id}, &code); err != nil {
		return none, fault.Naming("id", err)
	}
	portal := code.Created.By
	if _, held := a.Keys[portal]; !held {
		return none, notServed("another gateway made the code; GET /v1/agencies lists gateways")
	}
	if code.Attempt == "" || o.Digits.To != portal || o.Digits.Commitment != code.Attempt {
		return none, fault.New(fault.Denied, "code.other_attempt", "send the digits of the last attempt, sealed to the portal's agency; if another was made since, present the code again").On("digits.commitment", "equals:code.attempt")
	}
	entered, err := a.open(o.Digits)
	if err != nil {
		return none, fault.Under("digits", err)
	}
	salt, err := a.codeSalt(portal, code.Terms)
	if err != nil {
		return none, err
	}
	hash, err := exchange.HashCode(salt, code.Terms.Channel, code.Terms.Subject, text(entered.Values()["digits"]))
	if err != nil {
		return none, err
	}
	if hash != code.Terms.Hash {
		return none, exchange.ErrCodeWrong.On("digits", "equals:code")
	}
	value, err := json.Marshal(salt)
	if err != nil {
		return none, err
	}
	document, err := a.salted(portal, "code-salt", id+code.Attempt, map[string]json.RawMessage{"salt": value})
	if err != nil {
		return none, err
	}
	return a.sealTo(ctx, code.Presenter, document)
}
