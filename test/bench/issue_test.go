package bench

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/certificate/contract"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// BenchmarkIssue is what our own code costs in one certificate:Issue, without a peer. The ledger of the tests runs every
// invocation twice.
func BenchmarkIssue(b *testing.B) {
	l := ledgertest.New(contract.New())
	admin, service := l.As(issuer, access.Admin), l.As(issuer, access.Agency)
	_, err := admin.Submit(certificate.TypePublish, "t", certificate.PublishType{
		Code: typeCode, Name: exchange.Text{Zh: "测试证", En: "Benchmark licence"},
		Fields: []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "编号", En: "Number"}, Type: "string"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := admin.Submit(certificate.AccreditationGrant, "a", certificate.GrantAccreditation{
		Type: typeCode, Agency: issuer, From: l.Now(), Until: l.Now().AddDate(1, 0, 0)}); err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		if _, err := service.Submit(certificate.CertificateIssue, fmt.Sprint("k", n), certificate.Issue{
			Type: typeCode, Subject: "s" + strings.Repeat("0", 25), From: l.Now(), Commitment: fmt.Sprintf("%064x", n)}); err != nil {
			b.Fatal(err)
		}
	}
}
