package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/test/story"
	"github.com/hutong-gov/hutong/test/story/search"
)

// TestStory tells the story again and again: on a new city, on one that has heard it, and after a telling that broke off.
func TestStory(t *testing.T) {
	ctx, c := real(t)
	personal, _ := c.world.Personal()
	tell := func() story.Report {
		var out bytes.Buffer
		report, err := story.Tell(ctx, &out, c, c.options("citizen1"))
		require.NoError(t, err, out.String())
		report.Print(&out)
		t.Log(out.String())
		require.GreaterOrEqual(t, float64(report.Saved), 0.4*float64(report.Required), "materials saved")
		require.Zero(t, report.Visits)
		require.Positive(t, report.Blocks)
		require.Less(t, report.Took, time.Minute)
		for _, at := range search.New(personal).Find(out.Bytes()) {
			require.Equal(t, "citizen1", personal[at], "the story prints nothing personal but the account that it says signs in")
		}
		return report
	}
	first, second := tell(), tell()
	require.NotEqual(t, first.Case, second.Case)
	require.NotEqual(t, first.Certificate, second.Certificate)

	// A telling breaks off after the application.
	citizen, _, err := story.SignIn(ctx, c, "citizen1", c.keys)
	require.NoError(t, err)
	open := apply(ctx, t, c, citizen)
	third := tell()
	require.NotEqual(t, open.ID, third.Case)
	view, err := client.Do[app.CaseView](ctx, citizen.Client, http.MethodGet, fmt.Sprintf("/v1/cases/%s?min_block=%d", open.ID, third.LastBlock), nil)
	require.NoError(t, err)
	require.Equal(t, "withdrawn", view.Case.Status)
}

// TestStoryLeavesNoPersonalDataBehind searches everything the network keeps for what the departments know.
func TestStoryLeavesNoPersonalDataBehind(t *testing.T) {
	ctx, c := real(t)
	var out bytes.Buffer
	report, err := story.Tell(ctx, &out, c, c.options("citizen3"))
	require.NoError(t, err, out.String())

	personal, _ := c.world.Personal()
	// What the search can find, of the same kinds: the pseudonym is on the ledger, plain and inside signatures; a route's
	// name is in the gateways' logs and metrics.
	const route = "/v1/cases"
	controls := []string{report.Subject, route}
	scan, err := story.ScanNetwork(ctx, c.network, append(personal, controls...), story.EveryFile)
	require.NoError(t, err)
	for _, f := range scan.Found {
		require.GreaterOrEqual(t, f.Text, len(personal), "personal text %d is in %s", f.Text, f.Where)
	}
	require.Positive(t, scan.In("block", len(personal)), "the search finds the pseudonym in blocks")
	require.Positive(t, scan.In("file", len(personal)), "and in the files of ledgers and projections")
	require.Positive(t, scan.In("log", len(personal)+1), "the search finds a route in logs")
	require.Positive(t, scan.In("metrics", len(personal)+1), "and in metrics")
	require.GreaterOrEqual(t, scan.Blocks, int(report.LastBlock))
	require.Greater(t, len(personal), 30_000)
	require.Equal(t, len(personal), scan.Known, "and all of it in the departments' own databases")
	t.Logf("searched %d blocks, %d logs, metrics of %d processes and %d other files, %d MB, for %d texts", scan.Blocks, scan.Logs, scan.Metrics, scan.Files, scan.Bytes>>20, len(personal))
}
