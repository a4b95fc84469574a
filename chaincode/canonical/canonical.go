// Package canonical has the one JSON form that is hashed, signed and stored: RFC 8785 (JCS). Two programs that hold the
// same content hold the same bytes.
package canonical

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/gowebpki/jcs"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// MaxSafeInteger is the largest integer a JSON number carries without change (RFC 8785 §3.2.2.3). Larger ones travel as strings.
const MaxSafeInteger = 1<<53 - 1

// MaxDepth bounds the nesting of a document.
const MaxDepth = 32

// Marshal gives v's canonical form.
func Marshal(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Transform(raw)
}

// Transform gives a JSON text's canonical form. It refuses numbers that would change silently, duplicate names and texts
// nested deeper than MaxDepth.
func Transform(raw []byte) ([]byte, error) {
	if err := check(raw); err != nil {
		return nil, err
	}
	return jcs.Transform(raw)
}

// Digest is the lower-case hexadecimal SHA-256 of v's canonical form, 64 characters.
func Digest(v any) (string, error) {
	raw, err := Marshal(v)
	if err != nil {
		return "", err
	}
	return Sum(raw), nil
}

// Sum is the lower-case hexadecimal SHA-256 of raw.
func Sum(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Decode reads one JSON document into v and accepts nothing that v's type does not say: unknown members, wrong types,
// names in another case, duplicates and trailing text are faults that name the field and the rule. Absent optional
// members must be absent, not empty, so that a content has one form.
func Decode(raw []byte, v any) error {
	canon, err := Transform(raw)
	if err != nil {
		return asFault(err)
	}
	dec := json.NewDecoder(bytes.NewReader(canon))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return asFault(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.Field("", "single_document", "send one JSON document")
	}
	back, err := Marshal(v)
	if err != nil {
		return asFault(err)
	}
	if !bytes.Equal(back, canon) {
		return fault.Field(firstDifference(canon, back), "canonical", "send only the members the function defines, spelt as documented, and leave empty optional ones out")
	}
	return nil
}

// ruleError is a broken rule of form with the path where it is broken.
type ruleError struct{ path, rule, detail string }

func (e *ruleError) Error() string { return e.rule + " at " + e.path }

// check walks the text once for what the standard library accepts silently.
func check(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := walk(dec, "", 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &ruleError{"", "single_document", "send one JSON document"}
	}
	return nil
}

func walk(dec *json.Decoder, path string, depth int) error {
	if depth > MaxDepth {
		return &ruleError{path, fmt.Sprintf("max_depth:%d", MaxDepth), "nest less deeply"}
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Number:
		return checkNumber(t, path)
	case json.Delim:
		if t == '[' {
			for i := 0; dec.More(); i++ {
				if err := walk(dec, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
					return err
				}
			}
		} else {
			seen := map[string]bool{}
			for dec.More() {
				nameToken, err := dec.Token()
				if err != nil {
					return err
				}
				name, _ := nameToken.(string)
				child := join(path, name)
				if seen[name] {
					return &ruleError{child, "unique_name", "name each member once"}
				}
				seen[name] = true
				if err := walk(dec, child, depth+1); err != nil {
					return err
				}
			}
		}
		_, err := dec.Token() // the closing delimiter
		return err
	}
	return nil
}

func checkNumber(n json.Number, path string) error {
	if strings.ContainsAny(string(n), ".eE") {
		return nil
	}
	i, err := n.Int64()
	if err != nil || i > MaxSafeInteger || i < -MaxSafeInteger {
		return &ruleError{path, "safe_integer", "send integers beyond 2^53-1 as strings"}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// asFault words a decoding error as a fault without echoing values. Member names are echoed only if they look like names.
func asFault(err error) error {
	var f *fault.Fault
	var rule *ruleError
	var typeErr *json.UnmarshalTypeError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &rule):
		return fault.Field(safeName(rule.path), rule.rule, rule.detail)
	case errors.As(err, &typeErr):
		return fault.Field(safeName(typeErr.Field), "type:"+jsonType(typeErr.Type), "send the type that is documented for this member")
	}
	if name, ok := strings.CutPrefix(err.Error(), `json: unknown field "`); ok {
		return fault.Field(safeName(strings.TrimSuffix(name, `"`)), "unknown_field", "leave out members the function does not define")
	}
	if strings.Contains(err.Error(), "parsing time") || strings.Contains(err.Error(), "Time.UnmarshalJSON") {
		return fault.Field("", "type:date-time", "send times as RFC 3339 in UTC")
	}
	return fault.Field("", "json", "send one well-formed JSON document (RFC 8259)")
}

// maxEchoedName bounds a member name repeated in a fault; a longer or odd one may be data, and is not repeated.
const maxEchoedName = 120

func safeName(name string) string {
	if len(name) > maxEchoedName {
		return ""
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-[]", r):
		default:
			return ""
		}
	}
	return name
}

func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "object"
	default:
		return "number"
	}
}

// firstDifference names the first top-level member that differs between two canonical objects, for the fault's field.
func firstDifference(a, b []byte) string {
	var left, right map[string]json.RawMessage
	if json.Unmarshal(a, &left) != nil || json.Unmarshal(b, &right) != nil {
		return ""
	}
	first := ""
	for name, value := range left {
		if other, ok := right[name]; !ok || !bytes.Equal(value, other) {
			if first == "" || name < first {
				first = name
			}
		}
	}
	return safeName(first)
}
