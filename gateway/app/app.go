// Package app is what the gateway can do, without HTTP and without Fabric: every function takes who asks and what for,
// decides whether it may be, and turns it into commands on the ledger or reads of the projection.
//
//	rest ─▶ app ─▶ ledger (writes)
//	         ├──▶ store (reads)
//	         ├──▶ vault, peers, connector (sealed payloads, other gateways, departments' databases)
//
// Every function has the shape
//
//	func (a *App) Verb(ctx context.Context, who Actor, req VerbRequest) (Answer, error)
//
// and answers *fault.Fault where a rule says no, Unknown where a write's outcome is not known, Pending where its caller
// did not wait for it. Authorisation is decided here for a clear answer, and again by the contracts, which trust no gateway.
//
// Invariants: no personal data leaves a payload (it is in no error, log, ledger argument or index); a payload is kept and
// sent only sealed; a citizen reaches only what is theirs, an officer only what is the agency's.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/gateway/vault"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Ledger writes to and asks the organisation's own peer.
type Ledger interface {
	Submit(ctx context.Context, as ledger.Signer, chaincode, function string, command kernel.Command) (ledger.Outcome, error)
	SubmitBatch(ctx context.Context, as ledger.Signer, chaincode string, batch kernel.Batch) ([]ledger.Outcome, error)
	SubmitPrivate(ctx context.Context, as ledger.Signer, chaincode, function string, command kernel.Command, beside ledger.Private) (ledger.Outcome, error)
	Evaluate(ctx context.Context, as ledger.Signer, chaincode, function string, request, answer any) error
	Attest(ctx context.Context, chaincode, function string, request any) ([]byte, error)
	Awaited(tx string) bool
}

// Store is the projection of the ledger.
type Store interface {
	Get(ctx context.Context, noun, id string) (store.Record, bool, error)
	Find(ctx context.Context, q store.Query) ([]store.Record, string, error)
	Bodies(ctx context.Context, q store.Query) ([]json.RawMessage, string, error)
	History(ctx context.Context, noun, id string, size int, after string) ([]store.Revision, string, error)
	Transaction(ctx context.Context, id string) (store.Transaction, bool, error)
	Blocks(ctx context.Context, q store.BlockQuery) ([]store.Block, string, error)
	feed.Source
	Counts(ctx context.Context, q store.CountQuery) ([]store.Count, error)
	Pairs(ctx context.Context, q store.Query) ([]store.Pair, error)
}

// Vault keeps sealed payloads.
type Vault interface {
	Put(ctx context.Context, entries ...vault.Entry) error
	Get(ctx context.Context, commitment, recipient string) (vault.Entry, bool, error)
	PutChunk(ctx context.Context, c vault.Chunk) error
	Chunk(ctx context.Context, stream string, number int) (vault.Chunk, bool, error)
	Remove(ctx context.Context, commitment, use string) error
}

// Peers are the gateways of other organisations, reached by the MSP id of the organisation.
type Peers interface {
	// Sealed fetches what is sealed to an agency under a commitment.
	Sealed(ctx context.Context, msp, commitment, agency string) (seal.Envelope, error)
	// Deliver asks a provider's gateway to deliver a use.
	Deliver(ctx context.Context, msp, use string, selector Delivery) (seal.Envelope, error)
	// DemandOpening asks the gateway of a sealed use's consumer to open it, whose date has come.
	DemandOpening(ctx context.Context, msp, use string) (Opened, error)
	// Chunk fetches a chunk of a file that was delivered.
	Chunk(ctx context.Context, msp, use, stream string, number int) (SealedChunk, error)
	// OpenCode asks the citizens' gateway whether the digits entered for a code are the right ones.
	OpenCode(ctx context.Context, msp, code string, opening Opening) (seal.Envelope, error)
}

// Connectors read departments' databases.
type Connectors interface {
	Fetch(ctx context.Context, q connector.Query) (connector.Record, error)
	Extract(dataset string) (e *connector.Extract, found bool, err error)
	Part(ctx context.Context, q connector.Query, field exchange.FieldSpec, offset int64, length int) ([]byte, error)
}

// Dependencies are what an App is made of. All are required but Webhooks, Anchoring, Pseudonym, Clock and MaxWait.
type Dependencies struct {
	MSP        string          // the organisation served
	Channel    string          // what subjects sign names it
	PublicURL  string          // how others reach this gateway
	Identities []ledger.Signer // that this gateway holds
	Keys       seal.Keys       // private exchange keys of the agencies served
	Ledger     Ledger
	Offline    Offline
	Chain      Chain
	Store      Store
	Vault      Vault
	Peers      Peers
	Connectors Connectors
	Webhooks   *Webhooks                   // nil where events are not delivered to addresses
	Anchoring  *anchor.Jobs                // nil where no records are anchored
	Pseudonym  func(account string) string // of an account at the identity provider; nil where citizens are not served
	Clock      func() time.Time            // nil means time.Now
	MaxWait    time.Duration               // of a read for min_block; 0 means DefaultMaxWait
}

// DefaultMaxWait is how long a read waits for min_block where nothing else is said.
const DefaultMaxWait = 10 * time.Second

// App is the application. Safe for concurrent use.
type App struct {
	Dependencies
	tables   *tables
	judges   *judges
	decoded  *decoded
	feed     *feed.Feed
	tickets  *tickets
	warrants warrants
}

// New checks the dependencies.
func New(d Dependencies) (*App, error) {
	switch {
	case d.MSP == "" || d.Channel == "":
		return nil, errors.New("app: msp and channel are required")
	case d.Ledger == nil || d.Offline == nil || d.Chain == nil || d.Store == nil || d.Vault == nil || d.Peers == nil || d.Connectors == nil:
		return nil, errors.New("app: ledger, offline, chain, store, vault, peers and connectors are required")
	case len(d.Identities) == 0:
		return nil, errors.New("app: at least one identity is required")
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.MaxWait == 0 {
		d.MaxWait = DefaultMaxWait
	}
	d.Store = newRecent(d.Store)
	a := &App{
		Dependencies: d, tables: &tables{known: map[string]table{}}, judges: &judges{known: map[string]judge{}},
		decoded: &decoded{known: map[string]decodedDataset{}}, feed: feed.New(d.Store), tickets: &tickets{},
	}
	a.warrants.ask = a.askWarrants
	return a, nil
}

// now is the time in the form records carry: UTC, whole milliseconds.
func (a *App) now() time.Time { return a.Clock().UTC().Truncate(time.Millisecond) }
