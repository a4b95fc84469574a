package contract_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration/contract"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// who may call each function, written out: the contract's table must say the same.
var who = map[string][]access.Role{
	"definition:Propose": {access.Admin},
	"definition:Approve": {access.Admin},
	"case:Apply":         {access.Portal},
	"case:Resubmit":      {access.Portal},
	"case:Withdraw":      {access.Portal},
	"case:Conclude":      {access.Agency},
	"case:Check":         access.AllRoles,
	"step:Claim":         {access.Agency},
	"step:Release":       {access.Agency},
	"step:Approve":       {access.Agency},
	"step:Return":        {access.Agency},
	"step:Reject":        {access.Agency},
	"definition:Get":     access.AllRoles, "definition:List": access.AllRoles, "definition:History": access.AllRoles,
	"case:Get": access.AllRoles, "case:List": access.AllRoles, "case:History": access.AllRoles,
	"slot:Get": access.AllRoles, "slot:List": access.AllRoles, "slot:History": access.AllRoles,
	"task:Get": access.AllRoles, "task:List": access.AllRoles, "task:History": access.AllRoles,
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
			_, err := l.As(tax, role).EndorseRaw(c.Name, []byte(f.Name), []byte(argument))
			require.Equal(t, !slices.Contains(allowed, role), reasonOf(err) == "access.role", "%s as %s: %v", f.Name, role, err)
		}
	}
}
