package serve

import (
	"context"
	"crypto/x509"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/credential"
	"github.com/hutong-gov/hutong/gateway/credential/mtls"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/reload"
)

// callers makes actors of access tokens.
type callers struct {
	verify     func(context.Context, string) (credential.Claims, error)
	pseudonyms *credential.Pseudonyms // nil where citizens are not served
}

// actor says who a token's bearer is. What the provider calls a citizen ends here: from now on there is only the pseudonym.
func (c callers) actor(ctx context.Context, token string) (app.Actor, error) {
	claims, err := c.verify(ctx, token)
	if err != nil {
		return app.Actor{}, err
	}
	if err := claims.Held(mtls.Thumbprint(ctx)); err != nil {
		return app.Actor{}, err
	}
	who := app.Actor{Role: claims.Role, Agency: claims.Agency, Staff: claims.Staff, Client: claims.Client, Until: claims.Expires}
	if claims.Role != app.Citizen {
		return who, nil
	}
	if c.pseudonyms == nil {
		return who, fault.New(fault.Denied, ledger.ReasonNotServed, "citizens are served by another organisation's gateway; ask there").On("token.role", "served")
	}
	who.Subject = c.pseudonyms.Of(claims.Issuer, claims.Subject)
	return who, nil
}

// newProviders makes the verifiers of the configured identity providers, whose roots may be replaced while the gateway runs.
func newProviders(files *reload.Set, list []config.OIDC) (credential.Providers, error) {
	all := credential.Providers{}
	for i, o := range list {
		name := "oidc"
		if i > 0 {
			name = fmt.Sprintf("further_oidc.%d", i-1)
		}
		if o.TLSRoot == "" {
			all[o.Issuer] = credential.NewVerifier(o, nil)
			continue
		}
		var v *credential.Verifier
		roots, err := reload.Add(files, name+".tls_root", func() (*x509.CertPool, error) { return reload.Roots(o.TLSRoot) }, []string{o.TLSRoot},
			reload.After(func(roots *x509.CertPool) { v.Trust(roots) }))
		if err != nil {
			return nil, fmt.Errorf("%s.tls_root: %w", name, err)
		}
		v = credential.NewVerifier(o, roots.Get())
		all[o.Issuer] = v
	}
	return all, nil
}
