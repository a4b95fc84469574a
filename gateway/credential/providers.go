package credential

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Providers are the providers whose tokens a gateway accepts, by issuer: one, or one for citizens and others for staff.
type Providers map[string]*Verifier

// Verify checks a token with the provider it says it is from. Faults: those of Verifier.Verify.
func (p Providers) Verify(ctx context.Context, token string) (Claims, error) {
	v, ok := p[issuerOf(token)]
	if !ok {
		return Claims{}, ErrInvalid
	}
	return v.Verify(ctx, token)
}

// Start starts all.
func (p Providers) Start(ctx context.Context) {
	for _, v := range p {
		v.Start(ctx)
	}
}

// Ready says of which provider tokens cannot be verified, or nil.
func (p Providers) Ready() error {
	var failures []error
	for issuer, v := range p {
		if err := v.Ready(); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", issuer, err))
		}
	}
	return errors.Join(failures...)
}

// issuerOf is what an unverified token says of its origin: it only picks who verifies it.
func issuerOf(token string) string {
	if len(token) > MaxTokenBytes {
		return ""
	}
	pieces := strings.Split(token, ".")
	if len(pieces) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(pieces[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
