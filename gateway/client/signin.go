package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// The client and the redirect address that the development provider knows for programs (devidp.ConsoleClient).
const (
	consoleClient   = "console"
	consoleCallback = "http://127.0.0.1/callback"
	maxRedirects    = 10
	maxPage         = 1 << 20
	signInTimeout   = 30 * time.Second
	// renewBefore is how long before its end a token is replaced.
	renewBefore = 30 * time.Second
)

// Provider is an OpenID Connect provider from which a program gets tokens.
type Provider struct {
	issuer      string
	roots       *x509.CertPool
	certificate []tls.Certificate // shown to the provider, if any

	mu       sync.Mutex
	endpoint *oauth2.Endpoint // discovered once
}

// NewProvider names a provider. roots nil means the system's.
func NewProvider(issuer string, roots *x509.CertPool) *Provider {
	return &Provider{issuer: issuer, roots: roots}
}

// client is for one sign-in, which uses one connection and closes it (CloseIdleConnections).
func (p *Provider) client() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout:   signInTimeout,
		Jar:       jar,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots, Certificates: p.certificate, MinVersion: tls.VersionTLS12}},
		// every redirect is followed by hand: the last one carries the code
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func (p *Provider) discover(ctx context.Context, with *http.Client) (oauth2.Endpoint, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.endpoint == nil {
		found, err := oidc.NewProvider(oidc.ClientContext(ctx, with), p.issuer)
		if err != nil {
			return oauth2.Endpoint{}, err
		}
		endpoint := found.Endpoint()
		p.endpoint = &endpoint
	}
	return *p.endpoint, nil
}

// SignIn signs a user of the development provider in: the authorization-code flow with PKCE (RFC 7636), its sign-in form
// filled in as a browser would. The token source signs in again before a token ends.
func (p *Provider) SignIn(ctx context.Context, user string) (TokenSource, error) {
	s := &cached{fetch: func(ctx context.Context) (*oauth2.Token, error) { return p.codeFlow(ctx, user) }}
	_, err := s.Token(ctx)
	return s, err
}

// Credentials gives tokens that a program obtains for itself (client credentials).
func (p *Provider) Credentials(ctx context.Context, id, secret string) (TokenSource, error) {
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
		config := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: endpoint.TokenURL, AuthStyle: oauth2.AuthStyleInHeader}
		return config.Token(oidc.ClientContext(ctx, with))
	}}
	_, err := s.Token(ctx)
	return s, err
}

// SignIn is Provider.SignIn for a single user.
func SignIn(ctx context.Context, issuer string, roots *x509.CertPool, user string) (TokenSource, error) {
	return NewProvider(issuer, roots).SignIn(ctx, user)
}

func (p *Provider) codeFlow(ctx context.Context, user string) (*oauth2.Token, error) {
	with, err := p.client()
	if err != nil {
		return nil, err
	}
	defer with.CloseIdleConnections()
	endpoint, err := p.discover(ctx, with)
	if err != nil {
		return nil, err
	}
	config := oauth2.Config{ClientID: consoleClient, Endpoint: endpoint, RedirectURL: consoleCallback, Scopes: []string{oidc.ScopeOpenID}}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	verifier, state := oauth2.GenerateVerifier(), rand.Text()
	page, err := follow(ctx, with, http.MethodGet, config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), nil)
	if err != nil {
		return nil, err
	}
	form := url.Values{"request": {page.Query().Get("request")}, "user": {user}}
	back, err := follow(ctx, with, http.MethodPost, page.Scheme+"://"+page.Host+page.Path, form)
	if err != nil {
		return nil, err
	}
	answer := back.Query()
	switch {
	case answer.Get("error") != "":
		return nil, fmt.Errorf("client: sign-in refused: %s", answer.Get("error"))
	case answer.Get("state") != state:
		return nil, errors.New("client: the provider answered another sign-in")
	case answer.Get("code") == "":
		return nil, errors.New("client: the provider gave no code; is there such a user?")
	}
	return config.Exchange(oidc.ClientContext(ctx, with), answer.Get("code"), oauth2.VerifierOption(verifier))
}

// follow sends a request and follows redirects until a page is shown or the callback's address is reached, and gives the
// address it ended at.
func follow(ctx context.Context, with *http.Client, method, address string, form url.Values) (*url.URL, error) {
	for range maxRedirects {
		response, err := send(ctx, with, method, address, form)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
		response.Body.Close()
		if err != nil {
			return nil, err
		}
		location, err := response.Location()
		switch {
		case errors.Is(err, http.ErrNoLocation) && response.StatusCode == http.StatusOK:
			return response.Request.URL, nil
		case err != nil:
			return nil, fmt.Errorf("client: the provider answered %d%s", response.StatusCode, oauthError(body))
		case location.Path == "/callback" && location.Host == "127.0.0.1":
			return location, nil
		}
		method, address, form = http.MethodGet, location.String(), nil
	}
	return nil, errors.New("client: the provider redirects without end")
}

func send(ctx context.Context, with *http.Client, method, address string, form url.Values) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bodyOf(form))
	if err != nil {
		return nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return with.Do(r)
}

// cached keeps a token until shortly before its end. Concurrent callers share one fetch.
type cached struct {
	fetch func(context.Context) (*oauth2.Token, error)

	mu    sync.Mutex
	token *oauth2.Token
}

func (c *cached) Token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == nil || !c.token.Expiry.IsZero() && time.Until(c.token.Expiry) < renewBefore {
		fresh, err := c.fetch(ctx)
		if err != nil {
			return "", err
		}
		c.token = fresh
	}
	return c.token.AccessToken, nil
}

func oauthError(body []byte) string {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		return ""
	}
	return ": " + answer.Error + " " + answer.Description
}
func bodyOf(form url.Values) io.Reader {
	if form == nil {
		return nil
	}
	return strings.NewReader(form.Encode())
}
