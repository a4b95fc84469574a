package contract

import (
	"encoding/json"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// disclosures are the functions of uses that are sealed now and opened later.
func disclosures() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.SealUse, exchange.Use]{
			Name: exchange.UseSeal, Rule: ownService, In: exchange.Uses,
			Doc:  "Asks for a use of a subject's data and numbers it in the subject's log, where it says no more than when it is opened.",
			Make: sealUse,
		}),
		kernel.NewTransition(kernel.Transition[exchange.OpenUse, exchange.Use]{
			Name: exchange.UseOpen, Rule: ownService, In: exchange.Uses,
			Doc: "Opens a sealed use: what it is about is on the ledger from now on.",
			Key: func(r exchange.OpenUse) []string { return []string{r.Use} },
			Apply: func(tx *kernel.Tx, u exchange.Use, r exchange.OpenUse) (exchange.Use, error) {
				u, event, err := u.Open(tx.By, r, tx.Now)
				if err == nil {
					tx.Store.PurgePrivate(exchange.SealedCollection(access.MSPOf(u.Consumer)), u.ID)
				}
				return u, announce(tx, event, err)
			},
		}),
		kernel.NewRead(exchange.UseDetails, ownService, "The details of a sealed use of the caller's agency.",
			func(tx *kernel.Tx, r exchange.DetailsOf) (d commitment.Document, err error) {
				u, err := get(tx, exchange.Uses, "use", r.Use)
				if err != nil {
					return d, err
				}
				if err := tx.By.Own(u.Consumer); err != nil {
					return d, err
				}
				if u.Status != exchange.UnderSeal {
					return d, exchange.ErrNotSealed.On("use", "status:"+exchange.UnderSeal)
				}
				raw, err := tx.Store.Private(exchange.SealedCollection(access.MSPOf(u.Consumer)), u.ID)
				if err != nil {
					return d, err
				}
				if raw == nil {
					return d, exchange.ErrNothingSealed
				}
				if err := json.Unmarshal(raw, &d); err != nil {
					return d, fmt.Errorf("decode the details of a sealed use: %w", err)
				}
				return d, nil
			}),
		kernel.NewRead(exchange.UseSealedBasis, access.Everyone(), "A sealed use with its dataset, if what allows it holds now, for who has its details.",
			func(tx *kernel.Tx, r exchange.SealedBasisOf) (w exchange.Warrant, err error) {
				u, err := get(tx, exchange.Uses, "use", r.Use)
				if err != nil {
					return w, err
				}
				if u.Status != exchange.UnderSeal {
					return w, exchange.ErrNotSealed.On("use", "status:"+exchange.UnderSeal)
				}
				d, err := exchange.OpenDetails(r.Details, u.Seal.Commitment)
				if err != nil {
					return w, err
				}
				u = u.Unsealed(d)
				basis, err := basis(tx, u)
				if err != nil {
					return w, err
				}
				return u.Warrant(basis, tx.Now)
			}),
	}
}

// sealUse judges a use by details that come along as transient data, numbers it, and keeps the details where only the peers
// of the caller's organisation do.
func sealUse(tx *kernel.Tx, id string, r exchange.SealUse) (u exchange.Use, err error) {
	raw, d, err := details(tx, id, r.Commitment)
	if err != nil {
		return u, err
	}
	context, err := grantedContext(tx, r.Request(d))
	if err != nil {
		return u, err
	}
	u, outcome, event, err := r.Seal(id, tx.By, d, context, tx.Now)
	if err != nil {
		return u, err
	}
	if err := keep(tx, u, d.Grant, outcome); err != nil {
		return u, err
	}
	tx.Store.PutPrivate(exchange.SealedCollection(access.MSPOf(u.Consumer)), id, raw)
	return u, announce(tx, event, nil)
}

// details reads the details of a use that come along as transient data.
func details(tx *kernel.Tx, use, committed string) (raw []byte, d exchange.Details, err error) {
	if raw, err = tx.Transient(exchange.TransientDetails(use)); err != nil {
		return nil, d, err
	}
	d, err = exchange.ReadDetails(raw, committed)
	return raw, d, err
}

// unsealed is a use as a rule is to judge it. The details of one that is sealed come along as transient data.
func unsealed(tx *kernel.Tx, u exchange.Use) (exchange.Use, error) {
	if u.Status != exchange.UnderSeal {
		return u, nil
	}
	_, d, err := details(tx, u.ID, u.Seal.Commitment)
	if err != nil {
		return u, fault.From(err)
	}
	return u.Unsealed(d), nil
}
