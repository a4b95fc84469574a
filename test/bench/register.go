package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/story"
)

// The register that verifications are measured on. It is anchored straight at the peers: what is measured comes after.
const (
	keeper      = "planning.housing" // whose register it is
	identifier  = "services.police"  // registers the subjects
	portalDesk  = "services.hall"    // where they applied
	perTransact = 100                // commands of a transaction
	largerOnes  = 40                 // of those that are large
	shelves     = 100                // datasets that each citizen has a record in, and a subject in the first of them
)

// register has subjects, each with a case and committed records, one a dataset.
type register struct {
	network *network.Network
	city    *story.Live
	dialled []*Direct
	grants  []string // of the datasets that subjects have records in
	service collaboration.Service

	subjects []registered
	citizens []citizen
}

// registered is a subject with what an agency is shown.
type registered struct {
	pseudonym, caseID string
	questions         []app.Question // one a record
}

// citizen is one who can sign in, with questions about own records.
type citizen struct {
	user      string
	questions []app.Question
}

// fields of the register's records.
var registerFields = []exchange.FieldSpec{
	{Name: "floor_area_m2", Type: "integer"}, {Name: "mortgaged", Type: "boolean"}, {Name: "number", Type: "string"}, {Name: "permitted_use", Type: "string"}, {Name: "since", Type: "date"},
}

// dial connects as an agency in a role, until the register is closed.
func (r *register) dial(agency, role string) (*Direct, error) {
	d, err := dialAs(r.network, agency, role)
	if err == nil {
		r.dialled = append(r.dialled, d)
	}
	return d, err
}

// newRegister makes a register of so many subjects with so many records each, and of the citizens that can sign in.
func newRegister(ctx context.Context, n *network.Network, subjects, records int, keys string) (r *register, err error) {
	r = &register{network: n, city: story.NewLive(n), grants: make([]string, records)}
	c, err := catalogue.Default()
	if err != nil {
		return r, err
	}
	if _, err := c.Active().Load(ctx, r.city.Admin, catalogue.Options{}); err != nil {
		return r, err
	}
	at := slices.IndexFunc(c.Services, func(s collaboration.Service) bool { return s.Code == story.Service })
	if at < 0 {
		return r, errors.New("the catalogue has no service " + story.Service)
	}
	r.service = c.Services[at]
	if err := r.publish(ctx); err != nil {
		return r, fmt.Errorf("publish the register: %w", err)
	}
	if err := r.enter(ctx, subjects); err != nil {
		return r, fmt.Errorf("enter the subjects: %w", err)
	}
	if err := r.shelve(ctx, keys); err != nil {
		return r, fmt.Errorf("enter the citizens' records: %w", err)
	}
	return r, nil
}

func (r *register) close() {
	for _, d := range r.dialled {
		d.Close()
	}
}

// publish enters the register and the citizens' shelves in the directory and grants the agency to verify.
func (r *register) publish(ctx context.Context) error {
	owner, err := r.dial(keeper, "admin")
	if err != nil {
		return err
	}
	var commands []kernel.BatchCommand
	for i := range shelves {
		fields := slices.Clone(registerFields)
		for j := range fields {
			fields[j].Title = exchange.Text{Zh: "字段", En: "Field"}
		}
		commands = append(commands, commandFor(exchange.DatasetPublish, fmt.Sprintf("shelf-%d", i), exchange.PublishDataset{Code: shelfCode(i), Content: exchange.Content{
			Name: exchange.Text{Zh: "测试登记", En: "Benchmark register"}, Classification: exchange.Shared, Fields: fields, Selector: []string{"number"},
		}}))
	}
	if _, err := write(ctx, owner, exchange.Name, largerOnes, commands); err != nil {
		return err
	}
	consumer, err := r.dial(issuer, "admin")
	if err != nil {
		return err
	}
	terms := exchange.Terms{
		Purposes: []string{story.Service}, Fields: namesOf(registerFields), Modes: []string{exchange.ModeVerify}, ValidFrom: day(-1), ValidUntil: day(365),
	}
	for i := range r.grants {
		name := fmt.Sprintf("bench-grant-%d", i)
		asked, err := again(func() (kernel.Receipt, error) {
			return consumer.Write(ctx, exchange.Name, exchange.GrantRequest, name, exchange.RequestGrant{Dataset: shelfID(i), Terms: terms, Basis: "art. 16"})
		})
		if err != nil {
			return err
		}
		r.grants[i] = asked.ID
		if _, err = again(func() (kernel.Receipt, error) {
			return owner.Write(ctx, exchange.Name, exchange.GrantGrant, name, exchange.GrantAccess{Grant: asked.ID, Terms: terms})
		}); err != nil {
			return err
		}
	}
	return nil
}

// enter registers subjects, lets each apply, and commits to the records of each.
func (r *register) enter(ctx context.Context, subjects int) error {
	police, err := r.dial(identifier, "agency")
	if err != nil {
		return err
	}
	hall, err := r.dial(portalDesk, "portal")
	if err != nil {
		return err
	}
	owner, err := r.dial(keeper, "agency")
	if err != nil {
		return err
	}
	hash, err := r.service.Hash()
	if err != nil {
		return err
	}
	channel := r.network.Topology.Channel
	var keys, cases, roots []kernel.BatchCommand
	for i := range subjects {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		public, err := signed.KeyOf(&key.PublicKey)
		if err != nil {
			return err
		}
		s := registered{pseudonym: "bench-" + rand.Text()[:20]}
		name := "apply-" + s.pseudonym
		s.caseID = kernel.ID(portalDesk, collaboration.CaseApply, name)
		proof, err := signed.Sign(key, exchange.RegistrationKind, exchange.Registration{Channel: channel, Subject: s.pseudonym, Thumbprint: public.Thumbprint()})
		if err != nil {
			return err
		}
		application, err := signed.Sign(key, collaboration.ApplicationKind, collaboration.Application{
			Channel: channel, Subject: s.pseudonym, Case: s.caseID, Definition: collaboration.DefinitionID(r.service.Code, r.service.Edition), Hash: hash, Form: fmt.Sprintf("%064x", i)})
		if err != nil {
			return err
		}
		for at := range r.grants {
			question, anchor, err := r.commit(at, s.pseudonym, i)
			if err != nil {
				return err
			}
			s.questions = append(s.questions, question)
			roots = append(roots, anchor)
		}
		keys = append(keys, commandFor(exchange.SubjectRegister, s.pseudonym, exchange.RegisterSubject{Pseudonym: s.pseudonym, SigningKey: public, Proof: proof}))
		cases = append(cases, commandFor(collaboration.CaseApply, name, collaboration.Apply{JWS: application}))
		r.subjects = append(r.subjects, s)
	}
	if _, err := write(ctx, police, exchange.Name, perTransact, keys); err != nil {
		return err
	}
	if _, err := write(ctx, hall, collaboration.Name, largerOnes, cases); err != nil {
		return err
	}
	_, err = write(ctx, owner, exchange.Name, perTransact, roots)
	return err
}

// shelve commits to many records of each citizen who can sign in.
func (r *register) shelve(ctx context.Context, keys string) error {
	owner := r.dialled[len(r.dialled)-1] // the agency's, from enter
	var roots []kernel.BatchCommand
	for _, user := range story.DefaultCitizens {
		person, _, err := story.SignIn(ctx, r.city, user, keys)
		if err != nil {
			return err
		}
		c := citizen{user: user}
		for i := range shelves {
			question, anchor, err := r.commit(i, person.Me.Pseudonym, i)
			if err != nil {
				return err
			}
			c.questions = append(c.questions, question)
			roots = append(roots, anchor)
		}
		r.citizens = append(r.citizens, c)
	}
	_, err := write(ctx, owner, exchange.Name, perTransact, roots)
	return err
}

// commit makes the n-th record, a subject's in a dataset: a question about it, and the command that commits to it.
func (r *register) commit(at int, subject string, n int) (q app.Question, anchor kernel.BatchCommand, err error) {
	d, err := commitment.New(map[string]any{
		"floor_area_m2": 60 + n, "mortgaged": false, "number": fmt.Sprintf("HT-%06d", n), "permitted_use": "commercial", "since": "2020-01-01",
	})
	if err != nil {
		return q, anchor, err
	}
	root, err := d.Root()
	if err != nil {
		return q, anchor, err
	}
	anchor = commandFor(exchange.CommitmentAnchor, fmt.Sprintf("%s-%d", subject, at), exchange.AnchorCommitment{
		Dataset: shelfID(at), Subject: subject, Fields: namesOf(registerFields), Root: root})
	q, err = about(shelfID(at), d)
	return q, anchor, err
}

// shelfID is a dataset, by its number.
func shelfID(i int) string { return keeper + "/" + shelfCode(i) }

func shelfCode(i int) string { return fmt.Sprintf("bench-register-%d", i) }

func namesOf(fields []exchange.FieldSpec) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

func commandFor(function, key string, request any) kernel.BatchCommand {
	raw, err := canonical.Marshal(request)
	if err != nil {
		raw = json.RawMessage(`{}`) // refused by its form, and told so
	}
	return kernel.BatchCommand{Function: function, Command: kernel.Command{IdempotencyKey: key, Request: raw}}
}

// write carries out commands, so many in a transaction.
func write(ctx context.Context, as *Direct, chaincode string, each int, commands []kernel.BatchCommand) (receipts []kernel.Receipt, err error) {
	for part := range slices.Chunk(commands, each) {
		outcomes, err := again(func() (kernel.Outcomes, error) { return as.WriteBatch(ctx, chaincode, kernel.Batch{Commands: part}) })
		if err != nil {
			return nil, err
		}
		for _, o := range outcomes.Outcomes {
			if o.Fault != nil {
				return nil, o.Fault
			}
			receipts = append(receipts, *o.Receipt)
		}
	}
	return receipts, nil
}

// again tries a few times: another organisation's peer may be a block behind the one that was written through.
func again[T any](do func() (T, error)) (answer T, err error) {
	for range 5 {
		if answer, err = do(); err == nil {
			return answer, nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return answer, err
}
