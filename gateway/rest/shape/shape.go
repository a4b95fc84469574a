// Package shape describes Go types as JSON: which members an object has, which of them must be there, and which limits
// their tags set. A shape checks a document before it is decoded, so that a fault can name the exact member and the rule it
// breaks, and is shown as a JSON Schema in the OpenAPI document: one description for both, so they cannot disagree.
//
// Names and omission follow encoding/json. A member is required unless it is a pointer or has omitempty or omitzero. Tags
// for limits: min, max, pattern, enum; for documents: doc, example, format.
package shape

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is what a JSON value is.
type Kind string

// Kinds as JSON Schema names them; Any has no restriction, Map is an object with free names.
const (
	String  Kind = "string"
	Integer Kind = "integer"
	Number  Kind = "number"
	Boolean Kind = "boolean"
	Array   Kind = "array"
	Object  Kind = "object"
	Map     Kind = "map"
	Any     Kind = "any"
)

// Shape is one type.
type Shape struct {
	Kind    Kind
	Type    reflect.Type // the Go type, pointers removed
	Format  string       // date-time, byte; or the field's format tag
	Items   *Shape       // of an Array or a Map
	Members []Member     // of an Object, in the order of the Go fields
}

// Member is one member of an object.
type Member struct {
	Name     string
	Required bool
	Shape    *Shape
	Limits   Limits
	Source   string // the Go field it is: "exchange.Dataset.Fields"
}

// Limits are what a field's tags say.
type Limits struct {
	Min, Max *int64 // string length in characters, items, or value
	Pattern  *regexp.Regexp
	Enum     []string
	Format   string
	Doc      string
	Example  string
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

var cache sync.Map // reflect.Type → *Shape, complete ones only

// Of gives the shape of a type. It panics for types that JSON cannot carry: a mistake in a route, found by every test.
func Of(t reflect.Type) *Shape {
	if s, ok := cache.Load(t); ok {
		return s.(*Shape)
	}
	s := build(t, map[reflect.Type]*Shape{})
	cache.Store(t, s)
	return s
}

// build makes the shape of a type; seen ends recursion.
func build(t reflect.Type, seen map[reflect.Type]*Shape) *Shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	t = shown(t)
	if s, ok := seen[t]; ok {
		return s
	}
	s := &Shape{Type: t}
	seen[t] = s
	switch {
	case t == timeType:
		s.Kind, s.Format = String, "date-time"
	case t == rawType || t.Kind() == reflect.Interface:
		s.Kind = Any
	case reflect.PointerTo(t).Implements(unmarshalerType):
		s.Kind = Any
	case reflect.PointerTo(t).Implements(textType):
		s.Kind = String
	default:
		s.fill(t, seen)
	}
	return s
}

// shown is the type as which a type is described: a struct that adds only what it keeps to itself to the one that it embeds
// looks like that one.
func shown(t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Struct || t.NumField() < 2 || !t.Field(0).Anonymous || t.Field(0).Type.Kind() != reflect.Struct {
		return t
	}
	for i := 1; i < t.NumField(); i++ {
		if f := t.Field(i); f.IsExported() || f.Anonymous {
			return t
		}
	}
	return t.Field(0).Type
}

func (s *Shape) fill(t reflect.Type, seen map[reflect.Type]*Shape) {
	switch t.Kind() {
	case reflect.String:
		s.Kind = String
	case reflect.Bool:
		s.Kind = Boolean
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.Kind = Integer
	case reflect.Float32, reflect.Float64:
		s.Kind = Number
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			s.Kind, s.Format = String, "byte"
			return
		}
		s.Kind, s.Items = Array, build(t.Elem(), seen)
	case reflect.Map:
		s.Kind, s.Items = Map, build(t.Elem(), seen)
	case reflect.Struct:
		s.Kind = Object
		s.Members = members(t, seen)
	default:
		panic(fmt.Sprintf("shape: %s cannot be JSON", t))
	}
}

// Outside are the tags of fields that are bound from elsewhere than the body.
var Outside = []string{"path", "query", "header"}

// members lists a struct's members as encoding/json would write them; fields bound from elsewhere are not among them.
func members(t reflect.Type, seen map[reflect.Type]*Shape) []Member {
	var list []Member
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" || slices.ContainsFunc(Outside, func(o string) bool { return f.Tag.Get(o) != "" }) {
			continue
		}
		if f.Anonymous && name == "" {
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				for _, m := range members(inner, seen) {
					list = put(list, m, false)
				}
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		optional := f.Type.Kind() == reflect.Pointer || strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		list = put(list, Member{Name: name, Required: !optional, Shape: build(f.Type, seen), Limits: LimitsOf(f), Source: Source(t) + "." + f.Name}, true)
	}
	return list
}

// Source is a Go type's name as its source has it: "exchange.Dataset".
func Source(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[") // without type arguments
	return t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:] + "." + name
}

// put adds a member; a struct's own field hides a promoted one of the same name.
func put(list []Member, m Member, own bool) []Member {
	i := slices.IndexFunc(list, func(x Member) bool { return x.Name == m.Name })
	switch {
	case i < 0:
		return append(list, m)
	case own:
		list[i] = m
	}
	return list
}

// LimitsOf reads a field's tags. It panics on a tag that cannot be understood.
func LimitsOf(f reflect.StructField) Limits {
	l := Limits{Format: f.Tag.Get("format"), Doc: f.Tag.Get("doc"), Example: f.Tag.Get("example")}
	number := func(tag string) *int64 {
		text := f.Tag.Get(tag)
		if text == "" {
			return nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("shape: tag %s of %s is not an integer", tag, f.Name))
		}
		return &n
	}
	l.Min, l.Max = number("min"), number("max")
	if p := f.Tag.Get("pattern"); p != "" {
		l.Pattern = regexp.MustCompile(p)
	}
	if e := f.Tag.Get("enum"); e != "" {
		l.Enum = strings.Split(e, ",")
	}
	return l
}

// member finds a member by its exact name.
func (s *Shape) member(name string) (Member, bool) {
	for _, m := range s.Members {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}
