package contract_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// Start a business, submit once: the three contracts together, from the agencies' registration to a revoked licence.
func TestStartABusiness(t *testing.T) {
	c := newCity(t)
	person := c.person()

	// Housing grants Regulation its premises dataset.
	terms := exchange.Terms{Purposes: []string{"business.start"}, Fields: []string{"address", "owner"},
		ValidFrom: c.Now(), ValidUntil: c.Now().AddDate(1, 0, 0), ConsentRequired: true}
	grant := c.must(regulation, access.Admin, "", exchange.GrantRequest, "g1", exchange.RequestGrant{Dataset: premises, Terms: terms, Basis: c.service.LegalBasis}).ID
	terms.Fields = []string{"address"}
	c.must(housing, access.Admin, "", exchange.GrantGrant, "g1", exchange.GrantAccess{Grant: grant, Terms: terms})

	// The applicant applies once, and agrees that Regulation fetches the proof of premises instead of asking for it.
	id := c.apply(person, "k1")
	opened := get[collaboration.Case](c, "case:Get", id)
	require.Equal(t, []int{2, 1}, []int{opened.Required, opened.Asked})
	consent := c.must(hall, access.Portal, "", exchange.ConsentGive, "co1", exchange.GiveConsent{JWS: person.sign(t, exchange.ConsentKind, exchange.ConsentTerms{
		Channel: ledgertest.Channel, Subject: person.subject, Dataset: premises, Fields: []string{"address"}, Consumer: regulation,
		Purpose: "business.start", Case: id, MaxUses: 1, From: c.Now(), Until: c.Now().AddDate(0, 1, 0), Nonce: "n0n0n0n0n0n0n0n0",
	})}).ID

	// One use of the data: requested, delivered, acknowledged, with the same commitment on both sides.
	selector, delivery := rootOf(t, map[string]any{"owner": person.subject}), rootOf(t, map[string]any{"address": "1 Alley Lane"})
	use := exchange.RequestUse{Subject: person.subject, Dataset: premises, Fields: []string{"address"}, Purpose: "business.start",
		LegalBasis: c.service.LegalBasis, Case: id, Grant: grant, Consent: consent, Selector: selector}
	used := c.must(regulation, access.Agency, "R1", exchange.UseRequest, "u1", use).ID
	c.must(housing, access.Agency, "", exchange.UseDeliver, "u1", exchange.DeliverUse{Use: used, Commitment: delivery})
	c.must(regulation, access.Agency, "R1", exchange.UseAcknowledge, "u1", exchange.AcknowledgeUse{Use: used, Commitment: delivery})
	c.refused(regulation, access.Agency, "R1", exchange.UseRequest, "u2", use, "exchange.consent_exhausted")

	// Two agencies decide in the same blocks.
	for _, function := range []string{collaboration.StepClaim, collaboration.StepApprove} {
		one, err := c.As(housing, access.Agency).EndorseAs("H1", function, function, stepRequest(function, id, "premises"))
		require.NoError(t, err)
		two, err := c.As(tax, access.Agency).EndorseAs("T1", function, function, stepRequest(function, id, "tax"))
		require.NoError(t, err)
		require.Equal(t, []error{nil, nil}, c.CommitBlock(one, two))
	}
	c.decide(regulation, "R1", id, "licence")

	// The licence: its document names its own number, which is known before it is issued.
	number := collaboration.CertificateID(regulation, id)
	document := rootOf(t, map[string]any{"number": number, "trade_name": "Harmony"})
	conclude := collaboration.Conclude{Case: id, Certificate: &collaboration.Certificate{Commitment: document, ValidFrom: c.Now(), ValidUntil: c.Now().AddDate(5, 0, 0)}}
	c.must(regulation, access.Agency, "R1", collaboration.CaseConclude, "c1", conclude)
	issued := c.Now()

	// A stranger verifies it, with the document and without, then and now.
	verify := func(q certificate.Verify) []certificate.Finding {
		var v certificate.Verdict
		require.NoError(t, c.As("audit.office", access.Auditor).Query(certificate.CertificateVerify, q, &v))
		return []certificate.Finding{v.Integrity, v.Status, v.Issuer}
	}
	yes := func(reason string) certificate.Finding {
		return certificate.Finding{Answer: certificate.Yes, Reason: reason}
	}
	require.Equal(t, []certificate.Finding{yes(certificate.Intact), yes(certificate.Holds), yes(certificate.Accredited)},
		verify(certificate.Verify{Certificate: number, Commitment: document}))
	c.Advance(time.Hour)
	c.must(regulation, access.Agency, "R1", certificate.CertificateRevoke, "v1", certificate.Change{Certificate: number, Reason: "ceased"})
	require.Equal(t, []certificate.Finding{yes(certificate.Intact), {Answer: certificate.No, Reason: certificate.IsRevoked}, yes(certificate.Accredited)},
		verify(certificate.Verify{Certificate: number, Commitment: document}))
	require.Equal(t, yes(certificate.Holds), verify(certificate.Verify{Certificate: number, At: issued})[1])

	// After the case nobody uses the data any more, and the applicant's log has the one use there was.
	use.Consent = ""
	c.refused(regulation, access.Agency, "R1", exchange.UseRequest, "u3", use, "exchange.case_closed")
	require.Equal(t, 1, get[exchange.Log](c, "log:Get", person.subject).Count)

	for _, block := range c.Blocks() {
		for _, tx := range block.Transactions {
			require.Equal(t, ledgertest.Valid, tx.Code)
			written := slices.Concat(tx.Args...)
			for _, w := range tx.Writes {
				written = append(append(written, w.Key...), w.Value...)
			}
			if tx.Event != nil {
				written = append(written, tx.Event.Payload...)
			}
			require.NotContains(t, string(written), "Alley Lane", "what was delivered is not on the ledger")
		}
	}
	var history []any
	require.NoError(t, c.As("audit.office", access.Auditor).Query("task:History", kernel.ByID{ID: collaboration.TaskID(id, "tax")}, &history))
	require.Len(t, history, 3, "pending, claimed, approved")
}

func rootOf(t *testing.T, values map[string]any) string {
	document, err := commitment.New(values)
	require.NoError(t, err)
	root, err := document.Root()
	require.NoError(t, err)
	return root
}
