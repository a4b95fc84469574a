package credential

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/devidp"
)

// issuer is a provider of which a test controls everything.
type issuer struct {
	t       *testing.T
	server  *httptest.Server
	mu      sync.Mutex
	keys    map[string]*ecdsa.PrivateKey
	down    atomic.Bool
	fetches atomic.Int32
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, keys: map[string]*ecdsa.PrivateKey{}}
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	i.rotate("k1")
	return i
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	if i.down.Load() {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":"x","token_endpoint":"x","id_token_signing_alg_values_supported":["ES256"]}`,
			i.server.URL, i.server.URL+"/keys")
	case "/keys":
		i.fetches.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		var set jose.JSONWebKeySet
		for id, key := range i.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: &key.PublicKey, KeyID: id, Algorithm: "ES256", Use: "sig"})
		}
		_ = json.NewEncoder(w).Encode(set)
	default:
		http.NotFound(w, r)
	}
}

// rotate replaces all keys by one new.
func (i *issuer) rotate(id string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(i.t, err)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = map[string]*ecdsa.PrivateKey{id: key}
}

func (i *issuer) sign(id string, key any, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	require.NoError(i.t, err)
	payload, err := json.Marshal(claims)
	require.NoError(i.t, err)
	signed, err := signer.Sign(payload)
	require.NoError(i.t, err)
	compact, err := signed.CompactSerialize()
	require.NoError(i.t, err)
	return compact
}

// token is a good one, changed.
func (i *issuer) token(id string, change func(map[string]any)) string {
	claims := map[string]any{"iss": i.server.URL, "aud": []string{"hutong", "console"}, "sub": "u1", "role": "officer", "agency": "market.tax",
		"staff": "S5001", "client_id": "console", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	if change != nil {
		change(claims)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.sign(id, i.keys[id], jose.ES256, claims)
}

func (i *issuer) verifier() *Verifier {
	pool := x509.NewCertPool()
	pool.AddCert(i.server.Certificate())
	return NewVerifier(config.OIDC{Issuer: i.server.URL, Audience: "hutong"}, pool)
}

// started is a verifier with its keys loaded.
func (i *issuer) started() *Verifier {
	v := i.verifier()
	v.Start(i.t.Context())
	require.Eventually(i.t, func() bool { return v.Ready() == nil }, 5*time.Second, 5*time.Millisecond)
	return v
}

func TestVerify(t *testing.T) {
	i := newIssuer(t)
	v := i.started()
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	base := map[string]any{"iss": i.server.URL, "aud": "hutong", "sub": "u1", "role": "officer", "agency": "market.tax", "exp": time.Now().Add(time.Hour).Unix()}
	for _, c := range []struct {
		name  string
		token string
		want  error
	}{
		{"good", i.token("k1", nil), nil},
		{"audience as a text", i.token("k1", func(c map[string]any) { c["aud"] = "hutong" }), nil},
		{"ended within the skew", i.token("k1", func(c map[string]any) { c["exp"] = time.Now().Add(-Skew / 2).Unix() }), nil},
		{"issued a little ahead", i.token("k1", func(c map[string]any) { c["iat"] = time.Now().Add(Skew / 2).Unix() }), nil},
		{"ended", i.token("k1", func(c map[string]any) { c["exp"] = time.Now().Add(-2 * Skew).Unix() }), ErrExpired},
		{"without an end", i.token("k1", func(c map[string]any) { delete(c, "exp") }), ErrInvalid},
		{"not yet", i.token("k1", func(c map[string]any) { c["nbf"] = time.Now().Add(2 * Skew).Unix() }), ErrInvalid},
		{"from the future", i.token("k1", func(c map[string]any) { c["iat"] = time.Now().Add(2 * Skew).Unix() }), ErrInvalid},
		{"other issuer", i.token("k1", func(c map[string]any) { c["iss"] = "https://elsewhere.example" }), ErrInvalid},
		{"other audience", i.token("k1", func(c map[string]any) { c["aud"] = "console" }), ErrInvalid},
		{"ID token by at_hash", i.token("k1", func(c map[string]any) { c["at_hash"] = "x" }), ErrInvalid},
		{"ID token by nonce", i.token("k1", func(c map[string]any) { c["nonce"] = "x" }), ErrInvalid},
		{"no role", i.token("k1", func(c map[string]any) { delete(c, "role") }), ErrClaims},
		{"role we do not know", i.token("k1", func(c map[string]any) { c["role"] = "public" }), ErrClaims},
		{"role of another type", i.token("k1", func(c map[string]any) { c["role"] = 7 }), ErrClaims},
		{"officer without agency", i.token("k1", func(c map[string]any) { delete(c, "agency") }), ErrClaims},
		{"citizen with agency", i.token("k1", func(c map[string]any) { c["role"] = "citizen" }), ErrClaims},
		{"no subject", i.token("k1", func(c map[string]any) { delete(c, "sub") }), ErrClaims},
		{"long claim", i.token("k1", func(c map[string]any) { c["staff"] = strings.Repeat("9", 300) }), ErrClaims},
		{"forged with our key's id", i.sign("k1", stranger, jose.ES256, base), ErrInvalid},
		{"unknown key", i.sign("k9", stranger, jose.ES256, base), ErrInvalid},
		{"symmetric algorithm", i.sign("k1", []byte(strings.Repeat("k", 32)), jose.HS256, base), ErrInvalid},
		{"algorithm none", "eyJhbGciOiJub25lIn0." + strings.Split(i.token("k1", nil), ".")[1] + ".", ErrInvalid},
		{"not a token", "hello", ErrInvalid},
		{"empty", "", ErrInvalid},
		{"too long", strings.Repeat("x", MaxTokenBytes+1), ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := v.Verify(t.Context(), c.token)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "u1", got.Subject)
			require.Equal(t, "officer", got.Role)
			require.Equal(t, "market.tax", got.Agency)
			require.Equal(t, i.server.URL, got.Issuer)
		})
	}
}

func TestTheProviderMayComeLater(t *testing.T) {
	i := newIssuer(t)
	i.down.Store(true)
	v := i.verifier()
	require.ErrorContains(t, v.Ready(), "being loaded")
	v.Start(t.Context())
	require.Eventually(t, func() bool { return strings.Contains(v.Ready().Error(), "discovery") }, 5*time.Second, 5*time.Millisecond)
	_, err := v.Verify(t.Context(), i.token("k1", nil))
	require.ErrorIs(t, err, ErrUnavailable)
	i.down.Store(false)
	require.Eventually(t, func() bool { return v.Ready() == nil }, 10*time.Second, 10*time.Millisecond)
	_, err = v.Verify(t.Context(), i.token("k1", nil))
	require.NoError(t, err)
}

func TestNewKeysAreFetched(t *testing.T) {
	i := newIssuer(t)
	v := i.started()
	_, err := v.Verify(t.Context(), i.token("k1", nil))
	require.NoError(t, err)
	old := i.token("k1", func(c map[string]any) { c["jti"] = "unseen" })
	i.rotate("k2")
	_, err = v.Verify(t.Context(), i.token("k2", nil))
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), old)
	require.ErrorIs(t, err, ErrInvalid, "a withdrawn key verifies no more")
}

func TestProviderGoneAfterwards(t *testing.T) {
	i := newIssuer(t)
	v := i.started()
	known := i.token("k1", nil)
	_, err := v.Verify(t.Context(), known)
	require.NoError(t, err)
	i.down.Store(true)
	_, err = v.Verify(t.Context(), i.token("k1", func(c map[string]any) { c["jti"] = "another" }))
	require.NoError(t, err, "known keys need no provider")
	i.rotate("k2")
	_, err = v.Verify(t.Context(), i.token("k2", nil))
	require.ErrorIs(t, err, ErrUnavailable, "we cannot know whether a new key is good")
}

func TestStrangersCannotMakeUsALoadOnTheProvider(t *testing.T) {
	i := newIssuer(t)
	v := i.started()
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for n := range 50 {
		_, err := v.Verify(t.Context(), i.sign(fmt.Sprintf("x%d", n), stranger, jose.ES256, map[string]any{"iss": i.server.URL}))
		require.ErrorIs(t, err, ErrInvalid)
	}
	require.LessOrEqual(t, i.fetches.Load(), int32(fetchBurst+2))
}

func TestCacheForgets(t *testing.T) {
	i := newIssuer(t)
	v := i.started()
	now := time.Now()
	v.now = func() time.Time { return now }
	token := i.token("k1", func(c map[string]any) { c["exp"] = now.Add(time.Minute).Unix() })
	_, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, 1, v.cache.order.Len())
	now = now.Add(2 * time.Minute)
	_, err = v.Verify(t.Context(), token)
	require.ErrorIs(t, err, ErrExpired, "a remembered token ends like any other")

	i.rotate("k2")
	long := i.token("k2", nil)
	_, err = v.Verify(t.Context(), long)
	require.NoError(t, err)
	i.rotate("k3")
	_, err = v.Verify(t.Context(), i.token("k3", nil))
	require.NoError(t, err, "the key set is the new one")
	_, err = v.Verify(t.Context(), long)
	require.NoError(t, err, "remembered")
	now = now.Add(cacheLife + time.Second)
	_, err = v.Verify(t.Context(), long)
	require.ErrorIs(t, err, ErrInvalid, "a withdrawn key is obeyed after the cache's life")
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(3)
	now := time.Now()
	for n := range byte(5) {
		c.put([32]byte{n}, Claims{Subject: fmt.Sprint(n)}, now.Add(time.Minute))
		_, ok := c.get([32]byte{0}, now) // used, so it stays
		require.True(t, ok)
	}
	require.Equal(t, 3, c.order.Len())
	require.Len(t, c.index, 3)
	_, ok := c.get([32]byte{1}, now)
	require.False(t, ok)
	_, ok = c.get([32]byte{4}, now.Add(time.Hour))
	require.False(t, ok)
	require.Len(t, c.index, 2)
}

func TestUntrustedProvider(t *testing.T) {
	i := newIssuer(t)
	v := NewVerifier(config.OIDC{Issuer: i.server.URL, Audience: "hutong"}, x509.NewCertPool())
	require.ErrorContains(t, v.load(t.Context()), "certificate")
}

// TestDevelopmentProvider goes all the way: a user signs in at the real development provider over TLS, and the token opens
// the gateway's door.
func TestDevelopmentProvider(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	address := "https://" + server.Listener.Addr().String()
	handler, err := devidp.New(devidp.Config{Listen: "127.0.0.1:0", PublicURL: address, DataDir: t.TempDir(), TLS: &devidp.TLS{Cert: "unused", Key: "unused"}})
	require.NoError(t, err)
	server.Config.Handler = handler
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	v := NewVerifier(config.OIDC{Issuer: address, Audience: "hutong"}, roots)
	require.NoError(t, v.load(context.Background()))
	provider := client.NewProvider(address, roots)
	for _, u := range devidp.DefaultUsers() {
		source, err := provider.SignIn(t.Context(), u.ID)
		require.NoError(t, err)
		token, err := source.Token(t.Context())
		require.NoError(t, err)
		got, err := v.Verify(t.Context(), token)
		require.NoError(t, err, u.ID)
		require.Equal(t, Claims{Issuer: address, Subject: u.ID, Role: u.Role, Agency: u.Agency, Staff: u.Staff, Client: devidp.ConsoleClient, Expires: got.Expires}, got)
	}
	source, err := provider.Credentials(t.Context(), devidp.PortalClient, devidp.PortalSecret)
	require.NoError(t, err)
	token, err := source.Token(t.Context())
	require.NoError(t, err)
	got, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, "portal", got.Role)
}

func BenchmarkVerifyRemembered(b *testing.B) {
	c := newCache(cacheSize)
	v := &Verifier{cache: c, now: time.Now}
	token := strings.Repeat("x", 700)
	hash := hashOf(token)
	c.put(hash, Claims{Expires: time.Now().Add(time.Hour)}, time.Now().Add(time.Hour))
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func TestKeysNotUnderstoodAreLeftOut(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := json.Marshal(jose.JSONWebKey{Key: &key.PublicKey, KeyID: "good"})
	require.NoError(t, err)
	private, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "private"})
	require.NoError(t, err)
	const curve, kind, incomplete = `{"kty":"OKP","crv":"Ed448","x":"AA"}`, `{"kty":"ML-DSA","pub":"AA"}`, `{"kty":"EC","crv":"P-256","x":"AA"}`
	keys, err := readKeys(strings.NewReader(`{"keys":[` + strings.Join([]string{curve, kind, incomplete, string(private), string(public)}, ",") + `]}`))
	require.NoError(t, err)
	require.Len(t, keys.Keys, 1)
	require.Equal(t, "good", keys.Keys[0].KeyID)
	for _, body := range []string{`{"keys":[]}`, `{"keys":[` + kind + `]}`, `{}`, `no`} {
		_, err := readKeys(strings.NewReader(body))
		require.Error(t, err, body)
	}
}
