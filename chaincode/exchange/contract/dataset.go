package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func datasets() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.PublishDataset, exchange.Dataset]{
			Name: exchange.DatasetPublish, Rule: ownAdmin, In: exchange.Datasets,
			Doc:   "Enters a dataset of the caller's agency in the directory.",
			Taken: "the agency has published another dataset under this code; use another code, or revise it with " + exchange.DatasetRevise,
			Key:   func(by access.Caller, r exchange.PublishDataset) []string { return []string{by.Agency, r.Code} },
			Make: func(tx *kernel.Tx, _ string, r exchange.PublishDataset) (exchange.Dataset, error) {
				if _, err := registered(tx); err != nil {
					return exchange.Dataset{}, err
				}
				d, schema, event, err := r.Publish(tx.By)
				return d, edition(tx, d, schema, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.ReviseDataset, exchange.Dataset]{
			Name: exchange.DatasetRevise, Rule: ownAdmin, In: exchange.Datasets,
			Doc: "Makes the next edition of a dataset of the caller's agency.",
			Key: func(r exchange.ReviseDataset) []string { return exchange.DatasetKey(r.Dataset) },
			Apply: func(tx *kernel.Tx, d exchange.Dataset, r exchange.ReviseDataset) (exchange.Dataset, error) {
				d, schema, event, err := d.Revise(tx.By, r)
				return d, edition(tx, d, schema, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.WithdrawDataset, exchange.Dataset]{
			Name: exchange.DatasetWithdraw, Rule: ownAdmin, In: exchange.Datasets,
			Doc: "Takes a dataset of the caller's agency out of the directory for good.",
			Key: func(r exchange.WithdrawDataset) []string { return exchange.DatasetKey(r.Dataset) },
			Apply: func(tx *kernel.Tx, d exchange.Dataset, r exchange.WithdrawDataset) (exchange.Dataset, error) {
				d, event, err := d.Withdraw(tx.By, r)
				return d, announce(tx, event, err)
			},
		}),
	}
}

// edition keeps the schema of the edition a rule made, leaves both to the owner, and announces the edition.
func edition(tx *kernel.Tx, d exchange.Dataset, s exchange.Schema, event kernel.Change, err error) error {
	if err != nil {
		return err
	}
	tx.Touch(&s.Head)
	key := exchange.SchemaKey(s.Dataset, s.Edition)
	if err := exchange.Schemas.Put(tx.Store, s, key...); err != nil {
		return err
	}
	if err := kernel.Guard(tx, exchange.Schemas, d.Agency, key...); err != nil {
		return err
	}
	if err := kernel.Guard(tx, exchange.Datasets, d.Agency, d.Agency, d.Code); err != nil {
		return err
	}
	return announce(tx, event, nil)
}

// dataset reads the dataset that a request names in the given member, to look at.
func dataset(tx *kernel.Tx, field, id string) (exchange.Dataset, error) {
	return look(tx, exchange.Datasets, field, exchange.DatasetKey(id)...)
}
