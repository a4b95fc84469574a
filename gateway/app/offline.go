package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/offline"
	"github.com/hutong-gov/hutong/network/block"
)

// Offline carries writes whose signatures are made elsewhere, by keys that the gateway does not have.
type Offline interface {
	EndorseSigned(ctx context.Context, proposal, signature []byte) (ledger.Endorsed, error)
	OrderSigned(ctx context.Context, transaction, signature []byte) (ledger.Outcome, error)
	StatusSigned(ctx context.Context, request, signature []byte) (commit follow.Commit, found bool, err error)
}

// Propose is POST /v1/offline/proposals.
type Propose struct {
	Keyed
	Chaincode   string          `json:"chaincode" enum:"exchange,collaboration,certificate" doc:"The contract."`
	Function    string          `json:"function" min:"3" max:"64" pattern:"^[A-Za-z]+:[A-Za-z]+$" example:"type:Publish" doc:"A write function of the contract, as contract:Describe and the reference of the ledger list it."`
	Certificate string          `json:"certificate" min:"1" max:"8192" doc:"The certificate whose key will sign, in PEM: the agency's own, in the role of who is signed in."`
	Request     json.RawMessage `json:"request" doc:"The function's request, as the reference of the ledger describes it."`
}

// Proposal answers Propose.
type Proposal struct {
	Tx       string `json:"tx_id" doc:"The transaction this will be."`
	Proposal []byte `json:"proposal" doc:"What is signed first: a serialized gateway.ProposedTransaction of Fabric's client libraries."`
	Digest   string `json:"digest" doc:"SHA-256 over the proposal in hexadecimal: what the signature is over. Compute it again from the bytes before signing."`
}

// Endorse is POST /v1/offline/endorsements.
type Endorse struct {
	Keyed
	Proposal  []byte `json:"proposal" min:"1" doc:"As it was answered, unchanged."`
	Signature []byte `json:"signature" min:"1" max:"1024" doc:"ECDSA over the digest, in ASN.1 form."`
}

// Endorsement answers Endorse.
type Endorsement struct {
	Tx           string   `json:"tx_id"`
	Receipt      Receipt  `json:"receipt" doc:"What the contract answers. It holds once the transaction is committed; block is 0 until then."`
	Endorsers    []string `json:"endorsers,omitempty" doc:"The organisations whose peers stand for it."`
	Transaction  []byte   `json:"transaction,omitempty" doc:"What is signed next: a serialized gateway.PreparedTransaction. Absent where receipt.replayed is true: it was done before, and there is nothing to sign."`
	Digest       string   `json:"digest,omitempty" doc:"SHA-256 over the transaction's payload."`
	Status       []byte   `json:"status_request,omitempty" doc:"What is signed to ask for the transaction later: a serialized gateway.SignedCommitStatusRequest."`
	StatusDigest string   `json:"status_digest,omitempty" doc:"SHA-256 over the status request."`
}

// SubmitSigned is POST /v1/offline/submissions.
type SubmitSigned struct {
	Keyed
	Transaction []byte `json:"transaction" min:"1" doc:"As it was answered, unchanged."`
	Signature   []byte `json:"signature" min:"1" max:"1024" doc:"ECDSA over the digest, in ASN.1 form."`
}

// AskStatus is POST /v1/offline/status.
type AskStatus struct {
	Keyed
	Request   []byte `json:"status_request" min:"1" doc:"As it was answered, unchanged."`
	Signature []byte `json:"signature" min:"1" max:"1024" doc:"ECDSA over the digest, in ASN.1 form."`
}

// signerOf is the identity with which somebody who is signed in signs what they sign themselves.
func signerOf(who Actor) (ledger.Signer, error) {
	if err := who.is(Officer, AgencyAdmin, Portal); err != nil {
		return ledger.Signer{}, err
	}
	role := map[string]access.Role{Officer: access.Agency, AgencyAdmin: access.Admin, Portal: access.Portal}[who.Role]
	return ledger.Signer{Agency: who.Agency, Role: role}, nil
}

// Propose makes the proposal of a command that the caller's agency signs itself.
func (a *App) Propose(ctx context.Context, who Actor, req Propose) (p Proposal, err error) {
	as, err := signerOf(who)
	if err != nil {
		return p, err
	}
	if !a.serves(as.Agency) {
		return p, notServed("this gateway does not act for the agency; GET /v1/agencies says which gateway does")
	}
	creator, err := offline.CreatorOf(a.MSP, req.Certificate)
	if err != nil {
		return p, err
	}
	if err := a.mayWrite(ctx, as, creator, req.Chaincode, req.Function); err != nil {
		return p, err
	}
	c, err := command(scoped(who.owner(), req.Key), who.Staff, req.Request)
	if err != nil {
		return p, err
	}
	tx, proposal, err := offline.Propose(creator, a.Channel, req.Chaincode, req.Function, c)
	return Proposal{Tx: tx, Proposal: proposal.Bytes, Digest: hex.EncodeToString(proposal.Digest)}, err
}

// Endorse takes the signature of a proposal and answers the transaction.
func (a *App) Endorse(ctx context.Context, who Actor, req Endorse) (e Endorsement, err error) {
	p, err := offline.ReadProposal(req.Proposal)
	if err != nil {
		return e, err
	}
	if err := a.isOf(ctx, who, p, req.Keyed, offline.ProposalField); err != nil {
		return e, err
	}
	endorsed, err := a.Offline.EndorseSigned(ctx, req.Proposal, req.Signature)
	if err != nil {
		return e, err
	}
	e = Endorsement{Tx: p.Tx, Endorsers: endorsed.Endorsers, Transaction: endorsed.Transaction.Bytes, Digest: hex.EncodeToString(endorsed.Transaction.Digest),
		Status: endorsed.Status.Bytes, StatusDigest: hex.EncodeToString(endorsed.Status.Digest)}
	e.Receipt, err = receipt(endorsed.Outcome)
	return e, err
}

// SubmitSigned takes the signature of a transaction, has it ordered and waits for its block.
func (a *App) SubmitSigned(ctx context.Context, who Actor, req SubmitSigned) (r Receipt, err error) {
	t, err := offline.ReadTransaction(req.Transaction)
	if err != nil {
		return r, err
	}
	if err := a.isOf(ctx, who, &t.Proposal, req.Keyed, offline.TransactionField); err != nil {
		return r, err
	}
	if _, err := t.Creator.Verified(t.Digest(), req.Signature); err != nil {
		return r, err
	}
	done, known, err := a.Store.Transaction(ctx, t.Tx)
	if err != nil {
		return r, err
	}
	if known && done.Code == string(block.Valid) { // sent before, by the same caller
		return receipt(ledger.Outcome{State: ledger.Committed, Tx: t.Tx, Block: done.Block, Receipt: t.Receipt})
	}
	outcome, err := a.Offline.OrderSigned(ctx, req.Transaction, req.Signature)
	if err != nil {
		return r, err
	}
	return receipt(outcome)
}

// AskStatus asks the peer, under the caller's own signature, what became of a transaction.
func (a *App) AskStatus(ctx context.Context, who Actor, req AskStatus) (t Transaction, err error) {
	s, err := offline.ReadStatus(req.Request)
	if err != nil {
		return t, err
	}
	as, err := signerOf(who)
	if err != nil {
		return t, err
	}
	if err := s.Creator.Is(as.Agency, as.Role); err != nil {
		return t, err
	}
	commit, found, err := a.Offline.StatusSigned(ctx, req.Request, req.Signature)
	if err != nil {
		return t, err
	}
	t = Transaction{Tx: s.Tx, State: ledger.Unknown}
	if t.AsOf, err = a.Store.Height(ctx); err != nil || !found {
		return t, err
	}
	t.Block, t.Code, t.State = commit.Block, string(commit.Code), ledger.Rejected
	if commit.Code == block.Valid {
		t.State = ledger.Committed
	}
	return t, nil
}

// isOf checks that bytes which came back are for a write that the caller may make, and was begun by the same caller with
// the same idempotency key.
func (a *App) isOf(ctx context.Context, who Actor, p *offline.Proposal, key Keyed, field string) error {
	as, err := signerOf(who)
	if err != nil {
		return err
	}
	if err := a.mayWrite(ctx, as, p.Creator, p.Chaincode, p.Function); err != nil {
		return err
	}
	switch {
	case p.Command.IdempotencyKey != scoped(who.owner(), key.Key):
		return errForeign.On(field, "same_idempotency_key")
	case p.Command.Staff != who.Staff:
		return errForeign.On(field, "same_staff")
	}
	return nil
}

var (
	errForeign  = fault.New(fault.Denied, "offline.foreign", "the bytes are for another caller's write; send them with the token and the Idempotency-Key they were begun with")
	errNoWrite  = fault.New(fault.Denied, "offline.function", "only write functions of the contracts are signed here; the reference of the ledger lists them")
	errNotYours = fault.New(fault.Denied, "access.role", "the caller's role may not call this function")
)

// chaincodes whose functions may be called.
var chaincodes = []string{exchange.Name, collaboration.Name, certificate.Name}

// mayWrite checks that the creator is the caller's, and the function one that writes and that the caller's role may call.
// The contract checks it all again; here nobody has signed anything yet.
func (a *App) mayWrite(ctx context.Context, as ledger.Signer, creator offline.Creator, chaincode, function string) error {
	if err := creator.Is(as.Agency, as.Role); err != nil {
		return err
	}
	if !slices.Contains(chaincodes, chaincode) {
		return errNoWrite.On("chaincode", "one_of:exchange,collaboration,certificate")
	}
	rows, err := a.functions(ctx, chaincode)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(r kernel.Row) bool { return r.Function == function })
	switch {
	case i < 0 || rows[i].Kind == kernel.KindRead:
		return errNoWrite.On("function", "write_function")
	case !slices.Contains(rows[i].Roles, as.Role):
		return errNotYours.On("function", "role:"+string(as.Role))
	}
	return nil
}

// tableLife is how long a contract's table of functions is believed without asking again: after an upgrade, a new function
// can be signed for within this time.
const tableLife = time.Minute

// tables remembers what the contracts say of themselves.
type tables struct {
	mu    sync.Mutex
	known map[string]table
}

type table struct {
	rows  []kernel.Row
	until time.Time
}

// functions is a contract's own table.
func (a *App) functions(ctx context.Context, chaincode string) ([]kernel.Row, error) {
	a.tables.mu.Lock()
	known := a.tables.known[chaincode]
	a.tables.mu.Unlock()
	if a.Clock().Before(known.until) {
		return known.rows, nil
	}
	var rows []kernel.Row
	if err := a.Ledger.Evaluate(ctx, a.reader(), chaincode, kernel.DescribeFunction, kernel.Nothing{}, &rows); err != nil {
		return nil, err
	}
	a.tables.mu.Lock()
	defer a.tables.mu.Unlock()
	a.tables.known[chaincode] = table{rows, a.Clock().Add(tableLife)}
	return rows, nil
}
