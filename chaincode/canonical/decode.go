package canonical

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Decode reads one JSON document into v and accepts nothing that v's type does not say: unknown members, wrong types,
// names in another case, duplicates, absent required members and trailing text are faults that name the field and the
// rule. Optional members (omitempty) that are empty must be absent, so that a content has one form.
func Decode(raw []byte, v any) error { return decode(raw, v, MaxDepth) }

// DecodeEnvelope is Decode for what documents are put into: it may be nested EnvelopeDepth deeper.
func DecodeEnvelope(raw []byte, v any) error { return decode(raw, v, MaxDepth+EnvelopeDepth) }

func decode(raw []byte, v any, maxDepth int) error {
	canon, err := transform(raw, maxDepth)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(canon))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return asFault(err, canon, v)
	}
	back, err := Marshal(v)
	if err != nil {
		return err
	}
	if bytes.Equal(back, canon) {
		return nil
	}
	return difference(canon, back)
}

// asFault words a decoding error as a fault.
func asFault(err error, raw []byte, v any) error {
	if name, ok := strings.CutPrefix(err.Error(), `json: unknown field "`); ok {
		return unknown(pathOf(strings.TrimSuffix(name, `"`), raw, v))
	}
	var f *fault.Fault
	if errors.As(err, &f) { // from a type's own UnmarshalJSON
		return f
	}
	path, kind := locate(raw, reflect.TypeOf(v), "")
	return fault.Field(safeName(path), "type:"+jsonType(kind), "send the type that is documented for this member")
}

// pathOf finds where an unknown member stands: among those that do not survive a lenient decoding.
func pathOf(name string, raw []byte, v any) string {
	lenient := reflect.New(reflect.TypeOf(v).Elem()).Interface()
	if json.Unmarshal(raw, lenient) != nil {
		return name
	}
	back, err := Marshal(lenient)
	if err != nil {
		return name
	}
	var sent, understood any
	if json.Unmarshal(raw, &sent) != nil || json.Unmarshal(back, &understood) != nil {
		return name
	}
	if path, found := dropped(name, sent, understood, ""); found {
		return path
	}
	return name
}

func dropped(name string, sent, understood any, path string) (string, bool) {
	switch l := sent.(type) {
	case map[string]any:
		r, ok := understood.(map[string]any)
		if !ok {
			return "", false
		}
		if _, here := l[name]; here {
			if _, kept := r[name]; !kept {
				return join(path, name), true
			}
		}
		for _, member := range slices.Sorted(maps.Keys(l)) {
			if found, ok := dropped(name, l[member], r[member], join(path, member)); ok {
				return found, true
			}
		}
	case []any:
		r, ok := understood.([]any)
		if !ok || len(r) != len(l) {
			return "", false
		}
		for i := range l {
			if found, ok := dropped(name, l[i], r[i], fmt.Sprintf("%s[%d]", path, i)); ok {
				return found, true
			}
		}
	}
	return "", false
}

func unknown(path string) error {
	return fault.Field(safeName(path), "unknown_field", "leave out members the function does not define, and spell the others as documented")
}

var (
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	timeType    = reflect.TypeFor[time.Time]()
)

// locate finds the first member, in the order of the type's fields, that does not fit its type.
func locate(raw []byte, t reflect.Type, path string) (string, reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return path, t
	}
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return path, t
		}
		for _, field := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			member, present := members[name]
			if present && name != "" && json.Unmarshal(member, reflect.New(field.Type).Interface()) != nil {
				return locate(member, field.Type, join(path, name))
			}
		}
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		if json.Unmarshal(raw, &elements) != nil {
			return path, t
		}
		for i, element := range elements {
			if json.Unmarshal(element, reflect.New(t.Elem()).Interface()) != nil {
				return locate(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
			}
		}
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return path, t
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if json.Unmarshal(members[name], reflect.New(t.Elem()).Interface()) != nil {
				return locate(members[name], t.Elem(), join(path, name))
			}
		}
	}
	return path, t
}

func jsonType(t reflect.Type) string {
	if t == timeType {
		return "date-time"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Float32, reflect.Float64:
		return "number"
	default:
		return "integer"
	}
}

// difference words as a fault the first difference between what was sent and what was understood, both canonical.
func difference(sent, understood []byte) error {
	var left, right any
	if json.Unmarshal(sent, &left) != nil || json.Unmarshal(understood, &right) != nil {
		return malformed().fault()
	}
	if err := compare(left, right, ""); err != nil {
		return err
	}
	return fault.Field("", "canonical", "send each value in the one form that is documented for it")
}

func compare(sent, understood any, path string) error {
	switch l := sent.(type) {
	case map[string]any:
		if r, ok := understood.(map[string]any); ok {
			return compareMembers(l, r, path)
		}
	case []any:
		if r, ok := understood.([]any); ok && len(l) == len(r) {
			for i := range l {
				if err := compare(l[i], r[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
					return err
				}
			}
			return nil
		}
	default:
		if sent == understood {
			return nil
		}
	}
	if sent == nil {
		return fault.Field(safeName(path), "not_null", "send a value, or leave the member out")
	}
	return fault.Field(safeName(path), "canonical", "send the value in the one form that is documented for this member")
}

func compareMembers(sent, understood map[string]any, path string) error {
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		child := join(path, name)
		value, kept := understood[name]
		if kept {
			if err := compare(sent[name], value, child); err != nil {
				return err
			}
			continue
		}
		for other := range understood {
			if strings.EqualFold(name, other) {
				return unknown(child)
			}
		}
		return fault.Field(safeName(child), "omit_empty", "leave an optional member out where it has no value")
	}
	for _, name := range slices.Sorted(maps.Keys(understood)) {
		if _, present := sent[name]; !present {
			return fault.Field(safeName(join(path, name)), "required", "send this member")
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
