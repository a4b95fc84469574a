package credential

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"
)

// noting is a key set that notes why it failed: the verifier above it flattens errors to text, and we must tell a forged
// token from keys that could not be fetched.
type noting struct{ oidc.KeySet }

type noteKey struct{}

func (n noting) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := n.KeySet.VerifySignature(ctx, token)
	if note, ok := ctx.Value(noteKey{}).(*error); ok {
		*note = err
	}
	return payload, err
}

// unreachable says whether a key set failed because the provider could not be asked. Where we kept the request back
// ourselves, the keys were fetched a moment ago and do not include the token's: then the token is at fault.
func unreachable(err error) bool {
	if errors.As(err, new(*limitError)) {
		return false
	}
	return errors.As(err, new(*url.Error)) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// warm makes the set fetch its keys, so that the first token need not wait for them, and a provider that goes away now has
// left them here. A token with a key nobody has makes it ask.
func (n noting) warm(ctx context.Context) {
	const header = `{"alg":"ES256","kid":""}`
	encode := base64.RawURLEncoding.EncodeToString
	nobody := encode([]byte(header)) + "." + encode([]byte("{}")) + "." + encode(make([]byte, 64))
	_, _ = n.KeySet.VerifySignature(ctx, nobody) // it is not valid, whatever the keys
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
