package exchange

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// Limits of form.
const (
	MaxNameLength     = 100 // characters of a name in one language
	MaxLegalBasis     = 200 // characters
	MaxGatewayLength  = 200 // bytes
	MaxCodeLength     = 64
	MaxDatasetLength  = 128 // of an id: agency, slash and code
	MaxDigits         = 8   // digits in a row in a text or code: a date fits, an identity or telephone number does not
	MaxDatasetFields  = 128
	MaxSelectorFields = 8
	MaxPurposes       = 32
	MaxGrantPeriod    = 5 * 366 * 24 * time.Hour
	MaxConsentPeriod  = 366 * 24 * time.Hour
	MaxConsentUses    = 100
	DeliveryPeriod    = 72 * time.Hour // from the request of a use to the last moment of its delivery
)

// Forms of identifiers. A pseudonym is longer than any identity number (18 characters), so that none can be sent in its
// place by mistake.
var (
	agencyForm     = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}\.[a-z][a-z0-9-]{0,30}$`)
	agencyCodeForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	codeForm       = regexp.MustCompile(`^[a-z][a-z0-9]*([._-][a-z0-9]+)*$`)
	datasetForm    = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}\.[a-z][a-z0-9-]{0,30}/[a-z][a-z0-9]*([._-][a-z0-9]+)*$`)
	fieldForm      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	pseudonymForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{20,64}$`)
	identifierForm = regexp.MustCompile(kernel.IDForm)
	thumbprintForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	nonceForm      = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)
)

// CheckAgency checks the form of an agency id, {organisation}.{code}.
func CheckAgency(field, id string) error {
	return match(field, id, agencyForm, "name an agency as {organisation}.{code}")
}

// CheckDataset checks the form of a dataset id, {agency}/{code}.
func CheckDataset(field, id string) error {
	if len(id) > MaxDatasetLength {
		return tooLong(field, MaxDatasetLength)
	}
	return match(field, id, datasetForm, "name a dataset as {agency}/{code}")
}

// CheckCode checks the form of a code: a dataset's, a purpose, a reason.
func CheckCode(field, code string) error {
	if len(code) > MaxCodeLength {
		return tooLong(field, MaxCodeLength)
	}
	if longestNumber(code) > MaxDigits {
		return tooManyDigits(field)
	}
	return match(field, code, codeForm, "use a code of lower-case letters and digits joined by . _ or -")
}

// CheckSubject checks the form of a pseudonym.
func CheckSubject(field, pseudonym string) error {
	return match(field, pseudonym, pseudonymForm, "send the pseudonym that the portal makes, never a number or name of the person")
}

// CheckIdentifier checks the form of the id of a case, grant, consent or use.
func CheckIdentifier(field, id string) error {
	return match(field, id, identifierForm, "use the id that was given when the record was made")
}

// CheckText checks a text for people: present, short, printable, and without runs of digits that could be somebody's number.
func CheckText(field, text string, limit int) error {
	if text == "" {
		return required(field)
	}
	if utf8.RuneCountInString(text) > limit {
		return tooLong(field, limit)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fault.Field(field, "printable", "use printable characters and plain spaces only")
	}
	if longestNumber(text) > MaxDigits {
		return tooManyDigits(field)
	}
	return nil
}

// longestNumber is the length of the longest run of digits.
func longestNumber(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		run++
		if !unicode.IsDigit(r) {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

func tooManyDigits(field string) error {
	return fault.Field(field, fmt.Sprintf("max_digits:%d", MaxDigits), "leave out numbers of persons, documents and telephones")
}

// CheckLegalBasis checks the citation of the rule that allows a use.
func CheckLegalBasis(field, basis string) error { return CheckText(field, basis, MaxLegalBasis) }

// CheckPeriod checks a period: both ends given, in UTC and whole milliseconds, in order and not longer than limit.
func CheckPeriod(fromField string, from time.Time, untilField string, until time.Time, limit time.Duration) error {
	if err := cmp.Or(checkTime(fromField, from), checkTime(untilField, until)); err != nil {
		return err
	}
	if !until.After(from) {
		return fault.Field(untilField, "after:"+fromField, "let the period end after it begins")
	}
	if until.Sub(from) > limit {
		return fault.Field(untilField, fmt.Sprintf("max_days:%d", limit/(24*time.Hour)), "make the period shorter")
	}
	return nil
}

func checkTime(field string, t time.Time) error {
	if t.IsZero() {
		return required(field)
	}
	if _, offset := t.Zone(); offset != 0 || !t.Equal(t.Truncate(time.Millisecond)) {
		return fault.Field(field, "utc_milliseconds", "send RFC 3339 in UTC with at most three decimals")
	}
	return nil
}

// Validate checks a name: given in both languages.
func (t Text) Validate() error {
	return cmp.Or(CheckText("zh", t.Zh, MaxNameLength), CheckText("en", t.En, MaxNameLength))
}

// Types of a field, and of a dataset's.
var (
	fieldTypes   = []string{"string", "integer", "boolean", "date"}
	datasetTypes = append(slices.Clone(fieldTypes), FileType)
)

// CheckFieldSpecs checks the fields of a certificate type: one to MaxDatasetFields, names unique, none withdrawn.
func CheckFieldSpecs(field string, specs []FieldSpec) error {
	return checkFieldSpecs(field, specs, fieldTypes, false)
}

// checkFieldSpecs checks the fields of a dataset or certificate type.
func checkFieldSpecs(field string, specs []FieldSpec, types []string, withdrawn bool) error {
	if len(specs) == 0 || len(specs) > MaxDatasetFields {
		return fault.Field(field, fmt.Sprintf("length:1,%d", MaxDatasetFields), "describe between one and this many fields")
	}
	seen := map[string]bool{}
	for i, spec := range specs {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := cmp.Or(
			match(at+".name", spec.Name, fieldForm, "name a field with lower-case letters, digits and _"),
			fault.Under(at+".title", spec.Title.Validate()),
			oneOf(at+".type", spec.Type, types),
		); err != nil {
			return err
		}
		if spec.Sensitivity != "" {
			if err := oneOf(at+".sensitivity", spec.Sensitivity, sensitivities); err != nil {
				return err
			}
		}
		if spec.Withdrawn && !withdrawn {
			return fault.Field(at+".withdrawn", "equals:false", "leave the field out")
		}
		if seen[spec.Name] {
			return fault.Field(at+".name", "unique", "name each field once")
		}
		seen[spec.Name] = true
	}
	return nil
}

// checkFieldNames checks a list of names of fields, sorted, each once.
func checkFieldNames(field string, names []string) error {
	return checkList(field, names, 1, MaxDatasetFields, func(at, name string) error {
		return match(at, name, fieldForm, "name fields as the dataset does")
	})
}

// checkList checks a sorted list without repetitions, and each of its members.
func checkList(field string, list []string, least, most int, check func(field, member string) error) error {
	if len(list) < least || len(list) > most {
		return fault.Field(field, fmt.Sprintf("length:%d,%d", least, most), "list a number of members within these limits")
	}
	for i, member := range list {
		if err := check(fmt.Sprintf("%s[%d]", field, i), member); err != nil {
			return err
		}
		if i > 0 && member <= list[i-1] {
			return fault.Field(fmt.Sprintf("%s[%d]", field, i), "sorted_unique", "sort the list and name each member once")
		}
	}
	return nil
}

// checkGateway checks the address of a gateway: https, host and nothing after it.
func checkGateway(field, address string) error {
	if address == "" {
		return required(field)
	}
	if len(address) > MaxGatewayLength {
		return tooLong(field, MaxGatewayLength)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.String() != u.Scheme+"://"+u.Host {
		return fault.Field(field, "https_origin", "send https://host or https://host:port")
	}
	return nil
}

// checkKey checks a public key; its faults name the member under field.
func checkKey(field string, key signed.Key) error {
	if key == (signed.Key{}) {
		return required(field)
	}
	_, err := key.Public()
	if err == nil {
		return nil
	}
	f := fault.From(err)
	return f.On(field+strings.TrimPrefix(f.Field, "key"), f.Rule)
}

func oneOf(field, value string, allowed []string) error {
	if value == "" {
		return required(field)
	}
	if !slices.Contains(allowed, value) {
		return fault.Field(field, fmt.Sprintf("one_of:%v", allowed), "use one of the values listed")
	}
	return nil
}

func match(field, value string, form *regexp.Regexp, detail string) error {
	if value == "" {
		return required(field)
	}
	if !form.MatchString(value) {
		return fault.Field(field, "pattern:"+form.String(), detail)
	}
	return nil
}

func required(field string) error { return fault.Field(field, "required", "this member is compulsory") }

func tooLong(field string, limit int) error {
	return fault.Field(field, fmt.Sprintf("max_length:%d", limit), "make it shorter")
}
