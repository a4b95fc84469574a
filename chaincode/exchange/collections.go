package exchange

import (
	"strconv"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/state"
)

// Collections of the ledger. The contract writes them; the projection and the auditor read them from write sets.
var (
	Agencies = state.Map[Agency]{Noun: "agency", Parts: []string{"agency"},
		Doc:   "An agency that takes part: its names, the key payloads are sealed to, its gateway, its duties.",
		Index: func(a Agency) state.Index { return state.Index{Agency: a.ID} }}

	Datasets = state.Map[Dataset]{Noun: "dataset", Parts: []string{"agency", "code"},
		Doc: "An entry of the directory: what an agency holds about subjects and may share.",
		Index: func(d Dataset) state.Index {
			return state.Index{Agency: d.Agency, Kind: d.ID, Words: d.words(), Tags: d.tags()}
		}}

	Schemas = state.Map[Schema]{Noun: "schema", Parts: []string{"agency", "code", "edition"},
		Doc:   "What the records of one edition of a dataset look like, in JSON Schema 2020-12.",
		Index: func(s Schema) state.Index { return state.Index{Agency: providerOf(s.Dataset), Kind: s.Dataset} }}

	Grants = state.Map[Grant]{Noun: "grant", Parts: []string{"id"},
		Doc: "An agency's permission to use a dataset, asked for, granted, denied or withdrawn.",
		Index: func(g Grant) state.Index {
			return state.Index{Agency: g.Provider, Peer: g.Consumer, Kind: g.Dataset}
		}}

	Tickets = state.Map[Ticket]{Noun: TicketNoun, Parts: []string{"grant", "period", "number"},
		Doc: "A number of a grant's quota that a use has taken in a period."}

	Subjects = state.Map[Subject]{Noun: "subject", Parts: []string{"pseudonym"},
		Doc:   "A person or enterprise under a pseudonym, with the key it signs with.",
		Index: func(s Subject) state.Index { return state.Index{Subject: s.Pseudonym} }}

	Keys = state.Map[Key]{Noun: "key", Parts: []string{"pseudonym", "thumbprint"},
		Doc:   "A key a subject signed with before: when, and what put another in its place.",
		Index: func(k Key) state.Index { return state.Index{Subject: k.Subject} }}

	Consents = state.Map[Consent]{Noun: "consent", Parts: []string{"id"},
		Doc: "A subject's signed agreement to uses of its data, or what ended it.",
		Index: func(c Consent) state.Index {
			return state.Index{Subject: c.Terms.Subject, Agency: providerOf(c.Terms.Dataset), Peer: c.Terms.Consumer,
				Case: c.Terms.Case, Kind: c.Terms.Dataset}
		}}

	Tallies = state.Map[Tally]{Noun: "tally", Parts: []string{"consent"},
		Doc:   "How often a consent has been used; absent where it has not been.",
		Index: func(t Tally) state.Index { return state.Index{Subject: t.Subject} }}

	Codes = state.Map[Code]{Noun: "code", Parts: []string{"id"},
		Doc: "A one-time code a subject has signed, of which an officer at a window makes consents.",
		Index: func(c Code) state.Index {
			return state.Index{Subject: c.Terms.Subject, Peer: c.Terms.Consumer, Case: c.Terms.Case}
		}}

	Uses = state.Map[Use]{Noun: "use", Parts: []string{"id"},
		Doc: "One use of a subject's data by an agency: requested, delivered, acknowledged.",
		Index: func(u Use) state.Index {
			return state.Index{Subject: u.Subject, Agency: u.Provider, Peer: u.Consumer, Case: u.Case, Kind: u.Dataset,
				Number: u.Number}
		}}

	Logs = state.Map[Log]{Noun: "log", Parts: []string{"pseudonym"},
		Doc:   "The head of a subject's access log: how many uses, and the root of the Merkle tree over all of them in order.",
		Index: func(l Log) state.Index { return state.Index{Subject: l.Subject} }}
)

// Collections of this contract, for the projection, the auditor and the catalogue of keys.
var Collections = []state.Collection{Agencies, Datasets, Schemas, Grants, Tickets, Subjects, Keys, Consents, Tallies, Codes, Uses, Subscriptions, Logs, Anchors, AllSeries, Commitments,
	Requirements, Listings}

// DatasetKey takes a dataset id apart into the parts of its key.
func DatasetKey(id string) []string {
	agency, code, _ := strings.Cut(id, "/")
	return []string{agency, code}
}

// SchemaKey takes a dataset's id and edition apart into the parts of its schema's key.
func SchemaKey(dataset string, edition int) []string {
	return append(DatasetKey(dataset), strconv.Itoa(edition))
}

// providerOf is the agency that owns a dataset.
func providerOf(dataset string) string { return DatasetKey(dataset)[0] }
