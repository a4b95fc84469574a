package feed

import (
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/store"
)

// Viewer is who reads the feed, as far as it matters for what they may see. One member is set; a viewer without any sees
// nothing.
type Viewer struct {
	All     bool   `json:"all,omitempty"`     // an auditor: everything
	Subject string `json:"subject,omitempty"` // a citizen: what is about this subject
	Agency  string `json:"agency,omitempty"`  // an officer or administrator: what the agency has a part in
	Desk    string `json:"desk,omitempty"`    // a portal's agency: what happens in the cases opened there
}

// parties are the agencies that have a part in a change besides the one it names.
type parties struct {
	record []string // owner and other party of the record it is about: provider and consumer of a use, …
	in     *inCase  // nil where it is of no case, or the case was never opened
}

// inCase is what stays the same of a case once it is open.
type inCase struct {
	agencies []string // that decide a step, or lead
	desk     string   // the portal's agency
	opened   Cursor
}

// Sees says whether a viewer may see a change. What is said here never changes for a change that is in the feed, whatever
// is added later: else somebody would miss what became visible behind their cursor.
func (v Viewer) sees(c store.Change, p parties) bool {
	// What was announced for a case before it was opened (consents are) is its parties' business alone.
	within := p.in != nil && !before(c.Cursor(), p.in.opened)
	switch {
	case v.All:
		return true
	case v.Subject != "":
		return c.Subject == v.Subject
	case v.Agency != "":
		return c.Agency == v.Agency || slices.Contains(p.record, v.Agency) || within && slices.Contains(p.in.agencies, v.Agency)
	case v.Desk != "":
		return within && p.in.desk == v.Desk
	}
	return false
}

// needs says what must be looked up to judge: the record the change is about, its case. A look-up that could not change the
// verdict is not made.
func (v Viewer) needs(c store.Change) (record, within bool) {
	switch {
	case v.All || v.Subject != "":
		return false, false
	case v.Agency != "":
		others := c.Agency != v.Agency
		return others && shared[nounOf(c.Type)], others && c.Case != ""
	}
	return false, v.Desk != "" && c.Case != ""
}

// shared are the nouns of records that are of two agencies, both of which may read them, and whose changes name one of the
// two. A consent is the business of whom it is given to, which its changes name.
var shared = map[string]bool{
	exchange.Grants.Noun: true, exchange.Uses.Noun: true, exchange.Subscriptions.Noun: true,
	collaboration.Definitions.Noun: true, certificate.Accreditations.Noun: true,
}

// nounOf is the noun of the record that a type of change is about: what the change's id is an id of.
func nounOf(event string) string {
	noun, _, _ := strings.Cut(event, ".")
	if noun == "step" {
		return collaboration.Tasks.Noun
	}
	return noun
}
