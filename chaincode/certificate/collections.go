package certificate

import "github.com/hutong-gov/hutong/chaincode/state"

// Types by code.
var Types = state.Map[Type]{Noun: "type", Parts: []string{"code"},
	Doc:   "A type of certificate: its fields, its longest validity and the agency that answers for it.",
	Index: func(t Type) state.Index { return state.Index{Agency: t.Authority, Kind: t.Code} }}

// Accreditations by type and agency.
var Accreditations = state.Map[Accreditation]{Noun: "accreditation", Parts: []string{"type", "agency"},
	Doc: "Which agency may issue a type of certificate, and when.",
	Index: func(a Accreditation) state.Index {
		return state.Index{Agency: a.Agency, Peer: a.Authority, Kind: a.Type}
	}}

// Certificates by id.
var Certificates = state.Map[Certificate]{Noun: "certificate", Parts: []string{"id"},
	Doc: "An issued certificate: a commitment to its document, its validity and its status.",
	Index: func(c Certificate) state.Index {
		return state.Index{Subject: c.Subject, Agency: c.Issuer, Case: c.Case, Kind: c.Type}
	}}

// Collections of this contract.
var Collections = []state.Collection{Types, Accreditations, Certificates}
