package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hutong-gov/hutong/gateway/feed"
)

// Timeouts of one attempt, besides the whole one's (Settings.Timeout).
const (
	connectTimeout   = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 90 * time.Second
	maxIdlePerHost   = 2
	maxIdle          = 128
	// stopPatience is how long an attempt goes on when the gateway stops, or the webhook is paused or removed.
	stopPatience = 3 * time.Second
)

// Failure is the class of a failed attempt; empty for one that was acknowledged.
type Failure string

// Classes of failures: all that is told of one.
const (
	Acknowledged Failure = ""
	Redirected   Failure = "redirected"  // 3xx: redirects are not followed
	Refused      Failure = "refused"     // 4xx
	Failed       Failure = "failed"      // 5xx
	TimedOut     Failure = "timeout"     // no answer in time
	Untrusted    Failure = "untrusted"   // the receiver's certificate
	Unreachable  Failure = "unreachable" // no connection, or it broke
	Forbidden    Failure = "forbidden"   // its address may not be reached
)

// failures in the order of the metric's labels.
var failures = []Failure{Acknowledged, Redirected, Refused, Failed, TimedOut, Untrusted, Unreachable, Forbidden}

// result is the failure as a metric's label.
func (f Failure) result() string {
	if f == Acknowledged {
		return "acknowledged"
	}
	return string(f)
}

// sender makes attempts.
type sender struct {
	http *http.Client
	key  *Key
}

func newSender(s Settings) *sender {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: s.Reach.control}
	return &sender{key: s.Key, http: &http.Client{
		Timeout:       s.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{ // no proxy: what is checked is what is connected to
			DialContext:         dialer.DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: handshakeTimeout, ForceAttemptHTTP2: true,
			MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdlePerHost, IdleConnTimeout: idleTimeout,
			MaxResponseHeaderBytes: MaxAnswerBytes,
		},
	}}
}

// send makes one attempt. wait is how long the receiver asks to be left alone. When ctx ends, the receiver still has
// stopPatience to answer, so that an acknowledgement is hardly ever lost.
func (s *sender) send(ctx context.Context, h Hook, e feed.Event) (failure Failure, wait time.Duration) {
	body, err := json.Marshal(e)
	if err != nil { // texts and a number
		return Unreachable, 0
	}
	trying, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopPatience, cancel) })()
	r, err := http.NewRequestWithContext(trying, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return Unreachable, 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(deliveryHeader, DeliveryID(h.ID, e.ID))
	r.Header.Set("User-Agent", "hutong-gateway")
	if err := s.key.sign(r); err != nil {
		return Unreachable, 0
	}
	response, err := s.http.Do(r)
	if err != nil {
		return failureOf(err), 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, MaxAnswerBytes)) // the status has said all
	switch code := response.StatusCode; {
	case code < 300:
		return Acknowledged, 0
	case code < 400:
		return Redirected, 0
	case code < 500:
		return Refused, retryAfter(response)
	default:
		return Failed, retryAfter(response)
	}
}

func failureOf(err error) Failure {
	var timeout net.Error
	switch {
	case errors.Is(err, errReach):
		return Forbidden
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.UnknownAuthorityError)),
		errors.As(err, new(tls.RecordHeaderError)), errors.As(err, new(tls.AlertError)):
		return Untrusted
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	}
	return Unreachable
}

// retryAfter reads the header in its form of seconds.
func retryAfter(r *http.Response) time.Duration {
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
