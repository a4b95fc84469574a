package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/gateway/reload"
)

// How another peer takes over.
const (
	returnAfter     = 10 * time.Second // a peer listed earlier is up for so long before it is used again
	catchUpPatience = 2 * time.Second  // for the blocks that the stream has given already
	catchUpPause    = 20 * time.Millisecond
)

var (
	errDown     = errors.New("the peer went down")
	errReturned = errors.New("a peer that is listed earlier is up again")
)

// ownPeers is the organisation's peers. One of them is used at a time, for calls and for the block stream: what the
// stream has given, the peer that is asked next has too. It is the first of the list that is up and not behind.
//
// A call that a peer did not take is made at the others, as it is. All of them can be: an endorsement and a query write
// nothing, a question for a commit reads, and a transaction that is handed over twice is one transaction, whose id the
// ledger takes once. Nothing is signed anew here.
type ownPeers struct {
	peers   []*ownPeer
	metrics *metrics
	now     atomic.Pointer[tenure]
	seen    atomic.Uint64 // height that the block stream has reached

	asking sync.Mutex // one call at a time asks a peer that is suspected
	mu     sync.Mutex // of the peers' health, and of what follows from it

	as    func() *member // asks the peers; nil until Watch
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// tenure is the time during which one peer is used. over ends with it, and its cause tells why.
type tenure struct {
	*ownPeer
	over context.Context
	end  context.CancelCauseFunc
}

func dialPeers(files *reload.Set, list []config.Peer, n, maxMessage int, m *metrics) (*ownPeers, error) {
	var peers []*ownPeer
	for i, p := range list {
		connections, err := dial(files, fmt.Sprintf("peers[%d]", i), p, n, maxMessage)
		if err != nil {
			return nil, errors.Join(err, newOwnPeers(peers, m).Close())
		}
		peers = append(peers, &ownPeer{endpoint: p.Endpoint, pool: connections})
	}
	return newOwnPeers(peers, m), nil
}

func newOwnPeers(peers []*ownPeer, m *metrics) *ownPeers {
	o := &ownPeers{peers: peers, metrics: m}
	for _, p := range peers {
		m.peerUp.WithLabelValues(p.endpoint).Set(0)
	}
	if len(peers) > 0 {
		o.begin(peers[0])
	}
	return o
}

// Watch checks the peers, signing as a member, until Close. It comes before all calls.
func (o *ownPeers) Watch(as func() *member) {
	ctx, cancel := context.WithCancel(context.Background())
	o.as, o.stop = as, cancel
	o.ended.Go(func() {
		ticker := time.NewTicker(checkEvery)
		defer ticker.Stop()
		for {
			o.round(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// round checks all peers at the same moment, so that their heights can be compared.
func (o *ownPeers) round(ctx context.Context) {
	heights, failures := make([]uint64, len(o.peers)), make([]error, len(o.peers))
	var group sync.WaitGroup
	for i, p := range o.peers {
		group.Go(func() { heights[i], failures[i] = p.check(ctx, o.as()) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var furthest uint64
	for i, p := range o.peers {
		o.note(p, heights[i], failures[i])
		furthest = max(furthest, heights[i])
	}
	for i, p := range o.peers {
		switch {
		case failures[i] != nil:
		case heights[i]+maxBehind < furthest:
			p.behind++
		default:
			p.behind = 0
		}
	}
	o.elect()
}

// note keeps what a check found. The caller holds mu.
func (o *ownPeers) note(p *ownPeer, height uint64, err error) {
	switch {
	case err == nil:
		if !p.up {
			p.up, p.since = true, time.Now()
		}
		p.silent, p.height, p.cause = 0, height, nil
	case late(err) && p.up && p.silent+1 < badRounds:
		p.silent++
	default:
		p.up, p.cause = false, err
	}
	up := 0.
	if p.up {
		up = 1
	}
	o.metrics.peerUp.WithLabelValues(p.endpoint).Set(up)
}

// elect lets another peer take over if the present one is not fit, or if an earlier one has been up for long enough. While
// no peer is fit, the present one goes on being asked. The caller holds mu.
func (o *ownPeers) elect() {
	now := o.now.Load()
	for _, p := range o.peers {
		switch {
		case p == now.ownPeer && p.fit():
			return
		case !p.fit():
		case !now.fit():
			o.replace(now, p, errDown)
			return
		case time.Since(p.since) >= returnAfter:
			o.replace(now, p, errReturned)
			return
		}
	}
}

func (o *ownPeers) replace(now *tenure, p *ownPeer, why error) {
	o.begin(p)
	o.metrics.peerMoves.Inc()
	now.end(why)
}

func (o *ownPeers) begin(p *ownPeer) {
	t := &tenure{ownPeer: p}
	t.over, t.end = context.WithCancelCause(context.Background())
	o.now.Store(t)
}

// suspect asks a peer again that did not take a call, so that another takes over without waiting for the next round.
func (o *ownPeers) suspect(ctx context.Context, p *ownPeer) {
	o.asking.Lock()
	defer o.asking.Unlock()
	if !o.isUp(p) { // another call has found out already
		return
	}
	height, err := p.check(ctx, o.as())
	if ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(p, height, err)
	o.elect()
}

func (o *ownPeers) isUp(p *ownPeer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return p.up
}

// caughtUp waits until a peer that takes over has the blocks that the stream has given: an earlier write that was
// acknowledged must not be missing there.
func (o *ownPeers) caughtUp(ctx context.Context, p *ownPeer) {
	want := o.seen.Load()
	ctx, cancel := context.WithTimeout(ctx, catchUpPatience)
	defer cancel()
	for o.heightOf(p) < want {
		height, err := p.check(ctx, o.as())
		if err != nil {
			return // the call itself will tell
		}
		o.mu.Lock()
		o.note(p, height, nil)
		o.mu.Unlock()
		if height < want && !pause.For(ctx, catchUpPause) {
			return
		}
	}
}

func (o *ownPeers) heightOf(p *ownPeer) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return p.height
}

// following is called with the height that the block stream has reached.
func (o *ownPeers) following(height uint64) {
	for at := o.seen.Load(); at < height && !o.seen.CompareAndSwap(at, height); at = o.seen.Load() {
	}
}

// Invoke implements grpc.ClientConnInterface: it makes a call at the peer in use, and at the others if it was not taken.
func (o *ownPeers) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	at := o.now.Load()
	tried := map[*ownPeer]bool{}
	var first error
	for {
		tried[at.ownPeer] = true
		err := at.invoke(ctx, method, args, reply, opts...)
		if err == nil {
			return nil
		}
		// what was perhaps handed over at one peer stays so, whatever another says of itself
		if first == nil || !perhapsOrdered(ctx, method, first) {
			first = err
		}
		if ctx.Err() != nil || !elsewhere(method, err) || len(o.peers) == 1 {
			return first
		}
		if status.Code(err) == codes.Unavailable {
			o.suspect(ctx, at.ownPeer)
		}
		if at = o.untried(tried); at == nil {
			return first
		}
		o.caughtUp(ctx, at.ownPeer)
	}
}

// untried is the peer in use, or the next that is fit, or the next, of those a call has not been made at.
func (o *ownPeers) untried(tried map[*ownPeer]bool) *tenure {
	if now := o.now.Load(); !tried[now.ownPeer] {
		return now
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var next *tenure
	for _, p := range o.peers {
		if !tried[p] && (next == nil || p.fit() && !next.fit()) {
			next = &tenure{ownPeer: p, over: context.Background()}
		}
	}
	return next
}

// invoke makes a call that does not wait for a peer that went down.
func (t *tenure) invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(t.over, func() {
		if cause := context.Cause(t.over); errors.Is(cause, errDown) {
			cancel(cause)
		}
	})
	defer stop()
	err := t.pool.Invoke(ctx, method, args, reply, opts...)
	if err != nil && errors.Is(context.Cause(ctx), errDown) {
		return status.Error(codes.Unavailable, errDown.Error())
	}
	return err
}

// elsewhere says whether a call that failed is worth making at another peer: its peer was not reached, or went away, or
// has no room, or does not know enough of the network yet. What endorsers and orderers said by way of it stands.
func elsewhere(method string, err error) bool {
	if len(detailsOf(err)) > 0 {
		return false
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted:
		return true
	case codes.FailedPrecondition:
		return method != gateway.Gateway_Submit_FullMethodName
	}
	return false
}

func perhapsOrdered(ctx context.Context, method string, err error) bool {
	return method == gateway.Gateway_Submit_FullMethodName && decodeOrder(ctx, err).verdict == ambiguous
}

// left says whether another peer has taken over since a tenure began, or does so now that a stream at it ended.
func (o *ownPeers) left(ctx context.Context, t *tenure) bool {
	if len(o.peers) > 1 && ctx.Err() == nil && o.now.Load() == t {
		o.suspect(ctx, t.ownPeer)
	}
	return ctx.Err() == nil && o.now.Load() != t
}

// NewStream implements grpc.ClientConnInterface.
func (o *ownPeers) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return o.now.Load().NewStream(ctx, desc, method, opts...)
}

// Summary words how the peers stand, for whoever operates the gateway.
func (o *ownPeers) Summary() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now.Load()
	words := make([]string, len(o.peers))
	for i, p := range o.peers {
		switch {
		case !p.up && p.cause == nil:
			words[i] = p.endpoint + " not asked yet"
		case !p.up:
			words[i] = fmt.Sprintf("%s down: %v", p.endpoint, p.cause)
		case !p.fit():
			words[i] = fmt.Sprintf("%s behind, at height %d", p.endpoint, p.height)
		case p == now.ownPeer:
			words[i] = p.endpoint + " in use"
		default:
			words[i] = p.endpoint + " up"
		}
	}
	return strings.Join(words, "; ")
}

// Close ends the checks and the connections; calls under way end.
func (o *ownPeers) Close() error {
	if o.stop != nil {
		o.stop()
		o.ended.Wait()
	}
	var failures []error
	for _, p := range o.peers {
		failures = append(failures, p.pool.Close())
	}
	return errors.Join(failures...)
}
