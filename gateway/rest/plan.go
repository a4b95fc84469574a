package rest

import (
	"encoding"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/rest/shape"
)

// plan says where each field of a request comes from. It is made once, when the table is loaded.
type plan struct {
	parameters []parameter
	body       *shape.Shape // nil if the request takes none
}

// parameter is a field bound from the path, the query or a header.
type parameter struct {
	In       string // path query header
	Name     string
	Required bool
	Shape    *shape.Shape
	Limits   shape.Limits
	index    []int
}

func newPlan(t reflect.Type) plan {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("rest: a request must be a struct, %s is not", t))
	}
	var p plan
	for _, f := range reflect.VisibleFields(t) {
		for _, in := range shape.Outside {
			tag := f.Tag.Get(in)
			if tag == "" {
				continue
			}
			name, option, _ := strings.Cut(tag, ",")
			q := parameter{In: in, Name: name, Shape: shape.Of(f.Type), Limits: shape.LimitsOf(f), index: f.Index}
			q.Required = in == "path" || in == "header" && option != "omitempty" || in == "query" && option == "required"
			if in == "path" && q.Limits.Min == nil {
				one := int64(1)
				q.Limits.Min = &one
			}
			if q.Shape.Kind == shape.Object || q.Shape.Kind == shape.Map || q.Shape.Kind == shape.Array && in != "query" {
				panic(fmt.Sprintf("rest: %s.%s cannot be bound from the %s", t, f.Name, in))
			}
			p.parameters = append(p.parameters, q)
		}
	}
	if s := shape.Of(t); len(s.Members) > 0 {
		p.body = s
	}
	return p
}

// bind makes a request of what came in. Faults: request.invalid, request.too_large.
func (p plan) bind(c *gin.Context, t reflect.Type, limit int64) (reflect.Value, error) {
	request := reflect.New(t)
	if err := p.bindBody(c.Request, request, limit); err != nil {
		return request, err
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return request, fault.Field("query", "query", "send a well-formed query string")
	}
	if err := p.knownQuery(query); err != nil {
		return request, err
	}
	for _, q := range p.parameters {
		var values []string
		switch q.In {
		case "path":
			values = []string{c.Param(q.Name)}
		case "query":
			values = query[q.Name]
		case "header":
			values = c.Request.Header.Values(q.Name)
		}
		if err := q.set(request.Elem().FieldByIndex(q.index), values); err != nil {
			return request, err
		}
	}
	return request, nil
}

func (p plan) bindBody(r *http.Request, request reflect.Value, limit int64) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return fault.New(fault.Invalid, "request.incomplete", "the body did not arrive in full; send the request again")
	}
	if int64(len(raw)) > limit {
		return fault.New(fault.Limit, "request.too_large", "make the body smaller").On("body", fmt.Sprintf("max_bytes:%d", limit))
	}
	if p.body == nil {
		if len(raw) > 0 && strings.TrimSpace(string(raw)) != "{}" {
			return fault.Field("body", "absent", "send no body with this request")
		}
		return nil
	}
	if media := r.Header.Get("Content-Type"); len(raw) > 0 && !isJSON(media) {
		return fault.New(fault.Invalid, "request.media_type", "send the body as JSON").On("Content-Type", "equals:application/json")
	}
	if len(raw) == 0 {
		raw = []byte("{}") // says which member is missing, and is right where none is required
	}
	return p.body.Decode(raw, request.Interface())
}

func isJSON(media string) bool {
	media, _, _ = strings.Cut(media, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}

// knownQuery refuses a misspelt parameter: silently ignored, it would answer another question than the one asked.
func (p plan) knownQuery(query url.Values) error {
	for name := range query {
		if !slices.ContainsFunc(p.parameters, func(q parameter) bool { return q.In == "query" && q.Name == name }) {
			return fault.Field(shape.Join("query", name), "unknown", "leave out query parameters that are not documented")
		}
	}
	return nil
}

// field is what a fault calls the parameter.
func (q parameter) field() string {
	if q.In == "header" {
		return q.Name
	}
	return q.In + "." + q.Name
}

func (q parameter) set(target reflect.Value, values []string) error {
	if len(values) == 0 || len(values) == 1 && values[0] == "" && q.In != "path" {
		if q.Required {
			return fault.Field(q.field(), "required", "send this "+q.kind())
		}
		return nil
	}
	if q.Shape.Kind == shape.Array {
		return q.setAll(target, values)
	}
	if len(values) > 1 {
		return fault.Field(q.field(), "single", "send this "+q.kind()+" once")
	}
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	return q.setOne(target, values[0], q.Shape)
}

func (q parameter) kind() string {
	switch q.In {
	case "query":
		return "query parameter"
	case "header":
		return "header"
	}
	return "path value"
}

func (q parameter) setAll(target reflect.Value, values []string) error {
	list := reflect.MakeSlice(target.Type(), len(values), len(values))
	for i, value := range values {
		if err := q.setOne(list.Index(i), value, q.Shape.Items); err != nil {
			return err
		}
	}
	target.Set(list)
	return nil
}

func (q parameter) setOne(target reflect.Value, text string, s *shape.Shape) error {
	switch s.Kind {
	case shape.String:
		if err := s.CheckText(q.field(), text, q.Limits); err != nil {
			return err
		}
		if at, ok := target.Addr().Interface().(*time.Time); ok {
			parsed, err := time.Parse(time.RFC3339, text)
			*at = parsed
			return err // CheckText has judged the form
		}
		if u, ok := target.Addr().Interface().(encoding.TextUnmarshaler); ok {
			if u.UnmarshalText([]byte(text)) != nil {
				return fault.Field(q.field(), "form", "send the value as documented")
			}
			return nil
		}
		target.SetString(text)
	case shape.Integer:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil || target.CanUint() && i < 0 || target.CanInt() && target.OverflowInt(i) || target.CanUint() && target.OverflowUint(uint64(i)) {
			return fault.Field(q.field(), "type:integer", "send a whole number")
		}
		if err := shape.CheckInteger(q.field(), i, q.Limits); err != nil {
			return err
		}
		if target.CanUint() {
			target.SetUint(uint64(i))
		} else {
			target.SetInt(i)
		}
	case shape.Boolean:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fault.Field(q.field(), "type:boolean", "send true or false")
		}
		target.SetBool(b)
	default:
		return fault.Field(q.field(), "type:"+string(s.Kind), "send the value as documented")
	}
	return nil
}
