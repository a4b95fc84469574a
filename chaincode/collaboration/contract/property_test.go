package contract_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// The diagrams of package collaboration: what may follow on what. A record may stay as it is.
var (
	caseMoves = map[string][]string{
		collaboration.Open: {collaboration.Concluded, collaboration.Rejected, collaboration.Withdrawn},
	}
	taskMoves = map[string][]string{
		collaboration.Pending:  {collaboration.Claimed},
		collaboration.Claimed:  {collaboration.Pending, collaboration.Approved, collaboration.Returned, collaboration.Rejected},
		collaboration.Returned: {collaboration.Pending},
	}
)

// traffic sends random commands of several people, officers and agencies, right and wrong, and watches the records.
type traffic struct {
	*city
	people []applicant
	cases  []string
	round  int
	was    map[string]string // id of a case or task → status
	passed map[string]int    // function → how often it succeeded
}

func (w *traffic) submit(t *rapid.T, agency string, role access.Role, staff, function string, request any) {
	w.round++
	key := fmt.Sprintf("n%d", w.round)
	if _, err := w.As(agency, role).SubmitAs(staff, function, key, request); err == nil {
		w.passed[function]++
		w.check(t)
	}
}

func (w *traffic) actions() map[string]func(*rapid.T) {
	pick := func(t *rapid.T) string {
		return rapid.SampledFrom(w.cases[max(0, len(w.cases)-3):]).Draw(t, "case") // older ones have ended
	}
	officer := rapid.SampledFrom([]string{"S1", "S2"})
	act := func(function string) func(*rapid.T) {
		return func(t *rapid.T) {
			step := rapid.SampledFrom(w.service.Steps).Draw(t, "step")
			w.submit(t, step.Agency, access.Agency, officer.Draw(t, "staff"), function, stepRequest(function, pick(t), step.ID))
		}
	}
	return map[string]func(*rapid.T){
		"apply":   func(t *rapid.T) { w.apply(rapid.SampledFrom(w.people).Draw(t, "person")) },
		"claim":   act(collaboration.StepClaim),
		"release": act(collaboration.StepRelease),
		"approve": act(collaboration.StepApprove),
		"desk": func(t *rapid.T) { // an officer takes a step and does something with it
			id, step, staff := pick(t), rapid.SampledFrom(w.service.Steps).Draw(t, "step"), officer.Draw(t, "staff")
			then := rapid.SampledFrom([]string{collaboration.StepReject, collaboration.StepReturn, collaboration.StepRelease, collaboration.StepApprove}).Draw(t, "then")
			w.submit(t, step.Agency, access.Agency, staff, collaboration.StepClaim, stepRequest(collaboration.StepClaim, id, step.ID))
			w.submit(t, step.Agency, access.Agency, staff, then, stepRequest(then, id, step.ID))
		},
		"resubmit": func(t *rapid.T) { w.resubmit(t, pick(t)) },
		"return and resubmit": func(t *rapid.T) {
			id, step := pick(t), rapid.SampledFrom(w.service.Steps).Draw(t, "step")
			w.submit(t, step.Agency, access.Agency, "S1", collaboration.StepClaim, stepRequest(collaboration.StepClaim, id, step.ID))
			w.submit(t, step.Agency, access.Agency, "S1", collaboration.StepReturn, stepRequest(collaboration.StepReturn, id, step.ID))
			w.resubmit(t, id)
		},
		"withdraw": func(t *rapid.T) {
			c := stored(w, collaboration.Cases, pick(t))
			person := rapid.SampledFrom(w.people).Draw(t, "person")
			what := collaboration.Withdrawal{Channel: ledgertest.Channel, Subject: c.Subject, Case: c.ID}
			w.submit(t, hall, access.Portal, "", collaboration.CaseWithdraw, collaboration.Withdraw{Case: c.ID, JWS: person.sign(w.t, collaboration.WithdrawalKind, what)})
		},
		"conclude": func(t *rapid.T) {
			id := pick(t)
			w.submit(t, regulation, access.Agency, "", collaboration.CaseConclude, w.conclusion(id))
		},
		"work through": func(t *rapid.T) { // so that cases come to their end often enough
			id := pick(t)
			for _, step := range w.service.Steps {
				w.submit(t, step.Agency, access.Agency, "S1", collaboration.StepClaim, stepRequest(collaboration.StepClaim, id, step.ID))
				w.submit(t, step.Agency, access.Agency, "S1", collaboration.StepApprove, stepRequest(collaboration.StepApprove, id, step.ID))
			}
		},
		"": w.check,
	}
}

func (w *traffic) apply(person applicant) {
	key := fmt.Sprintf("a%d", len(w.cases))
	if _, err := w.As(hall, access.Portal).Submit(collaboration.CaseApply, key, w.applyRequest(person, key)); err == nil {
		w.cases = append(w.cases, caseID(key))
		w.passed[collaboration.CaseApply]++
	}
}

// resubmit signs a correction with the right number or the last one.
func (w *traffic) resubmit(t *rapid.T, id string) {
	c := stored(w, collaboration.Cases, id)
	person := w.people[slices.IndexFunc(w.people, func(p applicant) bool { return p.subject == c.Subject })]
	again := collaboration.Application{Channel: ledgertest.Channel, Subject: c.Subject, Case: c.ID, Definition: c.Definition,
		Hash: c.DefinitionHash, Form: body, Correction: c.Corrections + rapid.IntRange(0, 1).Draw(t, "later by")}
	w.submit(t, hall, access.Portal, "", collaboration.CaseResubmit, collaboration.Resubmit{Case: c.ID, JWS: person.sign(w.t, collaboration.ApplicationKind, again)})
}

// check holds the ledger to the package's invariants.
func (w *traffic) check(t *rapid.T) {
	open := map[string]int{}
	for _, id := range w.cases {
		c := stored(w, collaboration.Cases, id)
		w.follow(t, id, c.Status, caseMoves, collaboration.Open)
		var statuses []string
		for _, step := range w.service.Steps {
			task := stored(w, collaboration.Tasks, id, step.ID)
			w.follow(t, task.ID, task.Status, taskMoves, collaboration.Pending)
			statuses = append(statuses, task.Status)
		}
		approved := !slices.ContainsFunc(statuses, func(s string) bool { return s != collaboration.Approved })
		first := slices.Equal(statuses[:2], []string{collaboration.Approved, collaboration.Approved})
		slot := stored(w, collaboration.Slots, c.Subject, c.Service)
		switch {
		case c.Status == collaboration.Concluded && !approved:
			t.Fatalf("a concluded case has a step that is not approved: %v", statuses)
		case (c.Status == collaboration.Rejected) != slices.Contains(statuses, collaboration.Rejected):
			t.Fatalf("a case that is %s has steps %v", c.Status, statuses)
		case statuses[2] != collaboration.Pending && !first:
			t.Fatalf("a step was taken before the steps it waits for were approved: %v", statuses)
		case (c.Certificate != "") != (c.Status == collaboration.Concluded):
			t.Fatalf("a case that is %s has the certificate %q", c.Status, c.Certificate)
		case c.Certificate != "" && certificateCase(w, c.Certificate) != id:
			t.Fatal("a case's certificate is for another case")
		case c.Status == collaboration.Open && (slot.Status != collaboration.Taken || slot.Case != id):
			t.Fatal("an open case has not its slot")
		}
		if c.Status == collaboration.Open {
			if open[c.Subject]++; open[c.Subject] > 1 {
				t.Fatal("two open cases of one subject for one service")
			}
		}
	}
}

// follow refuses a move that the diagram does not have.
func (w *traffic) follow(t *rapid.T, id, status string, moves map[string][]string, first string) {
	was, known := w.was[id]
	if !known {
		was = first
	}
	if was != status && !slices.Contains(moves[was], status) {
		t.Fatalf("a record went from %s to %s", was, status)
	}
	w.was[id] = status
}

// stored decodes a record as it is committed, without the cost of a call.
func stored[T any](w *traffic, m state.Map[T], parts ...string) (record T) {
	require.NoError(w.t, json.Unmarshal(w.Value(collaboration.Name, state.Key(m.Noun, parts...)), &record))
	return record
}

func certificateCase(w *traffic, id string) string {
	var c certificate.Certificate
	require.NoError(w.t, json.Unmarshal(w.Value(certificate.Name, state.Key(certificate.Certificates.Noun, id)), &c))
	return c.Case
}

func TestRandomTraffic(t *testing.T) {
	passed := map[string]int{}
	functions := []string{
		collaboration.CaseApply, collaboration.CaseResubmit, collaboration.CaseWithdraw, collaboration.CaseConclude, collaboration.StepClaim,
		collaboration.StepRelease, collaboration.StepApprove, collaboration.StepReturn, collaboration.StepReject,
	}
	missed := func() bool { return slices.ContainsFunc(functions, func(f string) bool { return passed[f] == 0 }) }
	// A short test makes few runs, and chance may leave a function out of them: then more runs follow.
	for round := 0; round == 0 || round < 10 && missed(); round++ {
		rapid.Check(t, func(r *rapid.T) {
			w := &traffic{city: newCity(t), was: map[string]string{}, passed: passed}
			w.people = []applicant{w.person(), w.person()}
			for _, person := range w.people {
				w.apply(person)
			}
			r.Repeat(w.actions())
		})
	}
	for _, function := range functions {
		require.NotZero(t, passed[function], "the traffic never got %s through: it proves nothing about it", function)
	}
}
