// Package client is a small Go client of a gateway, for portals and programs, and used by the end-to-end tests, the
// demonstration and the benchmark. Package api below it has a method for each route; this one adds what every careful caller
// does: a token for each request, an idempotency key for each write that stays the same when
// the write is repeated, a wait where the gateway asks for one, and problems as typed errors.
//
//	c, err := client.New("https://127.0.0.1:17000", roots, client.Token(t))
//	receipt, err := client.Do[kernel.Receipt](ctx, c, "POST", "/v1/datasets", request)
//	var problem *client.Problem
//	if errors.As(err, &problem) && problem.Reason == "dataset.conflict" { … }
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hutong-gov/hutong/gateway/trace"
)

// Limits and timeouts of a client.
const (
	MaxAnswerBytes   = 32 << 20
	MaxAttempts      = 4                // of a request the gateway says it cannot take now
	MaxWait          = 10 * time.Second // for one Retry-After
	DefaultTimeout   = 90 * time.Second // of one attempt; longer than a gateway's own deadline
	maxIdle          = 512
	idleTimeout      = 90 * time.Second
	handshakeTimeout = 10 * time.Second
)

// TokenSource gives the access token for a request; an empty one sends none.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// Token is a TokenSource that always gives the same.
type Token string

// Token gives it.
func (t Token) Token(context.Context) (string, error) { return string(t), nil }

// Client calls one gateway. It is safe for concurrent use.
type Client struct {
	base   *url.URL
	http   *http.Client
	tokens TokenSource
}

// New makes a client. roots are those the gateway's certificate stands under; nil means the system's. tokens may be nil
// for public routes.
func New(baseURL string, roots *x509.CertPool, tokens TokenSource) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Host == "" {
		return nil, errors.New("client: give the gateway's address, such as https://127.0.0.1:17000")
	}
	return &Client{base: base, http: &http.Client{Transport: Transport(roots), Timeout: DefaultTimeout}, tokens: tokens}, nil
}

// Transport is a client's HTTP transport: HTTP/2 where offered, many idle connections for load tests.
func Transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        maxIdle,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     idleTimeout,
		TLSHandshakeTimeout: handshakeTimeout,
	}
}

// As is the same client with another's tokens; both share connections.
func (c *Client) As(tokens TokenSource) *Client {
	other := *c
	other.tokens = tokens
	return &other
}

// Through is the same client with something between it and the network: what is wrapped is its own transport.
func (c *Client) Through(wrap func(http.RoundTripper) http.RoundTripper) *Client {
	other, through := *c, *c.http
	through.Transport = wrap(c.http.Transport)
	other.http = &through
	return &other
}

// Roots reads PEM certificates into a pool.
func Roots(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("client: no certificate in the PEM text")
	}
	return pool, nil
}

// Option changes one request.
type Option func(*call)

type call struct {
	once   bool
	header http.Header
	status *int
}

// Key sets the idempotency key; without it a write gets a fresh one.
func Key(key string) Option { return Header("Idempotency-Key", key) }

// Header sets a header.
func Header(name, value string) Option {
	return func(c *call) { c.header.Set(name, value) }
}

// Async asks for an answer as soon as an orderer has the write (RFC 7240, respond-async): a *Pending, unless the gateway
// knows more by then.
func Async() Option { return prefer("respond-async") }

// Wait bounds how long the gateway waits for the write's block, in whole seconds (RFC 7240, wait): after that the answer is
// a *Pending.
func Wait(d time.Duration) Option { return prefer(fmt.Sprintf("wait=%d", d/time.Second)) }

func prefer(preference string) Option {
	return func(c *call) { c.header.Add("Prefer", preference) }
}

// Status stores the answer's status, to tell 200, 201 and 202 apart.
func Status(into *int) Option { return func(c *call) { c.status = into } }

// Once sends the request once: an answer that asks to wait is an answer like any other.
func Once() Option { return func(c *call) { c.once = true } }

// Do sends a request and decodes the answer. body is sent as JSON; nil sends none. An answer of 400 and above is a
// *Problem; 202 is *Pending. Anything else is an error of the connection or of the answer's form.
func Do[Res any](ctx context.Context, c *Client, method, path string, body any, options ...Option) (Res, error) {
	var answer Res
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return answer, err
		}
	}
	text, err := c.Raw(ctx, method, path, raw, options...)
	if err != nil {
		return answer, err
	}
	if into, ok := any(&answer).(*[]byte); ok {
		*into = text
		return answer, nil
	}
	if len(text) == 0 {
		return answer, nil
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("client: the answer to %s is not what was expected: %w", method, err)
	}
	return answer, nil
}

// Raw sends a request with a body as it is and gives the answer's body. It repeats the request, with the same idempotency
// key, while the gateway answers 503 or 429 with Retry-After, up to MaxAttempts times.
func (c *Client) Raw(ctx context.Context, method, path string, body []byte, options ...Option) ([]byte, error) {
	this := call{header: http.Header{"Accept": {"application/json, application/problem+json"}}}
	if method != http.MethodGet {
		this.header.Set("Idempotency-Key", NewKey())
	}
	if body != nil {
		this.header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(&this)
	}
	for attempt := 1; ; attempt++ {
		answer, retry, err := c.once(ctx, method, path, body, this)
		if retry == 0 || attempt == MaxAttempts || this.once {
			return answer, err
		}
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}

// once makes one attempt; retry is how long the gateway asks to wait, zero for an answer that stands.
func (c *Client) once(ctx context.Context, method, path string, body []byte, this call) (answer []byte, retry time.Duration, err error) {
	r, err := c.request(ctx, method, path, body, this.header.Clone())
	if err != nil {
		return nil, 0, err
	}
	trace.Inject(ctx, r.Header)
	response, err := c.http.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
	if err != nil {
		return nil, 0, err
	}
	if this.status != nil {
		*this.status = response.StatusCode
	}
	switch {
	case response.StatusCode == http.StatusAccepted:
		return answer, 0, pendingOf(response, answer)
	case response.StatusCode >= http.StatusBadRequest:
		if response.StatusCode == http.StatusServiceUnavailable || response.StatusCode == http.StatusTooManyRequests {
			retry = retryAfter(response.Header.Get("Retry-After"))
		}
		return nil, retry, problemOf(response, answer)
	}
	return answer, 0, nil
}

// request makes a request with the caller's token.
func (c *Client) request(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Request, error) {
	target, err := c.base.Parse(path)
	if err != nil {
		return nil, fmt.Errorf("client: path: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header
	if c.tokens == nil {
		return r, nil
	}
	token, err := c.tokens.Token(ctx)
	if err == nil && token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, err
}

func retryAfter(text string) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second+time.Millisecond, MaxWait)
}

// NewKey makes a fresh idempotency key. It is a UUID of version 7 (RFC 9562): what is made under it lies in the order of
// time.
func NewKey() string { return uuid.Must(uuid.NewV7()).String() } // fails only where there is no randomness
