package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// Content is what a certificate says and how long.
type Content struct {
	Values json.RawMessage `json:"values,omitempty" doc:"An object with the fields of the certificate's type."`
	From   *time.Time      `json:"valid_from,omitempty" doc:"RFC 3339, UTC; the beginning of today if absent."`
	Until  *time.Time      `json:"valid_until,omitempty" doc:"RFC 3339, UTC; as long as the type allows if absent."`
}

// Conclude is PUT /v1/cases/{id}/conclusion.
type Conclude struct {
	Keyed
	ID          string   `path:"id" json:"-"`
	Certificate *Content `json:"certificate,omitempty" doc:"Where the service issues a certificate: what it says."`
}

// Concluded is the answer to a conclusion.
type Concluded struct {
	Receipt
	Certificate string `json:"certificate,omitempty" doc:"The certificate that was issued in the same transaction."`
	Commitment  string `json:"commitment,omitempty" doc:"Of the certificate's document."`
}

// Conclude ends a case whose steps are all approved and, where the service issues a certificate, issues it in the same
// transaction. The document is sealed to the portal, where the holder gets it, and to the issuer.
func (a *App) Conclude(ctx context.Context, who Actor, req Conclude) (answer Concluded, err error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return answer, err
	}
	c, err := get[collaboration.Case](ctx, a, "case", req.ID, "id")
	if err != nil {
		return answer, err
	}
	if err := who.own(c.Lead); err != nil {
		return answer, err
	}
	request := collaboration.Conclude{Case: c.ID}
	switch {
	case c.Outcome == "" && req.Certificate != nil:
		return answer, collaboration.ErrNoCertificate.On("certificate", "absent")
	case c.Outcome != "" && req.Certificate == nil:
		return answer, collaboration.ErrCertificateRequired.On("certificate", "required")
	case c.Outcome == "":
		answer.Receipt, err = a.write(ctx, who, as, collaboration.Name, collaboration.CaseConclude, req.Keyed, request)
		return answer, err
	}
	answer.Certificate = collaboration.CertificateID(c.Lead, c.ID)
	err = a.asFirst(ctx, answer.Certificate, *req.Certificate, func(content Content) error {
		issue, err := a.document(ctx, certificate.Issue{Type: c.Outcome, Subject: c.Subject, Case: c.ID}, answer.Certificate, c.Lead, c.Created.By, content)
		if err != nil {
			return fault.Under("certificate", err)
		}
		answer.Commitment = issue.Commitment
		request.Certificate = &collaboration.Certificate{Commitment: issue.Commitment, ValidFrom: issue.From, ValidUntil: issue.Until}
		answer.Receipt, err = a.write(ctx, who, as, collaboration.Name, collaboration.CaseConclude, req.Keyed, request)
		return err
	})
	return answer, err
}

// asFirst issues a certificate, and once more with the beginning it was issued with if it was issued before: where the caller
// leaves the beginning out it is today, and a request that is repeated tomorrow must still be the same one.
func (a *App) asFirst(ctx context.Context, id string, content Content, issue func(Content) error) error {
	refused := issue(content)
	if f := new(fault.Fault); content.From != nil || !errors.As(refused, &f) || f.Kind != fault.Conflict {
		return refused
	}
	var first certificate.Certificate
	if err := a.Ledger.Evaluate(ctx, a.reader(), certificate.Name, "certificate:Get", kernel.ByID{ID: id}, &first); err != nil {
		return refused // another request with this key made something else
	}
	content.From = &first.From
	return issue(content)
}

// document makes a certificate's document, keeps it sealed, and completes the request to issue it.
func (a *App) document(ctx context.Context, issue certificate.Issue, id, issuer, portal string, content Content) (certificate.Issue, error) {
	kind, err := get[certificate.Type](ctx, a, "type", issue.Type, "type")
	if err != nil {
		return issue, err
	}
	values, err := checkValues(kind, content.Values)
	if err != nil {
		return issue, err
	}
	issue.From, issue.Until = a.validity(kind, content)
	if err := certificate.CheckValidity("valid_from", issue.From, "valid_until", issue.Until); err != nil {
		return issue, err
	}
	// The document says whose word it is and how long; names with a dot cannot be those of a type's fields.
	about := map[string]any{"meta.id": id, "meta.type": issue.Type, "meta.issuer": issuer, "meta.valid_from": issue.From}
	if !issue.Until.IsZero() {
		about["meta.valid_until"] = issue.Until
	}
	for name, value := range about {
		if values[name], err = json.Marshal(value); err != nil {
			return issue, err
		}
	}
	document, err := a.salted(issuer, "certificate", id, values)
	if err != nil {
		return issue, fault.Under("values", err)
	}
	if issue.Commitment, err = document.Root(); err != nil {
		return issue, fault.Under("values", err)
	}
	return issue, a.keepDocument(ctx, vault.Certificate, issue.Case, document, portal, issuer)
}

// keepDocument puts a document, sealed to each recipient, into the vault.
func (a *App) keepDocument(ctx context.Context, kind, caseID string, document commitment.Document, recipients ...string) error {
	var entries []vault.Entry
	for _, agency := range slices.Compact(recipients) {
		envelope, err := a.sealTo(ctx, agency, document)
		if err != nil {
			return err
		}
		entries = append(entries, vault.Entry{Kind: kind, Case: caseID, Envelope: envelope})
	}
	return a.Vault.Put(ctx, entries...)
}

func (a *App) validity(kind certificate.Type, content Content) (from, until time.Time) {
	from = a.now().Truncate(certificate.Day)
	if content.From != nil {
		from = content.From.UTC()
	}
	switch {
	case content.Until != nil:
		until = content.Until.UTC()
	case kind.ValidDays > 0:
		until = from.AddDate(0, 0, kind.ValidDays)
	}
	return from, until
}

// checkValues judges what a certificate says against its type: all the fields and no other, each of its type. Faults name
// the field, never the value.
func checkValues(kind certificate.Type, raw json.RawMessage) (map[string]json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	if len(raw) == 0 || json.Unmarshal(raw, &values) != nil || values == nil {
		return nil, fault.Field("values", "type:object", "send an object with the fields of the certificate's type")
	}
	for _, f := range kind.Fields {
		value, given := values[f.Name]
		if !given {
			return nil, fault.Field("values."+f.Name, "required", "say this of the holder; the certificate's type has it")
		}
		question := collaboration.Question{ID: f.Name, Type: f.Type, Required: true}
		if err := checkAnswer("values."+f.Name, question, value); err != nil {
			return nil, err
		}
	}
	if len(values) != len(kind.Fields) {
		return nil, fault.Field("values", fmt.Sprintf("max_members:%d", len(kind.Fields)), "send only the fields of the certificate's type")
	}
	return values, nil
}

// IssueCertificate is POST /v1/certificates.
type IssueCertificate struct {
	Keyed
	Type    string `json:"type" min:"1" max:"64" doc:"Code of the certificate's type; the agency must be accredited for it."`
	Subject string `json:"subject" min:"20" max:"64" doc:"The holder's pseudonym."`
	// Commitment is for an issuer whose own system makes and keeps the document and gives it to the holder: the gateway
	// then never sees what the certificate says.
	Commitment string `json:"commitment,omitempty" doc:"Of a document the issuer keeps itself; instead of values."`
	Content
}

// Issued is the answer to an issue.
type Issued struct {
	Receipt
	Commitment string `json:"commitment" doc:"Of the certificate's document."`
}

// IssueCertificate issues a certificate outside of a case.
func (a *App) IssueCertificate(ctx context.Context, who Actor, req IssueCertificate) (answer Issued, err error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return answer, err
	}
	id := kernel.ID(who.Agency, certificate.CertificateIssue, scoped(who.owner(), req.Key))
	err = a.asFirst(ctx, id, req.Content, func(content Content) error {
		req.Content = content
		request, err := a.issue(ctx, who, id, req)
		if err != nil {
			return err
		}
		if err := request.Validate(); err != nil {
			return err
		}
		answer.Commitment = request.Commitment
		answer.Receipt, err = a.write(ctx, who, as, certificate.Name, certificate.CertificateIssue, req.Keyed, request)
		return err
	})
	return answer, err
}

// issue completes the request to issue: with the commitment of a document made here, or the one the issuer gives.
func (a *App) issue(ctx context.Context, who Actor, id string, req IssueCertificate) (certificate.Issue, error) {
	issue := certificate.Issue{Type: req.Type, Subject: req.Subject, Commitment: req.Commitment}
	switch {
	case req.Commitment != "" && len(req.Values) > 0:
		return issue, fault.Field("commitment", "absent_with:values", "send what the certificate says, or the commitment of a document you keep; not both")
	case req.Commitment != "":
		kind, err := get[certificate.Type](ctx, a, "type", req.Type, "type")
		if err != nil {
			return issue, err
		}
		issue.From, issue.Until = a.validity(kind, req.Content)
		return issue, nil
	}
	portal, err := a.portalAgency(ctx)
	if err != nil {
		return issue, err
	}
	return a.document(ctx, issue, id, who.Agency, portal, req.Content)
}

// portalAgency is the agency at whose portal holders get their documents.
func (a *App) portalAgency(ctx context.Context) (string, error) {
	agencies, err := all[exchange.Agency](ctx, a, store.Query{Noun: "agency"})
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(agencies, func(x exchange.Agency) bool { return slices.Contains(x.Duties, exchange.DutyPortal) })
	if at < 0 {
		return "", fault.New(fault.Refused, "exchange.no_portal", "no agency has the duty portal yet; the coordinating organisation assigns it").On("agency", "duty:"+exchange.DutyPortal)
	}
	return agencies[at].ID, nil
}

// ChangeCertificate is PUT /v1/certificates/{id}/revocation, suspension and reinstatement.
type ChangeCertificate struct {
	Keyed
	ID     string `path:"id" json:"-"`
	Reason string `json:"reason" enum:"key_compromise,issued_in_error,superseded,ceased,holder_request,under_review,unlawful"`
}

// Revoke ends a certificate for good.
func (a *App) Revoke(ctx context.Context, who Actor, req ChangeCertificate) (Receipt, error) {
	return a.changeCertificate(ctx, who, req, certificate.CertificateRevoke)
}

// Suspend takes a certificate out of force for a while.
func (a *App) Suspend(ctx context.Context, who Actor, req ChangeCertificate) (Receipt, error) {
	return a.changeCertificate(ctx, who, req, certificate.CertificateSuspend)
}

// Reinstate puts a suspended certificate into force again.
func (a *App) Reinstate(ctx context.Context, who Actor, req ChangeCertificate) (Receipt, error) {
	return a.changeCertificate(ctx, who, req, certificate.CertificateReinstate)
}

func (a *App) changeCertificate(ctx context.Context, who Actor, req ChangeCertificate, function string) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	request := certificate.Change{Certificate: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, certificate.Name, function, req.Keyed, request)
}

// Certificates is GET /v1/certificates.
type Certificates struct {
	Listing
	Type   string `query:"type" json:"-" max:"64" doc:"Only certificates of this type."`
	Status string `query:"status" json:"-" enum:"valid,suspended,revoked" doc:"Only certificates of this status."`
}

// Certificates lists a citizen's certificates, those an agency issued, or all for an auditor.
func (a *App) Certificates(ctx context.Context, who Actor, req Certificates) (page Records[certificate.Certificate], err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return page, err
	}
	q := store.Query{Noun: "certificate", Kind: req.Type, Status: req.Status, Descending: true}
	switch who.Role {
	case Citizen:
		q.Subject = who.Subject
	case Officer:
		q.Agency = who.Agency
	}
	return records[certificate.Certificate](ctx, a, req.Listing, q)
}

// Certificate shows a certificate to its holder, its issuer and auditors.
func (a *App) Certificate(ctx context.Context, who Actor, req ByID) (item Item[certificate.Certificate], err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return item, err
	}
	if item, err = one[certificate.Certificate](ctx, a, req.After, "certificate", req.ID, "id"); err != nil {
		return item, err
	}
	switch who.Role {
	case Citizen:
		return item, who.self(item.Item.Subject, "certificate")
	case Officer:
		return item, who.own(item.Item.Issuer)
	}
	return item, nil
}

// Licence is a certificate with its document: what the holder keeps and shows.
type Licence struct {
	Certificate certificate.Certificate `json:"certificate"`
	Document    commitment.Document     `json:"document" doc:"Its commitment is on the ledger; POST it to /v1/certificates/{id}/verification to have it checked."`
	AsOf        uint64                  `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Document gives the holder the certificate's document.
func (a *App) Document(ctx context.Context, who Actor, req ByID) (answer Licence, err error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return answer, err
	}
	if err := who.is(Citizen); err != nil {
		return answer, err
	}
	item, err := one[certificate.Certificate](ctx, a, req.After, "certificate", req.ID, "id")
	if err != nil {
		return answer, err
	}
	answer.Certificate, answer.AsOf = item.Item, item.AsOf
	if err := who.self(item.Item.Subject, "certificate"); err != nil {
		return answer, err
	}
	as := vault.Entry{Kind: vault.Certificate, Case: item.Item.Case}
	answer.Document, err = a.openFrom(ctx, item.Item.Issuer, item.Item.Commitment, portal.Agency, as)
	return answer, err
}

// Verify is POST /v1/certificates/{id}/verification.
type Verify struct {
	ID         string               `path:"id" json:"-" max:"64"`
	Document   *commitment.Document `json:"document,omitempty" doc:"The document to check; its commitment is computed here."`
	Commitment string               `json:"commitment,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Instead of the document: the commitment computed from it, so that it is not sent at all."`
	At         *time.Time           `json:"at,omitempty" doc:"The time asked about; now if absent."`
}

// Verify answers three questions, each yes, no or unknown: is the document what was issued, does the certificate hold at the
// time, was its issuer accredited. The organisation's own peer is asked, not the projection.
func (a *App) Verify(ctx context.Context, _ Actor, req Verify) (verdict certificate.Verdict, err error) {
	question := certificate.Verify{Certificate: req.ID, Commitment: req.Commitment}
	if req.Document != nil {
		if req.Commitment != "" {
			return verdict, fault.Field("commitment", "absent", "send the document or its commitment, not both")
		}
		if question.Commitment, err = req.Document.Root(); err != nil {
			return verdict, fault.Under("document", err)
		}
	}
	if req.At != nil {
		question.At = req.At.UTC().Truncate(time.Millisecond) // the ledger's own measure
	}
	if err := question.Validate(); err != nil {
		return verdict, err
	}
	err = a.Ledger.Evaluate(ctx, a.reader(), certificate.Name, certificate.CertificateVerify, question, &verdict)
	return verdict, err
}
