package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Question is what is asked about a subject's record.
type Question struct {
	Dataset   string        `json:"dataset" min:"1" max:"128" doc:"The dataset the record is of."`
	Claims    []claim.Claim `json:"claims" min:"1" max:"8" doc:"What is claimed of the record's fields; each is answered by itself."`
	Presented []Presented   `json:"presented,omitempty" max:"8" doc:"The fields the claims are about, as the subject shows them; then the provider is not asked. Each field once."`
}

// Presented is a field of a record with what shows that the provider has committed to it.
type Presented struct {
	Name  string          `json:"name" min:"1" max:"64"`
	Value json.RawMessage `json:"value"`
	Salt  string          `json:"salt" min:"22" max:"22" doc:"base64url, 16 bytes."`
	Path  []string        `json:"path" max:"16" doc:"Hashes from the field's leaf up to the commitment (RFC 9162)."`
}

// Verification is a question with what every use says.
type Verification struct {
	Case       string                     `json:"case" min:"1" max:"64" doc:"The case the answer is for."`
	Purpose    string                     `json:"purpose" min:"1" max:"64" doc:"What for."`
	LegalBasis string                     `json:"legal_basis" min:"1" max:"200" doc:"The rule that allows it."`
	Grant      string                     `json:"grant,omitempty" max:"64" doc:"The grant it rests on; found if absent."`
	Consent    string                     `json:"consent,omitempty" max:"64" doc:"The consent it rests on."`
	Selector   map[string]json.RawMessage `json:"selector,omitempty" doc:"Where nothing is presented: the particulars the record is found by; they travel sealed to the provider."`
	Question
}

// VerifyClaims is POST /v1/verifications.
type VerifyClaims struct {
	Keyed
	Verification
}

// Verified is the answer to a question that was recorded.
type Verified struct {
	Receipt
	Number   int                 `json:"number" doc:"In the subject's access log."`
	Verdicts []claim.Verdict     `json:"verdicts" doc:"One for each claim, in their order."`
	Claims   commitment.Document `json:"claims" doc:"What was asked, salted. Its commitment is on the ledger: keep it to be able to show what was asked."`
	Answer   commitment.Document `json:"answer" doc:"What was answered, salted. Its commitment is on the ledger, where the answer rests on something."`
}

// VerifyClaims has claims about a subject's record verified for a case: by the provider, or, where the subject has shown the
// fields, against the provider's commitment on the ledger. What is asked is a use like any other. Sent again with the same
// key, it goes on where it stopped.
func (a *App) VerifyClaims(ctx context.Context, who Actor, req VerifyClaims) (Verified, error) {
	return a.verify(ctx, who, scoped(who.owner(), req.Key), req.Verification)
}

// MaxVerifications bounds a batch of them.
const MaxVerifications = 50

// VerifyMany is POST /v1/verification-batches.
type VerifyMany struct {
	Keyed
	Items []Verification `json:"items" min:"1" max:"50" doc:"Each with its own verdicts, its own number in its subject's log, and its own refusal."`
}

// VerifiedMany answers them, in their order.
type VerifiedMany struct {
	Items []VerifiedItem `json:"items"`
}

// VerifiedItem is one of the two.
type VerifiedItem struct {
	Verified *Verified    `json:"verified,omitempty"`
	Problem  *fault.Fault `json:"problem,omitempty" doc:"Why this one was refused; nothing was written for it."`
}

// VerifyMany carries out many verifications side by side. One that is refused does not touch its neighbours; where the
// outcome of one is not known, none is answered, and the same request again gives all.
func (a *App) VerifyMany(ctx context.Context, who Actor, req VerifyMany) (answer VerifiedMany, err error) {
	answer.Items = make([]VerifiedItem, len(req.Items))
	failures := make([]error, len(req.Items))
	var all sync.WaitGroup
	for i, item := range req.Items {
		all.Go(func() {
			done, err := a.verify(ctx, who, scoped(fmt.Sprintf("%s\n%d", who.owner(), i), req.Key), item)
			var f *fault.Fault
			switch {
			case err == nil:
				answer.Items[i].Verified = &done
			case isFault(err, &f):
				answer.Items[i].Problem = f
			default:
				failures[i] = err
			}
		})
	}
	all.Wait()
	at := slices.IndexFunc(failures, func(err error) bool { return err != nil })
	if at >= 0 {
		return VerifiedMany{}, failures[at]
	}
	return answer, nil
}

// verify carries out one verification. key is the ledger's.
func (a *App) verify(ctx context.Context, who Actor, key string, v Verification) (Verified, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Verified{}, err
	}
	c, err := a.visibleCase(ctx, who, v.Case)
	if err != nil {
		return Verified{}, fault.Naming("case", err)
	}
	dataset, err := a.dataset(ctx, v.Dataset)
	if err != nil {
		return Verified{}, err
	}
	if err := claim.Check(v.Claims, kindsOf(dataset.Fields)); err != nil {
		return Verified{}, err
	}
	request := exchange.RequestUse{
		Subject: c.Subject, Dataset: v.Dataset, Fields: claim.Fields(v.Claims), Purpose: v.Purpose, LegalBasis: v.LegalBasis,
		Case: c.ID, Grant: v.Grant, Consent: v.Consent,
	}
	if len(v.Presented) == 0 {
		return a.askProvider(ctx, who, as, key, request, v)
	}
	if len(v.Selector) > 0 {
		return Verified{}, fault.Field("selector", "absent", "send a selector for the provider, or fields that were presented; not both")
	}
	return a.askLedger(ctx, who, as, key, request, v.Question, dataset)
}

// kindsOf gives the types of fields that are given.
func kindsOf(fields []exchange.FieldSpec) func(string) string {
	return func(field string) string {
		at := slices.IndexFunc(fields, func(f exchange.FieldSpec) bool { return f.Name == field && !f.Withdrawn })
		if at < 0 {
			return ""
		}
		return fields[at].Type
	}
}

// askLedger has the fields that were presented judged by the contract, which sees their hashes alone, and judges the claims
// by their values, which stay here.
func (a *App) askLedger(ctx context.Context, who Actor, as ledger.Signer, key string, use exchange.RequestUse, q Question, d exchange.Dataset) (answer Verified, err error) {
	id := kernel.ID(who.Agency, exchange.UseVerify, key)
	openings, err := q.openings()
	if err != nil {
		return answer, err
	}
	verdicts := q.judge(kindsOf(d.Fields))
	if answer.Claims, use.Claims, err = documentOf(a, who.Agency, "claims", id, q.Claims); err != nil {
		return answer, err
	}
	request := exchange.VerifyUse{Openings: openings}
	if answer.Answer, request.Answer, err = documentOf(a, who.Agency, "answer", id, verdicts); err != nil {
		return answer, err
	}
	if use.Grant == "" {
		if use.Grant, err = a.firstGrant(ctx, who.Agency, id, use); err != nil {
			return answer, err
		}
	}
	request.RequestUse = use
	if err := request.Validate(); err != nil {
		return answer, err
	}
	var outcome ledger.Outcome
	if err := a.withTicket(ctx, id, &request.RequestUse, func() error {
		command, err := command(key, who.Staff, request)
		if err != nil {
			return err
		}
		if outcome, err = a.Ledger.Submit(ctx, as, exchange.Name, exchange.UseVerify, command); err != nil {
			return err
		}
		answer.Receipt, err = receipt(outcome)
		return err
	}); err != nil {
		return answer, err
	}
	answer.Number, answer.Verdicts = outcome.Receipt.Number, verdicts
	if answer.Status != exchange.Proven {
		answer.Verdicts = unknown(len(q.Claims), answer.Status)
		answer.Answer = commitment.Document{Fields: []commitment.Field{}}
	}
	return answer, nil
}

// firstGrant is the grant a verification rests on: the one it rested on when it was first sent, or the one found now.
func (a *App) firstGrant(ctx context.Context, agency, id string, use exchange.RequestUse) (string, error) {
	before, err := a.useNow(ctx, id)
	if f := fault.From(err); f == nil || f.Kind != fault.Missing {
		return before.Grant, err
	}
	return a.grantFor(ctx, agency, use)
}

// openings are those of the claims' fields, in the order of their names.
func (q Question) openings() ([]exchange.Opening, error) {
	names := claim.Fields(q.Claims)
	openings := make([]exchange.Opening, len(names))
	for i, name := range names {
		at, found := q.presented(name)
		if !found {
			return nil, fault.Field("presented", "one_for_each:claims.field", "present each field the claims are about")
		}
		p := q.Presented[at]
		leaf, err := commitment.Field{Name: p.Name, Value: p.Value, Salt: p.Salt}.Leaf()
		if err != nil {
			return nil, fault.Under(fmt.Sprintf("presented[%d]", at), err)
		}
		for j, hash := range p.Path {
			if err := commitment.Check(fmt.Sprintf("presented[%d].path[%d]", at, j), hash); err != nil {
				return nil, err
			}
		}
		openings[i] = exchange.Opening{Leaf: leaf, Path: p.Path}
	}
	if len(q.Presented) != len(names) {
		return nil, fault.Field("presented", "one_for_each:claims.field", "present only the fields the claims are about, each once")
	}
	return openings, nil
}

func (q Question) presented(name string) (at int, found bool) {
	at = slices.IndexFunc(q.Presented, func(p Presented) bool { return p.Name == name })
	return at, at >= 0
}

// judge answers the claims by what was presented.
func (q Question) judge(kindOf func(string) string) []claim.Verdict {
	verdicts := make([]claim.Verdict, len(q.Claims))
	for i, c := range q.Claims {
		if at, found := q.presented(c.Field); found {
			verdicts[i] = c.Judge(kindOf(c.Field), q.Presented[at].Value)
		}
	}
	return verdicts
}

// unknown answers claims of which nothing can be known.
func unknown(claims int, reason string) []claim.Verdict {
	return slices.Repeat([]claim.Verdict{{Verdict: claim.Unknown, Reason: reason}}, claims)
}

// documentOf salts claims or verdicts and gives their commitment.
func documentOf[T claim.Claim | claim.Verdict](a *App, agency, kind, id string, all []T) (d commitment.Document, root string, err error) {
	values, err := claim.Values(all)
	if err != nil {
		return d, "", err
	}
	if d, err = a.salted(agency, kind, id, values); err != nil {
		return d, "", err
	}
	root, err = d.Root()
	return d, root, err
}

// VerifyMine is POST /v1/subjects/me/verifications.
type VerifyMine struct{ Question }

// VerifiedMine answers it.
type VerifiedMine struct {
	Finding  string          `json:"finding" doc:"What the commitment says of the fields: proven, or absent, withdrawn, superseded, mismatched or stale, and then nothing is known of them."`
	Verdicts []claim.Verdict `json:"verdicts" doc:"One for each claim, in their order."`
	AsOf     uint64          `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// VerifyMine lets citizens see what somebody who verifies their record will be told. It is their own, and nobody is told.
func (a *App) VerifyMine(ctx context.Context, who Actor, req VerifyMine) (answer VerifiedMine, err error) {
	if err := who.is(Citizen); err != nil {
		return answer, err
	}
	if answer.AsOf, err = a.Store.Height(ctx); err != nil {
		return answer, err
	}
	dataset, err := a.dataset(ctx, req.Dataset)
	if err != nil {
		return answer, err
	}
	if err := claim.Check(req.Claims, kindsOf(dataset.Fields)); err != nil {
		return answer, err
	}
	openings, err := req.openings()
	if err != nil {
		return answer, err
	}
	c, _, err := find[exchange.Commitment](ctx, a, exchange.Commitments.Noun, commitmentID(req.Dataset, who.Subject))
	if err != nil {
		return answer, err
	}
	answer.Finding = c.Find(claim.Fields(req.Claims), openings, kernel.At(a.now()))
	answer.Verdicts = req.judge(kindsOf(dataset.Fields))
	if answer.Finding != exchange.Proven {
		answer.Verdicts = unknown(len(req.Claims), answer.Finding)
	}
	return answer, nil
}
