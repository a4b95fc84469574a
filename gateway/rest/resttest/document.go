// Package resttest holds requests and answers against the gateway's OpenAPI document, in tests: a handler or a transport is
// wrapped, and whatever passes is checked. The document is taken as it is served, so nothing here knows how it was made;
// schemas are judged by a validator of JSON Schema 2020-12, which OpenAPI 3.1 uses.
//
// What is checked: the operation exists; of a request that was accepted, its parameters and its body; of every answer, its
// status, media type, required headers and body, in which no member may go undocumented; of a problem, that the operation
// lists its reason.
package resttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an OpenAPI document, ready to check by.
type Document struct {
	operations []operation
}

type operation struct {
	name       string // "PUT /v1/badges/{id}"
	method     string
	path       *regexp.Regexp
	literal    int // characters of the path outside of names: the more, the closer the match
	parameters []parameter
	body       *jsonschema.Schema
	needsBody  bool
	answers    map[int]answer
	reasons    []string
}

type parameter struct {
	name, in string
	required bool
	array    bool
	kind     string
	schema   *jsonschema.Schema
}

type answer struct {
	headers []string
	content map[string]*jsonschema.Schema // by media type; nil takes anything
}

// form is the part of a document that is read.
type form struct {
	OpenAPI string                       `json:"openapi"`
	Paths   map[string]map[string]member `json:"paths"`
}

type member struct {
	Parameters []struct {
		Name, In string
		Required bool
		Schema   struct {
			Type  string
			Items struct{ Type string }
		}
	}
	RequestBody *struct{ Required bool }
	Responses   map[string]json.RawMessage
	Reasons     []string `json:"x-reasons"`
}

const address = "https://gateway.test/openapi.json"

// Load reads a document and compiles every schema that an operation names.
func Load(raw []byte) (*Document, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	closeSchemas(parsed)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(address, parsed); err != nil {
		return nil, err
	}
	var f form
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(f.OpenAPI, "3.1.") {
		return nil, fmt.Errorf("resttest: OpenAPI %q, want 3.1", f.OpenAPI)
	}
	d := new(Document)
	for path, item := range f.Paths {
		for method, m := range item {
			o, err := load(compiler, parsed, path, method, m)
			if err != nil {
				return nil, fmt.Errorf("resttest: %s %s: %w", method, path, err)
			}
			d.operations = append(d.operations, o)
		}
	}
	slices.SortFunc(d.operations, func(x, y operation) int { return y.literal - x.literal })
	return d, nil
}

// closeSchemas lets no object have a member that its schema does not describe.
func closeSchemas(document any) {
	schemas, _ := at(document, "components", "schemas").(map[string]any)
	for _, s := range schemas {
		if s, ok := s.(map[string]any); ok && s["properties"] != nil && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
	}
}

// at walks into a document.
func at(document any, names ...string) any {
	for _, name := range names {
		object, _ := document.(map[string]any)
		document = object[name]
	}
	return document
}

var pathName = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

func load(compiler *jsonschema.Compiler, document any, path, method string, m member) (operation, error) {
	pattern := pathName.ReplaceAllString(regexp.QuoteMeta(path), `([^/]+)`)
	o := operation{
		name: strings.ToUpper(method) + " " + path, method: strings.ToUpper(method), path: regexp.MustCompile("^" + pattern + "$"),
		literal: len(strings.ReplaceAll(pattern, "([^/]+)", "")), answers: map[int]answer{}, reasons: m.Reasons,
	}
	here := []string{"paths", path, method}
	compile := func(tokens ...string) (*jsonschema.Schema, error) { return compiler.Compile(address + pointer(tokens)) }
	var err error
	for i, p := range m.Parameters {
		q := parameter{name: p.Name, in: p.In, required: p.Required, array: p.Schema.Type == "array", kind: p.Schema.Type}
		if q.array {
			q.kind = p.Schema.Items.Type
		}
		if q.schema, err = compile(append(here, "parameters", strconv.Itoa(i), "schema")...); err != nil {
			return o, err
		}
		o.parameters = append(o.parameters, q)
	}
	if m.RequestBody != nil {
		o.needsBody = m.RequestBody.Required
		if o.body, err = compile(append(here, "requestBody", "content", "application/json", "schema")...); err != nil {
			return o, err
		}
	}
	for status := range m.Responses {
		code, err := strconv.Atoi(status)
		if err != nil {
			return o, err
		}
		if o.answers[code], err = loadAnswer(compile, document, append(here, "responses", status)); err != nil {
			return o, err
		}
	}
	return o, nil
}

// loadAnswer follows a reference to the shared answers; its own members beside the reference only describe.
func loadAnswer(compile func(...string) (*jsonschema.Schema, error), document any, where []string) (answer, error) {
	found := at(document, where...)
	if reference, ok := at(found, "$ref").(string); ok {
		where = strings.Split(strings.TrimPrefix(reference, "#/"), "/")
		found = at(document, where...)
	}
	a := answer{content: map[string]*jsonschema.Schema{}}
	headers, _ := at(found, "headers").(map[string]any)
	for name, header := range headers {
		if at(header, "required") == true {
			a.headers = append(a.headers, name)
		}
	}
	content, _ := at(found, "content").(map[string]any)
	for media := range content {
		a.content[media] = nil
		if media != "application/json" && media != problemMedia {
			continue
		}
		schema, err := compile(append(slices.Clone(where), "content", media, "schema")...)
		if err != nil {
			return a, err
		}
		a.content[media] = schema
	}
	return a, nil
}

const problemMedia = "application/problem+json"

// pointer is a JSON pointer (RFC 6901) in a URI's fragment.
func pointer(tokens []string) string {
	var b strings.Builder
	b.WriteByte('#')
	for _, t := range tokens {
		b.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(t)))
	}
	return b.String()
}

// Exchange is a request with its answer.
type Exchange struct {
	Method  string
	URL     *url.URL
	Header  http.Header
	Body    []byte
	Status  int
	Answer  http.Header
	Content []byte // nil of an answer that goes on
}

// Check judges an exchange. known is false for an address the document does not describe.
func (d *Document) Check(e Exchange) (known bool, err error) {
	o, values, known := d.find(e.Method, e.URL.EscapedPath())
	if !known {
		return false, nil
	}
	if e.Status < http.StatusBadRequest {
		if err := o.checkRequest(e, values); err != nil {
			return true, fmt.Errorf("%s took a request that its document refuses: %w", o.name, err)
		}
	}
	if err := o.checkAnswer(e); err != nil {
		return true, fmt.Errorf("%s: %w", o.name, err)
	}
	return true, nil
}

func (d *Document) find(method, path string) (operation, []string, bool) {
	for _, o := range d.operations {
		if o.method != method {
			continue
		}
		if values := o.path.FindStringSubmatch(path); values != nil {
			return o, values[1:], true
		}
	}
	return operation{}, nil, false
}

func (o operation) checkAnswer(e Exchange) error {
	want, ok := o.answers[e.Status]
	if !ok {
		return fmt.Errorf("answered %d%s, which its document does not list", e.Status, reasonIn(e))
	}
	for _, name := range want.headers {
		if e.Answer.Get(name) == "" {
			return fmt.Errorf("answered %d without the header %s", e.Status, name)
		}
	}
	if len(want.content) == 0 {
		return nil
	}
	media, _, err := mime.ParseMediaType(e.Answer.Get("Content-Type"))
	if err != nil {
		return err
	}
	schema, ok := want.content[media]
	if _, any := want.content["*/*"]; !ok && !any {
		return fmt.Errorf("answered %d with the media type %s, which its document does not list", e.Status, media)
	}
	if schema == nil {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Content))
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("answered %d with something else than its document says: %w", e.Status, err)
	}
	if reason, isProblem := at(value, "reason").(string); isProblem && media == problemMedia && !o.lists(reason) {
		return fmt.Errorf("answered the reason %s (%d), which its row does not list", reason, e.Status)
	}
	return nil
}

// lists says whether the operation names a reason, or a pattern of it: "*.missing" stands for any noun's.
func (o operation) lists(reason string) bool {
	_, last, _ := strings.Cut(reason, ".")
	return slices.Contains(o.reasons, reason) || slices.Contains(o.reasons, "*."+last)
}

func reasonIn(e Exchange) string {
	var p struct{ Reason string }
	if json.Unmarshal(e.Content, &p) != nil || p.Reason == "" {
		return ""
	}
	return " " + p.Reason
}
