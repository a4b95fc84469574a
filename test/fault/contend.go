package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/devidp"
)

// Agencies whose officers meet on one case.
var stepAgencies = []string{"market.regulation", "market.tax", "planning.housing", "services.police"}

// Contention is many officers and writers on few records.
type Contention struct {
	Officers int // together, of four agencies, on the steps of one case
	Steps    int // of the case, side by side
	Writers  int // each on a certificate of their own
	Crowd    int // on one certificate, all of them
	Rounds   int // of each of all these
}

// Users are the default ones and the officers of a contention: each its own account and staff number.
func (c Contention) Users() []devidp.User {
	users := devidp.DefaultUsers()
	for i := range max(c.Officers, c.Writers, c.Crowd) {
		agency := stepAgencies[i%len(stepAgencies)]
		users = append(users, devidp.User{ID: fmt.Sprintf("clerk%d", i), Name: "Clerk", Role: "officer", Agency: agency, Staff: fmt.Sprintf("C%d", i)})
	}
	for i := range max(c.Writers, c.Crowd) {
		users = append(users, devidp.User{ID: fmt.Sprintf("writer%d", i), Name: "Writer", Role: "officer", Agency: issuer, Staff: fmt.Sprintf("W%d", i)})
	}
	return users
}

// Service is a service whose steps wait for nothing.
func (c Contention) Service() collaboration.Service {
	s := collaboration.Service{
		Code: "test.parallel", Edition: 1, Category: collaboration.CategoryCollaboration, Lead: issuer, LegalBasis: "Test",
		Materials: []collaboration.Material{{ID: "form", Source: collaboration.FromApplicant}},
		Form:      []collaboration.Question{{ID: "subject", Type: "string", Required: true}},
	}
	s.Name.Zh, s.Name.En = "并联", "Parallel"
	s.Materials[0].Name, s.Form[0].Name = s.Name, s.Name
	for i := range c.Steps {
		s.Steps = append(s.Steps, collaboration.Step{ID: fmt.Sprintf("step%d", i), Name: s.Name, Agency: stepAgencies[i%len(stepAgencies)]})
	}
	return s
}

// Act is what somebody did to a record and was answered.
type Act struct {
	Operation
	What  string // claim, release, approval; suspension, reinstatement
	Staff string
	app.Receipt
	Refusal   string // the reason, if it was refused by the domain's rules
	Call, End time.Duration
}

// refusals are answers that the rules of a record may give. Everything else, contention above all, is an error.
var refusals = []string{
	"collaboration.already_claimed", "collaboration.claimed_by_other", "collaboration.step_decided", "collaboration.step_not_claimed",
	"certificate.already_suspended", "certificate.not_suspended",
}

// acts collects what was done.
type acts struct {
	load  *Load
	began time.Time

	mu  sync.Mutex
	all []Act
}

// do carries out one act. A refusal by the domain's rules is an answer; any other is an error, and nothing is repeated.
func (a *acts) do(ctx context.Context, act Act) error {
	act.Call = time.Since(a.began)
	receipt, err := a.load.send(ctx, act.Operation)
	act.End = time.Since(a.began)
	if reason := client.Reason(err); err != nil && !slices.Contains(refusals, reason) {
		return fmt.Errorf("%s %s: %w", act.Staff, act.Path, err)
	} else if act.Receipt = receipt; err != nil {
		act.Refusal = reason
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, act)
	return nil
}

// officers lets officers claim, release and approve steps of their agencies on one case, at random.
func (a *acts) officers(ctx context.Context, c Contention, caseID string, group *errgroup.Group) {
	for i := range c.Officers {
		agency := stepAgencies[i%len(stepAgencies)]
		organisation, _, _ := strings.Cut(agency, ".")
		dice := rand.New(rand.NewPCG(uint64(i), 1))
		group.Go(func() error {
			for round := range c.Rounds {
				step := dice.IntN(max(c.Steps/len(stepAgencies), 1))*len(stepAgencies) + i%len(stepAgencies)
				what, body := "claim", any(nil)
				switch dice.IntN(5) {
				case 0, 1:
					what = "release"
				case 2:
					if round > c.Rounds/2 { // not at the beginning: it is for good
						what, body = "approval", map[string]any{}
					}
				}
				id := collaboration.TaskID(caseID, fmt.Sprintf("step%d", step))
				err := a.do(ctx, Act{What: what, Staff: fmt.Sprintf("C%d", i), Operation: Operation{
					Organisation: organisation, User: fmt.Sprintf("clerk%d", i), Method: http.MethodPut, Noun: "task", Record: id,
					Path: fmt.Sprintf("/v1/cases/%s/steps/step%d/%s", caseID, step, what), Key: fmt.Sprintf("%s-o%d-%d", a.load.run, i, round), Body: body,
				}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// writers lets each writer suspend and reinstate a certificate, its own or everybody's.
func (a *acts) writers(ctx context.Context, name string, certificates []string, count, rounds int, group *errgroup.Group) {
	for i := range count {
		id := certificates[i%len(certificates)]
		group.Go(func() error {
			for round := range rounds {
				what := []string{"suspension", "reinstatement"}[round%2]
				err := a.do(ctx, Act{What: what, Staff: fmt.Sprintf("W%d", i), Operation: Operation{
					Organisation: "market", User: fmt.Sprintf("writer%d", i), Method: http.MethodPut, Noun: "certificate", Record: id,
					Path: "/v1/certificates/" + id + "/" + what, Key: fmt.Sprintf("%s-%s%d-%d", a.load.run, name, i, round), Body: map[string]any{"reason": "under_review"},
				}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// Contend runs a contention on a case and gives all that was done.
func (l *Load) Contend(ctx context.Context, c Contention, caseID string) ([]Act, error) {
	var certificates []string
	for i := range c.Writers + 1 {
		issued, err := l.acknowledge(ctx, l.certificate(fmt.Sprintf("%s-r%d", l.run, i)))
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, issued.ID)
	}
	a := &acts{load: l, began: time.Now()}
	group, running := errgroup.WithContext(ctx)
	a.officers(running, c, caseID, group)
	a.writers(running, "w", certificates[1:], c.Writers, c.Rounds, group)
	a.writers(running, "c", certificates[:1], c.Crowd, c.Rounds, group)
	return a.all, group.Wait()
}

// state of a record in the model.
type recordState struct {
	status, officer string
	version         int
}

// explained says whether a record's rules explain an act in a state, and the state after it. The model is written anew
// from the rules' descriptions, not from their code.
func explained(s recordState, act Act) (bool, recordState) {
	next, refusal := s, ""
	switch act.What {
	case "claim":
		switch {
		case s.status == collaboration.Claimed && s.officer == act.Staff:
			refusal = "collaboration.already_claimed"
		case s.status == collaboration.Claimed:
			refusal = "collaboration.claimed_by_other"
		case s.status != collaboration.Pending:
			refusal = "collaboration.step_decided"
		}
		next.status, next.officer = collaboration.Claimed, act.Staff
	case "release":
		switch s.status {
		case collaboration.Pending:
			refusal = "collaboration.step_not_claimed"
		case collaboration.Approved:
			refusal = "collaboration.step_decided"
		}
		next.status, next.officer = collaboration.Pending, ""
	case "approval":
		switch {
		case s.status == collaboration.Pending:
			refusal = "collaboration.step_not_claimed"
		case s.status == collaboration.Approved:
			refusal = "collaboration.step_decided"
		case s.officer != act.Staff:
			refusal = "collaboration.claimed_by_other"
		}
		next.status = collaboration.Approved
	case "suspension":
		if s.status == certificate.Suspended {
			refusal = "certificate.already_suspended"
		}
		next.status = certificate.Suspended
	case "reinstatement":
		if s.status == certificate.Valid {
			refusal = "certificate.not_suspended"
		}
		next.status = certificate.Valid
	}
	if refusal != "" {
		return act.Refusal == refusal, s
	}
	next.version++
	return act.Refusal == "" && act.Receipt.Version == next.version && act.Receipt.Status == next.status, next
}

// modelTimeout bounds the search for an order that explains everything.
const modelTimeout = time.Minute

// Linearizable looks for an order of all that was done to each record, as if one thing was done after the other, that
// agrees with what everybody was answered and when: nothing was lost, nobody was answered from a state that was over.
func Linearizable(done []Act) error {
	model := porcupine.Model{
		Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
			records := map[string][]porcupine.Operation{}
			for _, op := range history {
				id := op.Input.(Act).Record
				records[id] = append(records[id], op)
			}
			for _, part := range records {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return recordState{} },
		Step: func(state, input, _ any) (bool, any) {
			s, act := state.(recordState), input.(Act)
			if s.version == 0 { // as it was made
				s = recordState{status: map[string]string{"task": collaboration.Pending, "certificate": certificate.Valid}[act.Noun], version: 1}
			}
			return explained(s, act)
		},
	}
	var history []porcupine.Operation
	for i, act := range done {
		history = append(history, porcupine.Operation{ClientId: i, Input: act, Call: int64(act.Call), Output: act, Return: int64(act.End)})
	}
	switch porcupine.CheckOperationsTimeout(model, history, modelTimeout) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return errors.New("no order was found in time that explains the answers, and none was excluded")
	}
	return errors.New("no order of what was done explains the answers")
}

// Written are the acts that changed something, as acknowledgements.
func WrittenBy(done []Act) (acknowledged []Acknowledgement) {
	for _, act := range done {
		if act.Refusal == "" {
			acknowledged = append(acknowledged, Acknowledgement{Operation: act.Operation, Receipt: act.Receipt})
		}
	}
	return acknowledged
}
