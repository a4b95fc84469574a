package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/store"
)

// Delayed disclosure (chaincode/exchange): a use whose details stay with the two agencies until it is opened. What strangers may
// ask gateways about it they answer alike, whether or not they serve one of the two: else asking around would tell.

// SealUse is POST /v1/sealed-uses.
type SealUse struct {
	Keyed
	Subject    string                     `json:"subject" min:"20" max:"64" doc:"The pseudonym of the person or enterprise."`
	Dataset    string                     `json:"dataset" min:"1" max:"128" doc:"The dataset."`
	Fields     []string                   `json:"fields" min:"1" max:"128" doc:"The fields to read."`
	Purpose    string                     `json:"purpose" min:"1" max:"64" doc:"What for."`
	LegalBasis string                     `json:"legal_basis" min:"1" max:"200" doc:"The rule that allows it."`
	File       string                     `json:"file" min:"1" max:"64" doc:"The agency's own file number; no case of the ledger, which the subject would know."`
	Grant      string                     `json:"grant,omitempty" max:"64" doc:"The grant it rests on, which allows the delay; found if absent."`
	Selector   map[string]json.RawMessage `json:"selector" doc:"The particulars the record is found by; they travel sealed to the provider."`
	OpensAt    time.Time                  `json:"opens_at" doc:"When the subject is told at the latest. It cannot be put off."`
}

// SealUse fetches data and keeps from the subject what and what for until a date. Sent again with the same key, it goes on
// where it stopped.
func (a *App) SealUse(ctx context.Context, who Actor, req SealUse) (answer Used, err error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return answer, err
	}
	key, err := a.secretKey(who, req.Key)
	if err != nil {
		return answer, err
	}
	id := kernel.ID(who.Agency, exchange.UseSeal, key)
	before, _, err := find[exchange.Use](ctx, a, exchange.Uses.Noun, id)
	if err != nil {
		return answer, err
	}
	s, err := a.seal(ctx, who, as, key, id, req, before)
	if taken(err) { // perhaps with the grant found now in place of the one found then: the projection was behind
		if before, err = a.useNow(ctx, id); err == nil {
			s, err = a.seal(ctx, who, as, key, id, req, before)
		}
	}
	if err != nil {
		return answer, err
	}
	use, err := a.useSince(ctx, s.requested)
	if err != nil {
		return answer, err
	}
	if use.Secret() {
		use = use.Unsealed(s.details)
		use.Case = "" // what is kept of it is not filed under it
	}
	return a.finish(ctx, who, as, use, s.requested, s.selector)
}

// sealing is a sealed use as its consumer knows it.
type sealing struct {
	requested Receipt
	details   exchange.Details
	selector  commitment.Document
}

// seal requests a sealed use on the ledger. A repeated request rests on the grant it rested on first.
func (a *App) seal(ctx context.Context, who Actor, as ledger.Signer, key, id string, req SealUse, before exchange.Use) (s sealing, err error) {
	if len(req.Selector) == 0 {
		return s, fault.Field("selector", "required", "send the particulars the record is found by")
	}
	s.details = exchange.Details{
		Consumer: who.Agency, Dataset: req.Dataset, Fields: req.Fields, Purpose: req.Purpose, LegalBasis: req.LegalBasis, Case: req.File, Grant: req.Grant,
	}
	if s.details.Grant == "" {
		if s.details.Grant, err = a.delayGrant(ctx, as, s.details, before); err != nil {
			return s, err
		}
	}
	if s.selector, err = a.salted(who.Agency, "selector", id, req.Selector); err != nil {
		return s, fault.Under("selector", err)
	}
	if s.details.Selector, err = s.selector.Root(); err != nil {
		return s, fault.Under("selector", err)
	}
	if err := s.details.Validate(); err != nil {
		if f := fault.From(err); f.Field == "case" {
			return s, f.On("file", f.Rule)
		}
		return s, err
	}
	document, err := a.detailsDocument(id, s.details)
	if err != nil {
		return s, err
	}
	request := exchange.SealUse{Subject: req.Subject, OpensAt: req.OpensAt}
	if request.Commitment, err = document.Root(); err != nil {
		return s, err
	}
	if err := request.Validate(); err != nil {
		return s, err
	}
	private, err := a.withDetails(ctx, id, document, exchange.DatasetKey(req.Dataset)[0])
	if err != nil {
		return s, err
	}
	use := request.Request(s.details)
	err = a.withTicket(ctx, id, &use, func() error {
		request.Ticket = use.Ticket
		s.requested, err = a.beside(ctx, as, exchange.UseSeal, key, who.Staff, request, private)
		return err
	})
	return s, err
}

// secretKey is the idempotency key of a sealed use on the ledger. The use's id follows from it, and the subject sees the id: so
// it is made with the agency's private key, and nobody finds out by trying whose it is.
func (a *App) secretKey(who Actor, key string) (string, error) {
	private, held := a.Keys[who.Agency]
	if !held {
		return "", notServed("this gateway does not hold the agency's exchange key; GET /v1/agencies says which gateway does")
	}
	secret, err := hkdf.Key(sha256.New, private.Bytes(), nil, "hutong/sealed/v1\n"+who.owner()+"\n"+key, sha256.Size)
	return scoped("sealed", base64.RawURLEncoding.EncodeToString(secret)), err
}

// detailsDocument salts the details of a use with salts that follow from the consumer's private key.
func (a *App) detailsDocument(id string, d exchange.Details) (commitment.Document, error) {
	values := map[string]json.RawMessage{}
	for name, value := range d.Values() {
		raw, err := canonical.Marshal(value)
		if err != nil {
			return commitment.Document{}, err
		}
		values[name] = raw
	}
	return a.salted(d.Consumer, "details", id, values)
}

// withDetails sends the details of a use to the peers of two organisations and no other: the own one's and that of the other
// agency, or, where that is the own one's too, those of any other that may write.
func (a *App) withDetails(ctx context.Context, use string, document commitment.Document, other string) (p ledger.Private, err error) {
	raw, err := canonical.Marshal(document)
	if err != nil {
		return p, err
	}
	p = ledger.Private{Transient: map[string][]byte{exchange.TransientDetails(use): raw}, Endorsers: []string{a.MSP, access.MSPOf(other)}}
	if p.Endorsers[0] != p.Endorsers[1] {
		return p, nil
	}
	agencies, err := all[exchange.Agency](ctx, a, store.Query{Noun: exchange.Agencies.Noun})
	if err != nil {
		return p, err
	}
	at := slices.IndexFunc(agencies, func(agency exchange.Agency) bool { return !a.serves(agency.ID) })
	if at < 0 {
		return p, fault.New(fault.Refused, "exchange.agency_unregistered", "no agency of another organisation has registered, and none can judge the use with this one").On("agency", "registered")
	}
	p.Endorsers[1] = access.MSPOf(agencies[at].ID)
	return p, nil
}

// delayGrant finds the grant a sealed use rests on: the one it rested on before; else one that covers it and allows a delay, else
// the latest, so that the ledger says what is wrong with it.
func (a *App) delayGrant(ctx context.Context, as ledger.Signer, d exchange.Details, before exchange.Use) (string, error) {
	if before.Seal != nil {
		document, err := a.detailsOf(ctx, as, before)
		if err != nil {
			return "", err
		}
		kept, err := exchange.OpenDetails(document, before.Seal.Commitment)
		return kept.Grant, err
	}
	grants, err := all[exchange.Grant](ctx, a, store.Query{Noun: exchange.Grants.Noun, Peer: d.Consumer, Kind: d.Dataset, Status: exchange.Granted})
	if err != nil {
		return "", err
	}
	now := a.now()
	at := slices.IndexFunc(grants, func(g exchange.Grant) bool {
		return g.Terms.DelayDays > 0 && slices.Contains(g.Terms.Purposes, d.Purpose) && covers(g.Terms.Fields, d.Fields) &&
			!now.Before(g.Terms.ValidFrom) && now.Before(g.Terms.ValidUntil)
	})
	if at < 0 {
		return a.grantFor(ctx, d.Consumer, exchange.RequestUse{Dataset: d.Dataset, Purpose: d.Purpose, Fields: d.Fields})
	}
	return grants[at].ID, nil
}

// detailsOf are the details of a sealed use of an agency of this gateway: as they were opened, or as the organisation's peer
// keeps them.
func (a *App) detailsOf(ctx context.Context, as ledger.Signer, use exchange.Use) (document commitment.Document, err error) {
	if use.Seal.Details != nil {
		return *use.Seal.Details, nil
	}
	err = a.Ledger.Evaluate(ctx, as, exchange.Name, exchange.UseDetails, exchange.DetailsOf{Use: use.ID}, &document)
	return document, err
}

// sealedDetails seals the details of a use to its provider.
func (a *App) sealedDetails(ctx context.Context, use exchange.Use) (*seal.Envelope, error) {
	as, err := a.held(use.Consumer, access.Agency)
	if err != nil {
		return nil, err
	}
	document, err := a.detailsOf(ctx, as, use)
	if err != nil {
		return nil, err
	}
	envelope, err := a.sealTo(ctx, use.Provider, document)
	return &envelope, err
}

// sealedWarrant asks the ledger whether a sealed use may be delivered now, with the details that its consumer has sent. It is the
// ledger that compares them with what is committed to, before anything is said of whose the use is.
func (a *App) sealedWarrant(ctx context.Context, id string, sealed seal.Envelope) (w exchange.Warrant, document commitment.Document, err error) {
	if document, err = a.open(sealed); err != nil {
		return w, document, fault.Under("details", err)
	}
	err = a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, exchange.UseSealedBasis, exchange.SealedBasisOf{Use: id, Details: document}, &w)
	w.Use.Case = "" // what is kept of it is not filed under it
	return w, document, err
}

// deliverSealed records the delivery of a sealed use.
func (a *App) deliverSealed(ctx context.Context, as ledger.Signer, use exchange.Use, envelope seal.Envelope, details commitment.Document) error {
	private, err := a.withDetails(ctx, use.ID, details, use.Consumer)
	if err != nil {
		return err
	}
	_, err = a.beside(ctx, as, exchange.UseDeliver, deliveryKey(use, envelope), "", exchange.DeliverUse{Use: use.ID, Commitment: envelope.Commitment}, private)
	return err
}

// beside is submit with private data beside the command.
func (a *App) beside(ctx context.Context, as ledger.Signer, function, key, staff string, request any, private ledger.Private) (Receipt, error) {
	c, err := command(key, staff, request)
	if err != nil {
		return Receipt{}, err
	}
	outcome, err := a.Ledger.SubmitPrivate(ctx, as, exchange.Name, function, c, private)
	if err != nil {
		return Receipt{}, err
	}
	return receipt(outcome)
}

// toSubject is a use as its subject may see it: which officer it was is none of theirs, and of one that is sealed they see no more
// than in their log.
func toSubject(u exchange.Use) exchange.Use {
	u.Created.Staff, u.Changed.Staff = "", ""
	if !u.Secret() {
		return u
	}
	e := u.Entry()
	shown := exchange.Use{Number: e.Number, Subject: e.Subject, Fields: []string{}, Seal: &exchange.Seal{Commitment: e.Sealed, OpensAt: e.OpensAt}}
	shown.ID, shown.Status, shown.First, shown.Version, shown.Created.At = e.Use, u.Status, u.First, 1, e.At
	return shown
}

// SealedDetails is the answer of GET /v1/uses/{id}/details.
type SealedDetails struct {
	Details  exchange.Details    `json:"details"`
	Document commitment.Document `json:"document" doc:"With the salts: its commitment is the one that stands in the subject's log."`
	OpensAt  time.Time           `json:"opens_at"`
}

// SealedDetails tells an officer of the agency that sealed a use what it is about.
func (a *App) SealedDetails(ctx context.Context, who Actor, req ByID) (d SealedDetails, err error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return d, err
	}
	item, err := one[exchange.Use](ctx, a, req.After, exchange.Uses.Noun, req.ID, "id")
	if err != nil {
		return d, err
	}
	if err := who.own(item.Item.Consumer); err != nil {
		return d, err
	}
	if item.Item.Seal == nil {
		return d, exchange.ErrNotSealed.On("id", "sealed")
	}
	if d.Document, err = a.detailsOf(ctx, as, item.Item); err != nil {
		return d, err
	}
	d.OpensAt = item.Item.Seal.OpensAt
	d.Details, err = exchange.OpenDetails(d.Document, item.Item.Seal.Commitment)
	return d, err
}

// unsealed is a use as its consumer knows it.
func (a *App) unsealed(ctx context.Context, use exchange.Use) (exchange.Use, error) {
	if !use.Secret() {
		return use, nil
	}
	as, err := a.held(use.Consumer, access.Agency)
	if err != nil {
		return use, err
	}
	document, err := a.detailsOf(ctx, as, use)
	if err != nil {
		return use, err
	}
	details, err := exchange.OpenDetails(document, use.Seal.Commitment)
	return use.Unsealed(details), err
}

// OpenUse is PUT /v1/uses/{id}/opening.
type OpenUse struct {
	Keyed
	ID string `path:"id" json:"-"`
}

// OpenUse opens a sealed use of the officer's agency, before its date or after.
func (a *App) OpenUse(ctx context.Context, who Actor, req OpenUse) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	use, err := get[exchange.Use](ctx, a, exchange.Uses.Noun, req.ID, "id")
	if err != nil {
		return Receipt{}, err
	}
	if err := who.own(use.Consumer); err != nil {
		return Receipt{}, err
	}
	if use.Seal == nil {
		return Receipt{}, exchange.ErrNotSealed.On("id", "sealed")
	}
	return a.openUse(ctx, as, use, scoped(who.owner(), req.Key), who.Staff)
}

func (a *App) openUse(ctx context.Context, as ledger.Signer, use exchange.Use, key, staff string) (Receipt, error) {
	details, err := a.detailsOf(ctx, as, use)
	if err != nil {
		return Receipt{}, err
	}
	return a.submit(ctx, as, exchange.Name, exchange.UseOpen, key, staff, exchange.OpenUse{Use: use.ID, Details: details})
}

// DemandOpening is POST /v1/uses/{id}/opening-demand.
type DemandOpening struct {
	ID string `path:"id" json:"-"`
}

// Opened says whether a sealed use is open.
type Opened struct {
	OpensAt  time.Time `json:"opens_at" doc:"When it is opened at the latest."`
	OpenedAt time.Time `json:"opened_at" doc:"When it was opened."`
}

// errNotDue: before its date nobody can have a use opened but who sealed it.
var errNotDue = fault.New(fault.Refused, "use.not_due", "the date on which the use is opened has not come").On("id", "due")

// DemandOpening has a sealed use opened whose date has come, for anybody: this gateway opens it, or asks the one that can.
func (a *App) DemandOpening(ctx context.Context, _ Actor, req DemandOpening) (o Opened, err error) {
	use, err := get[exchange.Use](ctx, a, exchange.Uses.Noun, req.ID, "id")
	if err != nil {
		return o, err
	}
	if use.Seal == nil {
		return o, exchange.ErrNotSealed.On("id", "sealed")
	}
	o = Opened{OpensAt: use.Seal.OpensAt, OpenedAt: use.Seal.OpenedAt}
	if !use.Secret() {
		return o, nil
	}
	if a.now().Before(use.Seal.OpensAt) {
		return o, errNotDue
	}
	if !a.serves(use.Consumer) {
		return a.Peers.DemandOpening(ctx, access.MSPOf(use.Consumer), use.ID)
	}
	receipt, err := a.openDue(ctx, use)
	if errors.Is(err, exchange.ErrAlreadyOpened) || errors.Is(err, exchange.ErrNotSealed) { // the projection was behind
		if use, err = a.useNow(ctx, use.ID); err == nil {
			receipt.At = use.Seal.OpenedAt
		}
	}
	o.OpenedAt = receipt.At
	return o, err
}

// openDue opens a use of an agency of this gateway whose date has come.
func (a *App) openDue(ctx context.Context, use exchange.Use) (Receipt, error) {
	as, err := a.held(use.Consumer, access.Agency)
	if err != nil {
		return Receipt{}, err
	}
	return a.openUse(ctx, as, use, scoped("open", use.ID), "")
}

// Openings counts what a look at the sealed uses of this organisation's agencies found.
type Openings struct {
	Sealed  int // that are not due
	Opened  int // that were due, and are open now
	Overdue int // that are due and could not be opened; the next look tries again
}

// OpenDue looks once at every sealed use of an agency of this organisation and opens those that are due. What is due is on the
// ledger, so nothing is kept here: a gateway that was killed goes on, and of two that look at once one opens.
func (a *App) OpenDue(ctx context.Context) (sum Openings, err error) {
	q := store.Query{Noun: exchange.Uses.Noun, Status: exchange.UnderSeal, Numbered: true, PageSize: store.MaxPageSize}
	var failures []error
	for {
		uses, next, err := some[exchange.Use](ctx, a, q)
		if err != nil {
			return sum, err
		}
		for _, use := range uses {
			switch {
			case !a.serves(use.Consumer):
			case use.Overdue(a.now()) != exchange.OverdueOpening:
				sum.Sealed++
			default:
				_, err := a.openDue(ctx, use)
				switch {
				case err == nil, errors.Is(err, exchange.ErrAlreadyOpened), errors.Is(err, exchange.ErrNotSealed): // the projection was behind
					sum.Opened++
				default:
					sum.Overdue++
					failures = append(failures, err)
				}
			}
		}
		if next == "" {
			break
		}
		q.PageToken = next
	}
	if len(failures) > 0 {
		return sum, failures[0] // one tells enough
	}
	return sum, ctx.Err()
}

// lateOpenings lists sealed uses that should be open: the consumer sees its own, auditors all. A page is looked for among those
// that are sealed, so it may have fewer items, or none, and more behind.
func (a *App) lateOpenings(ctx context.Context, l Listing, q store.Query) (page Records[exchange.Use], err error) {
	if page.AsOf, err = a.wait(ctx, l.After); err != nil {
		return page, err
	}
	var uses []exchange.Use
	if uses, page.Next, err = some[exchange.Use](ctx, a, l.of(q)); err != nil {
		return page, err
	}
	for _, use := range uses {
		if use.Overdue(a.now()) != exchange.OverdueOpening {
			continue
		}
		raw, err := canonical.Marshal(use)
		if err != nil {
			return page, err
		}
		page.bodies = append(page.bodies, raw)
	}
	return page, nil
}
