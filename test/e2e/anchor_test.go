package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
)

// TestNetworkAnchorJobGoesOn: what a gateway leaves behind that is killed in a job, the next one takes to its end, and nobody
// asks for that. (That a process that is killed leaves this behind, package anchor's tests show.)
func TestNetworkAnchorJobGoesOn(t *testing.T) {
	const rows, dataset = 100_000, "market.tax/export-refund"
	ctx, c := real(t)
	settings, err := c.network.GatewayConfig("market")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "refunds.csv")
	var text strings.Builder
	text.WriteString("refund_number,refund_yuan\n")
	for i := range rows {
		fmt.Fprintf(&text, "TR%08d,%d\n", i, i)
	}
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	kill(t, c, "market-gateway")
	folder := filepath.Join(settings.Anchors.Archive, filepath.FromSlash(dataset))
	require.NoError(t, os.MkdirAll(folder, 0o700))
	order, err := json.Marshal(anchor.Order{
		Dataset: dataset, Files: []string{path}, BatchSize: anchor.DefaultBatchSize, By: anchor.By{Agency: "market.tax", Role: app.Officer, Staff: "T1"},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "order.json"), order, 0o600))
	require.NoError(t, c.network.Up(ctx))

	officer := c.signIn(ctx, t, "market", "officer.tax")
	var job anchor.Job
	require.Eventually(t, func() bool {
		job, err = client.Do[anchor.Job](ctx, officer, http.MethodGet, "/v1/anchor-jobs/"+dataset, nil)
		return err == nil && job.State != anchor.Running
	}, time.Minute, 100*time.Millisecond, "%v", err)
	require.Equal(t, [4]any{anchor.Done, rows, 2, 1}, [4]any{job.State, job.Records, job.Anchored, job.Resumed}, "%v", job.Failure)
	require.NoFileExists(t, filepath.Join(folder, "order.json"))
}
