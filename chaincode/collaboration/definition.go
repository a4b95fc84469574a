package collaboration

import (
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// Hash is the digest of a service: what agencies approve, applicants sign and cases pin.
func (s Service) Hash() (string, error) { return canonical.Digest(s) }

// Propose makes an edition of a service. The proposer's approval counts for its own agency; where that is the only one
// responsible the edition is active at once. previous is the edition before, nil where there is none. Guards, in order:
//
//	access.other_agency           the caller's agency is not the service's lead
//	collaboration.edition_gap     it is not the first edition and the one before was never proposed
//	access.other_agency           the edition before has another lead: nobody takes a service from its lead
func (r ProposeDefinition) Propose(by access.Caller, previous *Definition) (d Definition, err error) {
	if err := by.Own(r.Service.Lead); err != nil {
		return d, err
	}
	if r.Service.Edition > 1 && previous == nil {
		return d, ErrEditionGap
	}
	if previous != nil {
		if err := by.Own(previous.Lead); err != nil {
			return d, err
		}
	}
	hash, err := r.Service.Hash()
	if err != nil {
		return d, err
	}
	d = Definition{Service: r.Service, Hash: hash, Awaiting: r.Service.Responsible(), Approvals: []string{}}
	d.Status = Proposed
	return d.approvedBy(by.Agency), nil
}

// Fits judges the materials that come from one dataset against it. Guards, in order:
//
//	collaboration.dataset_withdrawn   the dataset has left the directory
//	collaboration.field_unknown       a material names a field the dataset has not
func (s Service) Fits(d exchange.Dataset) error {
	if d.Status != exchange.Published {
		return ErrDatasetWithdrawn
	}
	for _, m := range s.Materials {
		if m.Dataset != d.Agency+"/"+d.Code {
			continue
		}
		for _, field := range m.Fields {
			if !slices.ContainsFunc(d.Fields, func(f exchange.FieldSpec) bool { return f.Name == field }) {
				return ErrFieldUnknown
			}
		}
	}
	return nil
}

// Shows judges the materials that name a requirement against it. Guards, in order:
//
//	collaboration.requirement_withdrawn   the requirement has left the map
//	collaboration.not_evidence            a material is none of what shows that it is met
func (s Service) Shows(q exchange.Requirement) error {
	if q.Status != exchange.Published {
		return ErrRequirementWithdrawn
	}
	for _, m := range s.Materials {
		if m.Requirement == q.ID && !q.MetBy(m.Dataset, m.Fields, m.Type) {
			return ErrNotEvidence
		}
	}
	return nil
}

// Requirements are those that materials name, sorted.
func (s Service) Requirements() []string {
	var ids []string
	for _, m := range s.Materials {
		if m.Requirement != "" {
			ids = append(ids, m.Requirement)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Datasets are the datasets a service takes materials from, sorted.
func (s Service) Datasets() []string {
	var ids []string
	for _, m := range s.Materials {
		if m.Dataset != "" {
			ids = append(ids, m.Dataset)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Approve records an agency's approval. The edition becomes active with the last one. Guards, in order:
//
//	collaboration.already_approved     the caller's agency approved before
//	collaboration.not_responsible      it has no part in the service
//	collaboration.not_proposed         a later edition has taken the place of this one
//	collaboration.definition_changed   the hash is not this edition's: something else was read than is approved
func (d Definition) Approve(by access.Caller, r ApproveDefinition) (Definition, error) {
	switch {
	case slices.Contains(d.Approvals, by.Agency):
		return d, ErrAlreadyApproved
	case !slices.Contains(d.Awaiting, by.Agency):
		return d, ErrNotResponsible
	case d.Status != Proposed:
		return d, ErrNotProposed
	case r.Hash != d.Hash:
		return d, ErrDefinitionChanged
	}
	return d.approvedBy(by.Agency), nil
}

// approvedBy moves an agency from those awaited to those that have approved.
func (d Definition) approvedBy(agency string) Definition {
	d.Awaiting = slices.DeleteFunc(slices.Clone(d.Awaiting), func(a string) bool { return a == agency })
	d.Approvals = append(slices.Clone(d.Approvals), agency)
	slices.Sort(d.Approvals)
	if len(d.Awaiting) == 0 {
		d.Status = Active
	}
	return d
}

// Retire takes an edition out of use because a later one was activated. Open cases stay on it. Nothing changes where it
// was retired before; everything below it is retired then too.
func (d Definition) Retire() (retired Definition, changed bool) {
	if d.Status == Retired {
		return d, false
	}
	d.Status = Retired
	return d, true
}
