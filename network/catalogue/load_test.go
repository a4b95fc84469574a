package catalogue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/catalogue"
)

// counts are what became of each stage's entries: written and there already.
func counts(r catalogue.Result) map[string][2]int {
	all := map[string][2]int{}
	for _, c := range r.Stages {
		all[c.Stage] = [2]int{c.Written, c.Present}
	}
	return all
}

func TestLoadingTwiceWritesNothingTheSecondTime(t *testing.T) {
	ctx := context.Background()
	city := apptest.New(t)
	c, err := catalogue.Default()
	require.NoError(t, err)
	would, err := c.Load(ctx, city.Admin, catalogue.Options{DryRun: true})
	require.NoError(t, err)
	require.Zero(t, would.Block)
	said, progress := 0, 0
	height := city.Ledger.Height()
	first, err := c.Load(ctx, city.Admin, catalogue.Options{Say: func(string, ...any) { said++ }, Progress: func(catalogue.Progress) { progress++ }})
	require.NoError(t, err)
	require.Greater(t, city.Ledger.Height(), height, "the dry run wrote nothing, so that there is something to write")
	require.Equal(t, map[string][2]int{
		"roster": {69, 0}, "agencies": {54, 0}, "duties": {2, 0}, "datasets": {72, 0}, "certificate types": {1, 0}, "accreditations": {1, 0},
		"requirements": {20, 0}, "requests for grants": {3, 0}, "grants": {3, 0}, "services": {1, 0}, "approvals": {1, 0},
	}, counts(first))
	require.Equal(t, 227, first.Total().Written)
	require.Equal(t, first.Total().Written, would.Total().Written, "the dry run said what would be written")
	require.Equal(t, first.Total().Written, said)
	require.Equal(t, first.Total().Written, progress)
	height = city.Ledger.Height()

	for _, dry := range []bool{true, false} {
		again, err := c.Load(ctx, city.Admin, catalogue.Options{DryRun: dry})
		require.NoError(t, err)
		require.Zero(t, again.Total().Written)
		require.Equal(t, 227, again.Total().Present)
		require.Zero(t, again.Block)
		require.Equal(t, height, city.Ledger.Height())
	}

	hall, err := city.Admin(ctx, "services.hall")
	require.NoError(t, err)
	districts, err := client.Do[app.Page[exchange.Listing]](ctx, hall, "GET", "/v1/roster?kind=district&text=haidian", nil)
	require.NoError(t, err)
	require.Len(t, districts.Items, 1)
	require.Equal(t, exchange.Text{Zh: "北京市海淀区人民政府", En: "Haidian District"}, districts.Items[0].Name)
}

// TestALoadThatBreaksOffGoesOn stops the load again and again; the next load goes on and repeats nothing.
func TestALoadThatBreaksOffGoesOn(t *testing.T) {
	ctx := context.Background()
	c, err := catalogue.Default()
	require.NoError(t, err)
	c = c.Active()
	whole := apptest.New(t)
	complete, err := c.Load(ctx, whole.Admin, catalogue.Options{})
	require.NoError(t, err)

	city := apptest.New(t)
	stop := errors.New("the door is shut")
	written := 0
	for broken := int64(0); ; broken++ {
		require.LessOrEqual(t, broken, int64(2*complete.Total().Written+20))
		var knocks atomic.Int64
		result, err := c.Load(ctx, func(ctx context.Context, agency string) (*client.Client, error) {
			if knocks.Add(1) > 2*(broken+1) {
				return nil, stop
			}
			return city.Admin(ctx, agency)
		}, catalogue.Options{})
		written += result.Total().Written
		if err == nil {
			break
		}
		require.ErrorIs(t, err, stop)
	}
	require.Equal(t, complete.Total().Written, written)
	require.Equal(t, whole.Ledger.Height(), city.Ledger.Height())
}

// TestEveryAgencyLoadsItsOwnPart: each with nothing but its own administrator's token, in an order in which what is referred to
// comes first.
func TestEveryAgencyLoadsItsOwnPart(t *testing.T) {
	ctx := context.Background()
	city := apptest.New(t)
	c, err := catalogue.Default()
	require.NoError(t, err)
	c = c.Active()
	written := 0
	for range 3 { // who refers to what is not there yet comes again; a provider grants what its consumer has asked for by then
		for _, a := range []string{"services.hall", "services.police", "services.civil", "services.social", "services.disabled", "planning.housing", "market.tax", "market.customs", "market.regulation"} {
			result, err := c.Load(ctx, func(ctx context.Context, agency string) (*client.Client, error) {
				require.Equal(t, a, agency, "no other agency's token is at hand")
				return city.Admin(ctx, agency)
			}, catalogue.Options{Agency: a})
			if client.Reason(err) != "" { // what it refers to is another agency's, and not there yet
				require.Contains(t, []string{"agency.missing", "dataset.missing", "type.missing", "definition.missing"}, client.Reason(err), "%s: %v", a, err)
			} else {
				require.NoError(t, err, a)
			}
			written += result.Total().Written
		}
	}
	all, err := c.Load(ctx, city.Admin, catalogue.Options{DryRun: true})
	require.NoError(t, err)
	require.Zero(t, all.Total().Written, "nothing is left")
	require.Positive(t, written)
}

func TestWhatTheLedgerHasOtherwiseIsNotChangedSilently(t *testing.T) {
	ctx := context.Background()
	city := apptest.New(t)
	c, err := catalogue.Default()
	require.NoError(t, err)
	_, err = c.Active().Load(ctx, city.Admin, catalogue.Options{})
	require.NoError(t, err)
	height := city.Ledger.Height()
	for says, change := range map[string]func(c *catalogue.Catalogue){
		"dataset services.police/identity":                      func(c *catalogue.Catalogue) { c.Datasets[0].ConsentRequired = false },
		"dataset planning.housing/deed":                         func(c *catalogue.Catalogue) { c.Datasets[4].Schema = nil },
		"certificate type business-licence":                     func(c *catalogue.Catalogue) { c.Types[0].ValidDays = 1 },
		"requirement market.regulation/representative-identity": func(c *catalogue.Catalogue) { c.Requirements[0].LegalBasis = "another" },
		"count the edition up":                                  func(c *catalogue.Catalogue) { c.Services[0].Visits = 1 },
	} {
		changed, err := catalogue.Default()
		require.NoError(t, err)
		changed = changed.Active()
		change(&changed)
		_, err = changed.Load(ctx, city.Admin, catalogue.Options{})
		require.ErrorContains(t, err, says)
		require.Equal(t, height, city.Ledger.Height())
	}
}
