package feed

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/store"
)

// MaxTypes bounds the types of one filter.
const MaxTypes = 16

// Filter selects among what a viewer may see. Empty members select nothing out.
type Filter struct {
	Contract string   `json:"contract,omitempty" enum:"exchange,collaboration,certificate" doc:"Only events of this contract."`
	Types    []string `json:"types,omitempty" max:"16" doc:"Only events of these types: certificate.issued.v1, or case.* for all that begin so."`
	Agency   string   `json:"agency,omitempty" max:"64" doc:"Only events that name this agency."`
	Case     string   `json:"case,omitempty" max:"64" doc:"Only events of this case."`
	Subject  string   `json:"subject,omitempty" max:"64" doc:"Only events about this subject, a pseudonym."`
}

// known are the types there are.
var known = func() (types []string) {
	for _, contract := range [][]kernel.Event{exchange.Events, collaboration.Events, certificate.Events} {
		for _, e := range contract {
			types = append(types, e.Type)
		}
	}
	return types
}()

// Check refuses a filter that could never find anything. Fault: request.invalid on in+"type".
func (f Filter) Check(in string) error {
	if len(f.Types) > MaxTypes {
		return fault.Field(in, fmt.Sprintf("max_items:%d", MaxTypes), "name fewer types, or a prefix of them")
	}
	for _, t := range f.Types {
		if !slices.ContainsFunc(known, func(k string) bool { return matches(t, k) }) {
			return fault.Field(in, "known_type", "name a type of docs/reference/ledger.md, or the beginning of one and .*")
		}
	}
	return nil
}

// matches says whether a type is the one named, or begins as the name does where that ends with .*
func matches(name, event string) bool {
	prefix, some := strings.CutSuffix(name, "*")
	if !some {
		return name == event
	}
	return (prefix == "" || strings.HasSuffix(prefix, ".")) && strings.HasPrefix(event, prefix)
}

// passes says whether a change is selected.
func (f Filter) passes(c store.Change) bool {
	return (f.Contract == "" || f.Contract == c.Contract) &&
		(f.Agency == "" || f.Agency == c.Agency) && (f.Case == "" || f.Case == c.Case) && (f.Subject == "" || f.Subject == c.Subject) &&
		(len(f.Types) == 0 || slices.ContainsFunc(f.Types, func(t string) bool { return matches(t, c.Type) }))
}
