package collaboration

import (
	"strconv"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Collections of the ledger. The contract writes them; the projection and the auditor read them from write sets.
var (
	Definitions = state.Map[Definition]{Noun: "definition", Parts: []string{"code", "edition"},
		Doc:   "An edition of a service: its steps, materials, form and outcome, and which agencies have approved it.",
		Index: func(d Definition) state.Index { return state.Index{Agency: d.Lead, Kind: d.Code} }}

	Cases = state.Map[Case]{Noun: "case", Parts: []string{"id"},
		Doc: "An applicant's case, pinned to the edition of the service it was opened on.",
		Index: func(c Case) state.Index {
			return state.Index{Subject: c.Subject, Agency: c.Lead, Case: c.ID, Kind: c.Service}
		}}

	Slots = state.Map[Slot]{Noun: "slot", Parts: []string{"subject", "service"},
		Doc: "Which case of a subject for a service is open: there is one at most.",
		Index: func(s Slot) state.Index {
			return state.Index{Subject: s.Subject, Case: s.Case, Kind: s.Service}
		}}

	Tasks = state.Map[Task]{Noun: "task", Parts: []string{"case", "step"},
		Doc:   "One step of one case: who must decide it, who has claimed it, what was decided.",
		Index: func(t Task) state.Index { return state.Index{Agency: t.Agency, Case: t.Case, Kind: t.Service} }}
)

// Collections of this contract, for the projection, the auditor and the catalogue of keys.
var Collections = []state.Collection{Definitions, Cases, Slots, Tasks}

// DefinitionID is the id of an edition of a service.
func DefinitionID(code string, edition int) string { return code + "/" + strconv.Itoa(edition) }

// DefinitionKey takes the id of a definition apart into the parts of its key.
func DefinitionKey(id string) []string {
	code, edition, _ := strings.Cut(id, "/")
	return []string{code, edition}
}

// TaskID is the id of a step of a case.
func TaskID(caseID, step string) string { return caseID + "/" + step }

// CertificateKey is the idempotency key under which concluding a case issues its certificate: a case has one at most.
func CertificateKey(caseID string) string { return "case:" + caseID }

// CertificateID is the id that a case's certificate will have: a document can name it before the case is concluded.
func CertificateID(lead, caseID string) string {
	return kernel.ID(lead, certificate.CertificateIssue, CertificateKey(caseID))
}
