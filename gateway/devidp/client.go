package devidp

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// clockSkew is how much the provider backdates what it issues.
const clockSkew = 5 * time.Second

// registered is a Client as the provider library asks for it.
type registered struct {
	Client
	tokenLife time.Duration
}

func (c registered) GetID() string                    { return c.ID }
func (c registered) RedirectURIs() []string           { return c.Client.RedirectURIs }
func (c registered) PostLogoutRedirectURIs() []string { return c.Client.PostLogoutRedirectURIs }

// ApplicationType is native for every client: redirects to loopback addresses with any port (RFC 8252 §7.3).
func (c registered) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }

func (c registered) AuthMethod() oidc.AuthMethod {
	switch {
	case c.Client.Key != "":
		return oidc.AuthMethodPrivateKeyJWT
	case c.Secret == "":
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (c registered) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c registered) GrantTypes() []oidc.GrantType {
	if c.Role == "" {
		return []oidc.GrantType{oidc.GrantTypeCode}
	}
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeClientCredentials}
}

func (c registered) LoginURL(request string) string      { return loginPath + "?request=" + request }
func (c registered) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c registered) IDTokenLifetime() time.Duration      { return c.tokenLife }
func (c registered) DevMode() bool                       { return false }

func (c registered) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (c registered) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (c registered) IsScopeAllowed(string) bool           { return false }
func (c registered) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c registered) ClockSkew() time.Duration             { return clockSkew }
