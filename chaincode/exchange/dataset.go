package exchange

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

var classifications = []string{Open, Shared, Conditional, Restricted}

// Validate implements kernel.Validator.
func (r PublishDataset) Validate() error {
	return cmp.Or(
		CheckCode("code", r.Code),
		fault.Under("name", r.Name.Validate()),
		oneOf("classification", r.Classification, classifications),
		CheckFieldSpecs("fields", r.Fields),
		r.checkSelector(),
	)
}

func (r PublishDataset) checkSelector() error {
	if len(r.Selector) == 0 || len(r.Selector) > MaxSelectorFields {
		return fault.Field("selector", fmt.Sprintf("length:1,%d", MaxSelectorFields), "name the fields a record is found by")
	}
	for i, name := range r.Selector {
		at := fmt.Sprintf("selector[%d]", i)
		if !slices.ContainsFunc(r.Fields, func(f FieldSpec) bool { return f.Name == name }) {
			return fault.Field(at, "one_of:fields", "name a field of the dataset")
		}
		if slices.Contains(r.Selector[:i], name) {
			return fault.Field(at, "unique", "name each field once")
		}
	}
	return nil
}

// Publish enters a dataset of the caller's agency in the directory. No guards beyond form; the contract asks that the
// agency is registered.
func (r PublishDataset) Publish(by access.Caller) (Dataset, kernel.Change, error) {
	d := Dataset{
		Head:   state.Head{ID: by.Agency + "/" + r.Code, Status: Published},
		Agency: by.Agency, Code: r.Code, Name: r.Name, Classification: r.Classification, Fields: r.Fields,
		Selector: r.Selector, ConsentRequired: r.ConsentRequired,
	}
	return d, d.change(EventDatasetPublished), nil
}

// Validate implements kernel.Validator.
func (r WithdrawDataset) Validate() error {
	return cmp.Or(CheckDataset("dataset", r.Dataset), CheckCode("reason", r.Reason))
}

// Withdraw takes a dataset out of the directory for good. Guards, in order:
//
//	access.other_agency          the dataset is not of the caller's agency
//	exchange.dataset_withdrawn   it was withdrawn before
func (d Dataset) Withdraw(by access.Caller, r WithdrawDataset) (Dataset, kernel.Change, error) {
	if err := by.Own(d.Agency); err != nil {
		return d, kernel.Change{}, err
	}
	if err := d.offered(); err != nil {
		return d, kernel.Change{}, err
	}
	d.Status, d.Reason = Withdrawn, r.Reason
	return d, d.change(EventDatasetWithdrawn), nil
}

// NeedsConsent says whether every use needs the subject's consent, whatever a grant says.
func (d Dataset) NeedsConsent() bool { return d.ConsentRequired || d.Classification == Restricted }

// offered: the dataset is in the directory.
func (d Dataset) offered() error {
	if d.Status != Published {
		return ErrDatasetWithdrawn
	}
	return nil
}

// has says whether the dataset has all the fields named.
func (d Dataset) has(names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(d.Fields, func(f FieldSpec) bool { return f.Name == name }) {
			return false
		}
	}
	return true
}

func (d Dataset) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: d.ID, Agency: d.Agency}
}
