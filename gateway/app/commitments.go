package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// CommitRecord is POST /v1/commitments.
type CommitRecord struct {
	Keyed
	Dataset    string                     `json:"dataset" min:"1" max:"128" doc:"A dataset of the officer's agency."`
	Subject    string                     `json:"subject" min:"20" max:"64" doc:"The pseudonym of whom the record is about."`
	Selector   map[string]json.RawMessage `json:"selector" doc:"The particulars the record is found by."`
	Fields     []string                   `json:"fields,omitempty" max:"128" doc:"Which fields to commit to, sorted; all of the dataset if absent."`
	Supersedes string                     `json:"supersedes,omitempty" pattern:"^[0-9a-f]{64}$" doc:"The commitment that this one replaces; absent for the first."`
	Until      *time.Time                 `json:"valid_until,omitempty" doc:"RFC 3339, UTC: until when the agency vouches for the record; until it is superseded if absent."`
}

// Committed is the answer to it.
type Committed struct {
	Receipt
	Root string `json:"root" doc:"The commitment."`
}

// CommitRecord reads a subject's record from the agency's database, salts its fields and commits to them on the ledger. The
// salted record is sealed to the portal, where the subject gets it, and to the agency.
func (a *App) CommitRecord(ctx context.Context, who Actor, req CommitRecord) (answer Committed, err error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return answer, err
	}
	dataset, err := get[exchange.Dataset](ctx, a, "dataset", req.Dataset, "dataset")
	if err != nil {
		return answer, err
	}
	if err := who.own(dataset.Agency); err != nil {
		return answer, err
	}
	request := exchange.AnchorCommitment{Dataset: dataset.ID, Subject: req.Subject, Fields: req.Fields, Until: req.Until}
	if len(request.Fields) == 0 {
		request.Fields = namesOf(dataset)
	}
	key := scoped(who.owner(), req.Key)
	document, err := a.saltedRecord(ctx, who.Agency, key, dataset, request, req.Selector)
	if err != nil {
		return answer, err
	}
	if request.Root, err = document.Root(); err != nil {
		return answer, err
	}
	answer.Root = request.Root
	if err := request.Validate(); err != nil {
		return answer, err
	}
	portal, err := a.portalAgency(ctx)
	if err != nil {
		return answer, err
	}
	if err := a.keepDocument(ctx, vault.Record, "", document, portal, who.Agency); err != nil {
		return answer, err
	}
	if req.Supersedes == "" {
		answer.Receipt, err = a.submit(ctx, as, exchange.Name, exchange.CommitmentAnchor, key, who.Staff, request)
		return answer, err
	}
	again := exchange.SupersedeCommitment{AnchorCommitment: request, Supersedes: req.Supersedes}
	answer.Receipt, err = a.submit(ctx, as, exchange.Name, exchange.CommitmentSupersede, key, who.Staff, again)
	return answer, err
}

// saltedRecord reads a record. Its salts follow from the request's key, so that the same request commits to the same.
func (a *App) saltedRecord(ctx context.Context, agency, key string, d exchange.Dataset, r exchange.AnchorCommitment, selector map[string]json.RawMessage) (none commitment.Document, err error) {
	if len(specs(d, r.Fields)) != len(r.Fields) {
		return none, exchange.ErrFieldUnknown.On("fields", "subset:dataset.fields")
	}
	found, err := a.read(ctx, exchange.Use{Dataset: d.ID, Fields: r.Fields, Subject: r.Subject}, d, selector)
	if err == nil {
		err = a.judged(ctx, d, found.Values)
	}
	if err != nil {
		return none, err
	}
	values := make(map[string]json.RawMessage, len(found.Values))
	for name, value := range found.Values {
		if values[name], err = canonical.Marshal(value); err != nil {
			return none, fault.New(fault.Internal, "connector.type", "the database's value does not have the dataset's type; correct the connector").On("fields."+name, "json")
		}
	}
	return a.salted(agency, "record", key, values)
}

// WithdrawCommitment is PUT /v1/commitments/{agency}/{code}/{subject}/withdrawal.
type WithdrawCommitment struct {
	Keyed
	Agency  string `path:"agency" json:"-" max:"64"`
	Code    string `path:"code" json:"-" max:"64"`
	Subject string `path:"subject" json:"-" max:"64"`
	Reason  string `json:"reason" min:"1" max:"64" doc:"A code."`
}

// WithdrawCommitment says that the agency does not vouch for the record any more: nothing is verified against it.
func (a *App) WithdrawCommitment(ctx context.Context, who Actor, req WithdrawCommitment) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.WithdrawCommitment{Dataset: req.Agency + "/" + req.Code, Subject: req.Subject, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.CommitmentWithdraw, req.Keyed, request)
}

// MyRecord is GET /v1/subjects/me/records/{agency}/{code}.
type MyRecord struct {
	After
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
}

// HeldRecord is a subject's record with what it takes to show its fields, one by one.
type HeldRecord struct {
	Commitment exchange.Commitment `json:"commitment"`
	Fields     []Presented         `json:"fields" doc:"Each can be shown alone; who is not shown a field's salt learns nothing of it."`
	AsOf       uint64              `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// MyRecord gives citizens their own record, as an agency has committed to it.
func (a *App) MyRecord(ctx context.Context, who Actor, req MyRecord) (answer HeldRecord, err error) {
	if err := who.is(Citizen); err != nil {
		return answer, err
	}
	portal, err := a.asPortal(who)
	if err != nil {
		return answer, err
	}
	item, err := one[exchange.Commitment](ctx, a, req.After, exchange.Commitments.Noun, commitmentID(req.Agency+"/"+req.Code, who.Subject), "code")
	if err != nil {
		return answer, err
	}
	answer.Commitment, answer.AsOf = item.Item, item.AsOf
	document, err := a.openFrom(ctx, item.Item.Provider, item.Item.Root, portal.Agency, vault.Entry{Kind: vault.Record})
	if err != nil {
		return answer, err
	}
	for _, f := range document.Fields {
		_, proof, err := document.Show(f.Name)
		if err != nil {
			return answer, err
		}
		answer.Fields = append(answer.Fields, Presented{Name: f.Name, Value: f.Value, Salt: f.Salt, Path: proof.Path})
	}
	return answer, nil
}

// commitmentID is the id of the commitment to a subject's record of a dataset.
func commitmentID(dataset, subject string) string {
	return strings.Join(exchange.CommitmentKey(dataset, subject), state.IDSeparator)
}

// namesOf are the names of the fields a dataset gives, sorted.
func namesOf(d exchange.Dataset) []string {
	var names []string
	for _, f := range d.Fields {
		if !f.Withdrawn {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
}
