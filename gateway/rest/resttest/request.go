package resttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checkRequest judges a request that was accepted: what a gateway takes, its document must allow.
func (o operation) checkRequest(e Exchange, path []string) error {
	query := e.URL.Query()
	for _, p := range o.parameters {
		var values []string
		switch p.in {
		case "path":
			value, err := url.PathUnescape(path[o.place(p.name)])
			if err != nil {
				return err
			}
			values = []string{value}
		case "query":
			values = query[p.name]
			delete(query, p.name)
		case "header":
			values = e.Header.Values(p.name)
			if len(values) > 1 {
				values = []string{strings.Join(values, ", ")} // RFC 9110, section 5.3
			}
		}
		if err := p.check(values); err != nil {
			return fmt.Errorf("%s parameter %s: %w", p.in, p.name, err)
		}
	}
	for name := range query {
		return fmt.Errorf("query parameter %s is not described", name)
	}
	return o.checkBody(e.Body)
}

// place is where a name stands in the path: the document lists path parameters in any order.
func (o operation) place(name string) int {
	_, path, _ := strings.Cut(o.name, " ")
	var names []string
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return slices.Index(names, name)
}

func (p parameter) check(values []string) error {
	if len(values) == 0 || !p.array && values[0] == "" {
		if p.required {
			return fmt.Errorf("is required")
		}
		return nil
	}
	list := make([]any, len(values))
	for i, text := range values {
		list[i] = p.value(text)
	}
	if p.array {
		return p.schema.Validate(list)
	}
	return p.schema.Validate(list[0])
}

// value is a parameter's text as what its schema speaks of.
func (p parameter) value(text string) any {
	switch p.kind {
	case "integer", "number":
		return json.Number(text)
	case "boolean":
		return text == "true"
	}
	return text
}

func (o operation) checkBody(raw []byte) error {
	switch {
	case o.body == nil:
		if text := strings.TrimSpace(string(raw)); text != "" && text != "{}" {
			return fmt.Errorf("a body, and none is described")
		}
		return nil
	case len(raw) == 0:
		if o.needsBody {
			return fmt.Errorf("a body is required")
		}
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if err := o.body.Validate(value); err != nil && o.body.Validate(without(value)) != nil {
		return err
	}
	return nil
}

// without leaves out what is null or empty: the gateway takes that for absent, as the document says in words.
func without(value any) any {
	switch v := value.(type) {
	case map[string]any:
		rest := map[string]any{}
		for name, inner := range v {
			if inner != nil && inner != "" {
				rest[name] = without(inner)
			}
		}
		return rest
	case []any:
		rest := make([]any, len(v))
		for i := range v {
			rest[i] = without(v[i])
		}
		return rest
	}
	return value
}
