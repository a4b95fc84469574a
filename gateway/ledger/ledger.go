// Package ledger is the gateway's only way to Fabric: it signs for the identities of its own organisation, sends to its
// own peers, and says what became of a write in one of four words.
//
//	Submit:  propose ──endorse──▶ order ──▶ wait for the block ──▶ committed
//	            │         │         │              │                rejected (a fault; nothing written)
//	            │         │         │              └─ no block ───▶ unknown
//	            │         │         │  └─ the caller does not wait ▶ pending
//	            │         │         └─ may have arrived ──────────▶ hand over again for a while, then unknown
//	            └─────────┴─ nothing sent ────────────────────────▶ UnreachableError
//
// A commit is learnt from the gateway's own block stream (package follow), one stream for all writes, not from a call for
// each; only if the stream is down or late is the peer asked. A caller who does not want to wait for the block (Async) is
// answered as soon as an orderer has the transaction.
//
// Invariants: Unknown means that an orderer may have the transaction, never that nobody looked. A write is made anew only
// when it is certain that nothing of it was written; the same transaction is handed over as often as need be, for the ledger
// takes it once. Every write carries an idempotency key that the contracts enforce, so a caller who repeats a write whose
// answer was lost gets the first receipt: whatever is killed, an acknowledged write is on the ledger once.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/reload"
)

// Ledger is the way to the organisation's own peers. Safe for concurrent use.
type Ledger struct {
	msp     string
	channel string
	allMSPs []string
	limits  config.Limits

	peers   *ownPeers
	members map[Signer]*held
	mine    opened
	reader  *held // signs what no particular agency asks: block streams, heights, probes
	commits *follow.Commits
	heard   heard
	metrics *metrics

	commands, bytes atomic.Int64 // under way
	mu              sync.Mutex
	lanes           map[laneID]*lane
	stopping        atomic.Bool
}

// Open reads the organisation's identities and prepares the connections. No peer need be there yet. commits is
// resolved by the gateway's follower. files keeps the identities and the peers' roots as their files are replaced.
func Open(c *config.Config, commits *follow.Commits, files *reload.Set, registry prometheus.Registerer) (*Ledger, error) {
	m, err := newMetrics(registry)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	peers, err := dialPeers(files, c.Peers, c.Limits.PeerConnections, c.Limits.MaxMessageBytes, m)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{
		msp: c.MSP, channel: c.Channel, allMSPs: c.AllMSPs, limits: c.Limits,
		peers: peers, members: make(map[Signer]*held, len(c.Identities)),
		commits: commits, metrics: m, lanes: map[laneID]*lane{},
	}
	for _, id := range c.Identities {
		who, err := l.hold(files, id)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("ledger: identity %s as %s: %w", id.Agency, id.Role, err), l.Close())
		}
		l.members[Signer{id.Agency, id.Role}] = who
		if l.reader == nil {
			l.reader = who
		}
	}
	peers.Watch(l.reader.Get)
	return l, nil
}

// Peers words how the organisation's peers stand: which is in use, which are up, behind, or down and why.
func (l *Ledger) Peers() string { return l.peers.Summary() }

// Close ends the connections. Requests under way fail.
func (l *Ledger) Close() error {
	var failures []error
	for _, who := range l.mine.all() {
		failures = append(failures, who.close())
	}
	return errors.Join(append(failures, l.peers.Close())...)
}

// member finds the identity that signs. Fault: gateway.not_served.
func (l *Ledger) member(as Signer) (*member, error) {
	who, ok := l.members[as]
	if !ok {
		return nil, fault.New(fault.Denied, ReasonNotServed, "this gateway does not hold that identity; ask the gateway of the agency's own organisation").On("agency", "served")
	}
	return who.Get(), nil
}

// opened are all members that were made, those of replaced certificates too: what is under way may still sign with them,
// and there is one more only every few months.
type opened struct {
	mu   sync.Mutex
	list []*member
}

func (o *opened) add(m *member) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, m)
}

func (o *opened) all() []*member {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.list)
}

// Submit carries out one command and waits until it is committed. Commands that come within milliseconds of each other
// share a transaction; each has an outcome of its own. The error is a *fault.Fault where the gateway itself refuses
// (not_served, busy, a request without canonical form), an *UnreachableError, or the context's; in all of these nothing was
// written. Otherwise the outcome tells.
func (l *Ledger) Submit(ctx context.Context, as Signer, chaincode, function string, command kernel.Command) (Outcome, error) {
	return l.submit(ctx, as, chaincode, kernel.BatchCommand{Function: function, Command: command})
}

// SubmitBatch carries out commands in one transaction of their own. Outcomes are in the order of the commands; some may be
// committed and others rejected. If the transaction as a whole is rejected or unknown, so is every command.
func (l *Ledger) SubmitBatch(ctx context.Context, as Signer, chaincode string, batch kernel.Batch) ([]Outcome, error) {
	return l.together(ctx, as, chaincode, batch.Commands, Private{})
}

// Private is what travels beside a transaction and comes into no block: transient data, and the organisations whose peers
// are to endorse it, which are the only ones that are sent it.
type Private struct {
	Transient map[string][]byte
	Endorsers []string // MSP ids
}

// options are those of a proposal.
func (p Private) options() []client.ProposalOption {
	if len(p.Transient) == 0 {
		return nil
	}
	return []client.ProposalOption{client.WithTransient(p.Transient), client.WithEndorsingOrganizations(p.Endorsers...)}
}

// SubmitPrivate carries out one command in a transaction of its own with private data beside it. Otherwise it is as Submit.
func (l *Ledger) SubmitPrivate(ctx context.Context, as Signer, chaincode, function string, command kernel.Command, beside Private) (Outcome, error) {
	outcomes, err := l.together(ctx, as, chaincode, []kernel.BatchCommand{{Function: function, Command: command}}, beside)
	if err != nil {
		return Outcome{}, err
	}
	return outcomes[0], nil
}

// Evaluate asks the organisation's own peer and decodes what it answers; nothing is written. The error is the contract's
// *fault.Fault, an *UnreachableError, or the context's.
func (l *Ledger) Evaluate(ctx context.Context, as Signer, chaincode, function string, request, answer any) error {
	who, err := l.member(as)
	if err != nil {
		return err
	}
	argument, err := canonical.Marshal(request)
	if err != nil {
		return fault.From(err)
	}
	raw, err := l.evaluate(ctx, who, chaincode, function, argument)
	if err != nil {
		return err
	}
	return readAnswer(raw, answer)
}

func (l *Ledger) evaluate(ctx context.Context, who *member, chaincode, function string, arguments ...[]byte) ([]byte, error) {
	defer l.metrics.stage(string(Evaluating), time.Now())
	ctx, cancel := context.WithTimeout(ctx, l.limits.EvaluateTimeout.Std())
	defer cancel()
	raw, err := who.network.GetContract(chaincode).EvaluateWithContext(ctx, function,
		client.WithBytesArguments(arguments...), client.WithEndorsingOrganizations(l.msp))
	if err != nil {
		return nil, decodeEvaluate(ctx, err)
	}
	return raw, nil
}

// EndorseEverywhere asks the peers of all organisations to endorse a read of each given chaincode, and so shows that a
// write could be endorsed: the probe behind readiness. Nothing is ordered.
func (l *Ledger) EndorseEverywhere(ctx context.Context, chaincodes ...string) error {
	argument, err := canonical.Marshal(kernel.Nothing{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.limits.EndorseTimeout.Std())
	defer cancel()
	for _, chaincode := range chaincodes {
		proposal, err := l.reader.Get().network.GetContract(chaincode).NewProposal(kernel.DescribeFunction,
			client.WithBytesArguments(argument), client.WithEndorsingOrganizations(l.allMSPs...))
		if err != nil {
			return err
		}
		if _, err := proposal.EndorseWithContext(ctx); err != nil {
			failed := decodeEndorse(ctx, l.msp, err)
			return fmt.Errorf("chaincode %s: not every organisation endorses: %w", chaincode, failed.cause())
		}
	}
	return nil
}
