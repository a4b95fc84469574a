package serve

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/credential"
	"github.com/hutong-gov/hutong/gateway/ledger"
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
