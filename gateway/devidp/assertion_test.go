package devidp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/credential/mtls"
	"github.com/hutong-gov/hutong/gateway/devidp"
)

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func public(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// certificate is one that a portal made for itself.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key := ecKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// startTLS serves a provider with clients of a test's own, asking for certificates as Run does.
func startTLS(t *testing.T, clients ...devidp.Client) (issuer string, roots *x509.CertPool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clients.yaml")
	text, err := yaml.Marshal(map[string]any{"clients": clients})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	server := httptest.NewUnstartedServer(nil)
	issuer = "https://" + server.Listener.Addr().String()
	server.Config.Handler, err = devidp.New(devidp.Config{Listen: "127.0.0.1:0", PublicURL: issuer, DataDir: t.TempDir(), Clients: file, TokenLife: 20 * time.Second, TLS: &devidp.TLS{Cert: "unused", Key: "unused"}})
	require.NoError(t, err)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return issuer, roots
}

func portal(key string, bound bool) devidp.Client {
	return devidp.Client{ID: "portal", Key: key, Bound: bound, Role: "portal", Agency: "services.hall", Staff: "portal"}
}

func TestClientsThatSignForThemselves(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{"ES256": ecKey(t), "RS256": rsaKey} {
		t.Run(name, func(t *testing.T) {
			issuer, roots := startTLS(t, portal(public(t, key), false))
			provider := client.NewProvider(issuer, roots)
			source, err := provider.Assertions(t.Context(), "portal", key, "")
			require.NoError(t, err)
			token, err := source.Token(t.Context())
			require.NoError(t, err)
			require.Equal(t, "portal", claims(t, token)["role"])
			require.NotContains(t, claims(t, token), "cnf")
			renewed, err := source.Token(t.Context())
			require.NoError(t, err, "a token that is about to end is renewed, with a fresh assertion")
			require.NotEqual(t, token, renewed)
			_, err = provider.Assertions(t.Context(), "portal", ecKey(t), "")
			require.ErrorContains(t, err, "invalid_client", "another's key")
			_, err = provider.Credentials(t.Context(), "portal", "")
			require.ErrorContains(t, err, "invalid_client", "without a key")
			_, err = provider.Credentials(t.Context(), "portal", "secret")
			require.ErrorContains(t, err, "invalid_client")
		})
	}
}

// TestAssertionsRefused: one thing of an assertion is wrong at a time.
func TestAssertionsRefused(t *testing.T) {
	key := ecKey(t)
	issuer, roots := startTLS(t, portal(public(t, key), false))
	with := &http.Client{Transport: client.Transport(roots)}
	good := func() jwt.Claims {
		return jwt.Claims{Issuer: "portal", Subject: "portal", Audience: jwt.Audience{issuer}, ID: rand.Text(), Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)), IssuedAt: jwt.NewNumericDate(time.Now())}
	}
	sign := func(c jwt.Claims) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
		require.NoError(t, err)
		text, err := jwt.Signed(signer).Claims(c).Serialize()
		require.NoError(t, err)
		return text
	}
	send := func(change func(url.Values), assertion string) int {
		form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}}
		if change != nil {
			change(form)
		}
		response, err := with.PostForm(issuer+"/oauth/token", form)
		require.NoError(t, err)
		response.Body.Close()
		return response.StatusCode
	}
	require.Equal(t, http.StatusOK, send(nil, sign(good())))
	tokenEndpoint := good()
	tokenEndpoint.Audience = jwt.Audience{issuer + "/oauth/token"}
	require.Equal(t, http.StatusOK, send(nil, sign(tokenEndpoint)))
	once := sign(good())
	require.Equal(t, http.StatusOK, send(nil, once))
	require.Equal(t, http.StatusUnauthorized, send(nil, once), "used twice")
	require.Equal(t, http.StatusUnauthorized, send(func(f url.Values) { f.Set("client_id", "console") }, sign(good())), "another client's id")
	require.Equal(t, http.StatusUnauthorized, send(func(f url.Values) { f.Set("client_assertion_type", "saml") }, sign(good())))
	for name, change := range map[string]func(*jwt.Claims){
		"another audience":  func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://elsewhere.example"} },
		"another subject":   func(c *jwt.Claims) { c.Subject = "console" },
		"another client":    func(c *jwt.Claims) { c.Issuer, c.Subject = "console", "console" },
		"an unknown client": func(c *jwt.Claims) { c.Issuer, c.Subject = "nobody", "nobody" },
		"ended":             func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute)) },
		"without an end":    func(c *jwt.Claims) { c.Expiry = nil },
		"good for a day":    func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(24 * time.Hour)) },
		"without an id":     func(c *jwt.Claims) { c.ID = "" },
		"from the future":   func(c *jwt.Claims) { c.IssuedAt = jwt.NewNumericDate(time.Now().Add(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := good()
			change(&c)
			require.Equal(t, http.StatusUnauthorized, send(nil, sign(c)))
		})
	}
	require.Equal(t, http.StatusUnauthorized, send(nil, "hello"))
	require.Equal(t, http.StatusUnauthorized, send(nil, "eyJhbGciOiJub25lIn0.e30."))
}

func TestTokensBoundToACertificate(t *testing.T) {
	key, own := ecKey(t), certificate(t)
	issuer, roots := startTLS(t, portal(public(t, key), true))
	provider := client.NewProvider(issuer, roots)
	_, err := provider.Assertions(t.Context(), "portal", key, "")
	require.ErrorContains(t, err, "client certificate")
	source, err := provider.WithCertificate(own).Assertions(t.Context(), "portal", key, "")
	require.NoError(t, err)
	token, err := source.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]any{mtls.Claim: mtls.Of(own.Leaf)}, claims(t, token)["cnf"])
}
