package devidp

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// Limits of client assertions.
const (
	// maxAssertionLife is how far ahead an assertion may end: it is made for one request.
	maxAssertionLife = 5 * time.Minute
	// maxAssertions bounds the assertions remembered so that none is used twice.
	maxAssertions = 4096
)

// tokenPath is the token endpoint under the issuer.
const tokenPath = "/oauth/token"

var assertionAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.PS256, jose.RS256, jose.EdDSA}

// assertions authenticates clients that sign for themselves instead of having a secret: private_key_jwt (OpenID Connect Core
// §9, RFC 7523). The provider library does so for codes only; for client credentials it is done before it is asked.
type assertions struct {
	next    http.Handler
	issuer  string
	clients map[string]Client

	mu   sync.Mutex
	used map[string]time.Time // ids, until they end
}

// asserted marks a request whose client has shown its key.
type asserted struct{}

func (a *assertions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == tokenPath && r.Method == http.MethodPost && r.ParseForm() == nil &&
		r.PostForm.Get("grant_type") == string(oidc.GrantTypeClientCredentials) && r.PostForm.Has("client_assertion") {
		id, err := a.client(r.PostForm.Get("client_assertion_type"), r.PostForm.Get("client_assertion"))
		if named := r.PostForm.Get("client_id"); err == nil && named != "" && named != id {
			err = errors.New("client_id is not the assertion's")
		}
		if err != nil {
			refuse(w, err)
			return
		}
		r.Form.Set("client_id", id)
		r.Form.Del("client_secret")
		r.Header.Del("Authorization")
		r = r.WithContext(context.WithValue(r.Context(), asserted{}, id))
	}
	a.next.ServeHTTP(w, r)
}

// client verifies an assertion and says whose it is.
func (a *assertions) client(kind, assertion string) (string, error) {
	if kind != oidc.ClientAssertionTypeJWTAssertion {
		return "", errors.New("client_assertion_type must be " + oidc.ClientAssertionTypeJWTAssertion)
	}
	token, err := jwt.ParseSigned(assertion, assertionAlgorithms)
	if err != nil {
		return "", errors.New("the assertion is not a signed JWT with an algorithm that is served")
	}
	var claimed jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claimed); err != nil {
		return "", errors.New("the assertion's claims cannot be read")
	}
	key, err := a.clients[claimed.Issuer].publicKey() // of an unknown client: none
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := token.Claims(key, &claims); err != nil {
		return "", errors.New("the assertion is not signed by the client's key")
	}
	now := time.Now()
	if err := claims.ValidateWithLeeway(jwt.Expected{Issuer: claimed.Issuer, Subject: claimed.Issuer, Time: now,
		AnyAudience: jwt.Audience{a.issuer, a.issuer + tokenPath}}, clockSkew); err != nil {
		return "", fmt.Errorf("the assertion's claims do not hold: %w", err)
	}
	switch {
	case claims.Expiry == nil || claims.ID == "":
		return "", errors.New("the assertion must have exp and jti")
	case claims.Expiry.Time().After(now.Add(maxAssertionLife)):
		return "", errors.New("the assertion must end within " + maxAssertionLife.String())
	}
	return claims.Issuer, a.use(claims.Issuer+"\n"+claims.ID, claims.Expiry.Time().Add(clockSkew), now)
}

// use takes an assertion's id; each is good once.
func (a *assertions) use(id string, until, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for used, end := range a.used {
		if now.After(end) {
			delete(a.used, used)
		}
	}
	if _, twice := a.used[id]; twice {
		return errors.New("the assertion was used before")
	}
	if len(a.used) >= maxAssertions {
		return errors.New("too many assertions at once")
	}
	a.used[id] = until
	return nil
}

// refuse answers as RFC 6749 §5.2 has it.
func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client", "error_description": err.Error()}) // the caller may be gone
}

// publicKey reads the key a client signs assertions with.
func (c Client) publicKey() (crypto.PublicKey, error) {
	block, rest := pem.Decode([]byte(c.Key))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("the client has no key here")
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}
