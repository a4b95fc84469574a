package contract_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/exchange/contract"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Whatever is sent to a function, the answer is a receipt or a fault that names a reason; never a failure of the program,
// which a stranger could otherwise provoke. Both endorsers of the tests' ledger must give the same answer, too.
func FuzzRequests(f *testing.F) {
	c := newCity(f).prepare()
	client := map[access.Role]string{access.Agency: police, access.Admin: hall, access.Portal: hall}
	rows := contract.New().Rows()
	for i := range rows {
		for _, request := range []any{
			registration(hall), publication(), exchange.RequestGrant{Dataset: dataset, Terms: c.terms(), Basis: "Tax Law 12"},
			proof(bob, keys[bob]), consentTo(c.consentTerms()), revocation(c.consent, keys[alice]), c.use(), kernel.ByID{ID: c.grant},
			exchange.DeliverUse{Use: c.grant, Commitment: hashA}, exchange.GrantAccess{Grant: c.grant, Terms: c.terms()}, nil,
		} {
			raw, err := json.Marshal(request)
			require.NoError(f, err)
			f.Add(uint8(i), raw)
		}
	}
	f.Fuzz(func(t *testing.T, row uint8, request []byte) {
		function := rows[int(row)%len(rows)]
		argument := request
		if function.Kind != kernel.KindRead {
			if !json.Valid(request) {
				request, _ = json.Marshal(string(request))
			}
			var err error
			argument, err = json.Marshal(kernel.Command{IdempotencyKey: "fuzz", Request: request})
			require.NoError(t, err)
		}
		role := function.Rule.Roles[0]
		_, err := c.As(client[role], role).EndorseRaw(exchange.Name, []byte(function.Name), argument)
		if err == nil {
			return
		}
		got := fault.From(err)
		require.NotEqual(t, fault.Internal, got.Kind, got.Error())
		require.NotEmpty(t, got.Reason)
	})
}
