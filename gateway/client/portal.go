package client

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// How a portal, or any other program that acts for itself, shows who it is: at the provider by an assertion it signs, and at
// provider and gateway by a client certificate, to which its tokens are bound.

// assertionLife is how long an assertion is good; it is made for one request.
const assertionLife = time.Minute

// assertionType is that of RFC 7523 §2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// WithCertificate is the same provider, to which a client certificate is shown: tokens it binds (RFC 8705) are bound to it.
func (p *Provider) WithCertificate(certificate tls.Certificate) *Provider {
	return &Provider{issuer: p.issuer, roots: p.roots, certificate: []tls.Certificate{certificate}}
}

// WithCertificate is the same client, on connections of its own that are made with a client certificate.
func (c *Client) WithCertificate(certificate tls.Certificate) *Client {
	other, with := *c, *c.http
	var roots *x509.CertPool
	if transport, ok := c.http.Transport.(*http.Transport); ok {
		roots = transport.TLSClientConfig.RootCAs
	}
	transport := Transport(roots)
	transport.TLSClientConfig.Certificates = []tls.Certificate{certificate}
	with.Transport = transport
	other.http = &with
	return &other
}

// Assertions gives tokens that a program obtains for itself with a key instead of a secret: client credentials with
// private_key_jwt (RFC 7523). The key may be in hardware. keyID may be empty where the provider knows one key of the client.
// The token is renewed before it ends, each time with a fresh assertion.
func (p *Provider) Assertions(ctx context.Context, id string, key crypto.Signer, keyID string) (TokenSource, error) {
	signer, err := assertionSigner(key, keyID)
	if err != nil {
		return nil, err
	}
	s := &cached{fetch: func(ctx context.Context) (*oauth2.Token, error) {
		with, err := p.client()
		if err != nil {
			return nil, err
		}
		defer with.CloseIdleConnections()
		endpoint, err := p.discover(ctx, with)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		assertion, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: id, Subject: id, Audience: jwt.Audience{p.issuer}, ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
		}).Serialize()
		if err != nil {
			return nil, fmt.Errorf("client: the assertion cannot be signed: %w", err)
		}
		config := clientcredentials.Config{ClientID: id, TokenURL: endpoint.TokenURL, AuthStyle: oauth2.AuthStyleInParams,
			EndpointParams: url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion}}}
		return config.Token(oidc.ClientContext(ctx, with))
	}}
	_, err = s.Token(ctx)
	return s, err
}

func assertionSigner(key crypto.Signer, keyID string) (jose.Signer, error) {
	opaque := cryptosigner.Opaque(key)
	algorithms := opaque.Algs()
	if len(algorithms) == 0 {
		return nil, fmt.Errorf("client: a key of type %T signs no assertions", key.Public())
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if keyID != "" {
		options = options.WithHeader("kid", keyID)
	}
	return jose.NewSigner(jose.SigningKey{Algorithm: algorithms[0], Key: opaque}, options)
}
