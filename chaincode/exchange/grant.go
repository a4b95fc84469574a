package exchange

import (
	"cmp"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions that change a grant that was granted.
const (
	GrantAmend   = "grant:Amend"
	GrantSuspend = "grant:Suspend"
	GrantResume  = "grant:Resume"
)

// Suspended is the status of a grant that cannot be used until it is resumed.
const Suspended = "suspended"

// Types of change.
const (
	EventGrantAmended   = "grant.amended.v1"
	EventGrantSuspended = "grant.suspended.v1"
	EventGrantResumed   = "grant.resumed.v1"
)

// Reasons for which a grant does not allow something.
var (
	ErrGrantSuspended    = fault.New(fault.Refused, "exchange.grant_suspended", "the provider has suspended the grant; wait until it is resumed").On("request.grant", "status:"+Granted)
	ErrGrantNotSuspended = fault.New(fault.Refused, "exchange.grant_not_suspended", "only a suspended grant is resumed").On("request.grant", "status:"+Suspended)
)

// AmendGrant sets a grant's terms anew (provider's admin), within what the consumer wanted: it narrows the grant, or gives
// back what was narrowed. For more than was wanted the consumer requests another grant.
type AmendGrant struct {
	Grant  string `json:"grant"`
	Terms  Terms  `json:"terms"`
	Reason string `json:"reason"` // code
}

// SuspendGrant makes a grant unusable for the time being (provider's admin).
type SuspendGrant struct {
	Grant  string `json:"grant"`
	Reason string `json:"reason"` // code
}

// ResumeGrant makes a suspended grant usable again (provider's admin).
type ResumeGrant struct {
	Grant  string `json:"grant"`
	Reason string `json:"reason"` // code
}

// Validate checks terms: purposes and fields sorted, period in order and within MaxGrantPeriod, quota within its limits.
func (t Terms) Validate() error {
	if err := cmp.Or(
		checkList("purposes", t.Purposes, 1, MaxPurposes, CheckCode),
		checkFieldNames("fields", t.Fields),
		CheckPeriod("valid_from", t.ValidFrom, "valid_until", t.ValidUntil, MaxGrantPeriod),
		checkModes("modes", t.Modes),
		t.checkDelay(),
	); err != nil || t.Quota == nil {
		return err
	}
	return fault.Under("quota", t.Quota.Validate())
}

// within says whether t allows nothing that wide does not, consent apart. The lists are sorted.
func (t Terms) within(wide Terms) bool {
	return subset(t.Purposes, wide.Purposes) && subset(t.Fields, wide.Fields) && subset(t.modes(), wide.modes()) &&
		!t.ValidFrom.Before(wide.ValidFrom) && !t.ValidUntil.After(wide.ValidUntil) && t.Quota.within(wide.Quota) && t.DelayDays <= wide.DelayDays
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
// What is open is granted at once, as it was wanted: its owner decided when it published it so. A delay of disclosure it
// decides by itself, whatever the data.
func (r RequestGrant) Request(id string, by access.Caller, d Dataset, now kernel.Moment) (g Grant, event kernel.Change, err error) {
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
	if now.Over(r.Terms.ValidUntil) {
		return g, event, ErrPeriodOver
	}
	g = Grant{
		Head:    state.Head{ID: id, Status: Requested},
		Dataset: d.ID, Provider: d.Agency, Consumer: by.Agency, LegalBasis: r.Basis, Wanted: r.Terms,
	}
	if d.Classification == Open && r.Terms.DelayDays == 0 {
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
//	exchange.terms_exceed_request   a purpose, a field, a mode, the period or the quota is not within what was wanted
//	exchange.consent_dropped        the dataset or the request asks for consent and the terms do not
//	exchange.period_over            the period granted has ended already
func (g Grant) Grant(by access.Caller, r GrantAccess, d Dataset, now kernel.Moment) (Grant, kernel.Change, error) {
	var none kernel.Change
	if err := g.open(by); err != nil {
		return g, none, err
	}
	if err := g.admits(r.Terms, d, now); err != nil {
		return g, none, err
	}
	g.Status, g.Terms = Granted, &r.Terms
	return g, g.change(EventGrantGranted, g.Consumer), nil
}

// admits: the terms may be granted of the dataset on what was wanted.
func (g Grant) admits(t Terms, d Dataset, now kernel.Moment) error {
	if err := d.offered(); err != nil {
		return err
	}
	if !t.within(g.Wanted) {
		return ErrTermsExceed
	}
	if (d.NeedsConsent(t.Fields) || g.Wanted.ConsentRequired) && !t.ConsentRequired {
		return ErrConsentDropped
	}
	if now.Over(t.ValidUntil) {
		return ErrPeriodOver
	}
	return nil
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
func (r AmendGrant) Validate() error {
	return cmp.Or(CheckIdentifier("grant", r.Grant), fault.Under("terms", r.Terms.Validate()), CheckCode("reason", r.Reason))
}

// Amend sets the terms of a grant anew, one that is suspended or has expired too. It takes effect at once: uses requested
// before are delivered only if the new terms cover them. Guards, in order:
//
//	access.other_agency             the caller's agency is not the provider
//	exchange.grant_pending          the request has not been decided: grant it on these terms
//	exchange.grant_denied           it was denied
//	exchange.grant_withdrawn        it was withdrawn
//	exchange.dataset_withdrawn      the dataset is not in the directory
//	exchange.terms_exceed_request   a purpose, a field, a mode, the period or the quota is not within what was wanted
//	exchange.consent_dropped        the dataset or the request asks for consent and the terms do not
//	exchange.period_over            the new period has ended already
func (g Grant) Amend(by access.Caller, r AmendGrant, d Dataset, now kernel.Moment) (Grant, kernel.Change, error) {
	var none kernel.Change
	if err := g.changeable(by); err != nil {
		return g, none, err
	}
	if err := g.admits(r.Terms, d, now); err != nil {
		return g, none, err
	}
	g.Terms, g.Reason = &r.Terms, r.Reason
	return g, g.change(EventGrantAmended, g.Consumer), nil
}

// Validate implements kernel.Validator.
func (r SuspendGrant) Validate() error {
	return cmp.Or(CheckIdentifier("grant", r.Grant), CheckCode("reason", r.Reason))
}

// Suspend makes a grant unusable until it is resumed; uses requested before are not delivered meanwhile. Guards, in order:
//
//	access.other_agency        the caller's agency is not the provider
//	exchange.grant_pending     the request has not been decided
//	exchange.grant_denied      it was denied
//	exchange.grant_withdrawn   it was withdrawn
//	exchange.grant_suspended   it was suspended before
func (g Grant) Suspend(by access.Caller, r SuspendGrant) (Grant, kernel.Change, error) {
	if err := g.changeable(by); err != nil {
		return g, kernel.Change{}, err
	}
	if g.Status == Suspended {
		return g, kernel.Change{}, ErrGrantSuspended
	}
	g.Status, g.Reason = Suspended, r.Reason
	return g, g.change(EventGrantSuspended, g.Consumer), nil
}

// Validate implements kernel.Validator.
func (r ResumeGrant) Validate() error {
	return cmp.Or(CheckIdentifier("grant", r.Grant), CheckCode("reason", r.Reason))
}

// Resume makes a suspended grant usable again. Guards, in order:
//
//	access.other_agency            the caller's agency is not the provider
//	exchange.grant_pending         the request has not been decided
//	exchange.grant_denied          it was denied
//	exchange.grant_withdrawn       it was withdrawn
//	exchange.grant_not_suspended   it is not suspended
func (g Grant) Resume(by access.Caller, r ResumeGrant) (Grant, kernel.Change, error) {
	if err := g.changeable(by); err != nil {
		return g, kernel.Change{}, err
	}
	if g.Status != Suspended {
		return g, kernel.Change{}, ErrGrantNotSuspended
	}
	g.Status, g.Reason = Granted, r.Reason
	return g, g.change(EventGrantResumed, g.Consumer), nil
}

// Validate implements kernel.Validator.
func (r WithdrawGrant) Validate() error {
	return cmp.Or(CheckIdentifier("grant", r.Grant), CheckCode("reason", r.Reason))
}

// Withdraw ends a grant; one that is suspended or has expired may be withdrawn too. Guards, in order:
//
//	access.other_agency        the caller's agency is not the provider
//	exchange.grant_pending     the request has not been decided: deny it
//	exchange.grant_denied      it was denied
//	exchange.grant_withdrawn   it was withdrawn before
func (g Grant) Withdraw(by access.Caller, r WithdrawGrant) (Grant, kernel.Change, error) {
	if err := g.changeable(by); err != nil {
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

// changeable: the caller is the provider, and the grant stands.
func (g Grant) changeable(by access.Caller) error {
	if err := by.Own(g.Provider); err != nil {
		return err
	}
	return g.standing()
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

// live: the grant stands and is not suspended, and its period has begun and not ended. The end is exclusive.
func (g Grant) live(now kernel.Moment) error {
	if err := g.standing(); err != nil {
		return err
	}
	if g.Status == Suspended {
		return ErrGrantSuspended
	}
	if now.Early(g.Terms.ValidFrom) {
		return ErrGrantNotYet
	}
	if now.Over(g.Terms.ValidUntil) {
		return ErrGrantExpired
	}
	return nil
}

// covers: the grant is live, and its terms name the purpose and every field and allow the mode. A use is judged by it when it is requested and
// again when it is delivered.
func (g Grant) covers(purpose string, fields []string, mode string, now kernel.Moment) error {
	if err := g.live(now); err != nil {
		return err
	}
	if !subset([]string{purpose}, g.Terms.Purposes) {
		return ErrPurposeOutside
	}
	if !subset(fields, g.Terms.Fields) {
		return ErrFieldOutside
	}
	if !g.Terms.Allow(mode) {
		return ErrModeOutside
	}
	return nil
}

func (g Grant) change(event, tell string) kernel.Change {
	return kernel.Change{Type: event, ID: g.ID, Agency: tell}
}
