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
	"github.com/hutong-gov/hutong/gateway/client/api"
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
	block := lastBlock(applied)
	_, err = client.Do[app.Page[exchange.Consent]](ctx, officer, http.MethodGet, fmt.Sprintf("/v1/consents?case=%s&min_block=%d", applied.ID, block), nil)
	require.NoError(t, err) // the officer's gateway has seen them
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
	sealed(ctx, t, c, citizen, trust)
}

// sealed has an inquiry made into the citizen across two organisations. Until it is opened, which its gateway does by itself at the
// date, nothing of what it is about is in any block, and the log proves that there was one.
func sealed(ctx context.Context, t *testing.T, c *testCity, citizen story.Person, trust statement.Trust) {
	t.Helper()
	const dataset, purpose, basis, file = "market.regulation/enterprise", "inquiry.fraud", "Rules of Inquiry, art. 9", "Inquiry 2026-17"
	from := time.Now().UTC().Truncate(24 * time.Hour)
	asked, err := api.Of(c.signIn(ctx, t, "services", "admin.police")).RequestGrant(ctx, api.RequestGrant{RequestGrant: exchange.RequestGrant{Dataset: dataset, Basis: "Inquiries Act", Terms: exchange.Terms{
		Purposes: []string{purpose}, Fields: []string{"name"}, ValidFrom: from, ValidUntil: from.AddDate(1, 0, 0), DelayDays: 1,
	}}})
	require.NoError(t, err)
	owner, officer := api.Of(c.signIn(ctx, t, "market", "admin.regulation")), api.Of(c.signIn(ctx, t, "services", "officer.police"))
	_, err = owner.Grants(ctx, api.Grants{MinBlock: asked.Block})
	require.NoError(t, err)
	granted, err := owner.ApproveGrant(ctx, api.ApproveGrant{ID: asked.ID})
	require.NoError(t, err)
	_, err = officer.Grants(ctx, api.Grants{MinBlock: granted.Block})
	require.NoError(t, err)
	code, err := json.Marshal(c.world.Enterprises[0].Code)
	require.NoError(t, err)
	opens := time.Now().UTC().Truncate(time.Millisecond).Add(12 * time.Second)
	used, err := officer.SealUse(ctx, api.SealUse{
		Subject: citizen.Me.Pseudonym, Dataset: dataset, Fields: []string{"name"}, Purpose: purpose, LegalBasis: basis, File: file,
		Selector: map[string]json.RawMessage{"credit_code": code}, OpensAt: opens,
	})
	require.NoError(t, err)
	details, err := officer.SealedDetails(ctx, api.ByID{ID: used.ID, MinBlock: used.Block})
	require.NoError(t, err)
	texts := []string{basis, file}
	for _, f := range details.Document.Fields {
		texts = append(texts, f.Salt)
	}
	scan, err := story.ScanNetwork(ctx, c.network, append(texts, used.ID), story.BlocksLogsMetrics)
	require.NoError(t, err)
	if time.Now().Before(opens) { // else it may be open
		for _, f := range scan.Found {
			require.Equal(t, len(texts), f.Text, "text %d is in %s", f.Text, f.Where)
		}
	}
	require.Positive(t, scan.In("block", len(texts)), "the search finds what is there")
	report := func() audit.LogReport {
		log, err := client.Do[audit.LogFile](ctx, citizen.Client, http.MethodGet, "/v1/subjects/me/log", nil)
		require.NoError(t, err)
		report, err := audit.CheckLog(trust, log)
		require.NoError(t, err)
		require.Equal(t, report.Count, report.Proved)
		return report
	}
	first := report()
	require.Equal(t, 1, first.Sealed+first.Opened)
	require.Eventually(t, func() bool { return report().Opened == 1 }, time.Minute, time.Second, "its gateway opens it by itself")
	item, err := officer.Use(ctx, api.ByID{ID: used.ID})
	require.NoError(t, err)
	require.Equal(t, []any{file, exchange.Acknowledged}, []any{item.Item.Case, item.Item.Status})
	require.False(t, item.Item.Seal.OpenedAt.Before(opens))
}

// auditsBlocks runs the commands that read an auditor's blocks, and holds what they print against what REST answers from
// tables, where there is a use that nobody will deliver.
func auditsBlocks(ctx context.Context, t *testing.T, c *testCity, officer *client.Client, id string) {
	t.Helper()
	consents, err := client.Do[app.Page[exchange.Consent]](ctx, officer, http.MethodGet, "/v1/consents?case="+id, nil)
	require.NoError(t, err)
	i := slices.IndexFunc(consents.Items, func(c exchange.Consent) bool {
		return c.Terms.Consumer == "market.regulation" && c.Terms.Dataset == "services.police/identity"
	})
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
