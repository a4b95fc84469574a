package rest

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/rest/shape"
)

type object = map[string]any

// descriptions are the comments of the types and fields that requests and answers are made of, by Source; the source's own
// words, so that they are written once.
//
//go:embed descriptions.json
var descriptionsText []byte

var descriptions = func() map[string]string {
	all := map[string]string{}
	if err := json.Unmarshal(descriptionsText, &all); err != nil {
		panic("rest: descriptions.json: " + err.Error())
	}
	return all
}()

// Document is the OpenAPI 3.1 description of a table, as JSON with sorted members: the same table gives the same bytes.
func Document(routes []Route, about About) ([]byte, error) {
	names := newNames(routes)
	paths := object{}
	var tags []string
	for _, r := range routes {
		operation, err := operationOf(r, names)
		if err != nil {
			return nil, err
		}
		item, ok := paths[r.Path].(object)
		if !ok {
			item = object{}
			paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = operation
		if !slices.Contains(tags, r.Doc.Tag) {
			tags = append(tags, r.Doc.Tag)
		}
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title":   strings.TrimSpace("Hutong gateway " + about.Organisation),
			"version": cmp.Or(about.Version, "development"),
			"summary": "Government services on one ledger: data exchange, cases across agencies, electronic certificates.",
			"description": "Answers that say no are problem documents (RFC 9457) with a permanent `reason`, described at `/problems/{reason}`. " +
				"Every write needs an `Idempotency-Key`; repeat it when you repeat the request. " +
				"A write whose outcome is not known yet is answered 202 with the address of its transaction. " +
				"An optional member of a request may be `null` or empty, which means the same as leaving it out.",
			"license": object{"name": "Apache 2.0", "identifier": "Apache-2.0"},
		},
		"jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
		"tags":              tagsOf(tags),
		"paths":             paths,
		"components": object{
			"schemas":         names.schemas(),
			"responses":       sharedResponses(names),
			"securitySchemes": securityOf(about),
		},
	}
	if about.PublicURL != "" {
		document["servers"] = []object{{"url": about.PublicURL}}
	}
	return json.MarshalIndent(document, "", "  ")
}

// sharedResponses are those that many routes answer.
func sharedResponses(names *names) object {
	problem := func(description string, headers object) object {
		return object{"description": description, "headers": headers,
			"content": object{problemMedia: object{"schema": names.reference(shape.Of(reflect.TypeFor[Problem]()))}}}
	}
	return object{
		"Problem": problem("A problem document: the request was refused, and nothing was written.", object{}),
		"SignIn":  problem("The caller is not signed in.", object{"WWW-Authenticate": header("What to sign in with (RFC 6750)")}),
		"Later":   problem("Not now: nothing was written.", object{"Retry-After": header("Seconds to wait before the request is repeated")}),
		"Pending": object{
			"description": "No block has the write yet: the caller preferred not to wait (`pending`), or the outcome is not known (`unknown`). Ask `Location`, or repeat the request with the same key.",
			"headers": object{
				"Location":    header("Where to ask for the transaction's outcome"),
				appliedHeader: object{"schema": object{"type": "string"}, "description": "The preferences that were followed (RFC 7240)"},
			},
			"content": object{"application/json": object{"schema": names.reference(shape.Of(reflect.TypeFor[Pending]()))}},
		},
	}
}

// header is one that every answer of its kind has.
func header(description string) object {
	return object{"schema": object{"type": "string"}, "required": true, "description": description}
}

// sharedOf names the shared response of a status.
func sharedOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "SignIn"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "Later"
	}
	return "Problem"
}

func tagsOf(names []string) []object {
	tags := make([]object, len(names))
	for i, name := range names {
		tags[i] = object{"name": name}
		if chinese, ok := chineseTags[name]; ok {
			tags[i]["x-name-zh"] = chinese
		}
	}
	return tags
}

func securityOf(about About) object {
	scheme := object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
		"description": "An access token of the OpenID Connect provider with the claims `role`, `agency` and `staff`."}
	if about.Issuer == "" {
		return object{"token": scheme}
	}
	return object{"token": scheme, "oidc": object{"type": "openIdConnect",
		"openIdConnectUrl": strings.TrimSuffix(about.Issuer, "/") + "/.well-known/openid-configuration"}}
}

func operationOf(r Route, names *names) (object, error) {
	responses, err := responsesOf(r, names)
	if err != nil {
		return nil, err
	}
	operation := object{
		"operationId": operationID(r),
		"summary":     r.Doc.Summary,
		"tags":        []string{r.Doc.Tag},
		"responses":   responses,
		"x-roles":     r.Roles,
		"x-reasons":   r.AllReasons(),
	}
	if r.Doc.Detail != "" {
		operation["description"] = r.Doc.Detail
	}
	if !r.Open() {
		operation["security"] = []object{{"token": []string{}}}
	} else {
		operation["security"] = []object{}
	}
	if parameters := parametersOf(r); len(parameters) > 0 {
		operation["parameters"] = parameters
	}
	if body := r.Handler.plan.body; body != nil {
		operation["requestBody"] = object{
			"required": slices.ContainsFunc(body.Members, func(m shape.Member) bool { return m.Required }),
			"content":  object{"application/json": object{"schema": names.reference(body)}},
		}
	}
	return operation, nil
}

// operationID is made of method and path: put_certificates_id_revocation.
func operationID(r Route) string {
	id := strings.ToLower(r.Method) + strings.ReplaceAll(strings.TrimPrefix(r.Path, "/v1"), "/", "_")
	return strings.NewReplacer("{", "", "}", "", "-", "_").Replace(id)
}

func parametersOf(r Route) []object {
	var list []object
	bound := false
	for _, q := range r.Handler.plan.parameters {
		bound = bound || q.In == "header" && q.Name == keyHeader
		schema := object{}
		if q.Shape.Kind == shape.Array {
			schema["type"], schema["items"] = "array", plain(q.Shape.Items, q.Limits)
		} else {
			schema = plain(q.Shape, q.Limits)
		}
		p := object{"name": q.Name, "in": q.In, "required": q.Required || q.In == "header" && q.Name == keyHeader && r.Keyed(), "schema": schema}
		if q.In == "header" && q.Name == keyHeader {
			p["schema"], p["description"] = keySchema(), keyText
		} else if text, ok := schema["description"]; ok {
			p["description"] = text
			delete(schema, "description")
		}
		list = append(list, p)
	}
	if r.Keyed() && !bound {
		list = append(list, object{"name": keyHeader, "in": "header", "required": true, "schema": keySchema(), "description": keyText})
	}
	if text := preferText(r); text != "" {
		list = append(list, object{"name": preferHeader, "in": "header", "required": false, "schema": object{"type": "string"}, "description": text})
	}
	return list
}

// preferText says which preferences a row follows.
func preferText(r Route) string {
	switch {
	case r.Async():
		return fmt.Sprintf("RFC 7240. `respond-async`: answer 202 as soon as an orderer has the write. `wait=N`: answer 202 if no block has it N seconds after the request arrived; at most %d. `Preference-Applied` says what was followed.", MaxPreferWait/time.Second)
	case r.Polls:
		return fmt.Sprintf("RFC 7240. `wait=N`: wait up to N seconds for what is asked about; at most %d.", MaxPreferWait/time.Second)
	}
	return ""
}

const keyText = "The caller's own key for this write. The same key with the same request gives the first answer again; with another request, a conflict."

func keySchema() object {
	return object{"type": "string", "pattern": keyForm.String(), "maxLength": kernel.MaxKeyLength, "examples": []string{"2f1c7c0e-6a0b-4b1e-9a53-6b6d2f9f7a10"}}
}

func responsesOf(r Route, names *names) (object, error) {
	responses := object{strconv.Itoa(r.Success()): successOf(r, names)}
	if r.Transactions() != Nothing {
		responses["202"] = object{"$ref": "#/components/responses/Pending"}
	}
	byStatus := map[int][]string{}
	for _, reason := range r.AllReasons() {
		found, ok := ReasonOf(reason)
		if !ok {
			return nil, fmt.Errorf("rest: %s %s lists the reason %s, which nothing answers", r.Method, r.Path, reason)
		}
		byStatus[found.Status()] = append(byStatus[found.Status()], reason)
	}
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		responses[strconv.Itoa(status)] = object{
			"$ref":        "#/components/responses/" + sharedOf(status), // OpenAPI 3.1 lets a reference have its own description
			"description": http.StatusText(status) + ": " + strings.Join(byStatus[status], ", "),
		}
	}
	return responses, nil
}

func successOf(r Route, names *names) object {
	answer := object{"description": http.StatusText(r.Success())}
	switch {
	case r.Success() == http.StatusNoContent:
	case r.Handler.Response.Implements(reflect.TypeFor[File]()):
		answer["content"] = object{anyMedia: object{"schema": object{}}}
	default:
		answer["content"] = object{"application/json": object{"schema": names.reference(shape.Of(r.Handler.Response))}}
		if r.Streams() {
			answer["content"].(object)[streamMedia] = object{"schema": streamOf(r.Stream, names)}
		}
	}
	return answer
}

// streamOf describes server-sent events: OpenAPI 3.1 has no word for the messages of a stream, so they stand in an extension.
func streamOf(s Stream, names *names) object {
	kinds := object{}
	for _, sent := range s.Sends {
		kinds[cmp.Or(sent.Name, "message")] = object{"description": sent.Doc, "data": names.reference(shape.Of(sent.Data))}
	}
	return object{"type": "string", "description": "Server-sent events; x-events has their kinds and the schema of their data.", "x-events": kinds}
}

// anyMedia stands for the media types of files, which differ.
const anyMedia = "*/*"

// plain is the schema of a type that needs no name.
func plain(s *shape.Shape, l shape.Limits) object {
	schema := object{}
	switch s.Kind {
	case shape.String:
		schema["type"] = "string"
		put(schema, "minLength", l.Min)
		put(schema, "maxLength", l.Max)
	case shape.Integer:
		schema["type"] = "integer"
		put(schema, "minimum", l.Min)
		put(schema, "maximum", l.Max)
		if k := s.Type.Kind(); k >= reflect.Uint && k <= reflect.Uint64 && l.Min == nil {
			schema["minimum"] = 0
		}
	case shape.Number:
		schema["type"] = "number"
	case shape.Boolean:
		schema["type"] = "boolean"
	}
	if l.Pattern != nil {
		schema["pattern"] = l.Pattern.String()
	}
	if len(l.Enum) > 0 {
		schema["enum"] = l.Enum
	}
	if format := cmp.Or(l.Format, s.Format); format != "" {
		schema["format"] = format
	}
	describe(schema, l)
	return schema
}

func describe(schema object, l shape.Limits) {
	if l.Doc != "" {
		schema["description"] = l.Doc
	}
	if l.Example == "" {
		return
	}
	schema["examples"] = []any{l.Example}
	if t := schema["type"]; t == "integer" || t == "number" || t == "boolean" {
		schema["examples"] = []any{json.RawMessage(l.Example)}
	}
}

func put(schema object, name string, value *int64) {
	if value != nil {
		schema[name] = *value
	}
}

// names gives every struct a name among the document's schemas.
type names struct {
	byType map[reflect.Type]string
	shapes map[string]*shape.Shape
	input  map[*shape.Shape]bool // reached from a request: strict
}

func newNames(routes []Route) *names {
	n := &names{byType: map[reflect.Type]string{}, shapes: map[string]*shape.Shape{}, input: map[*shape.Shape]bool{}}
	var all []*shape.Shape
	seen := map[*shape.Shape]bool{}
	for _, t := range []reflect.Type{reflect.TypeFor[Problem](), reflect.TypeFor[Pending]()} {
		all = collectShapes(shape.Of(t), seen, all)
	}
	for _, r := range routes {
		if r.Handler.plan.body != nil {
			all = collectShapes(r.Handler.plan.body, seen, all)
			for _, s := range collectShapes(r.Handler.plan.body, map[*shape.Shape]bool{}, nil) {
				n.input[s] = true
			}
		}
		for _, sent := range r.Stream.Sends {
			all = collectShapes(shape.Of(sent.Data), seen, all)
		}
		if !r.Handler.Response.Implements(reflect.TypeFor[File]()) {
			all = collectShapes(shape.Of(r.Handler.Response), seen, all)
		}
	}
	types := map[string]map[reflect.Type]bool{}
	for _, s := range all {
		short := shortName(s.Type)
		if types[short] == nil {
			types[short] = map[reflect.Type]bool{}
		}
		types[short][s.Type] = true
	}
	for _, s := range all {
		name := shortName(s.Type)
		if len(types[name]) > 1 { // two packages have it
			name = title(packageName(s.Type)) + name
		}
		n.byType[s.Type], n.shapes[name] = name, s
	}
	return n
}

// collectShapes lists the structs a shape reaches, itself included.
func collectShapes(s *shape.Shape, seen map[*shape.Shape]bool, list []*shape.Shape) []*shape.Shape {
	if s == nil || seen[s] {
		return list
	}
	seen[s] = true
	if s.Kind == shape.Object && s.Type.Name() != "" {
		list = append(list, s)
	}
	list = collectShapes(s.Items, seen, list)
	for _, m := range s.Members {
		list = collectShapes(m.Shape, seen, list)
	}
	return list
}

var typeArguments = regexp.MustCompile(`\[.*\]`)

// shortName is a type's name without its package; of a generic type with the names of its arguments: List[x.Case] → CaseList.
func shortName(t reflect.Type) string {
	name := t.Name()
	arguments := typeArguments.FindString(name)
	name = title(strings.TrimSuffix(name, arguments))
	for argument := range strings.SplitSeq(strings.Trim(arguments, "[]"), ",") {
		if argument != "" {
			name = title(argument[strings.LastIndexAny(argument, "./")+1:]) + name
		}
	}
	return name
}

func packageName(t reflect.Type) string { return t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:] }

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// reference is how a place in the document says what is there.
func (n *names) reference(s *shape.Shape) object { return n.member(s, shape.Limits{}) }

func (n *names) member(s *shape.Shape, l shape.Limits) object {
	switch s.Kind {
	case shape.Object:
		name, ok := n.byType[s.Type]
		if !ok {
			return n.schema(s)
		}
		schema := object{"$ref": "#/components/schemas/" + name}
		if l.Doc != "" {
			schema["description"] = l.Doc
		}
		return schema
	case shape.Array:
		schema := object{"type": "array", "items": n.member(s.Items, shape.Limits{Pattern: l.Pattern, Enum: l.Enum})}
		put(schema, "minItems", l.Min)
		put(schema, "maxItems", l.Max)
		if l.Doc != "" {
			schema["description"] = l.Doc
		}
		return schema
	case shape.Map:
		schema := object{"type": "object", "additionalProperties": n.member(s.Items, shape.Limits{})}
		put(schema, "minProperties", l.Min)
		put(schema, "maxProperties", l.Max)
		if l.Doc != "" {
			schema["description"] = l.Doc
		}
		return schema
	}
	return plain(s, l)
}

func (n *names) schema(s *shape.Shape) object {
	properties, required := object{}, []string{}
	for _, m := range s.Members {
		m.Limits.Doc = cmp.Or(m.Limits.Doc, descriptions[m.Source])
		properties[m.Name] = n.member(m.Shape, m.Limits)
		if m.Required {
			required = append(required, m.Name)
		}
	}
	schema := object{"type": "object", "properties": properties}
	if text := descriptions[shape.Source(s.Type)]; text != "" {
		schema["description"] = text
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	if n.input[s] {
		schema["additionalProperties"] = false
	}
	return schema
}

func (n *names) schemas() object {
	all := object{}
	for name, s := range n.shapes {
		all[name] = n.schema(s)
	}
	return all
}
