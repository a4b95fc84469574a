package credential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"
)

// keySet is a provider's published keys (RFC 7517), fetched again when a token is signed by none of them. It is an
// oidc.KeySet. (That package's own hands fetched keys to who waits for them before it keeps them: for an instant a withdrawn
// key is still good and a new one is not.)
type keySet struct {
	client   *http.Client
	address  string
	fetching chan struct{} // held by the one that fetches
	keys     atomic.Pointer[jose.JSONWebKeySet]
}

// newKeySet fetches the keys, so that the first token need not wait, and a provider that goes away now has left them here.
func newKeySet(ctx context.Context, client *http.Client, address string) (*keySet, error) {
	s := &keySet{client: client, address: address, fetching: make(chan struct{}, 1)}
	return s, s.fetch(ctx)
}

type noteKey struct{}

// VerifySignature gives the payload of a token signed by one of the keys. The verifier above flattens errors to text, and we
// must tell a forged token from keys that could not be fetched: the error is noted in the context, too.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := s.verify(ctx, token)
	if note, ok := ctx.Value(noteKey{}).(*error); ok {
		*note = err
	}
	return payload, err
}

func (s *keySet) verify(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSigned(token, algorithms)
	if err != nil {
		return nil, err
	}
	seen := s.keys.Load()
	if payload, err := payloadOf(signed, seen); err == nil {
		return payload, nil
	}
	if err := s.fetchSince(ctx, seen); err != nil {
		return nil, err
	}
	return payloadOf(signed, s.keys.Load())
}

func payloadOf(signed *jose.JSONWebSignature, keys *jose.JSONWebKeySet) ([]byte, error) {
	id := signed.Signatures[0].Header.KeyID
	for _, key := range keys.Keys {
		if id != "" && key.KeyID != id {
			continue
		}
		if payload, err := signed.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("signed by none of the provider's keys")
}

// fetchSince fetches the keys unless somebody has since they were seen. One waits for another's fetch.
func (s *keySet) fetchSince(ctx context.Context, seen *jose.JSONWebKeySet) error {
	select {
	case s.fetching <- struct{}{}:
		defer func() { <-s.fetching }()
	case <-ctx.Done():
		return &fetchError{ctx.Err()}
	}
	if s.keys.Load() != seen {
		return nil
	}
	return s.fetch(context.WithoutCancel(ctx)) // others wait for it too; the client has a timeout
}

func (s *keySet) fetch(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address, http.NoBody)
	if err != nil {
		return &fetchError{err}
	}
	response, err := s.client.Do(r)
	if err != nil {
		return &fetchError{err}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &fetchError{errors.New(response.Status)}
	}
	keys, err := readKeys(response.Body)
	if err != nil {
		return &fetchError{err}
	}
	s.keys.Store(keys)
	return nil
}

// readKeys reads a key set, leaving out what is not understood (RFC 7517, section 5) and what is not public.
func readKeys(body io.Reader) (*jose.JSONWebKeySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(body).Decode(&set); err != nil {
		return nil, err
	}
	var keys jose.JSONWebKeySet
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.IsPublic() {
			keys.Keys = append(keys.Keys, key)
		}
	}
	if len(keys.Keys) == 0 {
		return nil, errors.New("the provider publishes none that can be used")
	}
	return &keys, nil
}

// fetchError says that the keys could not be fetched.
type fetchError struct{ cause error }

func (e *fetchError) Error() string { return fmt.Sprintf("the identity provider's keys: %v", e.cause) }
func (e *fetchError) Unwrap() error { return e.cause }

// unreachable says whether a token was not verified because the provider could not be asked. Where we kept the request back
// ourselves, the keys were fetched a moment ago and do not include the token's: then the token is at fault.
func unreachable(err error) bool {
	return errors.As(err, new(*fetchError)) && !errors.As(err, new(*limitError))
}

// limited lets only so many requests through to the provider.
type limited struct {
	next    atomic.Pointer[http.Transport]
	limiter *rate.Limiter
}

// limitError says that we kept a request from the provider.
type limitError struct{}

func (*limitError) Error() string { return "too many requests to the identity provider" }

func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if !l.limiter.Allow() {
		return nil, &limitError{}
	}
	response, err := l.next.Load().RoundTrip(r)
	if err == nil && response.StatusCode >= http.StatusInternalServerError {
		response.Body.Close() // the provider is there but not well: as good as not reached
		return nil, errors.New("the identity provider answered " + response.Status)
	}
	if err == nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxAnswer), response.Body}
	}
	return response, err
}
