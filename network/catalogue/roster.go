package catalogue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
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

// atOnce is how many lines are written at a time: the gateway makes few transactions of them.
const atOnce = 64

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

// LoadRoster enters the city's departments and districts in the roster, as an administrator of the coordinating organisation.
// What is there is left alone; loading again writes nothing.
func (c Catalogue) LoadRoster(ctx context.Context, door Door, say func(format string, args ...any)) (Result, error) {
	if say == nil {
		say = func(string, ...any) {}
	}
	l := &loader{door: door, say: say}
	as, err := c.coordinator()
	if err != nil {
		return l.result, err
	}
	known, err := read[exchange.Listing](ctx, l, as, "/v1/roster", nil)
	if err != nil {
		return l.result, fmt.Errorf("catalogue: roster: %w", err)
	}
	there := map[string]bool{}
	for _, listed := range known {
		there[listed.ID] = true
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	results := make(chan Result, len(c.Roster.Departments)+len(c.Roster.Districts))
	for _, line := range c.Roster.listings() {
		if there[line.Agency] {
			l.result.Present++
			continue
		}
		group.Go(func() error {
			one := &loader{door: door, say: func(string, ...any) {}}
			err := one.write(ctx, as, http.MethodPut, "/v1/roster/"+line.Agency, "enter "+line.Agency+" in the roster", app.EnterListing{Kind: line.Kind, Name: line.Name})
			results <- one.result
			return err
		})
	}
	err = group.Wait()
	close(results)
	for one := range results {
		l.result.Present, l.result.Written, l.result.Block = l.result.Present+one.Present, l.result.Written+one.Written, max(l.result.Block, one.Block)
	}
	if err != nil {
		return l.result, fmt.Errorf("catalogue: %w", err)
	}
	if l.result.Written > 0 {
		say("enter %d departments and districts in the roster  (%s)", l.result.Written, as)
	}
	return l.result, nil
}

// coordinator is an agency of the organisation that assigns duties and keeps the roster.
func (c Catalogue) coordinator() (string, error) {
	at := slices.IndexFunc(c.Agencies, func(a Agency) bool { return strings.HasPrefix(a.ID, access.Coordinator+".") })
	if at < 0 {
		return "", errors.New("agencies: none is of the coordinating organisation, which assigns duties and keeps the roster")
	}
	return c.Agencies[at].ID, nil
}

// roster checks that every line has the form of one, and stands once.
func (c *checker) roster() {
	seen := map[string]bool{}
	for _, line := range c.Roster.listings() {
		where := "roster: " + line.Agency
		c.check(where, line.Validate())
		c.require(!seen[line.Agency], where, "is listed twice")
		seen[line.Agency] = true
	}
}
