// Package serve puts a gateway together from its configuration and runs it: the block stream, the projection, the ledger
// client, the application and the HTTP listener. The program in gateway/cmd/gateway does nothing but call Run; tests call
// it too.
//
// Start: nothing that runs elsewhere (peer, identity provider, other gateways) need be there; /readyz says what is missing.
// Stop: no new requests, those under way are drained while the block stream still runs, so that a write sent to the ledger
// is answered with its outcome; then the stream, the ledger, the databases. A write is acknowledged only once it is in a
// block, so whenever the process is killed, nothing acknowledged is lost.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/hutong-gov/hutong/chaincode/build"
	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/credential"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/reload"
	"github.com/hutong-gov/hutong/gateway/rest"
	"github.com/hutong-gov/hutong/gateway/trace"
	"github.com/hutong-gov/hutong/gateway/trace/export"
	"github.com/hutong-gov/hutong/gateway/vault"
	"github.com/hutong-gov/hutong/gateway/webhook"
)

// consoleClient is the public OpenID Connect client with which the page to try the API signs users in.
const consoleClient = "console"

// Gateway is everything one process runs.
type Gateway struct {
	config     *config.Config
	log        *slog.Logger
	registry   *prometheus.Registry
	tracer     *trace.Tracer // nil: nothing is traced
	files      *reload.Set   // certificates and roots that may be replaced while the gateway runs
	ledger     *ledger.Ledger
	projection *projection.Projection
	follower   *follow.Follower
	providers  credential.Providers
	endorsed   *endorsed
	connectors *connector.Set
	announcer  *announcer
	reconciler *reconciler
	resumeJobs func() error // of anchoring
	opener     *opener
	webhooks   *webhook.Deliverer     // nil where none are served
	pseudonyms *credential.Pseudonyms // nil where citizens are not served
	rest       *rest.Server
	close      []func() error // in the order of opening
}

// Open puts a gateway together. Nothing runs yet but connections; call Serve, or Close.
func Open(ctx context.Context, c *config.Config, log *slog.Logger) (g *Gateway, err error) {
	g = &Gateway{config: c, log: log, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if err := errors.Join(
		g.registry.Register(collectors.NewGoCollector()),
		g.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	); err != nil {
		return g, err
	}
	if g.files, err = reload.NewSet(log, g.registry); err != nil {
		return g, err
	}
	if err := g.openTelemetry(ctx); err != nil {
		return g, err
	}
	if err := g.openLedger(ctx); err != nil {
		return g, err
	}
	application, err := g.openApp(ctx)
	if err != nil {
		return g, err
	}
	if g.announcer, err = g.newAnnouncer(application); err != nil {
		return g, err
	}
	g.resumeJobs = application.ResumeAnchorJobs
	if g.reconciler, err = g.newReconciler(application); err != nil {
		return g, err
	}
	if g.opener, err = g.newOpener(application); err != nil {
		return g, err
	}
	return g, g.openREST(application)
}

// openTelemetry begins to export traces, where the configuration names a collector.
func (g *Gateway) openTelemetry(ctx context.Context) error {
	t := g.config.Telemetry
	if t.Endpoint == "" {
		return nil
	}
	roots, err := reload.Roots(t.TLSRoot)
	if err != nil {
		return fmt.Errorf("telemetry.tls_root: %w", err)
	}
	traces, err := export.Open(ctx, export.Collector{
		Endpoint: t.Endpoint, Roots: roots, Ratio: t.SampleRatio, Organisation: g.config.Organisation, Version: build.Version(),
	}, g.log)
	if err != nil {
		return fmt.Errorf("telemetry.%w", err)
	}
	g.onClose(traces.Close)
	g.tracer = traces.Tracer
	return nil
}

// openLedger opens the projection, the ledger client and the follower between them.
func (g *Gateway) openLedger(ctx context.Context) (err error) {
	c := g.config
	commits := follow.NewCommits()
	if g.projection, err = projection.Open(ctx, c.Kept(), c.Limits.ReadConnections, projection.Contracts()); err != nil {
		return err
	}
	g.onClose(g.projection.Close)
	if g.ledger, err = ledger.Open(c, commits, g.files, g.registry); err != nil {
		return err
	}
	g.onClose(g.ledger.Close)
	g.endorsed = &endorsed{ledger: g.ledger, log: g.log}
	g.follower, err = follow.New(g.ledger, commits, g.projection, c.Limits.BlocksPerCommit, g.log, g.registry)
	return err
}

func (g *Gateway) openApp(ctx context.Context) (*app.App, error) {
	c := g.config
	keys, err := exchangeKeys(c.ExchangeKeys)
	if err != nil {
		return nil, err
	}
	kept, err := vault.Open(ctx, c.Kept())
	if err != nil {
		return nil, err
	}
	g.onClose(kept.Close)
	if g.connectors, err = connector.Open(c.Connectors, g.registry); err != nil {
		return nil, err
	}
	g.onClose(g.connectors.Close)
	peers, err := newNeighbours(g.files, c.Directory)
	if err != nil {
		return nil, err
	}
	identities := make([]ledger.Signer, len(c.Identities))
	for i, id := range c.Identities {
		identities[i] = ledger.Signer{Agency: id.Agency, Role: id.Role}
	}
	var pseudonym func(account string) string
	if c.PseudonymKey != "" {
		if g.pseudonyms, err = credential.LoadPseudonyms(c.PseudonymKey); err != nil {
			return nil, err
		}
		pseudonym = func(account string) string { return g.pseudonyms.Of(c.OIDC.Issuer, account) }
	}
	anchoring, err := anchor.NewJobs(c.Anchors.Archive, c.Anchors.Inbox, g.log)
	if err != nil {
		return nil, err
	}
	g.onClose(anchoring.Close)
	hooks, err := g.openWebhooks(ctx)
	if err != nil {
		return nil, err
	}
	return app.New(app.Dependencies{
		Webhooks:  hooks,
		Anchoring: anchoring,
		Pseudonym: pseudonym,
		MSP:       c.MSP, Channel: c.Channel, PublicURL: c.PublicURL, Identities: identities, Keys: keys,
		Ledger: g.ledger, Offline: g.ledger, Chain: g.ledger, Store: g.projection.Store(), Vault: kept, Peers: peers, Connectors: g.connectors,
	})
}

func (g *Gateway) openREST(application *app.App) error {
	c := g.config
	var err error
	if g.providers, err = newProviders(g.files, c.Providers()); err != nil {
		return err
	}
	who := callers{verify: g.providers.Verify, pseudonyms: g.pseudonyms}
	g.rest, err = rest.New(rest.Config{
		Routes: rest.Routes(application), Authenticate: who.actor, Checks: g.checks(), MaxBody: c.Limits.MaxBodyBytes, Rates: c.Rates, Lines: c.Log.RequestsPerSecond, Tracer: g.tracer,
		MaxStreams: c.Limits.MaxStreams, MaxStreamsPerCaller: c.Limits.MaxStreamsPerCaller,
		Registry: g.registry, Log: g.log,
		About: rest.About{Version: build.Version(), Organisation: c.Organisation, PublicURL: c.PublicURL, Issuer: c.OIDC.Issuer, ClientID: consoleClient},
	})
	return err
}

func (g *Gateway) onClose(f func() error) { g.close = append(g.close, f) }

// Close closes what Open opened, last first.
func (g *Gateway) Close() error {
	var failures []error
	for i := len(g.close) - 1; i >= 0; i-- {
		failures = append(failures, g.close[i]())
	}
	g.close = nil
	return errors.Join(failures...)
}

func exchangeKeys(list []config.ExchangeKey) (seal.Keys, error) {
	keys := seal.Keys{}
	for _, k := range list {
		key, err := seal.LoadKey(k.Private)
		if err != nil {
			return nil, fmt.Errorf("exchange_keys: %s: %w", k.Agency, err)
		}
		keys[k.Agency] = key
	}
	return keys, nil
}
