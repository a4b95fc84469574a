package certificate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of form.
const (
	MaxValidDays = 36600 // of a type: a century
	MinYear      = 1949  // of a time
	MaxYear      = 2999
	Day          = 24 * time.Hour
)

// Validate implements kernel.Validator.
func (r PublishType) Validate() error {
	err := cmp.Or(
		exchange.CheckCode("code", r.Code),
		fault.Under("name", r.Name.Validate()),
		exchange.CheckFieldSpecs("fields", r.Fields),
	)
	if err == nil && (r.ValidDays < 0 || r.ValidDays > MaxValidDays) {
		err = fault.Field("valid_days", fmt.Sprintf("between:0,%d", MaxValidDays), "say how many days a certificate is valid at most; 0 for one without end")
	}
	return err
}

// Validate implements kernel.Validator.
func (r GrantAccreditation) Validate() error {
	return cmp.Or(
		exchange.CheckCode("type", r.Type),
		exchange.CheckAgency("agency", r.Agency),
		CheckTime("valid_from", r.From),
		CheckTime("valid_until", r.Until),
		CheckValidity("valid_from", r.From, "valid_until", r.Until),
	)
}

// Validate implements kernel.Validator.
func (r WithdrawAccreditation) Validate() error {
	return cmp.Or(
		exchange.CheckCode("type", r.Type),
		exchange.CheckAgency("agency", r.Agency),
		exchange.CheckCode("reason", r.Reason),
	)
}

// Validate implements kernel.Validator.
func (r Issue) Validate() error {
	return cmp.Or(
		exchange.CheckCode("type", r.Type),
		exchange.CheckSubject("subject", r.Subject),
		optional(r.Case, func() error { return exchange.CheckIdentifier("case", r.Case) }),
		commitment.Check("commitment", r.Commitment),
		CheckValidity("valid_from", r.From, "valid_until", r.Until),
	)
}

// Validate implements kernel.Validator.
func (r Change) Validate() error {
	err := exchange.CheckIdentifier("certificate", r.Certificate)
	switch {
	case err != nil:
		return err
	case r.Reason == "":
		return fault.Field("reason", "required", "say why")
	case !slices.Contains(Reasons, r.Reason):
		return fault.Field("reason", "one_of:"+strings.Join(Reasons, ","), "use one of the listed reasons")
	}
	return nil
}

// Validate implements kernel.Validator.
func (r Verify) Validate() error {
	err := cmp.Or(
		exchange.CheckIdentifier("certificate", r.Certificate),
		optional(r.Commitment, func() error { return commitment.Check("commitment", r.Commitment) }),
	)
	if err == nil && !r.At.IsZero() {
		err = CheckTime("at", r.At)
	}
	return err
}

// CheckValidity checks when a certificate or accreditation is valid. until may be zero: without end.
func CheckValidity(fromField string, from time.Time, untilField string, until time.Time) error {
	if err := CheckTime(fromField, from); err != nil || until.IsZero() {
		return err
	}
	if err := CheckTime(untilField, until); err != nil {
		return err
	}
	if !until.After(from) {
		return fault.Field(untilField, "after:"+fromField, "let the validity end after it begins")
	}
	return nil
}

// CheckTime checks a time: present, in UTC, in whole milliseconds as the ledger's own times are, and not absurd.
func CheckTime(field string, t time.Time) error {
	if t.IsZero() {
		return fault.Field(field, "required", "send this time")
	}
	if _, offset := t.Zone(); offset != 0 || !t.Equal(t.Truncate(time.Millisecond)) {
		return fault.Field(field, "utc_milliseconds", "send RFC 3339 in UTC with at most three decimals")
	}
	if t.Year() < MinYear || t.Year() > MaxYear {
		return fault.Field(field, fmt.Sprintf("years:%d,%d", MinYear, MaxYear), "check the year")
	}
	return nil
}

func optional(value string, check func() error) error {
	if value == "" {
		return nil
	}
	return check()
}
