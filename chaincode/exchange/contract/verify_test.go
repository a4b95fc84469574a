package contract_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

func (c *city) anchor(root string) exchange.AnchorCommitment {
	return exchange.AnchorCommitment{Dataset: dataset, Subject: alice, Fields: []string{"address", "area"}, Root: root}
}

// verification is of alice's address by its leaf and the hash beside it.
func (c *city) verification(leaf, beside string) exchange.VerifyUse {
	r := c.use()
	r.Selector, r.Claims = "", hashB
	return exchange.VerifyUse{RequestUse: r, Openings: []exchange.Opening{{Leaf: leaf, Path: []string{beside}}}, Answer: hashA}
}

// allow replaces the grant that prepare made.
func (c *city) allow(change func(*exchange.Terms)) {
	c.Helper()
	terms := c.terms()
	change(&terms)
	c.grant = c.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: dataset, Terms: terms, Basis: "Tax Law 12"})
	c.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: c.grant, Terms: terms})
}

func (c *city) allowToVerify() {
	c.Helper()
	c.allow(func(t *exchange.Terms) { t.Modes = []string{exchange.ModeVerify} })
}

// record makes a record of alice's and gives what it takes to show her address.
func (c *city) record() (root, leaf, beside string) {
	c.Helper()
	d, err := commitment.New(map[string]any{"address": "a lane", "area": 60})
	require.NoError(c, err)
	root, err = d.Root()
	require.NoError(c, err)
	field, proof, err := d.Show("address")
	require.NoError(c, err)
	leaf, err = field.Leaf()
	require.NoError(c, err)
	return root, leaf, proof.Path[0]
}

// commit commits to a record of alice's.
func (c *city) commit(supersedes string) (root, leaf, beside string) {
	c.Helper()
	root, leaf, beside = c.record()
	if supersedes == "" {
		c.do(housing, access.Agency, exchange.CommitmentAnchor, c.anchor(root))
	} else {
		c.do(housing, access.Agency, exchange.CommitmentSupersede, exchange.SupersedeCommitment{AnchorCommitment: c.anchor(root), Supersedes: supersedes})
	}
	return root, leaf, beside
}

// A commitment from the first to its withdrawal, and what a verification finds at each time. Every one is numbered.
func TestVerification(t *testing.T) {
	c := newCity(t).prepare()
	c.refused("exchange.mode_not_granted", tax, access.Agency, exchange.UseVerify, c.verification(hashA, hashB))
	c.allowToVerify()
	c.refused("exchange.mode_not_granted", tax, access.Agency, exchange.UseRequest, c.use())
	terms := c.consentTerms()
	terms.MaxUses = 10
	c.consent = c.do(hall, access.Portal, exchange.ConsentGive, consentTo(terms))
	verify := func(want, leaf, beside string) exchange.Use {
		t.Helper()
		receipt, err := c.try(tax, access.Agency, exchange.UseVerify, c.verification(leaf, beside))
		require.NoError(t, err)
		require.Equal(t, want, receipt.Status)
		u := read[exchange.Use](c, "use:Get", receipt.ID)
		require.Equal(t, receipt.Number, u.Number)
		require.Equal(t, want == exchange.Proven, u.Delivery == hashA)
		require.Equal(t, []kernel.Change{{Type: exchange.EventUseVerified, ID: u.ID, Subject: alice, Agency: housing, Case: c.matter}}, c.last())
		log := read[exchange.Log](c, "log:Get", alice)
		require.Equal(t, [2]any{u.Number, u.ID}, [2]any{log.Count, log.Last})
		return u
	}
	verify(exchange.Absent, hashA, hashB)
	root, leaf, beside := c.commit("")
	proven := verify(exchange.Proven, leaf, beside)
	require.Equal(t, root, proven.Root)
	verify(exchange.Mismatched, leaf, hashB)
	second, again, besideAgain := c.commit(root)
	verify(exchange.Superseded, leaf, beside)
	verify(exchange.Proven, again, besideAgain)
	got := c.refused("exchange.commitment_moved", housing, access.Agency, exchange.CommitmentSupersede,
		exchange.SupersedeCommitment{AnchorCommitment: c.anchor(hashB), Supersedes: root})
	require.Equal(t, "request.supersedes", got.Field)
	until := c.Now().Add(time.Hour)
	third := c.anchor(hashB)
	third.Until = &until
	c.do(housing, access.Agency, exchange.CommitmentSupersede, exchange.SupersedeCommitment{AnchorCommitment: third, Supersedes: second})
	verify(exchange.Superseded, again, besideAgain)
	c.do(housing, access.Agency, exchange.CommitmentWithdraw, exchange.WithdrawCommitment{Dataset: dataset, Subject: alice, Reason: "error"})
	last := verify(exchange.Withdrawn, again, besideAgain)
	require.Equal(t, 7, last.Number)
	require.Equal(t, 7, read[exchange.Tally](c, "tally:Get", c.consent).Uses, "each is a use of the consent")
	require.Equal(t, exchange.Superseded, c.finding(again, besideAgain, func() { c.commit(hashB) }), "it stands again, anew")
}

// finding is what a verification finds after something has happened.
func (c *city) finding(leaf, beside string, after func()) string {
	after()
	receipt, err := c.try(tax, access.Agency, exchange.UseVerify, c.verification(leaf, beside))
	require.NoError(c, err)
	return receipt.Status
}

// What was found of the commitment is not for the subject to take back: nothing waited for a release.
func TestAVerificationIsNotRefused(t *testing.T) {
	c := newCity(t).prepare()
	c.allowToVerify()
	_, leaf, beside := c.commit("")
	use := c.do(tax, access.Agency, exchange.UseVerify, c.verification(leaf, beside))
	c.refused("exchange.already_delivered", hall, access.Portal, exchange.UseRefuse, refusal(use))
	require.Equal(t, exchange.Proven, read[exchange.Use](c, "use:Get", use).Status)
}

func TestWhatAVerificationRestsOn(t *testing.T) {
	c := newCity(t).prepare()
	c.allowToVerify()
	_, leaf, beside := c.commit("")
	request := c.verification(leaf, beside)
	for name, line := range map[string]struct {
		change func(*exchange.VerifyUse)
		reason string
	}{
		"no consent":       {func(r *exchange.VerifyUse) { r.Consent = "" }, "exchange.consent_required"},
		"no such grant":    {func(r *exchange.VerifyUse) { r.Grant = nowhere }, "grant.missing"},
		"no such case":     {func(r *exchange.VerifyUse) { r.Case = nowhere }, "case.missing"},
		"no legal basis":   {func(r *exchange.VerifyUse) { r.LegalBasis = "" }, "request.invalid"},
		"another's record": {func(r *exchange.VerifyUse) { r.Subject = bob }, "exchange.case_mismatch"},
		"no such subject":  {func(r *exchange.VerifyUse) { r.Subject = "subject-of-the-tests-carol" }, "subject.missing"},
		"another purpose":  {func(r *exchange.VerifyUse) { r.Purpose = "research" }, "exchange.purpose_not_granted"},
		"a selector":       {func(r *exchange.VerifyUse) { r.Selector = hashA }, "request.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := request
			line.change(&spoilt)
			c.refused(line.reason, tax, access.Agency, exchange.UseVerify, spoilt)
		})
	}
	require.Zero(t, read[exchange.Log](c, "log:Get", alice).Count)
	of := c.anchor(hashA)
	of.Subject = "subject-of-the-tests-carol"
	c.refused("subject.missing", housing, access.Agency, exchange.CommitmentAnchor, of)
	c.refused("commitment.conflict", housing, access.Agency, exchange.CommitmentAnchor, c.anchor(hashA))
	of.Subject = bob
	c.refused("commitment.missing", housing, access.Agency, exchange.CommitmentSupersede, exchange.SupersedeCommitment{AnchorCommitment: of, Supersedes: hashB})
}

// A commitment changes only where the provider's organisation has endorsed it.
func TestProvidersEndorseTheirCommitments(t *testing.T) {
	c := newCity(t).prepare()
	root, _, _ := c.commit("")
	for i, line := range []struct {
		function string
		request  any
	}{
		{exchange.CommitmentSupersede, exchange.SupersedeCommitment{AnchorCommitment: c.anchor(hashB), Supersedes: root}},
		{exchange.CommitmentWithdraw, exchange.WithdrawCommitment{Dataset: dataset, Subject: alice, Reason: "error"}},
	} {
		endorse := func(key string, msps ...string) error {
			tx, err := c.As(housing, access.Agency).Endorse(line.function, fmt.Sprintf("guard-%d-%s", i, key), line.request)
			require.NoError(t, err)
			return tx.EndorsedBy(msps...).Commit()
		}
		require.ErrorIs(t, endorse("1", "ServicesMSP", "MarketMSP"), &ledgertest.CommitError{Code: ledgertest.Unendorsed})
		require.NoError(t, endorse("2", "PlanningMSP", "MarketMSP"))
	}
}

// Many verifications in one transaction ask the other contract once, and are judged as if each had come alone.
func TestVerificationsInABatch(t *testing.T) {
	c := newCity(t).prepare()
	c.allowToVerify()
	_, leaf, beside := c.commit("")
	closed := c.do(hall, access.Portal, "case:Open", openCase{alice, []string{housing, tax}})
	c.do(hall, access.Portal, "case:Close", caseRef{closed})
	var commands []kernel.BatchCommand
	for i, matter := range []string{c.matter, closed, nowhere, c.matter, c.matter} {
		r := c.verification(leaf, beside)
		r.Case = matter
		commands = append(commands, ledgertest.Command(exchange.UseVerify, fmt.Sprint(i), r))
	}
	got, err := c.As(tax, access.Agency).Batch(commands)
	require.NoError(t, err)
	said := make([]string, len(got.Outcomes))
	for i, o := range got.Outcomes {
		if o.Fault != nil {
			said[i] = o.Fault.Reason
		} else {
			said[i] = fmt.Sprint(o.Receipt.Status, " ", o.Receipt.Number)
		}
	}
	require.Equal(t, []string{"proven 1", "exchange.case_closed", "case.missing", "proven 2", "exchange.consent_exhausted"}, said)
	require.Equal(t, fault.Missing, got.Outcomes[2].Fault.Kind)
	require.Equal(t, "request.case", got.Outcomes[2].Fault.Field)

	again, err := c.As(tax, access.Agency).Submit(exchange.UseVerify, "0", c.verification(leaf, beside))
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, 1, again.Number, "the first answer has its number too")
}
