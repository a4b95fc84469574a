package credential

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/pause"
)

// Limits of verification.
const (
	// Skew is how far the provider's clock may be from ours.
	Skew = 30 * time.Second
	// MaxTokenBytes bounds a token; ours are about 700 bytes.
	MaxTokenBytes = 8 << 10
	// cacheSize and cacheLife bound the memory of verified tokens.
	cacheSize = 4096
	cacheLife = 5 * time.Minute
	// keyLife is how long keys are gone by without asking the provider again. One that withdraws a key is obeyed after keyLife
	// and cacheLife together; while it is out of reach, the keys last seen are good.
	keyLife = 5 * time.Minute
	// Requests to the provider: a stranger's tokens with unknown key ids must not turn us into a load on it.
	fetchEvery   = time.Second
	fetchBurst   = 8
	fetchTimeout = 10 * time.Second
	maxAnswer    = 1 << 20 // bytes of a discovery document or key set
	// Discovery is tried again after these while the provider is not there.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// algorithms accepted: asymmetric ones only, so that a public key can never serve as a secret.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.PS256, jose.RS256, jose.EdDSA}

// Faults of verification.
var (
	ErrInvalid     = fault.New(fault.Denied, "token.invalid", "sign in again; send the access token as Authorization: Bearer …").On("Authorization", "access_token")
	ErrExpired     = fault.New(fault.Denied, "token.expired", "sign in again: the access token has ended").On("Authorization", "not_expired")
	ErrClaims      = fault.New(fault.Denied, "token.claims", "the identity provider must put the claim role (and agency, for all but citizens) into the access token").On("Authorization", "claims")
	ErrBound       = fault.New(fault.Denied, "token.bound", "the token belongs to another connection: it is bound to a client certificate (RFC 8705); connect with that certificate")
	ErrUnbound     = fault.New(fault.Denied, "token.unbound", "this client's tokens must be bound to its client certificate (RFC 8705); obtain one over a connection with the certificate").On("Authorization", "cnf.x5t#S256")
	ErrBinding     = fault.New(fault.Denied, "token.invalid", "the token is bound to a key in a way that is not served here; bind it to a client certificate (RFC 8705), or not at all").On("Authorization", "cnf.x5t#S256")
	ErrUnavailable = fault.New(fault.Internal, "provider.unavailable", "the identity provider's keys could not be loaded; try again shortly")
)

// Verifier checks access tokens of one OpenID Connect provider. The provider need not be there when the gateway starts:
// until its keys are loaded, Verify answers ErrUnavailable and Ready says why.
type Verifier struct {
	reading   reading
	client    *http.Client
	transport *limited
	now       func() time.Time
	cache     *cache
	loaded    atomic.Pointer[loaded]
	lastError atomic.Pointer[string]
}

// loaded is there once discovery has succeeded.
type loaded struct{ verifier *oidc.IDTokenVerifier }

// NewVerifier makes a verifier. roots nil means the system's. Call Start to load the provider's keys.
func NewVerifier(provider config.OIDC, roots *x509.CertPool) *Verifier {
	provider.Fill()
	transport := &limited{limiter: rate.NewLimiter(rate.Every(fetchEvery), fetchBurst)}
	v := &Verifier{
		reading: reading{provider}, now: time.Now, cache: newCache(cacheSize), transport: transport,
		client: &http.Client{Timeout: fetchTimeout, Transport: transport},
	}
	v.Trust(roots)
	return v
}

// Trust makes the provider's certificate be checked against other roots from now on.
func (v *Verifier) Trust(roots *x509.CertPool) {
	old := v.transport.next.Swap(&http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		MaxIdleConns:      2, IdleConnTimeout: time.Minute,
	})
	if old != nil {
		old.CloseIdleConnections()
	}
}

// Start loads the provider's keys, trying again until it has them, and again every keyLife, until ctx ends. It returns at
// once. Besides, keys are fetched whenever a token names one that is not known.
func (v *Verifier) Start(ctx context.Context) {
	go func() {
		delay := backoff.NewExponentialBackOff()
		delay.InitialInterval, delay.MaxInterval = firstRetry, lastRetry
		delay.Reset()
		for {
			wait := keyLife
			if err := v.load(ctx); err != nil {
				reason := err.Error()
				v.lastError.Store(&reason)
				if ctx.Err() == nil {
					slog.WarnContext(ctx, "identity provider not reached; keys seen before stay good", "issuer", v.reading.Issuer, "error", reason)
				}
				wait = delay.NextBackOff()
			} else {
				delay.Reset()
			}
			if !pause.For(ctx, wait) {
				return
			}
		}
	}()
}

// load does discovery and fetches the keys once, so that Ready is true only when tokens can be verified.
func (v *Verifier) load(ctx context.Context) error {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.client), v.reading.Issuer)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	var document struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil || document.Keys == "" {
		return errors.New("discovery: the document names no jwks_uri")
	}
	if !strings.HasPrefix(document.Keys, "https://") {
		return errors.New("discovery: the jwks_uri is not an https address: whoever is in between could put keys of their own there")
	}
	keys, err := newKeySet(ctx, v.client, document.Keys)
	if err != nil {
		return err
	}
	checks := &oidc.Config{ClientID: v.reading.Audience, SkipExpiryCheck: true} // we allow for skew below
	for _, a := range algorithms {
		checks.SupportedSigningAlgs = append(checks.SupportedSigningAlgs, string(a))
	}
	v.loaded.Store(&loaded{oidc.NewVerifier(v.reading.Issuer, keys, checks)})
	return nil
}

// Ready says why tokens cannot be verified, or nil.
func (v *Verifier) Ready() error {
	switch reason := v.lastError.Load(); {
	case v.loaded.Load() != nil:
		return nil
	case reason != nil:
		return errors.New(*reason)
	default:
		return errors.New("the provider's keys are being loaded")
	}
}

// Verify checks a token and gives its claims. Tokens verified before are remembered by their hash until they end.
// Faults: ErrInvalid, ErrExpired, ErrClaims, ErrUnbound, ErrUnavailable.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if token == "" || len(token) > MaxTokenBytes {
		return Claims{}, ErrInvalid
	}
	hash := hashOf(token)
	now := v.now()
	if c, ok := v.cache.get(hash, now); ok {
		return c, c.live(now)
	}
	l := v.loaded.Load()
	if l == nil {
		return Claims{}, ErrUnavailable
	}
	var note error
	verified, err := l.verifier.Verify(context.WithValue(ctx, noteKey{}, &note), token)
	if err != nil {
		if unreachable(note) {
			return Claims{}, ErrUnavailable
		}
		slog.DebugContext(ctx, "token refused", "error", err.Error())
		return Claims{}, ErrInvalid
	}
	c, err := v.reading.claims(verified, now)
	if err != nil {
		return Claims{}, err
	}
	v.cache.put(hash, c, now.Add(cacheLife))
	return c, nil
}
