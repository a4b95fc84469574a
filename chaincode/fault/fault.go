// Package fault is the one form in which a rule says no. A fault is made where the rule stands (a domain package, the
// kernel), travels as the message of a chaincode response, is parsed once by the gateway's ledger package and rendered
// once as an RFC 9457 problem.
//
// A fault names the reason (permanent, dotted, part of the API), the field and the rule where there are any, and says in
// its detail what to do. It never carries a value a caller sent: values may be personal data, and a fault ends in logs.
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Kind groups reasons by what a caller can do about them. It decides the chaincode response status and the HTTP status.
type Kind string

const (
	Invalid  Kind = "invalid"  // the request breaks a rule of form; send it corrected
	Denied   Kind = "denied"   // the caller may not do this at all
	Missing  Kind = "missing"  // what the request names does not exist
	Conflict Kind = "conflict" // the identifier or idempotency key is taken by other content
	Refused  Kind = "refused"  // the record's state, a grant's terms or a consent do not allow it now
	Limit    Kind = "limit"    // larger, longer or more than a named limit
	Internal Kind = "internal" // the ledger or the program failed; nothing was decided
)

// statuses maps kinds to response statuses. Fabric treats 400 and above as "not endorsed"; the numbers are HTTP's so
// that a reader of a peer's log understands them.
var statuses = map[Kind]int32{
	Invalid: 422, Denied: 403, Missing: 404, Conflict: 409, Refused: 409, Limit: 413, Internal: 500,
}

// Fault is an error with a permanent reason. The zero value is not useful; make one with New.
type Fault struct {
	Kind   Kind   `json:"kind"`
	Reason string `json:"reason"`
	Field  string `json:"field,omitempty"` // JSON path of the member at fault, e.g. "request.terms.purposes"
	Rule   string `json:"rule,omitempty"`  // the rule it breaks, e.g. "required", "max_length:200"
	Detail string `json:"detail,omitempty"`
}

// New makes a fault. detail says in a sentence what to do; it must not contain values from the request.
func New(kind Kind, reason, detail string) *Fault {
	return &Fault{Kind: kind, Reason: reason, Detail: detail}
}

// Field makes an Invalid fault about one field.
func Field(field, rule, detail string) *Fault {
	return &Fault{Kind: Invalid, Reason: "request.invalid", Field: field, Rule: rule, Detail: detail}
}

// On returns a copy that names the field and the rule.
func (f *Fault) On(field, rule string) *Fault {
	g := *f
	g.Field, g.Rule = field, rule
	return &g
}

// Under returns a copy whose field lies under the given parent, for validating nested structures.
func (f *Fault) Under(parent string) *Fault {
	g := *f
	switch {
	case g.Field == "" || strings.HasPrefix(g.Field, "["): // an index follows its parent directly
		g.Field = parent + g.Field
	default:
		g.Field = parent + "." + g.Field
	}
	return &g
}

func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Reason)
	if f.Field != "" {
		fmt.Fprintf(&b, " (%s: %s)", f.Field, f.Rule)
	}
	if f.Detail != "" {
		b.WriteString(": " + f.Detail)
	}
	return b.String()
}

// Is matches by reason, so that errors.Is(err, exchange.ErrRevoked) works on decoded faults.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Reason == f.Reason
}

// Status is the chaincode response status (and, by design, the HTTP status) of the fault.
func (f *Fault) Status() int32 {
	if s, ok := statuses[f.Kind]; ok {
		return s
	}
	return statuses[Internal]
}

// Wire is the message a chaincode response carries.
func (f *Fault) Wire() string {
	raw, err := json.Marshal(f)
	if err != nil { // strings only: cannot fail
		return `{"kind":"internal","reason":"fault.unencodable"}`
	}
	return string(raw)
}

// wireStart is how every fault's wire form begins: Kind is the first member.
const wireStart = `{"kind":`

// Parse finds the first fault in a message that may have text before or after it, as peers wrap chaincode messages
// ("chaincode response 409, {…}"). ok is false where there is none.
func Parse(message string) (f *Fault, ok bool) {
	for {
		start := strings.Index(message, wireStart)
		if start < 0 {
			return nil, false
		}
		message = message[start:]
		f = new(Fault)
		if err := json.NewDecoder(strings.NewReader(message)).Decode(f); err == nil && f.Reason != "" {
			if _, known := statuses[f.Kind]; known {
				return f, true
			}
		}
		message = message[len(wireStart):]
	}
}

// Under moves an error's fault under a parent field; any other error, and none, stays what it is.
func Under(parent string, err error) error {
	var f *Fault
	if errors.As(err, &f) {
		return f.Under(parent)
	}
	return err
}

// Naming makes the fault of a missing record name the member of the request that asks for it.
func Naming(field string, err error) error {
	var f *Fault
	if errors.As(err, &f) && f.Kind == Missing {
		return f.On(field, "exists")
	}
	return err
}

// From turns any error into a fault: itself if it is one, else an Internal fault that keeps the error's text.
func From(err error) *Fault {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return New(Internal, "ledger.failed", err.Error())
}
