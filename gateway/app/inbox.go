package app

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// deliveryKey is the idempotency key of a delivery: what is delivered follows from it.
func deliveryKey(use exchange.Use, envelope seal.Envelope) string {
	return scoped("deliver", use.ID+envelope.Commitment)
}

// leave records a delivery whose payload waits for the consumer in the inbox of its organisation, which only the peers of
// that organisation keep. The proposal with the payload, which is sealed, goes to the peers of the two organisations and no
// other. One that is too large, or is for an agency of this gateway, does not wait: it is handed over when it is asked for.
func (a *App) leave(ctx context.Context, as ledger.Signer, use exchange.Use, envelope seal.Envelope) error {
	request := exchange.DeliverUse{Use: use.ID, Commitment: envelope.Commitment}
	payload, err := canonical.Marshal(exchange.Sealed{Commitment: envelope.Commitment, To: envelope.To, Sealed: envelope.Sealed})
	if err != nil {
		return err
	}
	if len(payload) > exchange.MaxWaitingBytes || a.serves(use.Consumer) {
		_, err := a.submit(ctx, as, exchange.Name, exchange.UseDeliver, deliveryKey(use, envelope), "", request)
		return err
	}
	request.Waits = true
	_, err = a.beside(ctx, as, exchange.UseDeliver, deliveryKey(use, envelope), "", request, ledger.Private{
		Transient: map[string][]byte{exchange.TransientPayload(use.ID): payload},
		Endorsers: []string{a.MSP, access.MSPOf(use.Consumer)},
	})
	return err
}

// waiting takes a payload out of the own organisation's inbox. found is false where none waits any more.
func (a *App) waiting(ctx context.Context, use exchange.Use) (envelope seal.Envelope, found bool, err error) {
	as, err := a.held(use.Consumer, access.Agency)
	if err != nil {
		return envelope, false, err
	}
	var sealed exchange.Sealed
	err = a.Ledger.Evaluate(ctx, as, exchange.Name, exchange.UsePayload, exchange.PayloadOf{Use: use.ID}, &sealed)
	if f := fault.From(err); f != nil && f.Reason == exchange.ErrNothingWaits.Reason {
		return envelope, false, nil
	}
	return seal.Envelope{Commitment: sealed.Commitment, To: sealed.To, Sealed: sealed.Sealed}, err == nil, err
}

// PurgeUse is PUT /v1/uses/{id}/purge.
type PurgeUse struct {
	Keyed
	ID     string `path:"id" json:"-"`
	Reason string `json:"reason" min:"1" max:"64" doc:"A code: why the payload is removed."`
}

// PurgeUse removes what was delivered, for the provider or the consumer: from the peers, if it waited there, and from both
// gateways. The evidence stays.
func (a *App) PurgeUse(ctx context.Context, who Actor, req PurgeUse) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	use, err := get[exchange.Use](ctx, a, "use", req.ID, "id")
	if err != nil {
		return Receipt{}, err
	}
	other := use.Consumer
	if who.own(use.Provider) != nil {
		if err := who.own(use.Consumer); err != nil {
			return Receipt{}, err
		}
		other = use.Provider
	}
	request := exchange.PurgeUse{Use: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	receipt, err := a.write(ctx, who, as, exchange.Name, exchange.UsePurge, req.Keyed, request)
	if err != nil {
		return receipt, err
	}
	if err := a.Vault.Remove(ctx, use.Delivery, use.ID); err != nil {
		return receipt, err
	}
	a.nudge(ctx, use, other, Delivery{Block: receipt.Block})
	return receipt, nil
}

// purged removes what this gateway keeps of a use whose payload was purged, and says so.
func (a *App) purged(ctx context.Context, use exchange.Use) error {
	if err := a.Vault.Remove(ctx, use.Delivery, use.ID); err != nil {
		return err
	}
	return fault.New(fault.Missing, "use.purged", "the payload was purged; what the ledger has of the use stays").On("id", "kept")
}

// nudge tells the gateway of a use's other agency that the ledger has something for it to do: to deliver what was released,
// to remove what was purged. What it does not do now, it does when the use is next asked for: so a failure here is nobody's.
func (a *App) nudge(ctx context.Context, use exchange.Use, agency string, d Delivery) {
	if a.serves(agency) {
		_, _ = a.deliver(ctx, use.ID, d)
		return
	}
	_, _ = a.Peers.Deliver(ctx, access.MSPOf(agency), use.ID, d)
}
