package credential

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/credential/mtls"
)

// MaxClaimLength bounds a claim we go by.
const MaxClaimLength = 256

// Claims are what a verified access token says about the caller.
type Claims struct {
	Issuer  string
	Subject string // the provider's; never leaves the gateway (see Pseudonym)
	Role    string
	Agency  string
	Staff   string
	Client  string
	Bound   string // thumbprint of the certificate the token is bound to (RFC 8705); empty: to none
	Expires time.Time
}

func (c Claims) live(now time.Time) error {
	if now.Add(-Skew).After(c.Expires) {
		return ErrExpired
	}
	return nil
}

// reading is how one provider's tokens are read: providers call things differently.
type reading struct{ config.OIDC }

// claims reads a token whose signature, issuer and audience are good.
func (r reading) claims(token *oidc.IDToken, now time.Time) (Claims, error) {
	var raw map[string]any
	if err := token.Claims(&raw); err != nil {
		return Claims{}, ErrClaims
	}
	var fixed struct {
		NotFrom  *int64 `json:"nbf"`
		AtHash   string `json:"at_hash"`
		CodeHash string `json:"c_hash"`
		Nonce    string `json:"nonce"`
		Party    string `json:"azp"`
		Bound    struct {
			Thumbprint string `json:"x5t#S256"`
			Key        any    `json:"jkt"`
		} `json:"cnf"`
	}
	if err := token.Claims(&fixed); err != nil {
		return Claims{}, ErrClaims
	}
	if fixed.AtHash != "" || fixed.CodeHash != "" || fixed.Nonce != "" {
		return Claims{}, ErrInvalid // an ID token: it tells a client who signed in, and opens no door here
	}
	if _, bound := raw["cnf"]; bound && fixed.Bound.Thumbprint == "" {
		return Claims{}, ErrBinding // to a key that is not a certificate's: we cannot hold anybody to it
	}
	if token.Expiry.IsZero() || token.Expiry.Unix() <= 0 {
		return Claims{}, ErrInvalid
	}
	if fixed.NotFrom != nil && time.Unix(*fixed.NotFrom, 0).After(now.Add(Skew)) || token.IssuedAt.After(now.Add(Skew)) {
		return Claims{}, ErrInvalid
	}
	c := Claims{Issuer: token.Issuer, Subject: token.Subject, Bound: fixed.Bound.Thumbprint, Expires: token.Expiry}
	sound := true
	for _, f := range []struct {
		into *string
		name string
	}{{&c.Agency, r.Claims.Agency}, {&c.Staff, r.Claims.Staff}, {&c.Client, r.Claims.Client}} {
		var ok bool
		*f.into, ok = text(at(raw, f.name))
		sound = sound && ok
	}
	if c.Client == "" {
		c.Client = fixed.Party
	}
	var ok bool
	c.Role, ok = r.role(at(raw, r.Claims.Role))
	if !ok || !sound {
		return Claims{}, ErrClaims
	}
	for _, text := range []string{c.Subject, c.Agency, c.Staff, c.Client} {
		if len(text) > MaxClaimLength {
			return Claims{}, ErrClaims
		}
	}
	if c.Subject == "" || (c.Role == citizen) != (c.Agency == "") {
		return Claims{}, ErrClaims
	}
	if c.Bound == "" && slices.Contains(r.BoundClients, c.Client) {
		return Claims{}, ErrUnbound
	}
	return c, c.live(now)
}

// citizen is the one role without agency.
const citizen = "citizen"

// role makes ours of the provider's word for a role, or of its list of words: exactly one of them must be a role here.
func (r reading) role(value any) (role string, ok bool) {
	var words []string
	switch value := value.(type) {
	case nil:
		return r.DefaultRole, slices.Contains(r.Accepts, r.DefaultRole)
	case string:
		words = []string{value}
	case []any:
		for _, v := range value {
			word, ok := v.(string)
			if !ok {
				return "", false
			}
			words = append(words, word)
		}
	default:
		return "", false
	}
	_, listed := value.([]any)
	for _, word := range words {
		ours := word
		if len(r.Roles) > 0 {
			ours = r.Roles[word] // only what is translated counts
		}
		if !slices.Contains(config.TokenRoles, ours) {
			continue
		}
		if role != "" && role != ours {
			return "", false // two at once: we would have to choose
		}
		role = ours
	}
	if role == "" && listed {
		role = r.DefaultRole
	}
	return role, slices.Contains(r.Accepts, role)
}

// at finds a claim by its name, or, if the name begins with a slash, by a JSON Pointer (RFC 6901).
func at(claims map[string]any, name string) any {
	if !strings.HasPrefix(name, "/") {
		return claims[name]
	}
	var found any = claims
	for _, step := range strings.Split(name[1:], "/") {
		inside, ok := found.(map[string]any)
		if !ok {
			return nil
		}
		found = inside[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	return found
}

// text is a claim that must be a text, where it is there: one alone in a list is taken out of it.
func text(value any) (string, bool) {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	}
	return "", false
}

// Held checks that the caller's connection was made with the certificate a token is bound to. Fault: ErrBound.
func (c Claims) Held(thumbprint string) error {
	if c.Bound != "" && c.Bound != thumbprint {
		return ErrBound.On("Authorization", "cnf."+mtls.Claim)
	}
	return nil
}
