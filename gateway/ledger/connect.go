package ledger

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/reload"
)

// Keepalive of the connections to the peer: a peer that vanished without closing is noticed within their sum. Peers
// refuse clients that ask more often than once a minute while they have nothing to say.
const (
	keepaliveTime    = 60 * time.Second
	keepaliveTimeout = 10 * time.Second
)

// A peer that was away is dialled again at these pauses, growing; the default of gRPC would grow to two minutes.
const (
	firstDial   = 100 * time.Millisecond
	longestDial = 2 * time.Second
	dialFactor  = 1.6
	dialSpread  = 0.2
	dialTimeout = 5 * time.Second
)

// pool is several connections to one peer: the first carries streams, the others calls, in turn. A large block does not
// stand in the way of a proposal, and the fewer connections calls are spread over, the more of them share one write to
// the network.
type pool struct {
	streams *grpc.ClientConn
	calls   []*grpc.ClientConn
	next    atomic.Uint64
}

// dial makes the connections. Nothing is sent until they are used. name is the setting that describes the peer.
func dial(files *reload.Set, name string, p config.Peer, n, maxMessage int) (*pool, error) {
	roots, err := reload.Add(files, name+".tls_root", func() (*x509.CertPool, error) { return reload.Roots(p.TLSRoot) }, []string{p.TLSRoot})
	if err != nil {
		return nil, fmt.Errorf("peers: tls_root of %s: %w", p.Endpoint, err)
	}
	return dialWith(p.Endpoint, n, maxMessage, reload.Credentials(roots, p.ServerName))
}

func dialWith(endpoint string, n, maxMessage int, secure credentials.TransportCredentials) (*pool, error) {
	connections := new(pool)
	for i := range n {
		c, err := grpc.NewClient(endpoint,
			grpc.WithTransportCredentials(secure),
			grpc.WithNoProxy(), // the peer is the organisation's own; no proxy of the environment belongs between
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: firstDial, MaxDelay: longestDial, Multiplier: dialFactor, Jitter: dialSpread},
				MinConnectTimeout: dialTimeout,
			}),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("peers: endpoint %s: %w", endpoint, err), connections.Close())
		}
		if i == 0 {
			connections.streams = c
		}
		if i > 0 || n == 1 { // a single one carries both
			connections.calls = append(connections.calls, c)
		}
	}
	return connections, nil
}

// Invoke implements grpc.ClientConnInterface.
func (p *pool) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	c := p.calls[p.next.Add(1)%uint64(len(p.calls))]
	return c.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (p *pool) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return p.streams.NewStream(ctx, desc, method, opts...)
}

// Close closes the connections; calls under way end.
func (p *pool) Close() error {
	var failures []error
	for _, c := range p.calls {
		failures = append(failures, c.Close())
	}
	if p.streams != nil && !slices.Contains(p.calls, p.streams) {
		failures = append(failures, p.streams.Close())
	}
	return errors.Join(failures...)
}
