package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func commitments() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.AnchorCommitment, exchange.Commitment]{
			Name: exchange.CommitmentAnchor, Rule: ownService, In: exchange.Commitments,
			Doc:   "Commits to a subject's record: the root over its salted fields.",
			Taken: "the record has a commitment already; replace it with " + exchange.CommitmentSupersede,
			Key: func(_ access.Caller, r exchange.AnchorCommitment) []string {
				return exchange.CommitmentKey(r.Dataset, r.Subject)
			},
			Make: func(tx *kernel.Tx, id string, r exchange.AnchorCommitment) (c exchange.Commitment, err error) {
				if _, err := logOf(tx, r.Subject); err != nil {
					return c, err
				}
				d, err := dataset(tx, "request.dataset", r.Dataset)
				if err != nil {
					return c, err
				}
				c, event, err := r.Anchor(id, tx.By, d, tx.Now)
				if err != nil {
					return c, err
				}
				// What an agency vouches for is for its organisation's peers to change.
				if err := kernel.Guard(tx, exchange.Commitments, d.Agency, exchange.CommitmentKey(r.Dataset, r.Subject)...); err != nil {
					return c, err
				}
				return c, announce(tx, event, nil)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.SupersedeCommitment, exchange.Commitment]{
			Name: exchange.CommitmentSupersede, Rule: ownService, In: exchange.Commitments,
			Doc: "Replaces the commitment to a subject's record.",
			Key: func(r exchange.SupersedeCommitment) []string { return exchange.CommitmentKey(r.Dataset, r.Subject) },
			Apply: func(tx *kernel.Tx, c exchange.Commitment, r exchange.SupersedeCommitment) (exchange.Commitment, error) {
				d, err := dataset(tx, "request.dataset", r.Dataset)
				if err != nil {
					return c, err
				}
				c, event, err := c.Supersede(r, tx.By, d, tx.Now)
				return c, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.WithdrawCommitment, exchange.Commitment]{
			Name: exchange.CommitmentWithdraw, Rule: ownService, In: exchange.Commitments,
			Doc: "Says that the provider does not vouch for a subject's record any more.",
			Key: func(r exchange.WithdrawCommitment) []string { return exchange.CommitmentKey(r.Dataset, r.Subject) },
			Apply: func(tx *kernel.Tx, c exchange.Commitment, r exchange.WithdrawCommitment) (exchange.Commitment, error) {
				c, event, err := c.Withdraw(r, tx.By)
				return c, announce(tx, event, err)
			},
		}),
		kernel.NewCreate(kernel.Create[exchange.VerifyUse, exchange.Use]{
			Name: exchange.UseVerify, Rule: ownService, In: exchange.Uses,
			Doc:  "Verifies claims against the commitment to a subject's record, and numbers that in the subject's log.",
			Asks: func(r exchange.VerifyUse) kernel.Question { return aboutCase(r.Case) },
			Make: verifyUse,
		}),
	}
}

// verifyUse judges a verification as any use, and then what was opened.
func verifyUse(tx *kernel.Tx, id string, r exchange.VerifyUse) (u exchange.Use, err error) {
	u, _, err = numbered(tx, id, r.RequestUse)
	if err != nil {
		return u, err
	}
	c, _, err := exchange.Commitments.Find(tx.Store, exchange.CommitmentKey(r.Dataset, r.Subject)...)
	if err != nil {
		return u, err
	}
	u, event := r.Verify(u, c, tx.Now)
	return u, announce(tx, event, nil)
}
