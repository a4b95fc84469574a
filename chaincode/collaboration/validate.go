package collaboration

import (
	"cmp"
	"fmt"
	"regexp"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

var (
	definitionForm = regexp.MustCompile(`^[a-z][a-z0-9]*([._-][a-z0-9]+)*/[1-9][0-9]{0,3}$`)
	hashForm       = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// MaxCorrections bounds how often an applicant may resubmit for one case.
const MaxCorrections = 100

// Validate implements kernel.Validator.
func (r ApproveDefinition) Validate() error {
	return cmp.Or(checkDefinition("definition", r.Definition), checkHash("hash", r.Hash))
}

// Validate checks the form of what an applicant signs to apply.
func (a Application) Validate() error {
	return cmp.Or(
		present("channel", a.Channel),
		exchange.CheckSubject("subject", a.Subject),
		exchange.CheckIdentifier("case", a.Case),
		checkDefinition("definition", a.Definition),
		checkHash("hash", a.Hash),
		commitment.Check("form", a.Form),
		between("correction", a.Correction, 0, MaxCorrections),
	)
}

// Validate checks the form of what an applicant signs to withdraw.
func (w Withdrawal) Validate() error {
	return cmp.Or(
		present("channel", w.Channel),
		exchange.CheckSubject("subject", w.Subject),
		exchange.CheckIdentifier("case", w.Case),
	)
}

// Application is what the JWS says, before its signature is verified.
func (r Apply) Application() (a Application, err error) {
	err = peek(r.JWS, ApplicationKind, &a)
	return a, err
}

// Validate implements kernel.Validator.
func (r Apply) Validate() error {
	a, err := r.Application()
	if err != nil {
		return err
	}
	return fault.Under("jws", a.Validate())
}

// Validate implements kernel.Validator.
func (r Resubmit) Validate() error {
	if err := exchange.CheckIdentifier("case", r.Case); err != nil {
		return err
	}
	return Apply{r.JWS}.Validate()
}

// Validate implements kernel.Validator.
func (r Withdraw) Validate() error {
	if err := exchange.CheckIdentifier("case", r.Case); err != nil {
		return err
	}
	var w Withdrawal
	if err := peek(r.JWS, WithdrawalKind, &w); err != nil {
		return err
	}
	return fault.Under("jws", w.Validate())
}

func peek(jws, kind string, content any) error {
	if err := present("jws", jws); err != nil {
		return err
	}
	return signed.Peek(jws, "jws", kind, content)
}

// Validate implements kernel.Validator.
func (r TaskRef) Validate() error {
	return cmp.Or(exchange.CheckIdentifier("case", r.Case), exchange.CheckCode("step", r.Step))
}

// Ref is the task a request is about.
func (r TaskRef) Ref() TaskRef { return r }

// Validate implements kernel.Validator.
func (r ApproveTask) Validate() error {
	if err := r.TaskRef.Validate(); err != nil || r.Evidence == "" {
		return err
	}
	return commitment.Check("evidence", r.Evidence)
}

// Validate implements kernel.Validator.
func (r ReturnTask) Validate() error {
	return cmp.Or(r.TaskRef.Validate(), exchange.CheckCode("reason", r.Reason))
}

// Validate implements kernel.Validator.
func (r RejectTask) Validate() error {
	return cmp.Or(r.TaskRef.Validate(), exchange.CheckCode("reason", r.Reason))
}

// Validate implements kernel.Validator.
func (r Conclude) Validate() error {
	if err := exchange.CheckIdentifier("case", r.Case); err != nil || r.Certificate == nil {
		return err
	}
	return fault.Under("certificate", cmp.Or(
		commitment.Check("commitment", r.Certificate.Commitment),
		certificate.CheckValidity("valid_from", r.Certificate.ValidFrom, "valid_until", r.Certificate.ValidUntil),
	))
}

// Validate implements kernel.Validator.
func (r CheckCase) Validate() error { return exchange.CheckIdentifier("case", r.Case) }

func checkDefinition(field, id string) error {
	if err := present(field, id); err != nil {
		return err
	}
	if len(id) > MaxDefinitionID || !definitionForm.MatchString(id) {
		return fault.Field(field, "pattern:"+definitionForm.String(), "name a definition as {code}/{edition}")
	}
	return nil
}

func checkHash(field, hash string) error {
	if !hashForm.MatchString(hash) {
		return fault.Field(field, "pattern:"+hashForm.String(), "send the definition's hash as 64 lower-case hexadecimal digits")
	}
	return nil
}

func present(field, value string) error {
	if value == "" {
		return fault.Field(field, "required", "this member is compulsory")
	}
	return nil
}

func between(field string, value, least, most int) error {
	if value < least || value > most {
		return fault.Field(field, fmt.Sprintf("between:%d,%d", least, most), "use a number within these limits")
	}
	return nil
}
