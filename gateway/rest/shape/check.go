package shape

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// maxName bounds a member name that is repeated in a fault; a longer or odd one may be data and is not repeated.
const maxName = 64

// Decode checks one JSON document against the shape and decodes it into v, a pointer to the shape's type. What a ledger
// would refuse as not canonical is welcome here (order of members, white space, null for an optional member); what has no
// meaning is not: unknown and duplicate members, wrong types, values beyond a limit, text after the document.
// Faults: request.invalid naming field and rule.
func (s *Shape) Decode(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := s.walk(dec, "", Limits{}, true, 0); err != nil {
		return wording(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.Field("", "single_document", "send one JSON document and nothing after it")
	}
	if err := json.Unmarshal(raw, v); err != nil { // what only the type itself can judge
		return wording(err)
	}
	return nil
}

// wording turns a decoder's error into a fault without repeating what was sent.
func wording(err error) error {
	if f := new(fault.Fault); errors.As(err, &f) {
		return f
	}
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		return fault.Field(wrong.Field, "type", "send the value as documented")
	}
	return fault.Field("", "json", "send one well-formed JSON document (RFC 8259)")
}

// walk checks the next value. required says whether null is refused.
func (s *Shape) walk(dec *json.Decoder, path string, limits Limits, required bool, depth int) error {
	if depth > canonical.MaxDepth {
		return fault.Field(path, fmt.Sprintf("max_depth:%d", canonical.MaxDepth), "nest less deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if token == nil {
		if required && s.Kind != Any {
			return fault.Field(path, "required", "send a value instead of null")
		}
		return nil
	}
	wrong := fault.Field(path, "type:"+s.typeName(), "send a value of this type")
	switch t := token.(type) {
	case json.Delim:
		switch {
		case t == '{' && (s.Kind == Object || s.Kind == Map || s.Kind == Any):
			return s.object(dec, path, limits, depth)
		case t == '[' && (s.Kind == Array || s.Kind == Any):
			return s.array(dec, path, limits, depth)
		}
		return wrong
	case string:
		if s.Kind != String && s.Kind != Any {
			return wrong
		}
		if !required && t == "" && s.Format == "" {
			return nil // an explicit empty optional member
		}
		return s.CheckText(path, t, limits)
	case bool:
		if s.Kind != Boolean && s.Kind != Any {
			return wrong
		}
	case json.Number:
		return s.number(t, path, limits, wrong)
	}
	return nil
}

func (s *Shape) typeName() string {
	if s.Kind == Map {
		return string(Object)
	}
	return string(s.Kind)
}

func (s *Shape) number(n json.Number, path string, limits Limits, wrong error) error {
	if s.Kind != Integer && s.Kind != Number && s.Kind != Any {
		return wrong
	}
	if strings.ContainsAny(string(n), ".eE") {
		if s.Kind == Integer {
			return wrong
		}
		return nil
	}
	i, err := n.Int64()
	if err != nil || i > canonical.MaxSafeInteger || i < -canonical.MaxSafeInteger {
		return fault.Field(path, "safe_integer", "send integers beyond 2^53-1 as strings")
	}
	return CheckInteger(path, i, limits)
}

func (s *Shape) object(dec *json.Decoder, path string, limits Limits, depth int) error {
	seen := make(map[string]bool, len(s.Members))
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		field := Join(path, name)
		if seen[name] {
			return fault.Field(field, "unique_name", "name each member once")
		}
		seen[name] = true
		inner, required, innerLimits := s.Items, true, Limits{}
		switch s.Kind {
		case Object:
			m, known := s.member(name)
			if !known {
				return fault.Field(field, "unknown", "leave out members that are not documented")
			}
			inner, required, innerLimits = m.Shape, m.Required, m.Limits
		case Any:
			inner, required = s, false
		}
		if err := inner.walk(dec, field, innerLimits, required, depth+1); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	for _, m := range s.Members {
		if m.Required && !seen[m.Name] {
			return fault.Field(Join(path, m.Name), "required", "send this member")
		}
	}
	if s.Kind == Map {
		return count(path, len(seen), limits, "members")
	}
	return nil
}

func (s *Shape) array(dec *json.Decoder, path string, limits Limits, depth int) error {
	inner, required := s.Items, true
	if s.Kind == Any {
		inner, required = s, false
	}
	n := 0
	for ; dec.More(); n++ {
		// limits of an array bound its length; pattern and enum are for its items
		if err := inner.walk(dec, fmt.Sprintf("%s[%d]", path, n), Limits{Pattern: limits.Pattern, Enum: limits.Enum}, required, depth+1); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	return count(path, n, limits, "items")
}

func count(path string, n int, limits Limits, what string) error {
	switch {
	case limits.Max != nil && int64(n) > *limits.Max:
		return fault.Field(path, fmt.Sprintf("max_%s:%d", what, *limits.Max), "send fewer "+what)
	case limits.Min != nil && int64(n) < *limits.Min:
		return fault.Field(path, fmt.Sprintf("min_%s:%d", what, *limits.Min), "send more "+what)
	}
	return nil
}

// CheckInteger judges an integer by its limits.
func CheckInteger(path string, i int64, limits Limits) error {
	switch {
	case limits.Min != nil && i < *limits.Min:
		return fault.Field(path, fmt.Sprintf("min:%d", *limits.Min), "send a larger number")
	case limits.Max != nil && i > *limits.Max:
		return fault.Field(path, fmt.Sprintf("max:%d", *limits.Max), "send a smaller number")
	}
	return nil
}

// CheckText judges a string by the shape's format and the limits.
func (s *Shape) CheckText(path, text string, limits Limits) error {
	length := int64(utf8.RuneCountInString(text))
	switch {
	case limits.Min != nil && length < *limits.Min && text == "":
		return fault.Field(path, "required", "send a value")
	case limits.Min != nil && length < *limits.Min:
		return fault.Field(path, fmt.Sprintf("min_length:%d", *limits.Min), "send a longer text")
	case limits.Max != nil && length > *limits.Max:
		return fault.Field(path, fmt.Sprintf("max_length:%d", *limits.Max), "send a shorter text")
	case len(limits.Enum) > 0 && !slices.Contains(limits.Enum, text):
		return fault.Field(path, "one_of:"+strings.Join(limits.Enum, ","), "send one of these values")
	case limits.Pattern != nil && !limits.Pattern.MatchString(text):
		return fault.Field(path, "pattern:"+limits.Pattern.String(), "send a text of this form")
	}
	if s.Format == "date-time" {
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return fault.Field(path, "format:date-time", "send times as RFC 3339, such as 2026-03-01T09:30:00Z")
		}
	}
	return nil
}

// Join adds a member's name to a path. A name that does not look like one may be data and is not repeated.
func Join(path, name string) string {
	if len(name) > maxName || name == "" {
		name = "?"
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
		default:
			name = "?"
		}
		if name == "?" {
			break
		}
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
