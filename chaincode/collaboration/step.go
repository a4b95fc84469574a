package collaboration

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/access"
)

// Act is an officer's act on a step: who signs, for which officer, on which case, and when.
type Act struct {
	By    access.Caller
	Staff string
	Case  Case
	At    time.Time
}

// attends is what every act on a step asks first, in this order:
//
//	access.other_agency            the step is another agency's
//	collaboration.staff_required   no officer is named
//	collaboration.case_closed      the case has ended
func (t Task) attends(a Act) error {
	if err := a.By.Own(t.Agency); err != nil {
		return err
	}
	if a.Staff == "" {
		return ErrStaffRequired
	}
	if a.Case.Status != Open {
		return ErrCaseClosed
	}
	return nil
}

// Claim takes a step for an officer. before are the steps it waits for. Guards, in order:
//
//	access.other_agency              the step is another agency's
//	collaboration.staff_required     no officer is named
//	collaboration.case_closed        the case has ended
//	collaboration.already_claimed    the officer has it
//	collaboration.claimed_by_other   another officer has it
//	collaboration.step_returned      it waits for the applicant
//	collaboration.step_decided       it is approved or rejected
//	collaboration.step_not_ready     a step before it is not approved
func (t Task) Claim(a Act, before []Task) (Task, error) {
	if err := t.attends(a); err != nil {
		return t, err
	}
	switch {
	case t.Status == Claimed && t.Officer == a.Staff:
		return t, ErrAlreadyClaimed
	case t.Status == Claimed:
		return t, ErrClaimedByOther
	case t.Status == Returned:
		return t, ErrStepReturned
	case t.Status != Pending:
		return t, ErrStepDecided
	}
	for _, b := range before {
		if b.Status != Approved {
			return t, ErrNotReady
		}
	}
	t.Status, t.Officer = Claimed, a.Staff
	return t, nil
}

// Release gives a claimed step back. Any officer of the agency may: the one who claimed it can be absent. Guards, in order:
//
//	access.other_agency              the step is another agency's
//	collaboration.staff_required     no officer is named
//	collaboration.case_closed        the case has ended
//	collaboration.step_returned      it waits for the applicant
//	collaboration.step_decided       it is approved or rejected
//	collaboration.step_not_claimed   nobody has it
func (t Task) Release(a Act) (Task, error) {
	if err := t.attends(a); err != nil {
		return t, err
	}
	if err := t.held(); err != nil {
		return t, err
	}
	t.Status, t.Officer = Pending, ""
	return t, nil
}

// held: somebody has claimed the step.
func (t Task) held() error {
	switch t.Status {
	case Claimed:
		return nil
	case Returned:
		return ErrStepReturned
	case Pending:
		return ErrNotClaimed
	}
	return ErrStepDecided
}

// decides is what every decision asks first, in this order: what Release asks, and then
//
//	collaboration.claimed_by_other   another officer has it
//
// That the steps before are approved was judged when it was claimed, and an approval is final.
func (t Task) decides(a Act) error {
	if err := t.attends(a); err != nil {
		return err
	}
	if err := t.held(); err != nil {
		return err
	}
	if t.Officer != a.Staff {
		return ErrClaimedByOther
	}
	return nil
}

// Approve decides a step for the applicant, for good. Guards: those of decides.
func (t Task) Approve(a Act, r ApproveTask) (Task, error) {
	if err := t.decides(a); err != nil {
		return t, err
	}
	t.Status, t.Evidence, t.DecidedAt = Approved, r.Evidence, decided(a.At)
	return t, nil
}

// Return asks the applicant for a correction. Guards: those of decides.
func (t Task) Return(a Act, r ReturnTask) (Task, error) {
	if err := t.decides(a); err != nil {
		return t, err
	}
	t.Status, t.Reason = Returned, r.Reason
	return t, nil
}

// Reject decides a step against the applicant, and with it the case. Guards: those of decides.
func (t Task) Reject(a Act, r RejectTask) (Task, Case, error) {
	if err := t.decides(a); err != nil {
		return t, a.Case, err
	}
	t.Status, t.Reason, t.DecidedAt = Rejected, r.Reason, decided(a.At)
	a.Case.Status, a.Case.Reason = Rejected, r.Reason
	return t, a.Case, nil
}
