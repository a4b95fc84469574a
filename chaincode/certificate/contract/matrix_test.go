package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate/contract"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// who may call each function, written out: the contract's table must say the same.
var who = map[string][]access.Role{
	"type:Publish":           {access.Admin},
	"accreditation:Grant":    {access.Admin},
	"accreditation:Withdraw": {access.Admin},
	"certificate:Issue":      {access.Agency},
	"certificate:Suspend":    {access.Agency},
	"certificate:Reinstate":  {access.Agency},
	"certificate:Revoke":     {access.Agency},
	"certificate:Verify":     access.AllRoles,
	"type:Get":               access.AllRoles, "type:List": access.AllRoles, "type:History": access.AllRoles,
	"accreditation:Get": access.AllRoles, "accreditation:List": access.AllRoles, "accreditation:History": access.AllRoles,
	"certificate:Get": access.AllRoles, "certificate:List": access.AllRoles, "certificate:History": access.AllRoles,
	"contract:Describe": access.AllRoles,
}

// Every function is tried by every role, with an empty request: the role is judged before the request is read.
func TestAuthorisation(t *testing.T) {
	c := contract.New()
	l := ledgertest.New(c)
	require.Len(t, c.Functions, len(who))
	for _, f := range c.Rows() {
		allowed, listed := who[f.Name]
		require.True(t, listed, "%s is not in the matrix", f.Name)
		for _, role := range access.AllRoles {
			argument := `{}`
			if f.Kind != kernel.KindRead {
				argument = `{"idempotency_key":"k","request":{}}`
			}
			_, err := l.As("market.tax", role).EndorseRaw(c.Name, []byte(f.Name), []byte(argument))
			may := false
			for _, r := range allowed {
				may = may || r == role
			}
			require.Equal(t, !may, reason(err) == "access.role", "%s as %s: %v", f.Name, role, err)
		}
	}
}
