package contract_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// BenchmarkIssue is what the contract itself costs, without peers: each certificate is made twice, once an endorser.
func BenchmarkIssue(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			o := open(b)
			sent := 0
			for b.Loop() {
				commands := make([]kernel.BatchCommand, size)
				for i := range commands {
					sent++
					commands[i] = ledgertest.Command(certificate.CertificateIssue, fmt.Sprintf("k%d", sent), o.licence())
				}
				_, err := o.issuer().EndorseBatch(commands)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(sent)/2, "µs/certificate")
		})
	}
}
