// Package api is a gateway's routes in Go: one method a route, with its request and its answer as types and its documentation.
// The methods and types are made from the table of routes that the gateway serves (routes.go, types.go); this file is what
// they stand on.
//
//	c, err := client.New("https://127.0.0.1:17000", roots, tokens)
//	gateway := api.Of(c)
//	draft, err := gateway.Draft(ctx, api.Draft{Service: "business.start"})
//	applied, err := gateway.Apply(ctx, application, client.Key(draft.Key))
//	if client.Reason(err) == "collaboration.duplicate_application" { … }
//
// Everything package client says holds: a write has an idempotency key of its own unless an option gives one, a refusal is a
// *client.Problem, and a write that no block has yet is a *client.Pending.
//
// Types of the contracts (packages below chaincode) are used as they are, for what a citizen signs is exactly these. The
// gateway's own types are written out here: a program that calls a gateway needs nothing of its inside.
package api

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/gateway/client"
)

// Gateway calls a gateway's routes. It is as cheap as the pointer in it.
type Gateway struct{ *client.Client }

// Of are the routes of the gateway that a client calls.
func Of(c *client.Client) Gateway { return Gateway{c} }

// As is the same gateway for another caller.
func (g Gateway) As(tokens client.TokenSource) Gateway { return Gateway{g.Client.As(tokens)} }

// Page is a list of the gateway's projection of the ledger.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_page_token,omitempty"` // empty on the last page
	AsOf  uint64 `json:"as_of_block"`               // the read includes this block and everything before it
}

// Item is one record of the projection.
type Item[T any] struct {
	Item T      `json:"item"`
	AsOf uint64 `json:"as_of_block"` // the read includes this block and everything before it
}

// send makes a route's call: fields with a tag `path`, `query` or `header` go there, all others are the body. A field that
// has its zero value is left out of the query and the header.
func send[Res any](ctx context.Context, g Gateway, method, path string, request any, options []client.Option) (Res, error) {
	target, headers, body := place(path, reflect.ValueOf(request))
	if !body {
		request = nil
	}
	var none Res
	if strings.Contains(target, "{") {
		return none, fmt.Errorf("api: %s %s: give every part of the path", method, path)
	}
	return client.Do[Res](ctx, g.Client, method, target, request, append(headers, options...)...)
}

// place distributes a request's fields. body says whether any is left for the body.
func place(path string, request reflect.Value) (target string, headers []client.Option, body bool) {
	query := url.Values{}
	for _, f := range reflect.VisibleFields(request.Type()) {
		value := request.FieldByIndex(f.Index)
		switch {
		case f.Tag.Get("path") != "":
			if text := written(value); text != "" {
				path = strings.Replace(path, "{"+f.Tag.Get("path")+"}", url.PathEscape(text), 1)
			}
		case f.Tag.Get("query") != "":
			for _, text := range all(value) {
				query.Add(f.Tag.Get("query"), text)
			}
		case f.Tag.Get("header") != "":
			for _, text := range all(value) {
				headers = append(headers, client.Header(f.Tag.Get("header"), text))
			}
		case f.IsExported() && !f.Anonymous:
			body = true
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, headers, body
}

// all are a field's values as text; none of its zero value.
func all(value reflect.Value) (texts []string) {
	switch {
	case value.IsZero():
		return nil
	case value.Kind() == reflect.Pointer:
		return []string{written(value.Elem())}
	case value.Kind() == reflect.Slice:
		for i := range value.Len() {
			texts = append(texts, written(value.Index(i)))
		}
		return texts
	}
	return []string{written(value)}
}

func written(value reflect.Value) string {
	if at, ok := value.Interface().(time.Time); ok {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(value.Interface())
}
