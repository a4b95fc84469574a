package contract_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// BenchmarkVerify is what the contract itself costs, without peers: each verification is made twice, once an endorser.
func BenchmarkVerify(b *testing.B) {
	const size = 100
	c := newCity(b).prepare()
	terms := c.terms()
	terms.Modes, terms.ConsentRequired = []string{exchange.ModeVerify}, false
	c.grant = c.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: dataset, Terms: terms, Basis: "Tax Law 12"})
	c.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: c.grant, Terms: terms})
	_, leaf, beside := c.commit("")
	request, sent := c.verification(leaf, beside), 0
	request.Consent = ""
	for b.Loop() {
		commands := make([]kernel.BatchCommand, size)
		for i := range commands {
			sent++
			commands[i] = ledgertest.Command(exchange.UseVerify, fmt.Sprintf("k%d", sent), request)
		}
		_, err := c.As(tax, access.Agency).EndorseBatch(commands)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(sent)/2, "µs/verification")
}
