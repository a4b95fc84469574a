package catalogue

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
	headType = reflect.TypeFor[state.Head]()
)

// types gathers the named structures that members of others have, in the order in which they are met.
type types struct {
	order []reflect.Type
	seen  map[reflect.Type]bool
}

func newTypes() *types {
	return &types{seen: map[reflect.Type]bool{headType: true, reflect.TypeFor[state.Stamp](): true, reflect.TypeFor[state.Done](): true, reflect.TypeFor[kernel.Receipt](): true}}
}

// add gathers what is below t, not t itself: its members stand where it is mentioned.
func (n *types) add(t reflect.Type) {
	for _, m := range fields(t) {
		inner := element(m.Type)
		if inner.Kind() != reflect.Struct || inner == timeType || n.seen[inner] {
			continue
		}
		n.seen[inner] = true
		n.order = append(n.order, inner)
		n.add(inner)
	}
}

// element is what a list, a map or a pointer is of.
func element(t reflect.Type) reflect.Type {
	for t != rawType && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map) {
		t = t.Elem()
	}
	return t
}

// fields are a structure's members as JSON has them: those of an embedded structure stand with the others.
func fields(t reflect.Type) (all []reflect.StructField) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case f.Anonymous && name == "" && f.Type != headType:
			all = append(all, fields(f.Type)...)
		default:
			all = append(all, f)
		}
	}
	return all
}

// members writes a structure's members: name, "?" where it may be left out, type.
func members(t reflect.Type) string {
	var all []string
	for _, f := range fields(t) {
		if f.Type == headType {
			all = append(all, "Head")
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		optional := ""
		if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			optional = "?"
		}
		all = append(all, fmt.Sprintf("`%s`%s %s", name, optional, typeName(f.Type)))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// typeName names a type as JSON has it; a structure by its own name.
func typeName(t reflect.Type) string {
	switch {
	case t == timeType:
		return "date-time"
	case t == rawType:
		return "any JSON"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "base64"
		}
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "map to " + typeName(t.Elem())
	case reflect.Struct:
		return t.Name()
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Interface:
		return "any JSON"
	default:
		return "integer"
	}
}
