package exchange

import (
	"cmp"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions of the roster.
const (
	ListingEnter  = "listing:Enter"
	ListingRename = "listing:Rename"
)

// Kinds of agency in the roster.
const (
	Department = "department" // of the city
	District   = "district"
)

// Listed is the status of an agency in the roster.
const Listed = "listed"

var agencyKinds = []string{Department, District}

// Listing is an agency in the city's roster, whether it takes part or not: one that takes part has an Agency of the same id
// besides, with its keys. The coordinating organisation keeps the roster. Key: the agency's id.
type Listing struct {
	state.Head
	Kind string `json:"kind"` // department | district
	Name Text   `json:"name"`
}

// EnterListing enters an agency in the roster (role admin of the coordinating organisation).
type EnterListing struct {
	Agency string `json:"agency"`
	Kind   string `json:"kind"`
	Name   Text   `json:"name"`
}

// RenameListing gives an agency in the roster another name (role admin of the coordinating organisation).
type RenameListing struct {
	Agency string `json:"agency"`
	Name   Text   `json:"name"`
}

// Validate implements kernel.Validator.
func (r EnterListing) Validate() error {
	return cmp.Or(CheckAgency("agency", r.Agency), oneOf("kind", r.Kind, agencyKinds), fault.Under("name", r.Name.Validate()))
}

// Validate implements kernel.Validator.
func (r RenameListing) Validate() error {
	return cmp.Or(CheckAgency("agency", r.Agency), fault.Under("name", r.Name.Validate()))
}

// Enter makes the agency's line. No guards beyond the authorisation table's.
func (r EnterListing) Enter() (Listing, kernel.Change, error) {
	l := Listing{Head: state.Head{ID: r.Agency, Status: Listed}, Kind: r.Kind, Name: r.Name}
	return l, l.change(EventListingEntered), nil
}

// Rename changes the names. No guards beyond the authorisation table's.
func (l Listing) Rename(r RenameListing) (Listing, kernel.Change, error) {
	l.Name = r.Name
	return l, l.change(EventListingRenamed), nil
}

func (l Listing) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: l.ID, Agency: l.ID}
}

// Listings are the roster.
var Listings = state.Map[Listing]{Noun: "listing", Parts: []string{"agency"},
	Doc: "An agency in the city's roster, whether it takes part or not.",
	Index: func(l Listing) state.Index {
		return state.Index{Agency: l.ID, Kind: l.Kind, Words: []string{l.ID, l.Name.Zh, l.Name.En}}
	}}

// Changes to the roster.
const (
	EventListingEntered = "listing.entered.v1"
	EventListingRenamed = "listing.renamed.v1"
)

var listingEvents = []kernel.Event{
	{Type: EventListingEntered, Doc: "An agency was entered in the city's roster. id and agency: the agency."},
	{Type: EventListingRenamed, Doc: "An agency in the city's roster has another name. id and agency: the agency."},
}

// Changes implements kernel.Changer.
func (r RenameListing) Changes() string { return Listings.Noun + "/" + r.Agency }
