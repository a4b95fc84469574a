package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/build"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/credential/mtls"
	"github.com/hutong-gov/hutong/gateway/reload"
)

// Run opens a gateway and serves until ctx ends (nil) or something fails for good. ready, where given, is called with the
// address once requests are accepted.
func Run(ctx context.Context, c *config.Config, log *slog.Logger, ready func(net.Addr)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tune(ctx)
	g, err := Open(ctx, c, log)
	if err != nil {
		return err
	}
	err = g.Serve(ctx, ready)
	return errors.Join(err, g.Close())
}

// Serve runs the gateway until ctx ends, and drains it.
func (g *Gateway) Serve(ctx context.Context, ready func(net.Addr)) error {
	certificate, err := reload.Certificate(g.files, "tls", g.config.TLS.Cert, g.config.TLS.Key)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	door, err := net.Listen("tcp", g.config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	public := g.rest.HTTPServer()
	public.Handler = mtls.Handler(public.Handler)
	if public.TLSConfig, err = g.front(certificate); err != nil {
		return errors.Join(err, door.Close())
	}
	servers, listeners := []*http.Server{public}, []net.Listener{door}
	if address := g.config.OperationsListen; address != "" {
		side, err := net.Listen("tcp", address)
		if err != nil {
			return errors.Join(fmt.Errorf("operations_listen: %w", err), door.Close())
		}
		operations := g.rest.HTTPServer()
		operations.Handler, operations.TLSConfig = g.operations(), reload.Server(certificate)
		servers, listeners = append(servers, operations), append(listeners, side)
	}
	// background goes on while requests are drained: a write under way still learns its outcome
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	following := make(chan error, 1)
	go func() { following <- g.follower.Run(background) }()
	g.providers.Start(background)
	go g.endorsed.probe(background)
	go g.files.Run(background)
	delivered := g.deliver(background)
	var rounds sync.WaitGroup
	rounds.Go(func() { g.announcer.run(background) })
	rounds.Go(func() { g.reconciler.run(background) })
	rounds.Go(func() { g.resumeAnchorJobs(background) })
	rounds.Go(func() { g.opener.run(background) })

	failed := make(chan error, len(servers))
	for i, server := range servers {
		go func() { failed <- server.ServeTLS(listeners[i], "", "") }()
	}
	g.log.Info("gateway listens", "organisation", g.config.Organisation, "address", door.Addr().String(), "version", build.Version())
	debug.FreeOSMemory() // what opening needed is not needed again
	if ready != nil {
		ready(door.Addr())
	}

	var cause error
	followed := false
	select {
	case <-ctx.Done():
	case cause = <-failed:
	case cause = <-following: // another ledger, or a block that cannot be applied: serving on would be wrong
		followed = true
	}
	g.log.Info("gateway stops", "cause", cause)
	drained := g.drain(ctx, servers)
	stop()
	if !followed {
		cause = errors.Join(cause, <-following)
	}
	<-delivered
	rounds.Wait()
	g.log.Info("gateway stopped")
	return errors.Join(cause, drained)
}

// front is the TLS configuration of the public listener.
func (g *Gateway) front(certificate *reload.Value[*tls.Certificate]) (*tls.Config, error) {
	own, file := reload.Server(certificate), g.config.TLS.ClientCA
	if file == "" {
		return own, nil
	}
	authorities, err := reload.Add(g.files, "tls.client_ca", func() (*x509.CertPool, error) { return reload.Roots(file) }, []string{file})
	if err != nil {
		return nil, fmt.Errorf("tls.client_ca: %w", err)
	}
	return reload.Asking(own, authorities), nil
}

// operations serves what machines poll, on a listener of its own.
func (g *Gateway) operations() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", g.rest.Metrics())
	mux.Handle("GET /healthz", g.rest.Handler())
	mux.Handle("GET /readyz", g.rest.Handler())
	return mux
}

// Handler serves the API, for tests that need no listener.
func (g *Gateway) Handler() http.Handler { return g.rest.Handler() }
