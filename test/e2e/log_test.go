package e2e

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/statement"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkLogIsProvedOffline: what real peers signed of a citizen's log is verified with the public certificates alone.
func TestNetworkLogIsProvedOffline(t *testing.T) {
	ctx, c := real(t)
	roots, err := statement.Certificates(c.network.Layout.PublicRoot())
	require.NoError(t, err)
	trust := statement.Trust{Channel: c.network.Topology.Channel, Roots: roots, Needed: len(roots)}

	citizen, _, err := story.SignIn(ctx, c, "citizen2", c.keys)
	require.NoError(t, err)
	applied := apply(ctx, t, c, citizen)
	officer, err := c.SignIn(ctx, "market", "officer.regulation")
	require.NoError(t, err)
	_, err = client.Do[app.Used](ctx, officer, http.MethodPost, "/v1/uses", app.RequestUse{Case: applied.ID, Material: "identity"})
	require.NoError(t, err)

	file, err := client.Do[audit.LogFile](ctx, citizen.Client, http.MethodGet, "/v1/subjects/me/log", nil)
	require.NoError(t, err)
	report, err := audit.CheckLog(trust, file)
	require.NoError(t, err)
	require.Positive(t, report.Count)
	require.Equal(t, report.Count, report.Proved)
	require.Zero(t, report.Missing)
	require.Equal(t, []string{"AuditMSP", "MarketMSP", "PlanningMSP", "ServicesMSP"}, report.Organisations)
	require.Positive(t, file.Statement.Block)

	changed := file
	changed.Entries = slices.Clone(file.Entries)
	changed.Entries[0].Purpose = "other"
	_, err = audit.CheckLog(trust, changed)
	require.ErrorIs(t, err, exchange.ErrNotInLog)
	forged := file
	forged.Statement.Signed = slices.Clone(file.Statement.Signed)
	forged.Statement.Signed[len(forged.Statement.Signed)-1] ^= 1
	_, err = audit.CheckLog(trust, forged)
	require.ErrorIs(t, err, statement.ErrUnsound)
	_, err = citizen.Withdraw(ctx, applied.ID)
	require.NoError(t, err)
}
