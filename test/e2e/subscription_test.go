package e2e

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkASubscriberIsTold changes a row of the housing authority's database and waits until market regulation, which
// was given the record, is told by its own gateway.
func TestNetworkASubscriberIsTold(t *testing.T) {
	ctx, c := real(t)
	person, _, err := story.SignIn(ctx, c, "citizen2", c.keys)
	require.NoError(t, err)
	applied := apply(ctx, t, c, person)
	officer, err := story.NewOfficer(ctx, c, "market.regulation")
	require.NoError(t, err)
	_, err = api.Of(officer.Client).Tasks(ctx, api.Tasks{MinBlock: lastBlock(applied)})
	require.NoError(t, err)
	used, _, err := officer.Fetch(ctx, applied.ID, "premises")
	require.NoError(t, err)
	_, premises, found := c.world.Behind("citizen2")
	require.True(t, found)
	number, err := json.Marshal(premises.Number)
	require.NoError(t, err)
	_, err = client.Do[app.Receipt](ctx, officer.Client, http.MethodPut, "/v1/uses/"+used.ID+"/subscription",
		app.Subscribe{Selector: map[string]json.RawMessage{"premises_number": number}}, client.Key("follow-"+used.ID))
	require.NoError(t, err)

	// told waits for so many events of the subscription, and gives how long it took.
	told := func(n int) time.Duration {
		begin := time.Now()
		require.Eventually(t, func() bool {
			page, err := client.Do[app.EventPage](ctx, officer.Client, http.MethodGet, "/v1/events?type=subscription.*&page_size=200", nil)
			require.NoError(t, err)
			count := 0
			for _, e := range page.Items {
				if e.Record == used.ID {
					count++
				}
			}
			return count >= n
		}, 30*time.Second, 50*time.Millisecond)
		return time.Since(begin)
	}
	told(2) // started, watched
	db, err := sql.Open("sqlite", filepath.Join(c.network.Options.State, "departments", departments.HousingFile))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	area := func(more int) {
		_, err := db.ExecContext(ctx, `UPDATE premises SET floor_area_m2 = floor_area_m2 + ? WHERE prem_no = ?`, more, premises.Number)
		require.NoError(t, err)
	}
	area(1)
	t.Logf("told %s after the record changed; it is looked at every 5 s", told(3).Round(10*time.Millisecond))
	area(-1)
	told(4)
	_, err = client.Do[app.Receipt](ctx, officer.Client, http.MethodPut, "/v1/subscriptions/"+used.ID+"/end", app.Unsubscribe{Reason: "test_over"}, client.Key("end-"+used.ID))
	require.NoError(t, err)
}
