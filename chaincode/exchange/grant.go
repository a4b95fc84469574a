package exchange

import (
	"cmp"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Validate checks terms: purposes and fields sorted, period in order and within MaxGrantPeriod.
func (t Terms) Validate() error {
	return cmp.Or(
		checkList("purposes", t.Purposes, 1, MaxPurposes, CheckCode),
		checkFieldNames("fields", t.Fields),
		CheckPeriod("valid_from", t.ValidFrom, "valid_until", t.ValidUntil, MaxGrantPeriod),
		checkModes("modes", t.Modes),
	)
}

// within says whether t allows nothing that wide does not, consent apart. The lists are sorted.
func (t Terms) within(wide Terms) bool {
	return subset(t.Purposes, wide.Purposes) && subset(t.Fields, wide.Fields) && subset(t.modes(), wide.modes()) &&
		!t.ValidFrom.Before(wide.ValidFrom) && !t.ValidUntil.After(wide.ValidUntil)
}

// subset says whether every member of a sorted list is in another sorted list.
func subset(some, all []string) bool {
	for _, member := range some {
		if _, found := slices.BinarySearch(all, member); !found {
			return false
		}
	}
	return true
}

// Validate implements kernel.Validator.
func (r RequestGrant) Validate() error {
	return cmp.Or(
		CheckDataset("dataset", r.Dataset),
		fault.Under("terms", r.Terms.Validate()),
		CheckLegalBasis("legal_basis", r.Basis),
	)
}

// Request makes the request of the caller's agency for a grant. Guards, in order:
//
//	exchange.dataset_withdrawn   the dataset is not in the directory
//	exchange.own_dataset         it is the caller's own
//	exchange.field_unknown       a field wanted is not in it
//	exchange.purpose_not_offered   a purpose wanted is not among those its entry lists
//	exchange.basis_not_offered     the legal basis is not among those its entry lists
//	exchange.period_over         the period wanted has ended already
//
// What is open is granted at once, as it was wanted: its owner decided when it published it so.
func (r RequestGrant) Request(id string, by access.Caller, d Dataset, at time.Time) (g Grant, event kernel.Change, err error) {
	if err := d.offered(); err != nil {
		return g, event, err
	}
	if by.Agency == d.Agency {
		return g, event, ErrOwnDataset
	}
	if !d.has(r.Terms.Fields) {
		return g, event, ErrFieldUnknown.On("request.terms.fields", "subset:dataset.fields")
	}
	if err := d.Conditions.allow(r); err != nil {
		return g, event, err
	}
	if !r.Terms.ValidUntil.After(at) {
		return g, event, ErrPeriodOver
	}
	g = Grant{
		Head:    state.Head{ID: id, Status: Requested},
		Dataset: d.ID, Provider: d.Agency, Consumer: by.Agency, LegalBasis: r.Basis, Wanted: r.Terms,
	}
	if d.Classification == Open {
		g.Status, g.Terms = Granted, &r.Terms
		return g, g.change(EventGrantGranted, g.Consumer), nil
	}
	return g, g.change(EventGrantRequested, g.Provider), nil
}

// Validate implements kernel.Validator.
func (r GrantAccess) Validate() error {
	return cmp.Or(CheckIdentifier("grant", r.Grant), fault.Under("terms", r.Terms.Validate()))
}

// Grant grants a request on terms within those wanted. Guards, in order:
//
//	access.other_agency             the caller's agency is not the provider
//	exchange.grant_decided          the request is not open any more
//	exchange.dataset_withdrawn      the dataset is not in the directory
//	exchange.terms_exceed_request   a purpose, a field or the period is not within what was wanted
//	exchange.consent_dropped        the dataset or the request asks for consent and the terms do not
//	exchange.period_over            the period granted has ended already
func (g Grant) Grant(by access.Caller, r GrantAccess, d Dataset, at time.Time) (Grant, kernel.Change, error) {
	var none kernel.Change
	if err := g.open(by); err != nil {
		return g, none, err
	}
	if err := d.offered(); err != nil {
		return g, none, err
	}
	if !r.Terms.within(g.Wanted) {
		return g, none, ErrTermsExceed
	}
	if (d.NeedsConsent(r.Terms.Fields) || g.Wanted.ConsentRequired) && !r.Terms.ConsentRequired {
		return g, none, ErrConsentDropped
	}
	if !r.Terms.ValidUntil.After(at) {
		return g, none, ErrPeriodOver
	}
	g.Status, g.Terms = Granted, &r.Terms
	return g, g.change(EventGrantGranted, g.Consumer), nil
}

// Validate implements kernel.Validator.
func (r DenyAccess) Validate() error {
	return cmp.Or(CheckIdentifier("grant", r.Grant), CheckCode("reason", r.Reason))
}

// Deny refuses a request. Guards, in order:
//
//	access.other_agency      the caller's agency is not the provider
//	exchange.grant_decided   the request is not open any more
func (g Grant) Deny(by access.Caller, r DenyAccess) (Grant, kernel.Change, error) {
	if err := g.open(by); err != nil {
		return g, kernel.Change{}, err
	}
	g.Status, g.Reason = Denied, r.Reason
	return g, g.change(EventGrantDenied, g.Consumer), nil
}

// Validate implements kernel.Validator.
func (r WithdrawGrant) Validate() error {
	return cmp.Or(CheckIdentifier("grant", r.Grant), CheckCode("reason", r.Reason))
}

// Withdraw ends a grant; one that has expired may be withdrawn too. Guards, in order:
//
//	access.other_agency        the caller's agency is not the provider
//	exchange.grant_pending     the request has not been decided: deny it
//	exchange.grant_denied      it was denied
//	exchange.grant_withdrawn   it was withdrawn before
func (g Grant) Withdraw(by access.Caller, r WithdrawGrant) (Grant, kernel.Change, error) {
	if err := by.Own(g.Provider); err != nil {
		return g, kernel.Change{}, err
	}
	if err := g.standing(); err != nil {
		return g, kernel.Change{}, err
	}
	g.Status, g.Reason = Withdrawn, r.Reason
	return g, g.change(EventGrantWithdrawn, g.Consumer), nil
}

// open: the provider's decision is still to be made, and the caller is the provider.
func (g Grant) open(by access.Caller) error {
	if err := by.Own(g.Provider); err != nil {
		return err
	}
	if g.Status != Requested {
		return ErrGrantDecided
	}
	return nil
}

// standing: the request was granted and the grant not withdrawn.
func (g Grant) standing() error {
	switch g.Status {
	case Requested:
		return ErrGrantPending
	case Denied:
		return ErrGrantDenied
	case Withdrawn:
		return ErrGrantWithdrawn
	}
	return nil
}

// live: the grant stands and its period has begun and not ended. The end is exclusive.
func (g Grant) live(at time.Time) error {
	if err := g.standing(); err != nil {
		return err
	}
	if at.Before(g.Terms.ValidFrom) {
		return ErrGrantNotYet
	}
	if !at.Before(g.Terms.ValidUntil) {
		return ErrGrantExpired
	}
	return nil
}

func (g Grant) change(event, tell string) kernel.Change {
	return kernel.Change{Type: event, ID: g.ID, Agency: tell}
}
