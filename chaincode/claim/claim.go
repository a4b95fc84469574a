// Package claim judges statements about a field of a record without handing the field over: "the area is at least 50", "the
// status is one of these". Whoever holds the value judges; whoever asks learns yes, no or unknown, and nothing else.
//
// A field has one of a dataset's types, and each kind of claim is for some of them:
//
//	equals                string, integer, boolean, date
//	member_of             string, integer, date; the value is a list
//	at_least, at_most     integer; both include the value
//	before, after         date; both exclude it
//
// Invariants: what is not known is unknown and never no: no record, no value, a value of another type, a database that did not
// answer. No fault repeats a value. Judging depends on nothing but the claim, the type and the value.
//
// Strings are equal if their Unicode normalisation form C is (UAX #15): the same text in two encodings is the same text. Nothing
// else is folded, neither case nor full-width digits nor compatibility characters: registers keep those apart.
package claim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Limits of a question. A question with many bounds on one field would find its value out; with MaxBounds it takes a question
// for every halving, and each has a number in the subject's log.
const (
	MaxClaims  = 8
	MaxBounds  = 2 // claims on one field that order it: a lower and an upper bound
	MaxMembers = 32
	MaxText    = 512 // characters of a string
)

// What a claim says of its field.
const (
	Equals   = "equals"
	MemberOf = "member_of"
	AtLeast  = "at_least"
	AtMost   = "at_most"
	Before   = "before"
	After    = "after"
)

// kinds are the types of field each claim is for.
var kinds = map[string][]string{
	Equals: {"string", "integer", "boolean", "date"}, MemberOf: {"string", "integer", "date"},
	AtLeast: {"integer"}, AtMost: {"integer"}, Before: {"date"}, After: {"date"},
}

// Answers.
const (
	Yes     = "yes"
	No      = "no"
	Unknown = "unknown"
)

// Reasons for unknown that the value itself gives. Whoever cannot get at the value has others.
const (
	NoValue       = "no_value"       // the record has no value there
	NotComparable = "not_comparable" // it has one of another type
)

// Claim is a statement about one field.
type Claim struct {
	Field string          `json:"field" min:"1" max:"64" doc:"The field of the dataset the claim is about."`
	Is    string          `json:"is" enum:"equals,member_of,at_least,at_most,before,after" doc:"What is claimed of it: at_least and at_most include the value, before and after do not."`
	Value json.RawMessage `json:"value" doc:"Of the field's type; for member_of a list."`
}

// Verdict is the answer to a claim.
type Verdict struct {
	Verdict string `json:"verdict" doc:"yes, no or unknown."`
	Reason  string `json:"reason,omitempty" doc:"Why it is unknown."`
}

// Check says whether claims may be asked together. kindOf gives a field's type, "" for one there is not.
func Check(claims []Claim, kindOf func(field string) string) error {
	if len(claims) == 0 || len(claims) > MaxClaims {
		return fault.Field("claims", fmt.Sprintf("length:1,%d", MaxClaims), "ask between one and this many claims")
	}
	bounds := map[string]int{}
	for i, c := range claims {
		at := fmt.Sprintf("claims[%d]", i)
		kind := kindOf(c.Field)
		if kind == "" {
			return fault.Field(at+".field", "one_of:dataset.fields", "name a field of the dataset")
		}
		fits, known := kinds[c.Is]
		if !known {
			return fault.Field(at+".is", "one_of:[equals member_of at_least at_most before after]", "use one of the values listed")
		}
		if !slices.Contains(fits, kind) {
			return fault.Field(at+".is", "fits:"+kind, "this cannot be claimed of a field of this type")
		}
		if c.Is != Equals && c.Is != MemberOf {
			if bounds[c.Field]++; bounds[c.Field] > MaxBounds {
				return fault.Field(at+".is", fmt.Sprintf("max_bounds:%d", MaxBounds), "ask for at most one lower and one upper bound of a field")
			}
		}
		if err := c.check(kind); err != nil {
			return fault.Under(at, err)
		}
	}
	return nil
}

func (c Claim) check(kind string) error {
	if c.Is != MemberOf {
		if _, ok := parse(c.Value, kind); !ok {
			return fault.Field("value", "type:"+kind, "claim a value of the field's type")
		}
		return nil
	}
	var members []json.RawMessage
	if json.Unmarshal(c.Value, &members) != nil || len(members) == 0 || len(members) > MaxMembers {
		return fault.Field("value", fmt.Sprintf("length:1,%d", MaxMembers), "list between one and this many values")
	}
	for i, m := range members {
		if _, ok := parse(m, kind); !ok {
			return fault.Field(fmt.Sprintf("value[%d]", i), "type:"+kind, "claim values of the field's type")
		}
	}
	return nil
}

// Judge answers a claim that was checked, about a value of the type kind. null is no value.
func (c Claim) Judge(kind string, value json.RawMessage) Verdict {
	if len(value) == 0 || string(bytes.TrimSpace(value)) == "null" {
		return Verdict{Unknown, NoValue}
	}
	has, ok := parse(value, kind)
	if !ok {
		return Verdict{Unknown, NotComparable}
	}
	if c.Is == MemberOf {
		var members []json.RawMessage
		if json.Unmarshal(c.Value, &members) != nil {
			return Verdict{Unknown, NotComparable}
		}
		return answer(slices.ContainsFunc(members, func(m json.RawMessage) bool {
			member, ok := parse(m, kind)
			return ok && has == member
		}))
	}
	want, ok := parse(c.Value, kind)
	if !ok {
		return Verdict{Unknown, NotComparable}
	}
	switch c.Is {
	case Equals:
		return answer(has == want)
	case AtLeast:
		return answer(has.number >= want.number)
	case AtMost:
		return answer(has.number <= want.number)
	case Before:
		return answer(has.text < want.text)
	case After:
		return answer(has.text > want.text)
	}
	return Verdict{Unknown, NotComparable}
}

func answer(holds bool) Verdict {
	if holds {
		return Verdict{Verdict: Yes}
	}
	return Verdict{Verdict: No}
}

// value is one of the four types. A day stands as its text, which sorts as days do.
type value struct {
	text   string
	number int64
	truth  bool
}

// parse reads a value of a type strictly. An integer is one that JSON carries unchanged (RFC 7493), a date is YYYY-MM-DD.
func parse(raw json.RawMessage, kind string) (v value, ok bool) {
	switch kind {
	case "integer":
		number, err := canonical.Transform(raw) // 1.0 and 1e0 are 1
		if err != nil || json.Unmarshal(number, &v.number) != nil || string(bytes.TrimSpace(raw)) == "null" {
			return v, false
		}
		return v, v.number <= canonical.MaxSafeInteger && v.number >= -canonical.MaxSafeInteger
	case "boolean":
		text := string(bytes.TrimSpace(raw))
		return value{truth: text == "true"}, text == "true" || text == "false"
	case "string", "date":
		var text *string
		if !utf8.Valid(raw) || json.Unmarshal(raw, &text) != nil || text == nil {
			return v, false
		}
		if kind == "date" {
			_, err := time.Parse(time.DateOnly, *text)
			return value{text: *text}, err == nil
		}
		return value{text: norm.NFC.String(*text)}, utf8.RuneCountInString(*text) <= MaxText
	}
	return v, false
}

// Values are claims as the values of a document (commitment.Document), whose commitment goes on the ledger: c0, c1, …
func Values[T Claim | Verdict](all []T) (map[string]json.RawMessage, error) {
	values := make(map[string]json.RawMessage, len(all))
	for i, one := range all {
		raw, err := canonical.Marshal(one)
		if err != nil {
			return nil, fault.Field(fmt.Sprintf("claims[%d]", i), "json", "send the value as JSON")
		}
		values[name(i)] = raw
	}
	return values, nil
}

// FromDocument is the reverse of Values.
func FromDocument[T Claim | Verdict](d commitment.Document) ([]T, error) {
	if len(d.Fields) == 0 || len(d.Fields) > MaxClaims {
		return nil, fault.Field("fields", fmt.Sprintf("length:1,%d", MaxClaims), "a question has between one and this many claims")
	}
	all := make([]T, len(d.Fields))
	for i, field := range d.Fields {
		if field.Name != name(i) || canonical.Decode(field.Value, &all[i]) != nil {
			return nil, fault.Field(fmt.Sprintf("fields[%d]", i), "claim", "send the document that was made of the claims")
		}
	}
	return all, nil
}

// name is the i-th claim's: one digit is enough for MaxClaims, so that the order of names is that of claims.
func name(i int) string { return fmt.Sprintf("c%d", i) }

// Fields are the names of the fields that claims are about, sorted, each once.
func Fields(claims []Claim) []string {
	var names []string
	for _, c := range claims {
		names = append(names, c.Field)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
