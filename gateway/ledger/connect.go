package ledger

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/hutong-gov/hutong/gateway/config"
)

// Keepalive of the connections to the peer: a peer that vanished without closing is noticed within their sum. Peers
// refuse clients that ask more often than once a minute while they have nothing to say.
const (
	keepaliveTime    = 60 * time.Second
	keepaliveTimeout = 10 * time.Second
)

// pool is several connections to one peer, used in turn. One HTTP/2 connection serialises its frames; two let block
// stream and proposals pass each other.
type pool struct {
	connections []*grpc.ClientConn
	next        atomic.Uint64
}

// dial makes the connections. Nothing is sent until they are used.
func dial(p config.Peer, n, maxMessage int) (*pool, error) {
	pem, err := os.ReadFile(p.TLSRoot)
	if err != nil {
		return nil, fmt.Errorf("peer.tls_root: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("peer.tls_root: %s holds no certificate", p.TLSRoot)
	}
	secure := credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: p.ServerName, MinVersion: tls.VersionTLS12})
	return dialWith(p.Endpoint, n, maxMessage, secure)
}

func dialWith(endpoint string, n, maxMessage int, secure credentials.TransportCredentials) (*pool, error) {
	connections := new(pool)
	for range n {
		c, err := grpc.NewClient(endpoint,
			grpc.WithTransportCredentials(secure),
			grpc.WithNoProxy(), // the peer is the organisation's own; no proxy of the environment belongs between
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("peer.endpoint: %w", err), connections.Close())
		}
		connections.connections = append(connections.connections, c)
	}
	return connections, nil
}

func (p *pool) pick() *grpc.ClientConn {
	return p.connections[p.next.Add(1)%uint64(len(p.connections))]
}

// Invoke implements grpc.ClientConnInterface.
func (p *pool) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return p.pick().Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (p *pool) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return p.pick().NewStream(ctx, desc, method, opts...)
}

// Close closes the connections; calls under way end.
func (p *pool) Close() error {
	var failures []error
	for _, c := range p.connections {
		failures = append(failures, c.Close())
	}
	return errors.Join(failures...)
}
