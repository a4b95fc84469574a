package exchange

import (
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Count is what statistics count by. A use is counted once for each thing that happened to it, on the day of that.
type Count struct {
	Day      string `json:"day,omitempty"` // YYYY-MM-DD in Beijing time, by the transaction's timestamp
	Dataset  string `json:"dataset,omitempty"`
	Provider string `json:"provider,omitempty"`
	Consumer string `json:"consumer,omitempty"`
	Purpose  string `json:"purpose,omitempty"`
	What     string `json:"what,omitempty"` // requested, delivered, acknowledged, verified …: the verb of the change's type
}

// CountParts are what statistics can be broken down by, in their order.
var CountParts = []string{"day", "dataset", "provider", "consumer", "purpose", "what"}

// Values are the parts in the order of CountParts.
func (t *Count) Values() []*string {
	return []*string{&t.Day, &t.Dataset, &t.Provider, &t.Consumer, &t.Purpose, &t.What}
}

// PublishedMultiple is what published numbers are rounded down to multiples of, sums too; what rounds to nothing is left out.
// The ledger names nobody, but whoever knows that one person had a matter that day must not learn from a count of one which
// agency looked at what.
const PublishedMultiple = 5

// Rounded is a number as it is published.
func Rounded(n int64) int64 { return n - n%PublishedMultiple }

// useEvents is how the types of changes of uses begin; the verb and the version follow.
const useEvents = "use."

// Counts are what a transaction's changes are counted as; use gives the use of an id as the transaction left it.
func Counts(changes []kernel.Change, at time.Time, use func(id string) (Use, bool)) []Count {
	var all []Count
	for _, c := range changes {
		rest, ours := strings.CutPrefix(c.Type, useEvents)
		if !ours {
			continue
		}
		what, _, _ := strings.Cut(rest, ".")
		if u, found := use(c.ID); found {
			if u.Secret() { // how often an agency seals is no secret, of whose data is
				u.Provider = ""
			}
			all = append(all, Count{at.In(Beijing).Format(time.DateOnly), u.Dataset, u.Provider, u.Consumer, u.Purpose, what})
		}
	}
	return all
}
