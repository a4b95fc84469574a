package collaboration

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/signed"
)

// Opening is what an application makes: the case, a task for each step, and the slot it takes.
type Opening struct {
	Case  Case
	Tasks []Task
	Slot  Slot
}

// Open judges a signed application. id is the id the case will have, key the subject's registered key, d the definition
// the application names, slot the subject's slot for the service (nil where there never was a case). Guards, in order:
//
//	signature.forged                       the subject's registered key did not sign
//	collaboration.channel_mismatch         it was signed for another channel
//	collaboration.case_mismatch            it was signed for another case
//	collaboration.correction_number        it was signed as a correction
//	collaboration.definition_not_active    cases are not opened on this edition
//	collaboration.definition_changed       the applicant saw something else than this edition
//	collaboration.duplicate_application    the subject has an open case for the service
func (r Apply) Open(id, channel string, key signed.Key, d Definition, slot *Slot) (o Opening, err error) {
	var a Application
	if err := signed.Open(r.JWS, "request.jws", ApplicationKind, key, &a); err != nil {
		return o, err
	}
	switch {
	case a.Channel != channel:
		return o, ErrChannelMismatch
	case a.Case != id:
		return o, ErrCaseMismatch
	case a.Correction != 0:
		return o, ErrCorrectionNumber
	case d.Status != Active:
		return o, ErrNotActive
	case a.Hash != d.Hash:
		return o, ErrDefinitionChanged.On("request.jws.hash", "equals:definition.hash")
	case slot != nil && slot.Status == Taken:
		return o, ErrDuplicate
	}
	o.Case = Case{
		Subject: a.Subject, Service: d.Code, Definition: a.Definition, DefinitionHash: d.Hash, Lead: d.Lead,
		Form: a.Form, JWS: r.JWS, Required: len(d.Materials), Asked: d.Asked(),
		Steps: d.stepIDs(), Agencies: d.Responsible(), Outcome: d.Outcome.CertificateType,
	}
	o.Case.ID, o.Case.Status = id, Open
	for _, step := range d.Steps {
		task := Task{Case: id, Step: step.ID, Service: d.Code, Agency: step.Agency, After: step.After}
		task.ID, task.Status, task.First = TaskID(id, step.ID), Pending, Pending
		o.Tasks = append(o.Tasks, task)
	}
	if slot != nil {
		o.Slot = *slot
	} else {
		o.Slot = Slot{Subject: a.Subject, Service: d.Code}
		o.Slot.ID, o.Slot.First = a.Subject+"/"+d.Code, Taken
	}
	o.Slot.Status, o.Slot.Case = Taken, id
	return o, nil
}

// Resubmit answers a return: the returned tasks become pending again, with the new application. The case stays on the
// edition it was opened on, even if that was retired since. It gives the tasks that change. Guards, in order:
//
//	signature.forged                    the registered key of the case's subject did not sign
//	collaboration.channel_mismatch      it was signed for another channel
//	collaboration.case_mismatch         it was signed for another case
//	collaboration.subject_mismatch      it names another subject
//	collaboration.definition_changed    it names another edition than the case's
//	collaboration.case_closed           the case has ended
//	collaboration.correction_number     it is not the case's next correction: perhaps an earlier one once more
//	collaboration.nothing_returned      no step is returned
func (c Case) Resubmit(r Resubmit, channel string, key signed.Key, tasks []Task) (Case, []Task, error) {
	var a Application
	if err := signed.Open(r.JWS, "request.jws", ApplicationKind, key, &a); err != nil {
		return c, nil, err
	}
	switch {
	case a.Channel != channel:
		return c, nil, ErrChannelMismatch
	case a.Case != c.ID:
		return c, nil, ErrCaseMismatch
	case a.Subject != c.Subject:
		return c, nil, ErrSubjectMismatch
	case a.Definition != c.Definition || a.Hash != c.DefinitionHash:
		return c, nil, ErrDefinitionChanged.On("request.jws.hash", "equals:case.definition_hash")
	case c.Status != Open:
		return c, nil, ErrCaseClosed
	case a.Correction != c.Corrections+1:
		return c, nil, ErrCorrectionNumber
	}
	var again []Task
	for _, t := range tasks {
		if t.Status == Returned {
			t.Status, t.Officer, t.Reason = Pending, "", ""
			again = append(again, t)
		}
	}
	if len(again) == 0 {
		return c, nil, ErrNothingReturned
	}
	c.Form, c.JWS, c.Corrections = a.Form, r.JWS, a.Correction
	return c, again, nil
}

// Withdraw ends a case for its applicant. Guards, in order:
//
//	signature.forged                 the registered key of the case's subject did not sign
//	collaboration.channel_mismatch   it was signed for another channel
//	collaboration.case_mismatch      it was signed for another case
//	collaboration.subject_mismatch   it names another subject
//	collaboration.case_closed        the case has ended
func (c Case) Withdraw(r Withdraw, channel string, key signed.Key) (Case, error) {
	var w Withdrawal
	if err := signed.Open(r.JWS, "request.jws", WithdrawalKind, key, &w); err != nil {
		return c, err
	}
	switch {
	case w.Channel != channel:
		return c, ErrChannelMismatch
	case w.Case != c.ID:
		return c, ErrCaseMismatch
	case w.Subject != c.Subject:
		return c, ErrSubjectMismatch
	case c.Status != Open:
		return c, ErrCaseClosed
	}
	c.Status = Withdrawn
	return c, nil
}

// Release frees a slot when its case ends.
func (s Slot) Release() Slot {
	s.Status = Free
	return s
}

// State is what other contracts are told of a case.
func (c Case) State() CaseState {
	return CaseState{Subject: c.Subject, Status: c.Status, Service: c.Service, Agencies: c.Agencies}
}

// decided notes the time of a decision.
func decided(at time.Time) *time.Time { return &at }
