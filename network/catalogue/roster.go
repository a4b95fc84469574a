package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// Line of the roster: an agency of the city, whether it takes part or not.
type Line struct {
	ID string `json:"id"`
	Zh string `json:"zh"`
	En string `json:"en"`
}

// Roster is the city's departments and districts.
type Roster struct {
	Departments []Line `json:"departments"`
	Districts   []Line `json:"districts"`
}

// listings are the requests that enter the roster.
func (r Roster) listings() []exchange.EnterListing {
	var all []exchange.EnterListing
	for kind, lines := range map[string][]Line{exchange.Department: r.Departments, exchange.District: r.Districts} {
		for _, l := range lines {
			all = append(all, exchange.EnterListing{Agency: l.ID, Kind: kind, Name: exchange.Text{Zh: l.Zh, En: l.En}})
		}
	}
	slices.SortFunc(all, func(a, b exchange.EnterListing) int { return strings.Compare(a.Agency, b.Agency) })
	return all
}

// coordinator is an agency of the organisation that assigns duties and keeps the roster.
func (c Catalogue) coordinator() (string, error) {
	at := slices.IndexFunc(c.Agencies, func(a Agency) bool { return strings.HasPrefix(a.ID, access.Coordinator+".") })
	if at < 0 {
		return "", errors.New("agencies: none is of the coordinating organisation, which assigns duties and keeps the roster")
	}
	return c.Agencies[at].ID, nil
}

// roster checks that every line has the form of one, and stands once; and that those who only publish are in it, for it has
// their names.
func (c *checker) roster() {
	seen := map[string]bool{}
	for _, line := range c.Roster.listings() {
		where := c.files["roster"] + ": " + line.Agency
		c.check(where, line.Validate())
		c.require(!seen[line.Agency], where, "is listed twice")
		seen[line.Agency] = true
	}
	for i, id := range c.Publishers {
		c.require(seen[id], fmt.Sprintf("%s: publishers[%d]", c.files["agencies"], i), "%q is not in the roster, which has the names of those who publish", id)
	}
}
