package rest

import (
	"context"
	"net/http"
	"reflect"
	"runtime"
	"slices"

	"github.com/hutong-gov/hutong/gateway/app"
)

// Route is one row of the API. Rows are data: the router, the OpenAPI document, the authorisation matrix and the reference
// page are made from the same slice, so none of them can say something else.
type Route struct {
	Method string
	// Path in OpenAPI's form: "/v1/certificates/{id}/revocation". A name in braces is bound to the request's field with
	// that path tag.
	Path string
	// Roles that may call it (app.Citizen …). Everybody else with a token is refused with access.role. A route that lists
	// app.Public needs no token.
	Roles []string
	Doc   Doc
	// Reasons a caller must expect beyond those every route has (CommonReasons), so that a client knows what it may meet.
	Reasons []string
	// Status of a success; zero means 200.
	Status int
	// Writes is what a request does to the ledger. Empty means one transaction for a row with a key, nothing for others.
	Writes Writes
	// Polls is set on a read of something that may come any moment: `Prefer: wait` waits for it.
	Polls   bool
	Handler Handler
	// Stream answers those who accept text/event-stream; without it the row has one answer.
	Stream Stream
}

// Writes is how many transactions a request is.
type Writes string

// What a row may say of itself. A request that is several transactions cannot be answered before its end (Async).
const (
	Nothing Writes = "nothing"
	One     Writes = "one"
	Several Writes = "several"
)

// Doc is what people read about a route.
type Doc struct {
	Tag     string // the group it is listed in: "certificates"
	Summary string // one line, imperative, without a full stop
	Detail  string // Markdown; optional
}

// Handler is an application function with its types, made by Handle.
type Handler struct {
	Request, Response reflect.Type
	name              string // of the function, as Go's runtime has it
	plan              plan
	call              func(context.Context, app.Actor, reflect.Value) (any, error)
}

// Handle makes a handler of an application function. Fields of Req with a tag `path`, `query` or `header` are bound from
// there; all others are members of the JSON body (encoding/json's names). A Req without such members takes no body.
//
// Tags on a field that are checked before the function is called, and shown in the OpenAPI document:
//
//	doc:"…"        description          example:"…"   example
//	min:"1"        shortest length of a string, fewest items, smallest number     max:"200" likewise
//	pattern:"…"    regular expression   enum:"a,b"    the values allowed
//	format:"…"     OpenAPI format, not checked
//
// A member of the body is required unless it is a pointer or has omitempty or omitzero. A path value is required, a query
// value is not; a header value is required unless its tag says `header:"If-Match,omitempty"`.
//
// Handle panics if a type cannot be bound: that is a mistake in the table, found by every test that loads it.
func Handle[Req, Res any](f func(context.Context, app.Actor, Req) (Res, error)) Handler {
	request := reflect.TypeFor[Req]()
	return Handler{
		Request:  request,
		Response: reflect.TypeFor[Res](),
		name:     runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name(),
		plan:     newPlan(request),
		call: func(ctx context.Context, who app.Actor, request reflect.Value) (any, error) {
			return f(ctx, who, request.Interface().(Req))
		},
	}
}

// Success is the status of a successful answer.
func (r Route) Success() int {
	if r.Status == 0 {
		return http.StatusOK
	}
	return r.Status
}

// Open says whether the route needs no token.
func (r Route) Open() bool { return slices.Contains(r.Roles, app.Public) }

// Keyed says whether a request must carry the header Idempotency-Key: every write by somebody who is signed in. The few
// public routes that are not GET ask a question or hand something over, and repeating them is harmless.
func (r Route) Keyed() bool { return r.Method != http.MethodGet && !r.Open() }

// Transactions is how many transactions a request is.
func (r Route) Transactions() Writes {
	switch {
	case r.Writes != "":
		return r.Writes
	case r.Keyed():
		return One
	}
	return Nothing
}

// Async says whether a caller may prefer an answer before the write is in a block: every write that is one transaction.
func (r Route) Async() bool { return r.Keyed() && r.Transactions() == One }
