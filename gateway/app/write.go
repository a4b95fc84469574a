package app

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Receipt is the answer to every write that was committed.
type Receipt struct {
	ID       string    `json:"id" doc:"The record that was made or changed."`
	Status   string    `json:"status" doc:"The record's status after the write."`
	Version  int       `json:"version" doc:"Counts the record's changes from 1."`
	At       time.Time `json:"at" doc:"When, as the transaction claims."`
	Tx       string    `json:"tx_id" doc:"The transaction that did it."`
	Block    uint64    `json:"block" doc:"The block the transaction is in; a read with min_block of this number sees the write."`
	Replayed bool      `json:"replayed,omitempty" doc:"The same request was carried out before; nothing was written now."`
}

// Transaction is the one that did it.
func (r Receipt) Transaction() string { return r.Tx }

// Keyed is part of every request that writes.
type Keyed struct {
	Key string `header:"Idempotency-Key" json:"-" min:"1" max:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]*$" doc:"A key of your own for this write. The same key with the same request gives the first answer again."`
}

// scoped is the idempotency key that goes on the ledger. The caller's own key does not: two callers may use the same, and
// what callers put into it is theirs. owner is the subject, or agency and officer. It is a UUID (RFC 9562) made of a hash: of
// version 7 with the time of the caller's key, if that is one, so that the ledger's ids lie in the order of time; else of
// version 8.
func scoped(owner, key string) string {
	sum := sha256.Sum256([]byte("hutong/idempotency/v2\n" + owner + "\n" + key))
	made := uuid.UUID(sum[:16])
	version := byte(8)
	if theirs, err := uuid.Parse(key); err == nil && theirs.Version() == 7 {
		version = 7
		copy(made[:6], theirs[:6])
	}
	made[6], made[8] = made[6]&0x0f|version<<4, made[8]&0x3f|0x80
	return made.String()
}

// owner is whose idempotency keys an actor's are.
func (a Actor) owner() string {
	if a.Role == Citizen {
		return a.Subject
	}
	return a.Agency + "\n" + a.Role + "\n" + a.Staff
}

// command makes a command with a canonical request.
func command(key, staff string, request any) (kernel.Command, error) {
	raw, err := canonical.Marshal(request)
	if err != nil {
		return kernel.Command{}, fault.From(err)
	}
	c := kernel.Command{IdempotencyKey: key, Staff: staff, Request: raw}
	switch r := request.(type) {
	case kernel.Changer:
		c.Record = r.Changes()
	case kernel.Appender:
		c.Record, c.Appends = r.Appends(), true
	}
	return c, nil
}

// submit carries out one command and answers its receipt.
func (a *App) submit(ctx context.Context, as ledger.Signer, chaincode, function, key, staff string, request any) (Receipt, error) {
	c, err := command(key, staff, request)
	if err != nil {
		return Receipt{}, err
	}
	outcome, err := a.Ledger.Submit(ctx, as, chaincode, function, c)
	if err != nil {
		return Receipt{}, err
	}
	return receipt(outcome)
}

// write is submit for an actor who sent the idempotency key.
func (a *App) write(ctx context.Context, who Actor, as ledger.Signer, chaincode, function string, key Keyed, request any) (Receipt, error) {
	return a.submit(ctx, as, chaincode, function, scoped(who.owner(), key.Key), who.Staff, request)
}

// receipt tells the outcomes apart.
func receipt(o ledger.Outcome) (Receipt, error) {
	r := o.Receipt
	done := Receipt{ID: r.ID, Status: r.Status, Version: r.Version, At: r.At, Tx: r.Tx, Block: o.Block, Replayed: r.Replayed}
	switch o.State {
	case ledger.Committed:
		return done, nil
	case ledger.Pending:
		done.Tx = o.Tx
		return Receipt{}, Pending{done}
	case ledger.Rejected:
		if o.Fault == nil {
			return Receipt{}, fault.New(fault.Internal, "ledger.failed", "the ledger refused the transaction without saying why")
		}
		return Receipt{}, o.Fault
	default:
		return Receipt{}, Unknown{o.Tx}
	}
}
