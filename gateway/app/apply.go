package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// MaxConsents bounds the consents sent with an application.
const MaxConsents = 32

// Apply is POST /v1/cases.
type Apply struct {
	Keyed
	Application string              `json:"application" max:"16384" doc:"Compact JWS of type hutong-application+jwt over the draft's application."`
	Form        commitment.Document `json:"form" doc:"The answers, each salted; its commitment is what the application names."`
	Consents    []string            `json:"consents,omitempty" max:"32" doc:"Compact JWS of type hutong-consent+jwt, one for each consent of the draft that is given."`
}

// Applied is the answer to an application.
type Applied struct {
	Receipt
	Consents []Receipt `json:"consents" doc:"In the order they were sent."`
}

// Apply opens a case: the form is sealed to the agencies of the service, the case is opened on what the applicant signed,
// and the consents are recorded. Everything is judged before anything is written; sent again with the same key, it goes on
// where it stopped.
func (a *App) Apply(ctx context.Context, who Actor, req Apply) (answer Applied, err error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return answer, err
	}
	request := collaboration.Apply{JWS: req.Application}
	if err := request.Validate(); err != nil {
		return answer, renamed(err, "jws", "application")
	}
	application, err := request.Application()
	if err != nil {
		return answer, err
	}
	if err := who.mayAct(application.Subject, "application.subject"); err != nil {
		return answer, err
	}
	keys, err := a.signingKeys(ctx, application.Subject)
	if err != nil {
		return answer, err
	}
	if err := keys.open(req.Application, "application", collaboration.ApplicationKind, &application); err != nil {
		return answer, err
	}
	if application.Case != caseID(portal.Agency, application.Subject, req.Key) {
		return answer, fault.New(fault.Refused, "collaboration.case_mismatch", "send the application with the idempotency key of the draft it was signed for").On("application.case", "from:Idempotency-Key")
	}
	definition, err := get[collaboration.Definition](ctx, a, "definition", application.Definition, "application.definition")
	if err != nil {
		return answer, err
	}
	if application.Hash != definition.Hash {
		return answer, collaboration.ErrDefinitionChanged.On("application.hash", "equals:definition.hash")
	}
	if err := a.checkConsents(req.Consents, application, keys); err != nil {
		return answer, err
	}
	// The ledger judges this too; asked here, the answers of an application that cannot be are not kept.
	if err := a.alone(ctx, application, definition.Code); err != nil {
		return answer, err
	}
	if err := a.keepForm(ctx, definition, application, req.Form); err != nil {
		return answer, err
	}
	if answer.Receipt, err = a.submit(ctx, portal, collaboration.Name, collaboration.CaseApply, scoped(application.Subject, req.Key), who.Staff, request); err != nil {
		return answer, err
	}
	answer.Consents, err = a.giveAll(ctx, portal, who.Staff, req.Consents)
	return answer, err
}

// alone judges whether the applicant has another case for the service that is still open. An application that opened a case
// before is a repetition, whatever has become of that case and has been opened since.
func (a *App) alone(ctx context.Context, application collaboration.Application, service string) error {
	open, err := a.openCase(ctx, application.Subject, service)
	if err != nil || open == "" || open == application.Case {
		return err
	}
	if _, repeated, err := find[collaboration.Case](ctx, a, "case", application.Case); err != nil || repeated {
		return err
	}
	return collaboration.ErrDuplicate.On("application.definition", "one_open_case")
}

// renamed says "application" where a contract's request says "jws".
func renamed(err error, from, to string) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	if rest, ok := cutPath(f.Field, from); ok {
		return f.On(to+rest, f.Rule)
	}
	return f
}

func cutPath(path, head string) (rest string, ok bool) {
	if len(path) >= len(head) && path[:len(head)] == head && (len(path) == len(head) || path[len(head)] == '.') {
		return path[len(head):], true
	}
	return "", false
}

// mayAct: a citizen acts for themselves, a portal for whoever signed.
func (a Actor) mayAct(subject, field string) error {
	if a.Role == Portal || a.Subject == subject {
		return nil
	}
	return fault.New(fault.Denied, "access.other_subject", "sign and send only for yourself").On(field, "equals:token.subject")
}

// checkConsents judges consents before anything is written: signed by the applicant, for this case and service.
func (a *App) checkConsents(consents []string, application collaboration.Application, keys signingKeys) error {
	if len(consents) > MaxConsents {
		return fault.Field("consents", fmt.Sprintf("max_items:%d", MaxConsents), "send the draft's consents, each once")
	}
	for i, jws := range consents {
		at := fmt.Sprintf("consents[%d]", i)
		var terms exchange.ConsentTerms
		if err := keys.open(jws, at, exchange.ConsentKind, &terms); err != nil {
			return err
		}
		if err := terms.Validate(); err != nil {
			return fault.Under(at, err)
		}
		code := collaboration.DefinitionKey(application.Definition)[0]
		switch {
		case terms.Channel != a.Channel:
			return exchange.ErrChannelMismatch.On(at+".channel", "equals:channel")
		case terms.Subject != application.Subject:
			return exchange.ErrSubjectMismatch.On(at+".subject", "equals:application.subject")
		case terms.Case != application.Case:
			return exchange.ErrConsentMismatch.On(at+".case", "equals:application.case")
		case terms.Purpose != code:
			return exchange.ErrConsentMismatch.On(at+".purpose", "equals:service")
		}
	}
	return nil
}

// keepForm judges the answers and puts them, sealed to each agency of the service, into the vault. It is done before the
// ledger learns of the application: what the ledger points to must exist.
func (a *App) keepForm(ctx context.Context, d collaboration.Definition, application collaboration.Application, form commitment.Document) error {
	root, err := form.Root()
	if err != nil {
		return fault.Under("form", err)
	}
	if root != application.Form {
		return fault.New(fault.Refused, "form.commitment_mismatch", "sign the commitment of the answers that are sent").On("application.form", "equals:form")
	}
	if err := checkForm(d.Form, form); err != nil {
		return err
	}
	var entries []vault.Entry
	for _, agency := range d.Responsible() {
		envelope, err := a.sealTo(ctx, agency, form)
		if err != nil {
			return err
		}
		entries = append(entries, vault.Entry{Kind: vault.Form, Case: application.Case, Envelope: envelope})
	}
	return a.Vault.Put(ctx, entries...)
}

// sealTo seals a document to an agency's registered key.
func (a *App) sealTo(ctx context.Context, agency string, document commitment.Document) (seal.Envelope, error) {
	recipient, found, err := find[exchange.Agency](ctx, a, "agency", agency)
	if err != nil {
		return seal.Envelope{}, err
	}
	if !found {
		return seal.Envelope{}, fault.New(fault.Refused, "exchange.agency_unregistered", "an agency of the service has not registered a key to seal to").On("agency", "registered")
	}
	return seal.Document(document, agency, recipient.ExchangeKey)
}

// giveAll records consents in one transaction. The key of each is its own content, so that repeating is harmless.
func (a *App) giveAll(ctx context.Context, portal ledger.Signer, staff string, consents []string) ([]Receipt, error) {
	receipts := []Receipt{}
	if len(consents) == 0 {
		return receipts, nil
	}
	var batch kernel.Batch
	for _, jws := range consents {
		c, err := command(scoped("consent", jws), staff, exchange.GiveConsent{JWS: jws})
		if err != nil {
			return nil, err
		}
		batch.Commands = append(batch.Commands, kernel.BatchCommand{Function: exchange.ConsentGive, Command: c})
	}
	outcomes, err := a.Ledger.SubmitBatch(ctx, portal, exchange.Name, batch)
	if err != nil {
		return nil, err
	}
	for _, o := range outcomes {
		r, err := receipt(o)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

// Resubmit is PUT /v1/cases/{id}/resubmission.
type Resubmit struct {
	Keyed
	ID          string              `path:"id" json:"-"`
	Application string              `json:"application" max:"16384" doc:"Compact JWS of type hutong-application+jwt for the same case, with correction one more than the case's corrections."`
	Form        commitment.Document `json:"form" doc:"The corrected answers, each salted."`
}

// Resubmit answers a return with a corrected application.
func (a *App) Resubmit(ctx context.Context, who Actor, req Resubmit) (Receipt, error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return Receipt{}, err
	}
	c, err := a.ownCase(ctx, who, req.ID)
	if err != nil {
		return Receipt{}, err
	}
	request := collaboration.Resubmit{Case: req.ID, JWS: req.Application}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "application")
	}
	keys, err := a.signingKeys(ctx, c.Subject)
	if err != nil {
		return Receipt{}, err
	}
	var application collaboration.Application
	if err := keys.open(req.Application, "application", collaboration.ApplicationKind, &application); err != nil {
		return Receipt{}, err
	}
	if application.Case != c.ID {
		return Receipt{}, collaboration.ErrCaseMismatch.On("application.case", "equals:case")
	}
	definition, err := get[collaboration.Definition](ctx, a, "definition", c.Definition, "id")
	if err != nil {
		return Receipt{}, err
	}
	if err := a.keepForm(ctx, definition, application, req.Form); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, portal, collaboration.Name, collaboration.CaseResubmit, req.Keyed, request)
}
