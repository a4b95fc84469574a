package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

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
	auditsBlocks(ctx, t, c, officer, applied.ID)
	_, err = citizen.Withdraw(ctx, applied.ID)
	require.NoError(t, err)
}

// auditsBlocks runs the commands that read an auditor's blocks, and holds what they print against what REST answers from
// tables, where there is a use that nobody will deliver.
func auditsBlocks(ctx context.Context, t *testing.T, c *testCity, officer *client.Client, id string) {
	t.Helper()
	consents, err := client.Do[app.Page[exchange.Consent]](ctx, officer, http.MethodGet, "/v1/consents?case="+id, nil)
	require.NoError(t, err)
	i := slices.IndexFunc(consents.Items, func(c exchange.Consent) bool { return c.Terms.Consumer == "market.regulation" })
	require.GreaterOrEqual(t, i, 0)
	terms := consents.Items[i].Terms
	_, err = client.Do[app.Used](ctx, officer, http.MethodPost, "/v1/uses", app.RequestUse{
		Case: id, Dataset: terms.Dataset, Fields: terms.Fields, Purpose: terms.Purpose, LegalBasis: "Company Registration Regulations, art. 9",
		Consent: consents.Items[i].ID, Selector: map[string]json.RawMessage{"id_number": json.RawMessage(`"110101190001010000"`)},
	})
	require.Equal(t, "record.missing", client.Reason(err))
	after := uint64(0) // a block from which on the use is there
	require.Eventually(t, func() bool {
		page, err := client.Do[app.Page[exchange.Use]](ctx, officer, http.MethodGet, "/v1/uses?status=requested&case="+id, nil)
		require.NoError(t, err)
		after = page.AsOf
		return len(page.Items) > 0
	}, time.Minute, 50*time.Millisecond)

	auditor := c.signIn(ctx, t, "audit", "auditor")
	hutong, later := program(ctx, t), time.Now().Add(exchange.DeliveryPeriod+time.Hour).UTC().Format(time.RFC3339)
	// lines are what a command prints.
	lines := func(fails bool, verb string, flags ...string) (all []string) {
		command := exec.CommandContext(ctx, hutong, append([]string{"audit", verb, "--gateway", "audit", "--state", c.network.Options.State}, flags...)...)
		var out, words bytes.Buffer
		command.Stdout, command.Stderr = &out, &words
		require.Equal(t, fails, command.Run() != nil, "%s", words.String())
		for line := range strings.Lines(out.String()) {
			all = append(all, strings.TrimSpace(line))
		}
		return all
	}
	said := func(items any) (all []string) {
		raw, err := json.Marshal(items)
		require.NoError(t, err)
		var list []json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &list))
		for _, item := range list {
			all = append(all, string(item))
		}
		return all
	}

	owed, err := client.Do[app.Unmatched](ctx, auditor, http.MethodGet, fmt.Sprintf("/v1/unmatched-uses?at=%s&min_block=%d", later, after), nil)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(owed.Items, func(d exchange.Debt) bool {
		return d.Agency == "services.police" && d.Other == "market.regulation" && d.Missing == exchange.OverdueDelivery
	}), owed.Items)
	require.Equal(t, said(owed.Items), lines(true, "reconcile", "--json", "--at", later))
	text := strings.Join(lines(true, "reconcile", "--at", later), "\n")
	require.Contains(t, text, "requests without delivery")
	require.Regexp(t, `services\.police +owes market\.regulation +\d+ × delivery`, text)
	require.Regexp(t, `no delivery +\w+ +services\.police → market\.regulation +`+terms.Dataset, text)
	require.Empty(t, lines(false, "reconcile", "--json"), "nothing is overdue yet")

	for _, by := range []string{"what", strings.Join(exchange.CountParts, ",")} {
		exact, err := client.Do[app.UseStatistics](ctx, auditor, http.MethodGet, fmt.Sprintf("/v1/audit/statistics/uses?by=%s&min_block=%d", by, after), nil)
		require.NoError(t, err)
		require.NotEmpty(t, exact.Items)
		require.Equal(t, said(exact.Items), lines(false, "statistics", "--by", by))
		public, err := client.Do[app.UseStatistics](ctx, auditor, http.MethodGet, fmt.Sprintf("/v1/statistics/uses?by=%s&min_block=%d", by, after), nil)
		require.NoError(t, err)
		require.Equal(t, said(public.Items), lines(false, "statistics", "--published", "--by", by))
	}
}
