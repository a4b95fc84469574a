package contract_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/certificate"
)

// moves is the diagram of package certificate: what may follow on what, and by which function.
var moves = map[string]map[string]string{
	certificate.Valid:     {certificate.CertificateSuspend: certificate.Suspended, certificate.CertificateRevoke: certificate.Revoked},
	certificate.Suspended: {certificate.CertificateReinstate: certificate.Valid, certificate.CertificateRevoke: certificate.Revoked},
	certificate.Revoked:   {},
}

// findings maps a status to what a verification within the validity says of it.
var findings = map[string]string{
	certificate.Valid: certificate.Holds, certificate.Suspended: certificate.IsSuspended, certificate.Revoked: certificate.IsRevoked,
}

// Whatever is sent in whatever order, a certificate moves as the diagram says, a revoked one never returns, and the
// status at every past moment is what it was then.
func TestRandomChanges(t *testing.T) {
	passed := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		o := open(t)
		id := o.issue("c1")
		status, sent := certificate.Valid, 0
		type moment struct {
			at     time.Time
			status string
		}
		past := []moment{{o.Now(), status}}
		send := func(function string) func(*rapid.T) {
			return func(r *rapid.T) {
				o.Advance(time.Duration(rapid.IntRange(1, 1000).Draw(r, "minutes")) * time.Minute)
				sent++
				err := o.change(function, fmt.Sprintf("k%d", sent), id, rapid.SampledFrom(certificate.Reasons).Draw(r, "reason"))
				next, allowed := moves[status][function]
				if allowed != (err == nil) {
					r.Fatalf("%s of a certificate that is %s: %v", function, status, err)
				}
				if allowed {
					status = next
					past = append(past, moment{o.Now(), status})
					passed[function]++
				}
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"suspend": send(certificate.CertificateSuspend), "reinstate": send(certificate.CertificateReinstate), "revoke": send(certificate.CertificateRevoke),
			"suspend more": send(certificate.CertificateSuspend), "reinstate more": send(certificate.CertificateReinstate),
		})
		for i, p := range past {
			end := o.Now()
			if i+1 < len(past) {
				end = past[i+1].at.Add(-time.Millisecond)
			}
			within := time.Duration(rapid.Int64Range(0, int64(end.Sub(p.at)/time.Millisecond)).Draw(r, "within")) * time.Millisecond
			for _, at := range []time.Time{p.at, p.at.Add(within), end} {
				if got := o.verify(certificate.Verify{Certificate: id, At: at}).Status.Reason; got != findings[p.status] {
					r.Fatalf("at a moment when it was %s, verification says %s", p.status, got)
				}
			}
		}
	})
	for _, function := range []string{certificate.CertificateSuspend, certificate.CertificateReinstate, certificate.CertificateRevoke} {
		require.NotZero(t, passed[function], function)
	}
}
