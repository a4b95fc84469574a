package app

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// RequestUse is POST /v1/uses: for a material of the case's service, or with everything said.
type RequestUse struct {
	Keyed
	Case       string                     `json:"case" min:"1" max:"64" doc:"The case the data is for."`
	Material   string                     `json:"material,omitempty" max:"64" doc:"A material of the case's service that comes from a dataset; everything else follows from it."`
	Dataset    string                     `json:"dataset,omitempty" max:"128" doc:"Without material: the dataset."`
	Fields     []string                   `json:"fields,omitempty" max:"128" doc:"Without material: the fields to read."`
	Purpose    string                     `json:"purpose,omitempty" max:"64" doc:"Without material: what for."`
	LegalBasis string                     `json:"legal_basis,omitempty" max:"200" doc:"Without material: the rule that allows it."`
	Grant      string                     `json:"grant,omitempty" max:"64" doc:"The grant it rests on; found if absent."`
	Consent    string                     `json:"consent,omitempty" max:"64" doc:"The consent it rests on; with material, found if absent."`
	Selector   map[string]json.RawMessage `json:"selector,omitempty" doc:"Without material: the particulars the record is found by; they travel sealed to the provider."`
}

// Used is the answer to a use that was carried through.
type Used struct {
	Receipt
	Number   int    `json:"number" doc:"In the subject's access log."`
	Delivery string `json:"delivery" doc:"Commitment of what was delivered and opened."`
}

// RequestUse fetches data for a case: the use is requested on the ledger, the provider delivers sealed, what was opened is
// checked against the ledger and acknowledged. Sent again with the same key, it goes on where it stopped.
func (a *App) RequestUse(ctx context.Context, who Actor, req RequestUse) (answer Used, err error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return answer, err
	}
	c, err := a.visibleCase(ctx, who, req.Case)
	if err != nil {
		return answer, err
	}
	key := scoped(who.owner(), req.Key)
	id := kernel.ID(who.Agency, exchange.UseRequest, key)
	before, _, err := find[exchange.Use](ctx, a, "use", id)
	if err != nil {
		return answer, err
	}
	requested, selector, err := a.request(ctx, who, as, c, key, id, req, before)
	if taken(err) { // perhaps with what was found now in place of what was found then: the projection was behind
		if before, err = a.useNow(ctx, id); err == nil {
			requested, selector, err = a.request(ctx, who, as, c, key, id, req, before)
		}
	}
	if err != nil {
		return answer, err
	}
	return a.carryThrough(ctx, who, as, requested, selector)
}

// request requests a use on the ledger. A repeated request rests on the grant and consent it rested on first, whatever
// would be found for it now: before is the use as it was then, or nothing.
func (a *App) request(ctx context.Context, who Actor, as ledger.Signer, c collaboration.Case, key, id string, req RequestUse, before exchange.Use) (requested Receipt, selector commitment.Document, err error) {
	req.Grant, req.Consent = cmp.Or(req.Grant, before.Grant), cmp.Or(req.Consent, before.Consent)
	request, values, err := a.useRequest(ctx, who, c, req)
	if err != nil {
		return requested, selector, err
	}
	if selector, err = a.salted(who.Agency, "selector", id, values); err != nil {
		return requested, selector, fault.Under("selector", err)
	}
	if request.Selector, err = selector.Root(); err != nil {
		return requested, selector, fault.Under("selector", err)
	}
	if err := request.Validate(); err != nil {
		return requested, selector, err
	}
	err = a.withTicket(ctx, id, &request, func() error {
		requested, err = a.submit(ctx, as, exchange.Name, exchange.UseRequest, key, who.Staff, request)
		return err
	})
	return requested, selector, err
}

// carryThrough takes a requested use to its acknowledgement, from wherever it is.
func (a *App) carryThrough(ctx context.Context, who Actor, as ledger.Signer, requested Receipt, selector commitment.Document) (answer Used, err error) {
	use, err := a.useSince(ctx, requested)
	if err != nil {
		return answer, err
	}
	return a.finish(ctx, who, as, use, requested, selector)
}

// finish takes a use from where it is to its acknowledgement.
func (a *App) finish(ctx context.Context, who Actor, as ledger.Signer, use exchange.Use, requested Receipt, selector commitment.Document) (answer Used, err error) {
	answer = Used{Number: use.Number, Delivery: use.Delivery}
	if use.Status != exchange.Acknowledged {
		if answer.Delivery, err = a.receive(ctx, use, requested.Block, selector); err != nil {
			return answer, err
		}
	}
	// What was acknowledged before is answered from its receipt: the first answer again.
	acknowledgement := exchange.AcknowledgeUse{Use: use.ID, Commitment: answer.Delivery}
	answer.Receipt, err = a.submit(ctx, as, exchange.Name, exchange.UseAcknowledge, scoped("acknowledge", use.ID+answer.Delivery), who.Staff, acknowledgement)
	return answer, err
}

// useSince reads a use that was requested. The projection has it as soon as it has the block, which spares the peer a
// question for every use; if it is a little behind, the ledger judges what follows all the same.
func (a *App) useSince(ctx context.Context, requested Receipt) (exchange.Use, error) {
	if _, err := a.wait(ctx, After{MinBlock: requested.Block}); err != nil {
		return exchange.Use{}, err
	}
	use, found, err := find[exchange.Use](ctx, a, "use", requested.ID)
	if err == nil && !found { // its block is not known
		return a.useNow(ctx, requested.ID)
	}
	return use, err
}

// receive gets the delivery of a use, makes sure that it opens, keeps it, and gives its commitment.
func (a *App) receive(ctx context.Context, use exchange.Use, block uint64, selector commitment.Document) (string, error) {
	envelope, err := a.delivered(ctx, use, block, selector)
	if err != nil {
		return "", err
	}
	document, err := a.open(envelope)
	if err != nil {
		return "", err
	}
	if err := a.Vault.Put(ctx, vault.Entry{Kind: vault.Delivery, Case: use.Case, Envelope: envelope}); err != nil {
		return "", err
	}
	if err := a.arrived(ctx, use.ID); err != nil {
		return "", err
	}
	return envelope.Commitment, a.collect(ctx, use, document)
}

// arrived waits until the own organisation's peer has the delivery on its ledger. The provider answers when its peer has
// it, and blocks do not reach all peers at the same moment. The projection follows the own peer, and says when it has grown.
func (a *App) arrived(ctx context.Context, id string) error {
	waiting, cancel := context.WithTimeout(ctx, a.MaxWait)
	defer cancel()
	for {
		height, err := a.Store.Height(ctx)
		if err != nil {
			return err
		}
		use, err := get[exchange.Use](ctx, a, "use", id, "use")
		if err != nil || use.Delivery != "" {
			return err
		}
		if err := a.Store.WaitBlock(waiting, height+1); err != nil {
			if ctx.Err() == nil && waiting.Err() != nil {
				return fault.New(fault.Refused, "use.delivery_pending", "the delivery is not on this organisation's ledger yet; send the request again with the same idempotency key").On("use", "status:"+exchange.Delivered)
			}
			return err
		}
	}
}

// delivered gets the delivery of a use: from the vault if it came before, from the inbox if it waits there, else from the
// provider's gateway.
func (a *App) delivered(ctx context.Context, use exchange.Use, block uint64, selector commitment.Document) (seal.Envelope, error) {
	if use.Delivery != "" {
		if entry, found, err := a.Vault.Get(ctx, use.Delivery, use.Consumer); err != nil || found {
			return entry.Envelope, err
		}
	}
	if use.Waiting {
		if envelope, found, err := a.waiting(ctx, use); err != nil || found {
			return envelope, err
		}
	}
	sealed, err := a.sealTo(ctx, use.Provider, selector)
	if err != nil {
		return seal.Envelope{}, err
	}
	d := Delivery{Selector: &sealed, Block: block}
	if use.Secret() {
		if d.Details, err = a.sealedDetails(ctx, use); err != nil {
			return seal.Envelope{}, err
		}
	}
	return a.ask(ctx, use, d)
}

// ask asks the provider's gateway, which may be this one, to deliver a use.
func (a *App) ask(ctx context.Context, use exchange.Use, d Delivery) (seal.Envelope, error) {
	if a.serves(use.Provider) {
		return a.deliver(ctx, use.ID, d)
	}
	envelope, err := a.Peers.Deliver(ctx, access.MSPOf(use.Provider), use.ID, d)
	if err == nil && envelope.To != use.Consumer {
		err = fault.New(fault.Refused, "sealed.other_content", "the other gateway answered something else than was asked for").On("to", "equals:consumer")
	}
	return envelope, err
}

// useRequest completes a request: of a material everything follows; otherwise the caller says everything.
func (a *App) useRequest(ctx context.Context, who Actor, c collaboration.Case, req RequestUse) (r exchange.RequestUse, values map[string]json.RawMessage, err error) {
	r = exchange.RequestUse{
		Subject: c.Subject, Dataset: req.Dataset, Fields: req.Fields, Purpose: req.Purpose, LegalBasis: req.LegalBasis,
		Case: c.ID, Grant: req.Grant, Consent: req.Consent,
	}
	values = req.Selector
	if req.Material != "" {
		if req.Dataset != "" || len(req.Fields) > 0 || req.Purpose != "" || req.LegalBasis != "" || len(req.Selector) > 0 {
			return r, nil, fault.Field("material", "alone", "send a material, or dataset, fields, purpose, legal_basis and selector; not both")
		}
		if values, err = a.fromMaterial(ctx, who, c, req.Material, &r); err != nil {
			return r, nil, err
		}
	}
	for _, m := range []struct{ field, value string }{{"dataset", r.Dataset}, {"purpose", r.Purpose}, {"legal_basis", r.LegalBasis}} {
		if m.value == "" {
			return r, nil, fault.Field(m.field, "required", "a use states dataset, purpose and legal basis")
		}
	}
	if len(values) == 0 {
		return r, nil, fault.Field("selector", "required", "send the particulars the record is found by")
	}
	if r.Grant == "" {
		r.Grant, err = a.grantFor(ctx, who.Agency, r)
	}
	return r, values, err
}

// fromMaterial fills in what follows from a material, and reads the selector's values from the application form.
func (a *App) fromMaterial(ctx context.Context, who Actor, c collaboration.Case, id string, r *exchange.RequestUse) (map[string]json.RawMessage, error) {
	definition, err := get[collaboration.Definition](ctx, a, "definition", c.Definition, "case")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(definition.Materials, func(m collaboration.Material) bool { return m.ID == id })
	if at < 0 || definition.Materials[at].Source != collaboration.FromDataset {
		return nil, fault.New(fault.Missing, "material.missing", "name a material of the case's service that comes from a dataset").On("material", "exists")
	}
	m := definition.Materials[at]
	if err := who.own(m.For); err != nil {
		return nil, err
	}
	r.Dataset, r.Fields, r.Purpose, r.LegalBasis = m.Dataset, m.Fields, definition.Code, definition.LegalBasis
	if r.Consent == "" {
		consents, err := all[exchange.Consent](ctx, a, store.Query{Noun: "consent", Case: c.ID, Peer: who.Agency, Kind: m.Dataset})
		if err != nil {
			return nil, err
		}
		consent, found, err := a.consentFor(ctx, consents, m)
		if err != nil {
			return nil, err
		}
		if found {
			r.Consent = consent.ID
		} else if len(consents) > 0 {
			r.Consent = consents[len(consents)-1].ID // the ledger says what is wrong with it
		}
	}
	return a.fromForm(ctx, who, c, m.Dataset)
}

// fromForm reads a dataset's selector from the answers of the form.
func (a *App) fromForm(ctx context.Context, who Actor, c collaboration.Case, dataset string) (map[string]json.RawMessage, error) {
	d, err := get[exchange.Dataset](ctx, a, "dataset", dataset, "material")
	if err != nil {
		return nil, err
	}
	form, err := a.formOf(ctx, c, who.Agency)
	if err != nil {
		return nil, err
	}
	answers, values := form.Values(), map[string]json.RawMessage{}
	for _, name := range d.Selector {
		value, answered := answers[name]
		if !answered {
			return nil, fault.New(fault.Refused, "form.no_selector", "the application does not answer what the record is found by; return the step for correction").On("form."+name, "required")
		}
		values[name] = value
	}
	return values, nil
}

// grantFor finds the grant a use rests on: one that covers it if there is any, else the latest, so that the ledger says what
// is wrong with it.
func (a *App) grantFor(ctx context.Context, agency string, r exchange.RequestUse) (string, error) {
	grants, err := all[exchange.Grant](ctx, a, store.Query{Noun: "grant", Peer: agency, Kind: r.Dataset})
	if err != nil {
		return "", err
	}
	if len(grants) == 0 {
		return "", fault.New(fault.Refused, "exchange.grant_missing", "the agency has not asked for a grant to use this dataset").On("grant", "granted")
	}
	now := a.now()
	at := slices.IndexFunc(grants, func(g exchange.Grant) bool {
		return g.Status == exchange.Granted && slices.Contains(g.Terms.Purposes, r.Purpose) && covers(g.Terms.Fields, r.Fields) && g.Terms.Allow(r.Mode()) &&
			!now.Before(g.Terms.ValidFrom) && now.Before(g.Terms.ValidUntil)
	})
	if at < 0 {
		at = len(grants) - 1
	}
	return grants[at].ID, nil
}

// Uses is GET /v1/uses.
type Uses struct {
	Listing
	As     string `query:"as" json:"-" enum:"consumer,provider" doc:"As whom the agency has a part in them; consumer if absent."`
	Status string `query:"status" json:"-" enum:"sealed,requested,prepared,released,refused,delivered,acknowledged,proven,absent,withdrawn,superseded,mismatched,stale" doc:"Only uses of this status."`
	Case   string `query:"case" json:"-" max:"64" doc:"Only uses for this case."`
	Late   string `query:"late" json:"-" enum:"delivery,receipt,opening" doc:"Only uses that do not match: requested and not delivered in time, delivered and without a receipt a day later, or sealed and not opened at their date (a page of those may have fewer items, or none, and more behind)."`
}

// Uses lists an agency's uses of others' data, or others' uses of its own; all of them for an auditor.
func (a *App) Uses(ctx context.Context, who Actor, req Uses) (page Records[exchange.Use], err error) {
	if err := who.is(Officer, Auditor); err != nil {
		return page, err
	}
	q := store.Query{Noun: "use", Status: req.Status, Case: req.Case, Descending: true}
	switch {
	case who.Role == Auditor:
	case req.As == "provider":
		q.Agency = who.Agency
	default:
		q.Peer = who.Agency
	}
	if req.Late != "" {
		if err := a.late(req, &q); err != nil {
			return page, err
		}
	}
	if req.Late == exchange.OverdueOpening {
		return a.lateOpenings(ctx, req.Listing, q)
	}
	return records[exchange.Use](ctx, a, req.Listing, q)
}

// ByID is a read of one record.
type ByID struct {
	After
	ID string `path:"id" json:"-"`
}

// Use shows a use to its two agencies, its subject and auditors.
func (a *App) Use(ctx context.Context, who Actor, req ByID) (item Item[exchange.Use], err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return item, err
	}
	if item, err = one[exchange.Use](ctx, a, req.After, "use", req.ID, "id"); err != nil {
		return item, err
	}
	switch who.Role {
	case Citizen:
		item.Item = toSubject(item.Item)
		return item, who.self(item.Item.Subject, "use")
	case Officer:
		if who.own(item.Item.Provider) == nil {
			return item, nil
		}
		return item, who.own(item.Item.Consumer)
	}
	return item, nil
}

// Payload is a delivery, opened for the officer of the consumer.
type Payload struct {
	Use      exchange.Use        `json:"use"`
	Document commitment.Document `json:"document" doc:"What was delivered; it has been checked against the ledger."`
	Chunk    *FileChunk          `json:"chunk,omitempty" doc:"Of the file that was asked for."`
}

// PayloadOf is GET /v1/uses/{id}/payload.
type PayloadOf struct {
	After
	ID    string `path:"id" json:"-"`
	File  string `query:"file" json:"-" max:"64" doc:"A field of type file: a chunk of it is in the answer."`
	Chunk int    `query:"chunk" json:"-" min:"0" max:"1000000" doc:"Which chunk of the file, from 0, which it is if absent."`
}

// Payload opens what was delivered to the officer's agency, and one chunk of a file in it if asked for.
func (a *App) Payload(ctx context.Context, who Actor, req PayloadOf) (p Payload, err error) {
	if err := who.is(Officer); err != nil {
		return p, err
	}
	item, err := one[exchange.Use](ctx, a, req.After, "use", req.ID, "id")
	if err != nil {
		return p, err
	}
	p.Use = item.Item
	if err := who.own(p.Use.Consumer); err != nil {
		return p, err
	}
	if p.Use, err = a.unsealed(ctx, p.Use); err != nil {
		return p, err
	}
	if p.Use.Delivery == "" {
		return p, exchange.ErrNotDelivered.On("id", "status:"+exchange.Delivered)
	}
	if p.Use.Purged != "" {
		return p, a.purged(ctx, p.Use)
	}
	entry, found, err := a.Vault.Get(ctx, p.Use.Delivery, who.Agency)
	if err == nil && !found {
		err = fault.New(fault.Missing, "sealed.missing", "the payload is not kept any more").On("id", "kept")
	}
	if err != nil {
		return p, err
	}
	if p.Document, err = a.open(entry.Envelope); err == nil && req.File != "" {
		p.Chunk, err = a.fileChunk(ctx, p, req.File, req.Chunk)
	}
	return p, err
}
