package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// prepared is a use that alice wants to look at first, and that housing has prepared: its commitment is hashB.
func (c *city) prepared() string {
	c.Helper()
	terms := c.consentTerms()
	terms.PreviewRequired = true
	request := c.use()
	request.Consent = c.do(hall, access.Portal, exchange.ConsentGive, consentTo(terms))
	use := c.do(tax, access.Agency, exchange.UseRequest, request)
	c.do(housing, access.Agency, exchange.UsePrepare, exchange.PrepareUse{Use: use, Commitment: hashB})
	return use
}

func (c *city) released(use string) string {
	c.Helper()
	return c.do(hall, access.Portal, exchange.UseRelease, release(use, hashB))
}

func release(use, preview string) exchange.ReleaseUse {
	return exchange.ReleaseUse{Use: use, JWS: sign(keys[alice], exchange.ReleaseKind,
		exchange.Release{Channel: ledgertest.Channel, Subject: alice, Use: use, Preview: preview})}
}

func refusal(use string) exchange.RefuseUse {
	return exchange.RefuseUse{Use: use, JWS: sign(keys[alice], exchange.RefusalKind,
		exchange.Refusal{Channel: ledgertest.Channel, Subject: alice, Use: use})}
}

// What the subject was shown, and nothing else, is delivered, once it has released it.
func TestThePreviewIsTheDelivery(t *testing.T) {
	c := newCity(t).prepare()
	use := c.prepared()
	deliver := exchange.DeliverUse{Use: use, Commitment: hashB}
	c.refused("exchange.not_released", housing, access.Agency, exchange.UseDeliver, deliver)
	c.refused("exchange.release_mismatch", hall, access.Portal, exchange.UseRelease, release(use, hashA))
	c.released(use)
	c.refused("exchange.preview_mismatch", housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashA})
	c.do(housing, access.Agency, exchange.UseDeliver, deliver)
	c.do(tax, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: hashB})
	u := read[exchange.Use](c, "use:Get", use)
	require.Equal(t, u.Preview, u.Delivery)
	c.refused("exchange.already_delivered", hall, access.Portal, exchange.UseRefuse, refusal(use))
}

// A refusal leaves its trace, and nothing is delivered.
func TestARefusedUseStaysInTheLog(t *testing.T) {
	c := newCity(t).prepare()
	use := c.prepared()
	c.do(hall, access.Portal, exchange.UseRefuse, refusal(use))
	c.refused("exchange.use_refused", hall, access.Portal, exchange.UseRelease, release(use, hashB))
	c.refused("exchange.use_refused", housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashB})
	c.refused("exchange.not_delivered", tax, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: hashB})
	require.Equal(t, exchange.Refused, read[exchange.Use](c, "use:Get", use).Status)
	log := read[exchange.Log](c, "log:Get", alice)
	require.Equal(t, 1, log.Count)
	require.Equal(t, use, log.Last)
}

// The provider's question before it reads: answered while the use may be delivered, else as the delivery would be.
func TestBasis(t *testing.T) {
	c := newCity(t).prepare()
	ask := func(use string) (w exchange.Warrant, err error) {
		answer := c.warrants(use)
		if answer[0].Fault != nil {
			return w, answer[0].Fault
		}
		return *answer[0].Warrant, nil
	}
	use := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	w, err := ask(use)
	require.NoError(t, err)
	require.Equal(t, use, w.Use.ID)
	require.Equal(t, dataset, w.Dataset.ID)

	c.do(hall, access.Portal, exchange.ConsentRevoke, revocation(c.consent, keys[alice]))
	w, err = ask(use)
	require.Equal(t, "exchange.consent_revoked", fault.From(err).Reason)
	require.Empty(t, w.Use.ID)

	_, err = ask(nowhere)
	require.Equal(t, "use.missing", fault.From(err).Reason)
}

func TestADeliveredUseHasItsBasisForGood(t *testing.T) {
	c := newCity(t).prepare()
	use := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashB})
	other := c.prepared()
	answers := c.warrants(use, nowhere, other)
	require.Equal(t, exchange.Delivered, answers[0].Warrant.Use.Status)
	require.Equal(t, "use.missing", answers[1].Fault.Reason, "each is judged by itself")
	require.Equal(t, other, answers[2].Warrant.Use.ID)
	c.do(housing, access.Admin, exchange.GrantWithdraw, exchange.WithdrawGrant{Grant: c.grant, Reason: "misuse"})
	answers = c.warrants(use, other)
	require.NotNil(t, answers[0].Warrant)
	require.Equal(t, "exchange.grant_withdrawn", answers[1].Fault.Reason)
}

// warrants asks what deliveries would rest on.
func (c *city) warrants(uses ...string) []exchange.Judged {
	c.Helper()
	var answer exchange.Warrants
	require.NoError(c, c.As(housing, access.Agency).On(exchange.Name).Query(exchange.UseBasis, exchange.BasisOf{Uses: uses}, &answer))
	require.Len(c, answer.Answers, len(uses))
	return answer.Answers
}
