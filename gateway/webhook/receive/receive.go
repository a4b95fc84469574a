// Package receive is the receiving side of webhooks: it verifies deliveries of a gateway, so that a receiver can act on
// them. It is what our own tests receive with, and may serve as a model in other languages.
//
//	receiver, err := receive.New("https://portal.example/hooks/hutong", keys) // GET /v1/signing-keys
//	delivery, err := receiver.Open(request)                                   // answer 401 if err != nil
//	if seen(delivery.ID) { … }                                                // answer 200, and do nothing
package receive

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/yaronf/httpsign"
)

// Limits of a delivery.
const (
	MaxBodyBytes = 64 << 10
	// MaxAge is how old a signature may be, and MaxAhead how far the gateway's clock may be before ours: an old delivery
	// that somebody has recorded is refused.
	MaxAge   = 5 * time.Minute
	MaxAhead = time.Minute
)

// signature is what a gateway's signature is called, and covered what it must cover.
const signature = "hutong"

var covered = httpsign.Headers("@method", "@target-uri", "content-digest", "content-type", "hutong-delivery")

// Delivery is one that was verified.
type Delivery struct {
	ID   string // the same when it comes again
	Body []byte // an event, as JSON
}

// Receiver verifies what is sent to one address.
type Receiver struct {
	address *url.URL
	keys    map[string]ecdsa.PublicKey
}

// New makes a receiver for the address that was registered. keys is a JWK set (RFC 7517), the answer of the gateway's
// GET /v1/signing-keys.
func New(address string, keys []byte) (*Receiver, error) {
	to, err := url.Parse(address)
	if err != nil || to.Host == "" {
		return nil, errors.New("receive: the address must be the one that was registered")
	}
	set, err := jwk.Parse(keys)
	if err != nil {
		return nil, fmt.Errorf("receive: keys: %w", err)
	}
	r := &Receiver{address: to, keys: map[string]ecdsa.PublicKey{}}
	for i := range set.Len() {
		key, _ := set.Key(i)
		id, named := key.KeyID()
		var public ecdsa.PublicKey
		if err := jwk.Export(key, &public); err != nil || !named {
			continue // of another kind: not what deliveries are signed with
		}
		r.keys[id] = public
	}
	if len(r.keys) == 0 {
		return nil, errors.New("receive: no ECDSA key among the keys")
	}
	return r, nil
}

// Open verifies a delivery: that a gateway signed it for this address (RFC 9421), lately, and that the body is the one that
// was signed (RFC 9530). The request's body is read.
func (r *Receiver) Open(request *http.Request) (d Delivery, err error) {
	body, err := io.ReadAll(io.LimitReader(request.Body, MaxBodyBytes+1))
	if err != nil {
		return d, fmt.Errorf("receive: %w", err)
	}
	if len(body) > MaxBodyBytes {
		return d, errors.New("receive: the body is too large")
	}
	// What was signed is the address that was registered, whatever a proxy before us has made of it.
	signed := request.Clone(request.Context())
	signed.URL, signed.Host = r.address, r.address.Host
	signed.Body = io.NopCloser(bytes.NewReader(body))
	details, err := httpsign.RequestDetails(signature, signed)
	if err != nil {
		return d, fmt.Errorf("receive: %w", err)
	}
	if details.KeyID == "" {
		return d, errors.New("receive: the signature names no key")
	}
	key, known := r.keys[details.KeyID]
	if !known {
		return d, errors.New("receive: the signature's key is not among the gateway's; fetch them again")
	}
	verifier, err := httpsign.NewP256Verifier(key, httpsign.NewVerifyConfig().SetKeyID(details.KeyID).
		SetNotOlderThan(MaxAge).SetNotNewerThan(MaxAhead), covered)
	if err != nil {
		return d, fmt.Errorf("receive: %w", err)
	}
	if err := httpsign.VerifyRequest(signature, *verifier, signed); err != nil {
		return d, fmt.Errorf("receive: %w", err)
	}
	if err := httpsign.ValidateContentDigestHeader(signed.Header.Values("Content-Digest"), &signed.Body, []string{httpsign.DigestSha256}); err != nil {
		return d, fmt.Errorf("receive: %w", err)
	}
	return Delivery{ID: request.Header.Get("Hutong-Delivery"), Body: body}, nil
}
