package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/devidp"
)

// authority certifies portals' connections.
type authority struct {
	*testing.T
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{t, key, certificate}
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

func (a authority) issue(serial int64) tls.Certificate {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	require.NoError(a, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(a, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestPortalsWithAClientCertificate: a portal's token is good over its own connections and over no others.
func TestPortalsWithAClientCertificate(t *testing.T) {
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	portal := devidp.Client{ID: "portal", Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), Bound: true, Role: "portal", Agency: "services.hall", Staff: "portal"}
	free := portal
	free.ID, free.Bound = "free", false
	console := devidp.Client{ID: devidp.ConsoleClient, RedirectURIs: []string{"http://127.0.0.1/callback"}}
	text, err := yaml.Marshal(map[string]any{"clients": []devidp.Client{portal, free, console}})
	require.NoError(t, err)
	w.clients = filepath.Join(t.TempDir(), "clients.yaml")
	require.NoError(t, os.WriteFile(w.clients, text, 0o600))
	w.provider()

	ca, strangers := newAuthority(t), newAuthority(t)
	file := filepath.Join(t.TempDir(), "clients.pem")
	require.NoError(t, os.WriteFile(file, ca.pem(), 0o600))
	c := w.config(0)
	c.TLS.ClientCA, c.OIDC.BoundClients = file, []string{"portal"}
	require.NoError(t, c.Validate())
	r := w.run(c)
	require.Eventually(t, func() bool { return w.readiness(r.url)["identity_provider"].OK }, 10*time.Second, 20*time.Millisecond)

	own, other := ca.issue(2), ca.issue(3)
	tokens, err := client.NewProvider(w.issuer, w.roots).WithCertificate(own).Assertions(t.Context(), "portal", key, "")
	require.NoError(t, err)
	bare, err := client.New(r.url, w.roots, tokens)
	require.NoError(t, err)
	ask := func(c *client.Client) error {
		_, err := client.Do[map[string]any](t.Context(), c, "GET", "/v1/transactions/"+strings.Repeat("a", 64), nil)
		return err
	}
	require.NoError(t, ask(bare.WithCertificate(own)))
	require.Equal(t, "token.bound", client.Reason(ask(bare)), "stolen, used without a certificate")
	require.Equal(t, "token.bound", client.Reason(ask(bare.WithCertificate(other))), "stolen, used with another good certificate")
	var problem *client.Problem
	refused := ask(bare.WithCertificate(strangers.issue(4))) // by TLS; whether the client still reads why is a matter of timing
	require.Error(t, refused)
	require.NotErrorAs(t, refused, &problem, "not of the configured authority: no connection at all")

	unbound, err := client.NewProvider(w.issuer, w.roots).Assertions(t.Context(), "free", key, "")
	require.NoError(t, err)
	require.NoError(t, ask(bare.As(unbound)), "who is not held to it needs no certificate")
	require.NoError(t, ask(bare.WithCertificate(other).As(unbound)))
	require.NoError(t, ask(w.client(r, "officer.hall")), "people neither")

	t.Run("a portal that must bind its tokens", func(t *testing.T) {
		strict := w.config(0)
		strict.DataDir = t.TempDir()
		strict.TLS.ClientCA, strict.OIDC.BoundClients = file, []string{"free"}
		r := w.run(strict)
		require.Eventually(t, func() bool { return w.readiness(r.url)["identity_provider"].OK }, 10*time.Second, 20*time.Millisecond)
		c, err := client.New(r.url, w.roots, unbound)
		require.NoError(t, err)
		require.Equal(t, "token.unbound", client.Reason(ask(c.WithCertificate(own))))
	})
	t.Run("another authority takes over while the gateway runs", func(t *testing.T) {
		require.NoError(t, os.WriteFile(file+".new", strangers.pem(), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
		require.Eventually(t, func() bool { return ask(bare.WithCertificate(own)) != nil }, 10*time.Second, 100*time.Millisecond)
	})
}

func TestConfigurationThatAsksNobody(t *testing.T) {
	w := newWorld(t)
	c := w.config(0)
	c.OIDC.BoundClients = []string{"portal"}
	require.ErrorContains(t, c.Validate(), "needs tls.client_ca")
	c.OIDC.BoundClients = nil
	c.TLS.ClientCA = filepath.Join(t.TempDir(), "none.pem")
	c.FurtherOIDC = []config.OIDC{{Issuer: w.issuer, Audience: "hutong"}}
	require.ErrorContains(t, c.Validate(), "repeats")
}
