package ledger

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/offline"
	"github.com/hutong-gov/hutong/network/block"
)

// This file carries writes that are signed elsewhere, stage by stage (fabric-gateway's offline signing). Nothing is kept
// between the stages: the client carries the bytes, and each stage reads them anew (package offline).

// Endorsed is a transaction that its creator has yet to sign.
type Endorsed struct {
	Outcome     Outcome // as it will be once the transaction is committed; of a repeated command, what it was
	Endorsers   []string
	Transaction offline.Unsigned // empty where the command was done before, and there is nothing to order
	Status      offline.Unsigned
}

// EndorseSigned asks the peers to endorse a proposal under its creator's signature. Faults: what the contract refuses;
// offline.signature, offline.form (another channel), offline.untrusted, gateway.busy; or an *UnreachableError. Nothing was
// written either way. It is not tried again where peers disagree: another try needs another signature.
func (l *Ledger) EndorseSigned(ctx context.Context, proposal []byte, signature []byte) (e Endorsed, err error) {
	p, err := offline.ReadProposal(proposal)
	if err != nil {
		return e, err
	}
	if signature, err = p.Creator.Verified(p.Digest(), signature); err != nil {
		return e, err
	}
	if p.Channel != l.channel {
		return e, offline.ErrForm.On(offline.ProposalField, "channel:"+l.channel)
	}
	leave, err := l.seat(int64(len(proposal)))
	if err != nil {
		return e, err
	}
	defer leave()
	gw, err := offline.Client(p.Creator, l.peers)
	if err != nil {
		return e, err
	}
	defer gw.Close()
	signed, err := gw.NewSignedProposal(proposal, signature)
	if err != nil {
		return e, offline.ErrForm.On(offline.ProposalField, "proposal")
	}
	defer l.metrics.stage(string(Endorsing), time.Now())
	within, cancel := context.WithTimeout(ctx, l.limits.EndorseTimeout.Std())
	defer cancel()
	transaction, err := signed.EndorseWithContext(within)
	if err != nil {
		if stranger(err) {
			return e, untrusted()
		}
		return e, decodeEndorse(within, l.msp, err).cause()
	}
	raw, err := transaction.Bytes()
	if err != nil {
		return e, err
	}
	read, err := offline.ReadTransaction(raw)
	if err != nil {
		return e, unreadable()
	}
	if err := read.Carries(p); err != nil {
		return e, unreadable()
	}
	e.Outcome = Outcome{State: Committed, Tx: p.Tx, Receipt: read.Receipt}
	for _, endorser := range read.Endorsers {
		e.Endorsers = append(e.Endorsers, endorser.MSP)
	}
	if read.Receipt.Replayed {
		done := attempt{ledger: l, who: l.reader.Get(), outcomes: []Outcome{e.Outcome}, size: 1}
		done.locate(ctx)
		e.Outcome = done.settled(done.outcomes[0])
		return e, nil
	}
	e.Transaction = offline.Unsigned{Bytes: raw, Digest: transaction.Digest()}
	e.Status, err = p.AskStatus()
	return e, err
}

// OrderSigned sends a transaction to the ordering service under its creator's signature and waits for its block. Faults:
// offline.signature, offline.form, offline.changed, gateway.busy; or an *UnreachableError; in these nothing was written.
// Otherwise the outcome tells. A transaction that lost a race is rejected: a new one needs new signatures.
func (l *Ledger) OrderSigned(ctx context.Context, transaction, signature []byte) (o Outcome, err error) {
	t, err := offline.ReadTransaction(transaction)
	if err != nil {
		return o, err
	}
	if signature, err = t.Creator.Verified(t.Digest(), signature); err != nil {
		return o, err
	}
	if t.Channel != l.channel {
		return o, offline.ErrForm.On(offline.TransactionField, "channel:"+l.channel)
	}
	leave, err := l.seat(int64(len(transaction)))
	if err != nil {
		return o, err
	}
	defer leave()
	gw, err := offline.Client(t.Creator, l.peers)
	if err != nil {
		return o, err
	}
	defer gw.Close()
	signed, err := gw.NewSignedTransaction(transaction, signature)
	if err != nil {
		return o, offline.ErrForm.On(offline.TransactionField, "transaction")
	}
	c := newCaller(ctx)
	g := &group{ledger: l, chaincode: t.Chaincode, calls: []*call{c}, whole: true}
	c.group.Store(g)
	a := g.carrier(func() {})
	a.who, a.function, a.outcomes = l.reader.Get(), t.Function, []Outcome{{State: Committed, Tx: t.Tx, Receipt: t.Receipt}}
	a.named(t.Tx)
	go func() { g.settle(a, a.commit(context.WithoutCancel(ctx), signed)) }()
	return c.wait()
}

// StatusSigned asks the peer, under the creator's signature, what became of a transaction. found is false if the peer does
// not have it now; it may still come. Faults: offline.signature, offline.form, offline.untrusted.
func (l *Ledger) StatusSigned(ctx context.Context, request, signature []byte) (commit follow.Commit, found bool, err error) {
	s, err := offline.ReadStatus(request)
	if err != nil {
		return commit, false, err
	}
	if signature, err = s.Creator.Verified(s.Digest(), signature); err != nil {
		return commit, false, err
	}
	if s.Channel != l.channel {
		return commit, false, offline.ErrForm.On(offline.StatusField, "channel:"+l.channel)
	}
	gw, err := offline.Client(s.Creator, l.peers)
	if err != nil {
		return commit, false, err
	}
	defer gw.Close()
	asked, err := gw.NewSignedCommit(request, signature)
	if err != nil {
		return commit, false, offline.ErrForm.On(offline.StatusField, "status_request")
	}
	return l.look(ctx, func(ctx context.Context) (follow.Commit, error) {
		status, err := asked.StatusWithContext(ctx)
		if err != nil {
			return follow.Commit{}, err
		}
		return follow.Commit{Tx: s.Tx, Block: status.BlockNumber, Code: block.CodeOf(status.Code)}, nil
	})
}

// duplicate is what peers find of a transaction that is in the ledger already.
var duplicate = block.CodeOf(peer.TxValidationCode_DUPLICATE_TXID)
