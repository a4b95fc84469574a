// Package ledgertest is a ledger in memory that behaves like Fabric where contracts can tell the difference, for tests.
//
//	l := ledgertest.New(certificate.New(), exchange.New())
//	tax := l.As("market.tax", access.Agency)
//	receipt, err := tax.Submit("certificate:Issue", "key-1", request)
//
// A transaction is simulated on committed state (it does not read its own writes), checked for stale and phantom reads
// when it commits, and recorded in a block with its write set and its one event, whether it was valid or not. Private data
// leaves only hashes on the ledger. A chaincode called by another shares the simulation, in a namespace of its own.
//
// Invariants it enforces by panicking, because a test must not be able to overlook them: every invocation runs on two
// endorsers whose clocks differ by EndorserSkew, and both must make the same answer, reads, writes and event, unless one refuses
// by its clock (kernel.ClockReasons); every type of change announced is declared by one of the contracts; a chaincode called
// twice in one transaction does not touch in the second call what it wrote in the first, which Fabric would let it do,
// blindly; no contract panics.
//
// A transaction counts as endorsed by every organisation, unless Tx.EndorsedBy names those it is; then it must meet the
// policy of every key it writes, and the chaincodes' where a key has none. The chaincodes are defined with one policy, that of
// the default network, which they can read from the lifecycle.
//
// What it leaves out: signatures, the policies of private data's keys (recorded, not enforced), blocks of more than what one
// CommitBlock call is given, rich queries (LevelDB has none) and the system chaincodes but for a chaincode's definition.
package ledgertest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Channel is the name of the one channel.
const Channel = "government"

// EndorserSkew is how far the second endorser's clock is ahead of the first's.
const EndorserSkew = 700 * time.Millisecond

// Start is what the clock shows in a new ledger.
var Start = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// Ledger is one channel with its chaincodes. Safe for concurrent use; transactions are simulated one at a time.
type Ledger struct {
	mu          sync.Mutex
	now         time.Time
	skew        time.Duration // of the endorser that is running
	chaincodes  map[string]shim.Chaincode
	owner       map[string]string          // function → chaincode; "" where several have it
	declared    map[string]bool            // types of change the contracts declare
	collections map[string]map[string]bool // chaincode/collection → member MSPs
	state       world
	blocks      []Block
	history     map[string][]past // namespace and key, oldest first
	authorities map[string]*authority
	clients     map[string]*Client
	submitted   int    // transactions made, for their ids
	named       string // the next transaction's id, if it was given
}

// New starts a ledger with contracts that are built. It takes over their clocks.
func New(contracts ...*kernel.Contract) *Ledger {
	l := &Ledger{
		now: Start, chaincodes: map[string]shim.Chaincode{}, owner: map[string]string{}, declared: map[string]bool{},
		collections: map[string]map[string]bool{}, state: newWorld(), history: map[string][]past{},
		authorities: map[string]*authority{}, clients: map[string]*Client{},
	}
	for _, c := range contracts {
		l.Install(c.Name, c)
		c.Clock = l.endorserClock
		for _, f := range c.Functions {
			l.own(f.Name, c.Name)
		}
		l.own(kernel.BatchFunction, c.Name)
		for _, e := range c.Events {
			l.declared[e.Type] = true
		}
	}
	return l
}

func (l *Ledger) own(function, chaincode string) {
	if _, taken := l.owner[function]; taken {
		chaincode = ""
	}
	l.owner[function] = chaincode
}

// Install adds a chaincode of any kind under a name.
func (l *Ledger) Install(name string, cc shim.Chaincode) {
	if _, twice := l.chaincodes[name]; twice {
		panic("ledgertest: chaincode " + name + " is installed already")
	}
	l.chaincodes[name] = cc
}

// DefineCollection adds a private data collection of a chaincode, held by the members' peers. The implicit collections
// (_implicit_org_…) need no definition.
func (l *Ledger) DefineCollection(chaincode, collection string, members ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set := map[string]bool{}
	for _, msp := range members {
		set[msp] = true
	}
	l.collections[join(chaincode, collection)] = set
}

const implicitPrefix = "_implicit_org_"

// members answers who holds a collection; ok is false where there is no such collection.
func (l *Ledger) members(chaincode, collection string) (set map[string]bool, ok bool) {
	if msp, implicit := strings.CutPrefix(collection, implicitPrefix); implicit && msp != "" {
		return map[string]bool{msp: true}, true
	}
	set, ok = l.collections[join(chaincode, collection)]
	return set, ok
}

// Now is the ledger's clock: what clients claim as the timestamp and what endorsers compare it with.
func (l *Ledger) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// Advance moves the clock.
func (l *Ledger) Advance(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

// endorserClock is called by a contract while a simulation holds the lock.
func (l *Ledger) endorserClock() time.Time { return l.now.Add(l.skew) }

// Value is the committed value of a key, nil if absent. key is a ledger key (state.Key).
func (l *Ledger) Value(chaincode, key string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.public[join(chaincode, key)].value)
}

// Keys lists the committed keys of a chaincode in order.
func (l *Ledger) Keys(chaincode string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.keys(chaincode)
}

// Policy is the key-level endorsement policy of a key, nil if none.
func (l *Ledger) Policy(chaincode, key string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.public[join(chaincode, key)].policy)
}

// Name gives the next transaction its id, where it must be one that a real block can have.
func (l *Ledger) Name(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.named = id
}

// nextID makes a transaction id: as long as Fabric's, unique in this ledger and the same in every run of a test.
func (l *Ledger) nextID() string {
	if id := l.named; id != "" {
		l.named = ""
		return id
	}
	l.submitted++
	sum := sha256.Sum256(fmt.Appendf(nil, "transaction %d", l.submitted))
	return hex.EncodeToString(sum[:])
}

// join makes one map key of a namespace and a key; a namespace has no "/".
func join(namespace, key string) string { return namespace + "/" + key }
