package rest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Reason is one entry of the catalogue of reasons: every fault that the contracts and the gateway can answer, collected
// from their source (reasons_test.go keeps the file up to date).
type Reason struct {
	Reason string     `json:"reason"` // permanent; "*.missing" stands for any noun
	Kind   fault.Kind `json:"kind"`
	Detail string     `json:"detail"`
}

//go:generate go test -run "TestReasonsAreThoseOfTheSource|TestDescriptionsAreThoseOfTheSource" -update
//go:generate go test -run "TestOpenAPIDocument|TestClientIsThatOfTheRoutes|TestAuthorisationMatrix|TestReferencePage" -update
//go:embed reasons.json
var reasonsText []byte

var catalogue = func() []Reason {
	var list []Reason
	if err := json.Unmarshal(reasonsText, &list); err != nil {
		panic("rest: reasons.json: " + err.Error())
	}
	return list
}()

// ReasonOf finds a reason in the catalogue, by itself or by its pattern.
func ReasonOf(reason string) (Reason, bool) {
	i := slices.IndexFunc(catalogue, func(r Reason) bool { return r.Reason == reason })
	if i < 0 {
		if _, last, ok := strings.Cut(reason, "."); ok {
			i = slices.IndexFunc(catalogue, func(r Reason) bool { return r.Reason == "*."+last })
		}
	}
	if i < 0 {
		return Reason{}, false
	}
	found := catalogue[i]
	found.Reason = reason
	return found, true
}

// Status is the HTTP status the reason is answered with.
func (r Reason) Status() int { return StatusOf(&fault.Fault{Kind: r.Kind, Reason: r.Reason}) }

// writeReasons may be met on the way of every write to the ledger, whatever it says.
var writeReasons = []string{
	errDown.Reason, ledger.ReasonBusy, ledger.ReasonContention, ledger.ReasonDisagreed, ledger.ReasonInvalid, ledger.ReasonUnorderable,
	ledger.ReasonUnreadable, "ledger.failed", kernel.ReasonTimestamp, kernel.ReasonOutOfTime,
}

// CommonReasons are those a caller must expect of a route besides the row's own.
func (r Route) CommonReasons() []string {
	list := []string{errTimeout.Reason, errPanic.Reason, errOverload.Reason, errStops.Reason, errRate.Reason, "request.invalid", "request.too_large", "request.incomplete"}
	if !r.Open() {
		list = append(list, errNoToken.Reason, "token.invalid", "token.expired", "token.claims", "token.bound", "token.unbound", "provider.unavailable",
			errRole.Reason, "access.no_agency", "access.no_subject")
	}
	if r.Streams() {
		list = append(list, errStreams.Reason)
	}
	if r.Handler.plan.body != nil {
		list = append(list, "request.media_type")
	}
	if r.Keyed() || r.Transactions() != Nothing {
		list = append(list, writeReasons...)
	}
	return list
}

// AllReasons are the row's own and the common ones, sorted.
func (r Route) AllReasons() []string {
	list := slices.Concat(r.Reasons, r.CommonReasons())
	slices.Sort(list)
	return slices.Compact(list)
}

// problemPath is where a reason's page is: a problem's type.
const problemPath = "/problems/"

// reasons lists the catalogue as text.
func (s *Server) reasons(c *gin.Context) {
	var b strings.Builder
	b.WriteString("Reasons of problem documents (RFC 9457). Reasons are permanent.\n\n")
	for _, r := range catalogue {
		fmt.Fprintf(&b, "%-44s %d  %s\n", r.Reason, r.Status(), r.Detail)
	}
	c.Data(http.StatusOK, "text/plain; charset=utf-8", []byte(b.String()))
}

// reason tells about one.
func (s *Server) reason(c *gin.Context) {
	r, ok := ReasonOf(c.Param("reason"))
	if !ok {
		s.problem(c, errNoProblem)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s.\nHTTP status: %d\n", r.Reason, titleOf(&fault.Fault{Kind: r.Kind, Reason: r.Reason}), r.Status())
	if r.Detail != "" {
		fmt.Fprintf(&b, "\nWhat to do: %s.\n", r.Detail)
	}
	var routes []string
	for _, route := range s.config.Routes {
		if slices.Contains(route.AllReasons(), r.Reason) {
			routes = append(routes, route.Method+" "+route.Path)
		}
	}
	if len(routes) > 0 {
		fmt.Fprintf(&b, "\nRoutes that may answer it:\n  %s\n", strings.Join(routes, "\n  "))
	}
	c.Data(http.StatusOK, "text/plain; charset=utf-8", []byte(b.String()))
}
