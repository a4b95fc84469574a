package contract

import (
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func steps() []kernel.Function {
	return []kernel.Function{
		step(collaboration.StepClaim, "Takes a step for an officer, once the steps before it are approved.", claim),
		step(collaboration.StepRelease, "Gives a claimed step back, so that another officer can take it.",
			func(tx *kernel.Tx, t collaboration.Task, act collaboration.Act, _ collaboration.ReleaseTask) (collaboration.Task, error) {
				t, err := t.Release(act)
				return tell(tx, t, act, collaboration.EventStepReleased, err)
			}),
		step(collaboration.StepApprove, "Decides a claimed step for the applicant, for good.",
			func(tx *kernel.Tx, t collaboration.Task, act collaboration.Act, r collaboration.ApproveTask) (collaboration.Task, error) {
				t, err := t.Approve(act, r)
				return tell(tx, t, act, collaboration.EventStepApproved, err)
			}),
		step(collaboration.StepReturn, "Asks the applicant for a correction.",
			func(tx *kernel.Tx, t collaboration.Task, act collaboration.Act, r collaboration.ReturnTask) (collaboration.Task, error) {
				t, err := t.Return(act, r)
				return tell(tx, t, act, collaboration.EventStepReturned, err)
			}),
		step(collaboration.StepReject, "Decides a claimed step against the applicant and so ends the case.", reject),
	}
}

func claim(tx *kernel.Tx, t collaboration.Task, act collaboration.Act, _ collaboration.ClaimTask) (collaboration.Task, error) {
	before, err := tasks(tx, t.Case, t.After)
	if err != nil {
		return t, err
	}
	t, err = t.Claim(act, before)
	return tell(tx, t, act, collaboration.EventStepClaimed, err)
}

// reject is the one act on a step that writes the case: it ends it.
func reject(tx *kernel.Tx, t collaboration.Task, act collaboration.Act, r collaboration.RejectTask) (collaboration.Task, error) {
	t, c, err := t.Reject(act, r)
	if t, err = tell(tx, t, act, collaboration.EventStepRejected, err); err != nil {
		return t, err
	}
	tx.Touch(&c.Head)
	if err := collaboration.Cases.Put(tx.Store, c, c.ID); err != nil {
		return t, err
	}
	tx.Announce(c.Event(collaboration.EventCaseRejected))
	return t, release(tx, c)
}

// tell announces what a rule decided about a task. It hands the rule's fault on, so that an act can end with it.
func tell(tx *kernel.Tx, t collaboration.Task, act collaboration.Act, event string, err error) (collaboration.Task, error) {
	if err == nil {
		tx.Announce(t.Event(event, act.Case.Subject))
	}
	return t, err
}

// step is a transition of a task by an officer of its agency.
func step[Req interface {
	kernel.Validator
	Ref() collaboration.TaskRef
}](name, doc string, do func(*kernel.Tx, collaboration.Task, collaboration.Act, Req) (collaboration.Task, error)) kernel.Function {
	return kernel.NewTransition(kernel.Transition[Req, collaboration.Task]{
		Name: name, Rule: ownService, In: collaboration.Tasks, Doc: doc,
		Key: func(r Req) []string { return []string{r.Ref().Case, r.Ref().Step} },
		Apply: func(tx *kernel.Tx, t collaboration.Task, r Req) (collaboration.Task, error) {
			c, err := collaboration.Cases.Get(tx.Store, t.Case)
			if err != nil {
				return t, err
			}
			return do(tx, t, collaboration.Act{By: tx.By, Staff: tx.Staff, Case: c, At: tx.At}, r)
		},
	})
}
