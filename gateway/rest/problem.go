package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Problem is an answer that says no, by RFC 9457. Reason, Field and Rule are extension members; Type is the address of a
// page about the reason. Nothing in it repeats a value the caller sent.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance"` // urn of the request, to find it in the gateway's log
	Reason   string `json:"reason"`
	Field    string `json:"field,omitempty"`
	Rule     string `json:"rule,omitempty"`
}

const problemMedia = "application/problem+json"

// Faults that arise in this package.
var (
	errNoToken   = fault.New(fault.Denied, "token.missing", "sign in, and send the access token as Authorization: Bearer …").On("Authorization", "required")
	errRole      = fault.New(fault.Denied, "access.role", "the caller's role may not call this route")
	errNoRoute   = fault.New(fault.Missing, "route.missing", "there is no such route; /openapi.json lists them")
	errMethod    = fault.New(fault.Invalid, "route.method", "the route has other methods; the header Allow lists them")
	errTimeout   = fault.New(fault.Internal, "gateway.timeout", "the answer did not come in time; repeat the request with the same idempotency key")
	errPanic     = fault.New(fault.Internal, "gateway.internal", "the gateway failed; its log has the cause under the request's id")
	errOverload  = fault.New(fault.Internal, "gateway.overloaded", "too many requests under way; wait as Retry-After says and repeat the request")
	errRate      = fault.New(fault.Limit, "request.rate", "the caller asks more often than agreed; wait as Retry-After says and repeat the request")
	errDown      = fault.New(fault.Internal, "ledger.unreachable", "the ledger could not be reached and nothing was written; repeat the request")
	errNoProblem = fault.New(fault.Missing, "problem.missing", "there is no such reason; /problems lists them")
)

// statuses are the HTTP statuses of kinds: those the fault names, made explicit here because they are part of the API.
var statuses = map[fault.Kind]int{
	fault.Invalid:  http.StatusUnprocessableEntity,
	fault.Denied:   http.StatusForbidden,
	fault.Missing:  http.StatusNotFound,
	fault.Conflict: http.StatusConflict,
	fault.Refused:  http.StatusConflict,
	fault.Limit:    http.StatusRequestEntityTooLarge,
	fault.Internal: http.StatusInternalServerError,
}

// special are reasons for which HTTP has a word of its own.
var special = map[string]int{
	"token.missing":         http.StatusUnauthorized,
	"token.invalid":         http.StatusUnauthorized,
	"token.expired":         http.StatusUnauthorized,
	"token.claims":          http.StatusUnauthorized,
	"token.bound":           http.StatusUnauthorized,
	"token.unbound":         http.StatusUnauthorized,
	"provider.unavailable":  http.StatusServiceUnavailable,
	"route.method":          http.StatusMethodNotAllowed,
	"request.media_type":    http.StatusUnsupportedMediaType,
	"request.rate":          http.StatusTooManyRequests,
	"gateway.timeout":       http.StatusGatewayTimeout,
	"stream.limit":          http.StatusTooManyRequests,
	"gateway.overloaded":    http.StatusServiceUnavailable,
	ledger.ReasonStopping:   http.StatusServiceUnavailable,
	ledger.ReasonBusy:       http.StatusServiceUnavailable,
	"ledger.unreachable":    http.StatusServiceUnavailable,
	"neighbour.unreachable": http.StatusServiceUnavailable,
	"connector.unavailable": http.StatusServiceUnavailable,
}

// retryAfter is how many seconds a caller is asked to wait where the gateway cannot serve now.
const retryAfter = 1

// StatusOf is the HTTP status a fault is answered with.
func StatusOf(f *fault.Fault) int {
	if s, ok := special[f.Reason]; ok {
		return s
	}
	if s, ok := statuses[f.Kind]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// faultOf is the one place where an application's error becomes something to say. Errors that are not faults are the
// gateway's own failures: their text is for the log. gone is true if nobody waits for the answer any more.
func faultOf(ctx context.Context, err error) (f *fault.Fault, gone bool) {
	switch {
	case errors.As(err, &f):
		return f, false
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errTimeout, false
	case errors.Is(ctx.Err(), context.Canceled):
		return errTimeout, true
	case errors.As(err, new(*ledger.UnreachableError)):
		return errDown, false
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout, false
	}
	return errPanic, false
}

// statusGone is written to the log where the caller left before the answer (as nginx does).
const statusGone = 499

// fail answers a request with what an error means.
func (s *Server) fail(c *gin.Context, err error) {
	if p, ok := pendingOf(err); ok {
		c.Set(txKey, p.Tx)
		c.Header("Location", transactionPath+p.Tx)
		s.render(c, http.StatusAccepted, p)
		return
	}
	f, gone := faultOf(c.Request.Context(), err)
	status := StatusOf(f)
	if status >= http.StatusInternalServerError {
		c.Set(errorKey, err.Error())
	}
	if gone {
		c.Status(statusGone)
		c.Abort()
		return
	}
	s.problem(c, f)
}

// Pending is the answer to a write of which it is not known yet that it is in a block.
type Pending struct {
	Tx    string `json:"tx_id" doc:"The transaction; Location is where to ask for it."`
	State string `json:"state" enum:"pending,unknown" doc:"pending: the contracts accepted it and an orderer has it, and the caller preferred not to wait. unknown: an orderer may have it."`
	// What is expected, if it is pending.
	ID      string     `json:"id,omitempty" doc:"Of a pending one: the record that will have been made or changed."`
	Status  string     `json:"status,omitempty" doc:"Of a pending one: the record's status then."`
	Version int        `json:"version,omitempty" doc:"Of a pending one: the record's version then."`
	At      *time.Time `json:"at,omitempty" doc:"Of a pending one: when, as the transaction claims."`
}

// pendingOf says whether an application's error is a write whose end is still open.
func pendingOf(err error) (Pending, bool) {
	if unknown := (app.Unknown{}); errors.As(err, &unknown) {
		return Pending{Tx: unknown.Tx, State: string(ledger.Unknown)}, true
	}
	if p := (app.Pending{}); errors.As(err, &p) {
		return Pending{Tx: p.Tx, State: string(ledger.Pending), ID: p.ID, Status: p.Status, Version: p.Version, At: &p.At}, true
	}
	return Pending{}, false
}

// transactionPath is where such a transaction is asked for.
const transactionPath = "/v1/transactions/"

// problem writes a fault as a problem document.
func (s *Server) problem(c *gin.Context, f *fault.Fault) {
	status := StatusOf(f)
	switch status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="hutong"`
		if f.Reason != errNoToken.Reason {
			challenge += `, error="invalid_token"`
		}
		c.Header("WWW-Authenticate", challenge)
	case http.StatusServiceUnavailable:
		c.Header("Retry-After", strconv.Itoa(retryAfter))
	}
	p := Problem{
		Type: problemPath + f.Reason, Title: titleOf(f), Status: status, Detail: f.Detail,
		Instance: "urn:hutong:request:" + requestID(c), Reason: f.Reason, Field: f.Field, Rule: f.Rule,
	}
	if f.Kind == fault.Internal && special[f.Reason] == 0 {
		p.Detail = errPanic.Detail // what an internal fault says is for the log
	}
	raw, err := json.Marshal(p)
	if err != nil { // strings and a number
		raw = []byte(`{}`)
	}
	c.Set(reasonKey, f.Reason)
	c.Data(status, problemMedia, raw)
	c.Abort()
}

// titles are a problem's title: the same for all problems of a kind of reason, as RFC 9457 wants it.
var titles = map[fault.Kind]string{
	fault.Invalid:  "The request breaks a rule of form",
	fault.Denied:   "The caller may not do this",
	fault.Missing:  "What the request names does not exist",
	fault.Conflict: "The identifier or idempotency key is taken by other content",
	fault.Refused:  "The rules or the record's state do not allow this now",
	fault.Limit:    "The request is beyond a limit",
	fault.Internal: "The gateway or the ledger failed",
}

func titleOf(f *fault.Fault) string {
	switch StatusOf(f) {
	case http.StatusUnauthorized:
		return "The caller is not signed in"
	case http.StatusTooManyRequests:
		return "The caller asks too often"
	case http.StatusServiceUnavailable:
		return "The gateway cannot serve this now"
	case http.StatusGatewayTimeout:
		return "The answer did not come in time"
	}
	return titles[f.Kind]
}
