package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// OIDC is an identity provider whose tokens the gateway accepts.
type OIDC struct {
	Issuer   string `yaml:"issuer"`             // https address
	Audience string `yaml:"audience"`           // that a token must name
	TLSRoot  string `yaml:"tls_root,omitempty"` // PEM file; empty: the system's roots

	Claims       ClaimNames        `yaml:"claims,omitempty"`        // how the provider names its claims
	Roles        map[string]string `yaml:"roles,omitempty"`         // the provider's words for roles, each with ours; empty: they are ours
	Accepts      []string          `yaml:"accepts,omitempty"`       // the roles it may give; by default all, of a further provider all but citizen
	DefaultRole  string            `yaml:"default_role,omitempty"`  // citizen, where whoever has no role in the token is one; otherwise such tokens are refused
	BoundClients []string          `yaml:"bound_clients,omitempty"` // client ids whose tokens must be bound to a client certificate (RFC 8705)
}

// ClaimNames are the claims of an access token. A name that begins with a slash is a JSON Pointer (RFC 6901) into claims
// that have others in them.
type ClaimNames struct {
	Role   string `yaml:"role,omitempty"`   // a text, or a list with exactly one role in it
	Agency string `yaml:"agency,omitempty"` // full id
	Staff  string `yaml:"staff,omitempty"`  // staff number
	Client string `yaml:"client,omitempty"` // client id; azp where there is none
}

// citizenRole is the role of those who have no agency. Their accounts are at the first provider: records of departments name
// them, and a second provider could call somebody else the same.
const citizenRole = "citizen"

// TokenRoles are the roles a token may carry.
var TokenRoles = []string{citizenRole, "officer", "agency_admin", "portal", "auditor"}

// Fill sets the defaults.
func (o *OIDC) Fill() {
	fill(&o.Claims.Role, "role")
	fill(&o.Claims.Agency, "agency")
	fill(&o.Claims.Staff, "staff")
	fill(&o.Claims.Client, "client_id")
	if len(o.Accepts) == 0 {
		o.Accepts = slices.Clone(TokenRoles)
	}
}

// fillFurther sets the defaults of a provider that is not the first.
func (o *OIDC) fillFurther() {
	if len(o.Accepts) == 0 {
		o.Accepts = slices.DeleteFunc(slices.Clone(TokenRoles), func(r string) bool { return r == citizenRole })
	}
	o.Fill()
}

// Providers are all identity providers, the first first.
func (c *Config) Providers() []OIDC { return append([]OIDC{c.OIDC}, c.FurtherOIDC...) }

// providers checks what Validate has not checked of addresses.
func (c *Config) providers() error {
	seen := map[string]bool{}
	for i, o := range c.Providers() {
		field := "oidc"
		if i > 0 {
			field = fmt.Sprintf("further_oidc[%d]", i-1)
		}
		switch {
		case o.Issuer == "":
			return fmt.Errorf("%s.issuer is required", field)
		case o.Audience == "":
			return fmt.Errorf("%s.audience is required", field)
		case seen[o.Issuer]:
			return fmt.Errorf("%s.issuer repeats that of another provider", field)
		case i > 0 && slices.Contains(o.Accepts, citizenRole):
			return fmt.Errorf("%s.accepts must not have citizen: citizens have their accounts at the first provider, oidc", field)
		case o.DefaultRole != "" && o.DefaultRole != citizenRole:
			return fmt.Errorf("%s.default_role must be citizen or left out: nobody is given an agency's powers for lack of a claim", field)
		case len(o.BoundClients) > 0 && c.TLS.ClientCA == "":
			return fmt.Errorf("%s.bound_clients needs tls.client_ca: without it nobody is asked for a certificate", field)
		}
		seen[o.Issuer] = true
		for name, list := range map[string][]string{"accepts": o.Accepts, "roles": slices.Collect(maps.Values(o.Roles))} {
			for _, role := range list {
				if !slices.Contains(TokenRoles, role) {
					return fmt.Errorf("%s.%s must name roles: %s", field, name, strings.Join(TokenRoles, ", "))
				}
			}
		}
	}
	return nil
}
