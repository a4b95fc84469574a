package app

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// Delivery asks a provider's gateway to deliver a use.
type Delivery struct {
	Selector *seal.Envelope `json:"selector,omitempty" doc:"The particulars the record is found by, sealed to the provider; their commitment is the one of the use. Not needed once something was prepared."`
	Details  *seal.Envelope `json:"details,omitempty" doc:"Of a use that is sealed: its details, sealed to the provider; their commitment is the one in the subject's log."`
	Block    uint64         `json:"block" doc:"The block the use is in."`
	Wait     bool           `json:"wait,omitempty" doc:"Let the sealed payload wait for the consumer at the peers of its organisation, if it is small enough: the consumer's gateway is not there to take it."`
	Watch    bool           `json:"watch,omitempty" doc:"The consumer has subscribed to the record: the provider is to keep the selector."`
}

// Deliver is POST /v1/uses/{id}/delivery.
type Deliver struct {
	ID string `path:"id" json:"-"`
	Delivery
}

// Deliver answers what a use asks for, sealed to its consumer. It needs no token: the ledger authorises it. The use must be
// there, its provider an agency of this gateway, and the selector the one the use committed to; and whoever asks, only the
// consumer can open the answer. Where the subject looks first, nothing is answered before it has released what it saw.
func (a *App) Deliver(ctx context.Context, _ Actor, req Deliver) (seal.Envelope, error) {
	return a.deliver(ctx, req.ID, req.Delivery)
}

func (a *App) deliver(ctx context.Context, id string, d Delivery) (seal.Envelope, error) {
	var none seal.Envelope
	if d.Block > 0 { // the use may have reached the consumer's peer before ours
		if _, err := a.wait(ctx, After{MinBlock: d.Block}); err != nil {
			return none, err
		}
	}
	var warrant exchange.Warrant
	var details commitment.Document
	var err error
	if d.Details != nil {
		warrant, details, err = a.sealedWarrant(ctx, id, *d.Details)
	} else {
		warrant, err = a.warrant(ctx, id)
	}
	if err != nil {
		return none, err
	}
	use := warrant.Use
	if use.Purged != "" {
		return none, a.purged(ctx, use)
	}
	as, err := a.held(use.Provider, access.Agency)
	if err != nil {
		return none, err
	}
	var values map[string]json.RawMessage
	if d.Selector != nil {
		if values, err = a.openSelector(use, *d.Selector); err != nil {
			return none, err
		}
	}
	if d.Watch && d.Selector != nil {
		if err := a.keepSelector(ctx, use, *d.Selector); err != nil {
			return none, err
		}
	}
	switch use.Status {
	case exchange.Delivered, exchange.Acknowledged:
		return a.redelivered(ctx, use)
	case exchange.Prepared:
		return none, exchange.ErrNotReleased.On("use", "status:"+exchange.Released)
	case exchange.Released:
		document, err := a.prepared(ctx, use)
		if err != nil {
			return none, err
		}
		return a.handOver(ctx, as, use, document, d.Wait)
	}
	if d.Selector == nil {
		return none, fault.Field("selector", "required", "send the selector the use committed to, sealed to its provider")
	}
	document, err := a.answer(ctx, warrant, values)
	if err != nil {
		return none, err
	}
	if use.PreviewRequired {
		return none, a.prepare(ctx, as, use, document)
	}
	if use.Secret() {
		return a.handOverBy(ctx, use, document, func(envelope seal.Envelope) error { return a.deliverSealed(ctx, as, use, envelope, details) })
	}
	return a.handOver(ctx, as, use, document, d.Wait)
}

// warrant asks the ledger, at this organisation's peer, whether a use may be delivered now: no database is opened on the
// word of the projection. The ledger judges again when the delivery is recorded, and nothing leaves before that.
func (a *App) warrant(ctx context.Context, id string) (exchange.Warrant, error) {
	return a.warrants.of(ctx, id)
}

func (a *App) askWarrants(ctx context.Context, uses []string) (answer exchange.Warrants, err error) {
	err = a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, exchange.UseBasis, exchange.BasisOf{Uses: uses}, &answer)
	return answer, err
}

// handOver seals a document to the consumer and records the delivery; wait puts it where the consumer's peers keep it.
func (a *App) handOver(ctx context.Context, as ledger.Signer, use exchange.Use, document commitment.Document, wait bool) (seal.Envelope, error) {
	return a.handOverBy(ctx, use, document, func(envelope seal.Envelope) error {
		if wait {
			return a.leave(ctx, as, use, envelope)
		}
		_, err := a.submit(ctx, as, exchange.Name, exchange.UseDeliver, deliveryKey(use, envelope), "", exchange.DeliverUse{Use: use.ID, Commitment: envelope.Commitment})
		return err
	})
}

// handOverBy seals a document to the consumer and has the delivery recorded.
func (a *App) handOverBy(ctx context.Context, use exchange.Use, document commitment.Document, record func(seal.Envelope) error) (seal.Envelope, error) {
	var none seal.Envelope
	envelope, err := a.sealTo(ctx, use.Consumer, document)
	if err != nil {
		return none, err
	}
	// Kept before the ledger is told: a delivery on the ledger can always be handed over again.
	if err := a.Vault.Put(ctx, vault.Entry{Kind: vault.Delivery, Case: use.Case, Envelope: envelope}); err != nil {
		return none, err
	}
	err = record(envelope)
	if errors.Is(err, exchange.ErrAlreadyDelivered) { // another request for the same delivery was quicker
		if use, err = a.useNow(ctx, use.ID); err != nil {
			return none, err
		}
		return a.redelivered(ctx, use)
	}
	return envelope, err
}

// useNow reads a use from the peer: what is delivered follows the ledger, not the projection.
func (a *App) useNow(ctx context.Context, id string) (use exchange.Use, err error) {
	err = a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, "use:Get", kernel.ByID{ID: id}, &use)
	return use, err
}

// redelivered is a delivery of before.
func (a *App) redelivered(ctx context.Context, use exchange.Use) (seal.Envelope, error) {
	entry, found, err := a.Vault.Get(ctx, use.Delivery, use.Consumer)
	if err == nil && !found {
		err = fault.New(fault.Missing, "sealed.missing", "the delivery is not kept any more; request the use again").On("id", "kept")
	}
	return entry.Envelope, err
}

func (a *App) openSelector(use exchange.Use, sealed seal.Envelope) (map[string]json.RawMessage, error) {
	if sealed.To != use.Provider || sealed.Commitment != use.Selector {
		return nil, fault.New(fault.Denied, "use.selector_mismatch", "send the selector the use committed to, sealed to its provider").On("selector.commitment", "equals:use.selector")
	}
	document, err := a.open(sealed)
	if err != nil {
		return nil, fault.Under("selector", err)
	}
	return document.Values(), nil
}

// answer makes the document that a use asks for: the fields, or verdicts on claims about them.
func (a *App) answer(ctx context.Context, w exchange.Warrant, values map[string]json.RawMessage) (commitment.Document, error) {
	if w.Use.Claims != "" {
		return a.judgeUse(ctx, w.Use, values)
	}
	return a.fetch(ctx, w, values)
}

// fetch reads the fields of a use, and no other, from the provider's database and salts them.
func (a *App) fetch(ctx context.Context, w exchange.Warrant, values map[string]json.RawMessage) (commitment.Document, error) {
	var none commitment.Document
	found, err := a.read(ctx, w.Use, w.Dataset, values)
	if err != nil {
		return none, err
	}
	if err := a.sealFiles(ctx, w.Use, query(w.Use, w.Dataset, values), found.Values); err != nil {
		return none, err
	}
	if err := a.judged(ctx, w.Dataset, found.Values); err != nil {
		return none, err
	}
	return commitment.New(found.Values)
}

// read reads the fields of a use, and makes sure that the record is the subject's.
func (a *App) read(ctx context.Context, use exchange.Use, dataset exchange.Dataset, values map[string]json.RawMessage) (connector.Record, error) {
	found, err := a.Connectors.Fetch(ctx, query(use, dataset, values))
	if err != nil {
		return connector.Record{}, err
	}
	if err := a.about(found, use.Subject); err != nil {
		return connector.Record{}, err
	}
	return found, nil
}

// query asks for the fields of a use, and no other.
func query(use exchange.Use, dataset exchange.Dataset, values map[string]json.RawMessage) connector.Query {
	return connector.Query{
		Dataset: use.Dataset, Selector: values,
		Fields: specs(dataset, use.Fields), Selects: specs(dataset, dataset.Selector),
	}
}

// about judges whether a record is the subject's, where the department can say whose it is: otherwise somebody could write
// another's number into a form, consent to the use, and have the other's record delivered.
func (a *App) about(found connector.Record, subject string) error {
	if !found.Held {
		return nil
	}
	if a.Pseudonym == nil {
		return fault.New(fault.Internal, "connector.holder", "the connector names its records' holders, but this gateway serves no citizens and cannot compare them; correct the configuration")
	}
	if found.Holder == "" || a.Pseudonym(found.Holder) != subject {
		return fault.New(fault.Refused, "record.other_subject", "the record with these particulars is not the subject's; return the step for correction").On("selector", "of:subject")
	}
	return nil
}

// specs are the dataset's descriptions of the fields named, in the order of the names.
func specs(d exchange.Dataset, names []string) []exchange.FieldSpec {
	var list []exchange.FieldSpec
	for _, name := range names {
		if at := slices.IndexFunc(d.Fields, func(f exchange.FieldSpec) bool { return f.Name == name }); at >= 0 {
			list = append(list, d.Fields[at])
		}
	}
	return list
}

// SealedBy is GET /v1/sealed/{commitment}/{agency}.
type SealedBy struct {
	Commitment string `path:"commitment" json:"-" pattern:"^[0-9a-f]{64}$"`
	Agency     string `path:"agency" json:"-" max:"64"`
}

// Sealed hands out a sealed payload to whoever asks: only the agency it is sealed to can open it, and only who knows the
// commitment, 256 bits that stand on the ledger, can ask for it.
func (a *App) Sealed(ctx context.Context, _ Actor, req SealedBy) (seal.Envelope, error) {
	entry, found, err := a.Vault.Get(ctx, req.Commitment, req.Agency)
	if err == nil && !found {
		err = fault.New(fault.Missing, "sealed.missing", "no payload is kept for the agency under this commitment").On("commitment", "kept")
	}
	return entry.Envelope, err
}
