package contract_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// announced decodes the events of a block's valid transactions.
func announced(t tester, b ledgertest.Block) (changes []kernel.Change) {
	for _, tx := range b.Transactions {
		if tx.Event == nil || tx.Code != ledgertest.Valid {
			continue
		}
		var envelope kernel.Envelope
		require.NoError(t, json.Unmarshal(tx.Event.Payload, &envelope))
		changes = append(changes, envelope.Changes...)
	}
	return changes
}

// One use from the directory to the receipt, with what the ledger has after each step.
func TestStory(t *testing.T) {
	c := newCity(t).prepare()
	require.Equal(t, exchange.Log{Head: read[exchange.Log](c, "log:Get", alice).Head, Subject: alice}, read[exchange.Log](c, "log:Get", alice), "an empty log")

	use := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	require.Equal(t, []kernel.Change{{Type: exchange.EventUseRequested, ID: use, Subject: alice, Agency: housing, Case: c.matter}}, c.last())
	u := read[exchange.Use](c, "use:Get", use)
	require.Equal(t, exchange.Requested, u.Status)
	require.Equal(t, 1, u.Number)
	require.Empty(t, u.Nodes)
	require.Equal(t, c.Now().Add(exchange.DeliveryPeriod), u.Until)
	consent := read[exchange.Consent](c, "consent:Get", c.consent)
	require.Equal(t, 1, consent.Version, "a use does not change it")
	tally := read[exchange.Tally](c, "tally:Get", consent.ID)
	require.Equal(t, []any{1, 1, tax}, []any{tally.Uses, tally.Version, tally.Created.By})
	require.Equal(t, hall, consent.Created.By)
	log := read[exchange.Log](c, "log:Get", alice)
	require.Equal(t, 1, log.Count)
	require.Equal(t, use, log.Last)
	require.Equal(t, 2, log.Version)

	c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashB})
	require.Equal(t, []kernel.Change{{Type: exchange.EventUseDelivered, ID: use, Subject: alice, Agency: tax, Case: c.matter}}, c.last())
	f := c.refused("exchange.commitment_mismatch", tax, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: hashA})
	require.Equal(t, "request.commitment", f.Field)
	c.do(tax, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: hashB})
	require.Equal(t, exchange.Acknowledged, read[exchange.Use](c, "use:Get", use).Status)

	var key signed.Key
	require.NoError(t, c.As(tax, access.Agency).Query(exchange.SubjectKey, exchange.KeyOf{Subject: alice}, &key))
	require.Equal(t, public(keys[alice]), key)
}

// Every type of change that is declared is announced by something. The ledger of the tests sees to it that nothing else is.
func TestEveryEventHappens(t *testing.T) {
	c := newCity(t).prepare().inbox()
	hidden, details, _ := c.sealed("sealed")
	c.do(tax, access.Agency, exchange.UseOpen, exchange.OpenUse{Use: hidden, Details: details})
	update := registration(tax)
	c.do(tax, access.Admin, exchange.AgencyUpdate, exchange.UpdateAgency{Agency: tax, Name: update.Name, ExchangeKey: update.ExchangeKey, Gateway: "https://tax.example"})
	denied := c.do(regulation, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: dataset, Terms: c.terms(), Basis: "Company Law 7"})
	c.do(housing, access.Admin, exchange.GrantDeny, exchange.DenyAccess{Grant: denied, Reason: "not_needed"})
	use := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	c.do(housing, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: use, Commitment: hashB})
	c.do(tax, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: use, Commitment: hashB})
	c.do(tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: use})
	c.do(housing, access.Agency, exchange.SubscriptionAnnounce, exchange.AnnounceChange{Subscription: use, State: hashA})
	c.do(housing, access.Agency, exchange.SubscriptionAnnounce, exchange.AnnounceChange{Subscription: use, State: hashB})
	c.do(tax, access.Agency, exchange.SubscriptionEnd, exchange.EndSubscription{Subscription: use, Reason: "case_done"})
	c.do(tax, access.Agency, exchange.UsePurge, exchange.PurgeUse{Use: use, Reason: "case.over"})
	c.do(hall, access.Portal, exchange.UseRefuse, refusal(c.released(c.prepared())))
	c.do(housing, access.Agency, exchange.CommitmentAnchor, c.anchor(hashA))
	c.do(housing, access.Agency, exchange.CommitmentSupersede, exchange.SupersedeCommitment{AnchorCommitment: c.anchor(hashB), Supersedes: hashA})
	c.allowToVerify()
	c.do(tax, access.Agency, exchange.UseVerify, c.verification(hashA, hashB))
	c.do(housing, access.Agency, exchange.CommitmentWithdraw, exchange.WithdrawCommitment{Dataset: dataset, Subject: alice, Reason: "error"})
	c.do(hall, access.Portal, exchange.ConsentRevoke, revocation(c.consent, keys[alice]))
	code := c.do(hall, access.Portal, exchange.CodeGive, codeFor(c.codeTerms()))
	c.do(tax, access.Agency, exchange.CodePresent, exchange.PresentCode{Code: code, Case: c.matter, Attempt: hashA})
	c.do(tax, access.Agency, exchange.CodeRedeem, exchange.RedeemCode{Code: code, Case: c.matter, Digits: digits, Salt: salt})
	c.do(hall, access.Portal, exchange.CodeCancel, cancellation(c.do(hall, access.Portal, exchange.CodeGive, codeFor(c.codeTerms())), alice))
	second := newKey()
	c.do(hall, access.Portal, exchange.SubjectRotate, rotation(alice, keys[alice], second))
	c.staff = "0417"
	c.do(police, access.Agency, exchange.SubjectRecover, recovery(alice, newKey()))
	c.amend(func(terms *exchange.Terms) { terms.Fields = []string{"area"} })
	c.do(housing, access.Admin, exchange.GrantSuspend, exchange.SuspendGrant{Grant: c.grant, Reason: "inquiry"})
	c.do(housing, access.Admin, exchange.GrantResume, exchange.ResumeGrant{Grant: c.grant, Reason: "cleared"})
	c.do(housing, access.Admin, exchange.GrantWithdraw, exchange.WithdrawGrant{Grant: c.grant, Reason: "misuse"})
	c.do(housing, access.Admin, exchange.DatasetRevise, exchange.ReviseDataset{Dataset: dataset, Edition: 2, Content: publication().Content})
	anchored := c.do(housing, access.Agency, exchange.AnchorCreate, batch(1))
	c.do(housing, access.Agency, exchange.AnchorWithdraw, exchange.WithdrawAnchor{Anchor: anchored, Reason: "wrong-source"})
	asked := c.do(regulation, access.Admin, exchange.RequirementPublish, exchange.PublishRequirement{Code: "plans", Need: need()})
	c.do(regulation, access.Admin, exchange.RequirementRevise, exchange.ReviseRequirement{Requirement: asked, Edition: 2, Need: need()})
	c.do(regulation, access.Admin, exchange.RequirementWithdraw, exchange.WithdrawRequirement{Requirement: asked, Reason: "replaced"})
	c.do(hall, access.Admin, exchange.ListingEnter, exchange.EnterListing{Agency: "planning.parks", Kind: exchange.Department, Name: title})
	c.do(hall, access.Admin, exchange.ListingRename, exchange.RenameListing{Agency: "planning.parks", Name: title})
	c.do(housing, access.Admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: dataset, Reason: "replaced"})

	happened := map[string]bool{}
	for _, b := range c.Blocks() {
		for _, change := range announced(t, b) {
			happened[change.Type] = true
		}
	}
	for _, e := range exchange.Events {
		require.True(t, happened[e.Type], e.Type)
	}
}

// A whole day of exchange in one transaction: each command sees what those before it did.
func TestBatch(t *testing.T) {
	c := newCity(t).prepare()
	use, again, third := c.use(), c.use(), c.use()
	outcomes, err := c.As(tax, access.Agency).Batch([]kernel.BatchCommand{
		ledgertest.Command(exchange.UseRequest, "one", use),
		ledgertest.Command(exchange.UseRequest, "two", again),
		ledgertest.Command(exchange.UseRequest, "three", third),
		ledgertest.Command(exchange.UseRequest, "one", use),
	})
	require.NoError(t, err)
	require.NotNil(t, outcomes.Outcomes[0].Receipt)
	require.NotNil(t, outcomes.Outcomes[1].Receipt)
	require.Equal(t, "exchange.consent_exhausted", outcomes.Outcomes[2].Fault.Reason, "two uses are allowed")
	require.True(t, outcomes.Outcomes[3].Receipt.Replayed)
	require.Equal(t, outcomes.Outcomes[0].Receipt.ID, outcomes.Outcomes[3].Receipt.ID)

	log := read[exchange.Log](c, "log:Get", alice)
	require.Equal(t, 2, log.Count)
	require.Equal(t, outcomes.Outcomes[1].Receipt.ID, log.Last)
	second := read[exchange.Use](c, "use:Get", log.Last)
	first := read[exchange.Use](c, "use:Get", outcomes.Outcomes[0].Receipt.ID)
	require.NoError(t, log.Proves([]exchange.Entry{first.Entry(), second.Entry()}, exchange.LogProof{}))
	require.Equal(t, []string{log.Root}, second.Nodes)
	require.Len(t, c.last(), 2)
}

// Two uses of one subject endorsed on the same state cannot both take the next number.
func TestConcurrentUses(t *testing.T) {
	c := newCity(t).prepare()
	one, err := c.As(tax, access.Agency).Endorse(exchange.UseRequest, "one", c.use())
	require.NoError(t, err)
	two, err := c.As(tax, access.Agency).Endorse(exchange.UseRequest, "two", c.use())
	require.NoError(t, err)
	results := c.CommitBlock(one, two)
	require.NoError(t, results[0])
	require.ErrorIs(t, results[1], &ledgertest.CommitError{Code: ledgertest.MVCCConflict})
	require.Equal(t, 1, read[exchange.Log](c, "log:Get", alice).Count)
}

// A revocation that is ordered first stops a use and a delivery that were endorsed before it.
func TestRevocationOvertakes(t *testing.T) {
	c := newCity(t).prepare()
	requested := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	use, err := c.As(tax, access.Agency).Endorse(exchange.UseRequest, "late-use", c.use())
	require.NoError(t, err)
	delivery, err := c.As(housing, access.Agency).Endorse(exchange.UseDeliver, "late-delivery", exchange.DeliverUse{Use: requested, Commitment: hashB})
	require.NoError(t, err)
	revoke, err := c.As(hall, access.Portal).Endorse(exchange.ConsentRevoke, "revoke", revocation(c.consent, keys[alice]))
	require.NoError(t, err)
	results := c.CommitBlock(revoke, use, delivery)
	require.NoError(t, results[0])
	require.ErrorIs(t, results[1], &ledgertest.CommitError{Code: ledgertest.MVCCConflict})
	require.ErrorIs(t, results[2], &ledgertest.CommitError{Code: ledgertest.MVCCConflict})
}
