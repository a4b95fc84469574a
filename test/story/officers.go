package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

// Officer works for an agency.
type Officer struct {
	Agency string
	Client *client.Client
}

// gateway is that of the agency's organisation, for this officer.
func (o Officer) gateway() api.Gateway { return api.Of(o.Client) }

// NewOfficer signs an agency's officer in.
func NewOfficer(ctx context.Context, city City, agency string) (Officer, error) {
	organisation, code, _ := strings.Cut(agency, ".")
	c, err := city.SignIn(ctx, organisation, "officer."+code)
	return Officer{agency, c}, err
}

// Task finds the agency's task of a case in its own list.
func (o Officer) Task(ctx context.Context, caseID string, block uint64) (collaboration.Task, error) {
	page, err := o.gateway().Tasks(ctx, api.Tasks{Case: caseID, MinBlock: block})
	if err != nil {
		return collaboration.Task{}, err
	}
	if len(page.Items) != 1 {
		return collaboration.Task{}, fmt.Errorf("%s has %d tasks of the case, want 1", o.Agency, len(page.Items))
	}
	return page.Items[0], nil
}

// Act acts on a step: claim, release, approval, return, rejection.
func (o Officer) Act(ctx context.Context, task collaboration.Task, what string, body any) (api.Receipt, error) {
	return client.Do[api.Receipt](ctx, o.Client, http.MethodPut, "/v1/cases/"+task.Case+"/steps/"+task.Step+"/"+what, body)
}

// Form reads the application form.
func (o Officer) Form(ctx context.Context, caseID string) (map[string]json.RawMessage, error) {
	view, err := o.gateway().Form(ctx, api.Form{ID: caseID})
	return view.Form.Values(), err
}

// Fetch fetches a material of a case and reads what was delivered.
func (o Officer) Fetch(ctx context.Context, caseID, material string) (used api.Used, values map[string]json.RawMessage, err error) {
	if used, err = o.gateway().RequestUse(ctx, api.RequestUse{Case: caseID, Material: material}); err != nil {
		return used, nil, err
	}
	payload, err := o.gateway().Payload(ctx, api.PayloadOf{ID: used.ID, MinBlock: used.Block})
	return used, payload.Document.Values(), err
}

// decide is both agencies' work, at the same time.
func (t *teller) decide(ctx context.Context) error {
	var mu sync.Mutex // the two officers share the teller's voice
	group, working := errgroup.WithContext(ctx)
	for _, work := range []struct {
		agency    string
		materials []string
		judge     func(form map[string]json.RawMessage, fetched map[string]map[string]json.RawMessage) error
	}{
		{"market.regulation", []string{"identity", "premises"}, t.judgeRegistration},
		{"market.tax", []string{"tax-identity"}, t.judgeTax},
	} {
		group.Go(func() error {
			lines, block, err := t.work(working, work.agency, work.materials, work.judge)
			mu.Lock()
			defer mu.Unlock()
			t.saw(block)
			for _, line := range lines {
				t.say("%-18s %s", work.agency, line)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", work.agency, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// work is one officer's: claim, read the form, fetch what is not asked, judge, approve.
func (t *teller) work(ctx context.Context, agency string, materials []string, judge func(form map[string]json.RawMessage, fetched map[string]map[string]json.RawMessage) error) (lines []string, block uint64, err error) {
	officer, err := NewOfficer(ctx, t.city, agency)
	if err != nil {
		return nil, 0, err
	}
	task, err := officer.Task(ctx, t.report.Case, t.block)
	if err != nil {
		return nil, 0, err
	}
	if _, err := officer.gateway().Claim(ctx, api.OnStep{ID: task.Case, Step: task.Step}); err != nil {
		return nil, 0, fmt.Errorf("claim %s: %w", task.Step, err)
	}
	form, err := officer.Form(ctx, task.Case)
	if err != nil {
		return nil, 0, fmt.Errorf("read the form: %w", err)
	}
	lines = append(lines, fmt.Sprintf("claims %s and opens the form with the agency's key", task.Step))
	fetched := map[string]map[string]json.RawMessage{}
	evidence := ""
	for _, material := range materials {
		used, values, err := officer.Fetch(ctx, task.Case, material)
		if err != nil {
			return lines, block, fmt.Errorf("fetch %s: %w", material, err)
		}
		fetched[material], evidence = values, used.Delivery
		lines = append(lines, fmt.Sprintf("fetches %s: %d fields, sealed, use no. %d in the applicant's log, commitment %s…", material, len(values), used.Number, used.Delivery[:16]))
	}
	if err := judge(form, fetched); err != nil {
		return lines, block, err
	}
	receipt, err := officer.gateway().ApproveStep(ctx, api.ApproveStep{ID: task.Case, Step: task.Step, Evidence: evidence})
	if err != nil {
		return lines, block, fmt.Errorf("approve %s: %w", task.Step, err)
	}
	t.keep(agency, form, fetched)
	return append(lines, fmt.Sprintf("approves %s (block %d)", task.Step, receipt.Block)), receipt.Block, nil
}

// judgeRegistration is what a registrar looks at: the premises are the applicant's, and may be used for business.
func (t *teller) judgeRegistration(form map[string]json.RawMessage, fetched map[string]map[string]json.RawMessage) error {
	identity, premises := fetched["identity"], fetched["premises"]
	switch {
	case text(identity["id_number"]) != text(form["id_number"]):
		return errors.New("the identity that was delivered is another person's")
	case text(premises["owner_id_number"]) != text(form["id_number"]):
		return errors.New("the premises are not the applicant's")
	case text(premises["permitted_use"]) != "commercial":
		return errors.New("the premises may not be used for business")
	}
	return nil
}

func (t *teller) judgeTax(form map[string]json.RawMessage, fetched map[string]map[string]json.RawMessage) error {
	if text(fetched["tax-identity"]["id_number"]) != text(form["id_number"]) {
		return errors.New("the identity that was delivered is another person's")
	}
	if len(fetched["tax-identity"]) != 2 {
		return errors.New("tax was delivered more than it has consent for")
	}
	return nil
}

// file is what the lead agency has at the end: the form and what was delivered to it.
type file struct {
	form    map[string]json.RawMessage
	fetched map[string]map[string]json.RawMessage
}

func (t *teller) keep(agency string, form map[string]json.RawMessage, fetched map[string]map[string]json.RawMessage) {
	if agency == lead {
		t.file = file{form, fetched}
	}
}

// lead is the agency that concludes.
const lead = "market.regulation"

func (t *teller) licence(ctx context.Context) error {
	officer, err := NewOfficer(ctx, t.city, lead)
	if err != nil {
		return err
	}
	values, err := json.Marshal(map[string]any{
		"credit_code":             creditCode(),
		"enterprise_name":         t.file.form["enterprise_name"],
		"legal_representative":    t.file.fetched["identity"]["name"],
		"premises_address":        t.file.fetched["premises"]["address"],
		"business_scope":          t.file.form["business_scope"],
		"registered_capital_yuan": t.file.form["registered_capital_yuan"],
		"established_on":          time.Now().UTC().Format(time.DateOnly),
	})
	if err != nil {
		return err
	}
	concluded, err := officer.gateway().Conclude(ctx, api.Conclude{ID: t.report.Case, Certificate: &api.Content{Values: values}})
	if err != nil {
		return err
	}
	t.saw(concluded.Block)
	t.report.Certificate, t.report.LastBlock = concluded.Certificate, concluded.Block
	t.say("%s concludes: one transaction ends the case and issues business licence %s", lead, concluded.Certificate)
	if t.document, err = t.citizen.gateway().Document(ctx, api.ByID{ID: concluded.Certificate, MinBlock: t.block}); err != nil {
		return err
	}
	t.report.Took = time.Since(t.began)
	root, err := t.document.Document.Root()
	if err != nil || root != concluded.Commitment || root != t.document.Certificate.Commitment {
		return errors.New("the document the citizen got is not the one on the ledger")
	}
	t.say("the citizen downloads it: %d fields, commitment %s…", len(t.document.Document.Fields), root[:16])
	return nil
}

// creditCode makes a unified social credit code (GB 32100): 17 characters and a check character.
func creditCode() string {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // without I, O, S, V, Z
	body := "91110199MA" + strings.Map(func(r rune) rune { return rune(alphabet[int(r)%len(alphabet)]) }, client.NewKey()[:7])
	sum, weight := 0, 1
	for _, r := range body {
		sum, weight = sum+weight*slices.Index([]rune(alphabet), r), weight*3%31
	}
	return body + string(alphabet[(31-sum%31)%31])
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
