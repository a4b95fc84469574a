package credential

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of verification.
const (
	// Skew is how far the provider's clock may be from ours.
	Skew = 30 * time.Second
	// MaxTokenBytes bounds a token; ours are about 700 bytes.
	MaxTokenBytes = 8 << 10
	// MaxClaimLength bounds a claim we go by.
	MaxClaimLength = 256
	// cacheSize and cacheLife bound the memory of verified tokens. A provider that withdraws a key is obeyed after cacheLife.
	cacheSize = 4096
	cacheLife = 5 * time.Minute
	// Requests to the provider: a stranger's tokens with unknown key ids must not turn us into a load on it.
	fetchEvery   = time.Second
	fetchBurst   = 8
	fetchTimeout = 10 * time.Second
	maxKeySet    = 1 << 20
	// Discovery is tried again after these while the provider is not there.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// algorithms accepted: asymmetric ones only, so that a public key can never serve as a secret.
var algorithms = []string{oidc.ES256, oidc.ES384, oidc.PS256, oidc.RS256, oidc.EdDSA}

// roles a token may carry.
var roles = []string{"citizen", "officer", "agency_admin", "portal", "auditor"}

// Claims are what a verified access token says about the caller.
type Claims struct {
	Issuer  string
	Subject string // the provider's; never leaves the gateway (see Pseudonym)
	Role    string
	Agency  string
	Staff   string
	Client  string
	Expires time.Time
}

// Faults of verification.
var (
	ErrInvalid     = fault.New(fault.Denied, "token.invalid", "sign in again; send the access token as Authorization: Bearer …").On("Authorization", "access_token")
	ErrExpired     = fault.New(fault.Denied, "token.expired", "sign in again: the access token has ended").On("Authorization", "not_expired")
	ErrClaims      = fault.New(fault.Denied, "token.claims", "the identity provider must put the claim role (and agency, for all but citizens) into the access token").On("Authorization", "claims")
	ErrUnavailable = fault.New(fault.Internal, "provider.unavailable", "the identity provider's keys could not be loaded; try again shortly")
)

// Verifier checks access tokens of one OpenID Connect provider. The provider need not be there when the gateway starts:
// until its keys are loaded, Verify answers ErrUnavailable and Ready says why.
type Verifier struct {
	issuer, audience string
	client           *http.Client
	now              func() time.Time
	cache            *cache
	loaded           atomic.Pointer[loaded]
	lastError        atomic.Pointer[string]
}

// loaded is there once discovery has succeeded.
type loaded struct{ verifier *oidc.IDTokenVerifier }

// NewVerifier makes a verifier. roots nil means the system's. Call Start to load the provider's keys.
func NewVerifier(issuer, audience string, roots *x509.CertPool) *Verifier {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		MaxIdleConns:      2, IdleConnTimeout: time.Minute,
	}
	return &Verifier{
		issuer: issuer, audience: audience, now: time.Now, cache: newCache(cacheSize),
		client: &http.Client{
			Timeout:   fetchTimeout,
			Transport: &limited{next: transport, limiter: rate.NewLimiter(rate.Every(fetchEvery), fetchBurst)},
		},
	}
}

// Start loads the provider's keys, trying again until it has them or ctx ends. It returns at once. Afterwards keys are
// fetched again whenever a token names one that is not known.
func (v *Verifier) Start(ctx context.Context) {
	go func() {
		delay := backoff.NewExponentialBackOff()
		delay.InitialInterval, delay.MaxInterval = firstRetry, lastRetry
		delay.Reset()
		for {
			err := v.load(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			reason := err.Error()
			v.lastError.Store(&reason)
			slog.WarnContext(ctx, "identity provider not reached yet", "issuer", v.issuer, "error", reason)
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay.NextBackOff()):
			}
		}
	}()
}

// load does discovery and fetches the keys once, so that Ready is true only when tokens can be verified.
func (v *Verifier) load(ctx context.Context) error {
	// the key set goes on using this context's client, not its deadline
	background := oidc.ClientContext(context.WithoutCancel(ctx), v.client)
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.client), v.issuer)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	var document struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil || document.Keys == "" {
		return errors.New("discovery: the document names no jwks_uri")
	}
	if err := v.probeKeys(ctx, document.Keys); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	config := &oidc.Config{ClientID: v.audience, SupportedSigningAlgs: algorithms, SkipExpiryCheck: true} // we allow for skew below
	set := noting{oidc.NewRemoteKeySet(background, document.Keys)}
	v.loaded.Store(&loaded{oidc.NewVerifier(v.issuer, set, config)})
	return nil
}

func (v *Verifier) probeKeys(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := v.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxKeySet)).Decode(&set); err != nil {
		return err
	}
	if len(set.Keys) == 0 {
		return errors.New("the provider publishes none")
	}
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
// Faults: ErrInvalid, ErrExpired, ErrClaims, ErrUnavailable.
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
	c, err := claimsOf(verified, now)
	if err != nil {
		return Claims{}, err
	}
	v.cache.put(hash, c, now.Add(cacheLife))
	return c, nil
}

func (c Claims) live(now time.Time) error {
	if now.Add(-Skew).After(c.Expires) {
		return ErrExpired
	}
	return nil
}

func claimsOf(token *oidc.IDToken, now time.Time) (Claims, error) {
	var raw struct {
		Role     string `json:"role"`
		Agency   string `json:"agency"`
		Staff    string `json:"staff"`
		Client   string `json:"client_id"`
		Party    string `json:"azp"`
		NotFrom  *int64 `json:"nbf"`
		AtHash   string `json:"at_hash"`
		CodeHash string `json:"c_hash"`
		Nonce    string `json:"nonce"`
	}
	if err := token.Claims(&raw); err != nil {
		return Claims{}, ErrClaims
	}
	if raw.AtHash != "" || raw.CodeHash != "" || raw.Nonce != "" {
		return Claims{}, ErrInvalid // an ID token: it tells a client who signed in, and opens no door here
	}
	if raw.Client == "" {
		raw.Client = raw.Party
	}
	c := Claims{
		Issuer: token.Issuer, Subject: token.Subject, Role: raw.Role, Agency: raw.Agency, Staff: raw.Staff,
		Client: raw.Client, Expires: token.Expiry,
	}
	if token.Expiry.IsZero() || token.Expiry.Unix() <= 0 {
		return Claims{}, ErrInvalid
	}
	if raw.NotFrom != nil && time.Unix(*raw.NotFrom, 0).After(now.Add(Skew)) || token.IssuedAt.After(now.Add(Skew)) {
		return Claims{}, ErrInvalid
	}
	for _, text := range []string{c.Subject, c.Agency, c.Staff, c.Client} {
		if len(text) > MaxClaimLength {
			return Claims{}, ErrClaims
		}
	}
	if c.Subject == "" || !slices.Contains(roles, c.Role) || (c.Role == "citizen") != (c.Agency == "") {
		return Claims{}, ErrClaims
	}
	return c, c.live(now)
}
