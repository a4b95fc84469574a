package contract_test

import (
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// modelDocument is a record as a provider salted it, whether or not the ledger has its commitment.
type modelDocument struct {
	dataset, subject string
	root             string
	content          commitment.Document
}

// opening shows a field; one that the document has not is shown by what it has first.
func (d *modelDocument) opening(name string) exchange.Opening {
	if !slices.Contains(d.names(), name) {
		name = d.content.Fields[0].Name
	}
	field, proof, err := d.content.Show(name)
	if err != nil {
		panic(err)
	}
	leaf, err := field.Leaf()
	if err != nil {
		panic(err)
	}
	return exchange.Opening{Leaf: leaf, Path: proof.Path}
}

func (d *modelDocument) names() (names []string) {
	for _, f := range d.content.Fields {
		names = append(names, f.Name)
	}
	return names
}

type modelCommitment struct {
	provider  string
	stands    *modelDocument
	before    []*modelDocument
	until     *time.Time
	withdrawn bool
}

// document salts a record anew.
func (m *model) document(dataset, subject string) *modelDocument {
	values := map[string]any{}
	for _, name := range m.some("record", columns) {
		values[name] = "the same"
	}
	d := &modelDocument{dataset: dataset, subject: subject}
	var err error
	d.content, err = commitment.New(values)
	require.NoError(m.t, err)
	d.root, err = d.content.Root()
	require.NoError(m.t, err)
	m.documents = append(m.documents, d)
	return d
}

// commitRecord commits to a record for the first time or anew, seldom to one that it had before.
func (m *model) commitRecord(*rapid.T) {
	id, _ := m.anyDataset()
	m.commitTo(id, m.pick("subject", people))
}

func (m *model) commitTo(id, person string) {
	d := m.datasets[id]
	document := m.document(id, person)
	held := m.commitments[id+"/"+person]
	if held != nil && m.seldom("the same again") {
		document = held.stands
	}
	caller := m.usually(d.owner)
	request := exchange.AnchorCommitment{Dataset: id, Subject: person, Fields: document.names(), Root: document.root}
	if rapid.Bool().Draw(m.t, "ends") {
		until := m.Now().Add(rapid.SampledFrom([]time.Duration{20 * time.Minute, 20 * time.Hour, -time.Minute}).Draw(m.t, "for"))
		request.Until = &until
	}
	may := caller == d.owner && d.gives(request.Fields) && (request.Until == nil || request.Until.After(m.Now()))
	if held == nil {
		if _, done := m.attempt(may, caller, access.Agency, exchange.CommitmentAnchor, request); done {
			m.commitments[id+"/"+person] = &modelCommitment{provider: d.owner, stands: document, until: request.Until}
		}
		return
	}
	supersedes := held.stands.root
	if m.seldom("supersede another") {
		supersedes = hashA
	}
	may = may && supersedes == held.stands.root && document != held.stands && !slices.Contains(held.before, document)
	if _, done := m.attempt(may, caller, access.Agency, exchange.CommitmentSupersede, exchange.SupersedeCommitment{AnchorCommitment: request, Supersedes: supersedes}); done {
		held.before = append(held.before, held.stands)
		held.stands, held.until, held.withdrawn = document, request.Until, false
	}
}

func (m *model) withdrawCommitment(*rapid.T) {
	m.onlyIn(3)
	held := m.commitments[anyOf(m, "commitment", slices.Sorted(maps.Keys(m.commitments)))]
	caller := m.usually(held.provider)
	request := exchange.WithdrawCommitment{Dataset: held.stands.dataset, Subject: held.stands.subject, Reason: "error"}
	if _, done := m.attempt(caller == held.provider && !held.withdrawn, caller, access.Agency, exchange.CommitmentWithdraw, request); done {
		held.withdrawn = true
	}
}

// documentsFor are those that a verification shows its fields of: most often what stands, or one from before.
func (m *model) documentsFor(u *modelUse) (shown []*modelDocument) {
	held := m.commitments[u.request.Dataset+"/"+u.request.Subject]
	document := m.document(u.request.Dataset, u.request.Subject)
	switch {
	case held == nil || m.seldom("never committed to"):
	case len(held.before) > 0 && rapid.Bool().Draw(m.t, "before"):
		document = anyOf(m, "document", held.before)
	default:
		document = held.stands
	}
	for range u.request.Fields {
		if m.seldom("mixed") {
			document = anyOf(m, "document", m.documents)
		}
		shown = append(shown, document)
	}
	return shown
}

// finding is what the model knows of the fields that were shown: what they are of, and what became of that.
func (m *model) finding(u *modelUse, at time.Time) string {
	held := m.commitments[u.request.Dataset+"/"+u.request.Subject]
	switch {
	case held == nil:
		return "absent"
	case held.withdrawn:
		return "withdrawn"
	case !contains(held.stands.names(), u.request.Fields):
		return "absent"
	}
	document := u.shown[0]
	for _, d := range u.shown { // which fields an earlier one had, the ledger does not keep: it has their number by the path
		if d != document || len(d.content.Fields) != len(held.stands.content.Fields) {
			return "mismatched"
		}
	}
	switch {
	case slices.Contains(held.before, document):
		return "superseded"
	case document != held.stands:
		return "mismatched"
	case held.until != nil && !at.Before(*held.until):
		return "stale"
	}
	return "proven"
}
