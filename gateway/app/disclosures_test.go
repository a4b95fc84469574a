package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/audit"
)

const (
	enterprises = "market.regulation/enterprise"
	fraud       = "inquiry.fraud"
	act         = "Rules of Inquiry, art. 9"
	file        = "Inquiry 2026-17"
)

// inquiring is a scene in which the police may use enterprises' records and tell the subject up to thirty days later.
type inquiring struct {
	*scene
	police  *client.Client
	grant   string
	request app.SealUse
}

func newInquiring(t *testing.T) *inquiring {
	t.Helper()
	s := newScene(t)
	s.apply(s.citizen) // registers the citizen's key
	from := s.Ledger.Now().UTC().Truncate(24 * time.Hour)
	terms := exchange.Terms{Purposes: []string{fraud}, Fields: []string{"name", "status"}, ValidFrom: from, ValidUntil: from.AddDate(1, 0, 0), DelayDays: 30, Quota: &exchange.Quota{Uses: 50, Per: exchange.PerDay}}
	asked, err := do[app.Receipt](s, s.as("services", "admin.police"), http.MethodPost, "/v1/grants", exchange.RequestGrant{Dataset: enterprises, Terms: terms, Basis: "Inquiries Act"})
	require.NoError(t, err)
	_, err = do[app.Receipt](s, s.as("market", "admin.regulation"), http.MethodPut, "/v1/grants/"+asked.ID+"/approval", map[string]any{})
	require.NoError(t, err)
	log, err := do[map[string]any](s, s.citizen.Client, http.MethodGet, "/v1/subjects/me", nil)
	require.NoError(t, err)
	code, err := json.Marshal(s.World.Enterprises[0].Code)
	require.NoError(t, err)
	return &inquiring{s, s.as("services", "officer.police"), asked.ID, app.SealUse{
		Subject: log["pseudonym"].(string), Dataset: enterprises, Fields: []string{"name", "status"}, Purpose: fraud, LegalBasis: act, File: file,
		Selector: map[string]json.RawMessage{"credit_code": code}, OpensAt: s.Ledger.Now().UTC().Truncate(time.Second).AddDate(0, 0, 29),
	}}
}

func (q *inquiring) seal(key string) (app.Used, error) {
	return do[app.Used](q.scene, q.police, http.MethodPost, "/v1/sealed-uses", q.request, client.Key(key))
}

func (q *inquiring) export() audit.LogFile {
	q.t.Helper()
	log, err := do[audit.LogFile](q.scene, q.citizen.Client, http.MethodGet, "/v1/subjects/me/log", nil)
	require.NoError(q.t, err)
	return log
}

// TestAnInquiryIsKeptFromItsSubject until its date: nothing that the subject can ask for says whose it is or what it is about.
func TestAnInquiryIsKeptFromItsSubject(t *testing.T) {
	t.Parallel()
	q := newInquiring(t)
	used, err := q.seal("one")
	require.NoError(t, err)
	require.Equal(t, 1, used.Number)
	again, err := q.seal("one")
	require.NoError(t, err)
	require.Equal(t, used.Delivery, again.Delivery)
	payload, err := get[app.Payload](q.scene, q.police, "/v1/uses/"+used.ID+"/payload")
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf("%q", q.World.Enterprises[0].Name), string(payload.Document.Values()["name"]))
	known, err := get[app.SealedDetails](q.scene, q.police, "/v1/uses/"+used.ID+"/details")
	require.NoError(t, err)
	require.Equal(t, []any{"services.police", fraud, act, file, q.grant}, []any{known.Details.Consumer, known.Details.Purpose, known.Details.LegalBasis, known.Details.Case, known.Details.Grant})

	secrets := []string{fraud, act, file, enterprises, q.grant, "market.regulation", "police", used.Delivery}
	hidden := func(who *client.Client, path string) string {
		t.Helper()
		raw, err := do[json.RawMessage](q.scene, who, http.MethodGet, path, nil)
		require.NoError(t, err, path)
		for _, secret := range secrets {
			require.NotContains(t, string(raw), secret, path)
		}
		return string(raw)
	}
	mine := q.citizen.Client
	text := hidden(mine, "/v1/subjects/me/uses")
	require.Contains(t, text, "最迟于"+q.request.OpensAt.In(exchange.Beijing).Format("2006年1月2日")+"公开。")
	require.Contains(t, text, "is sealed, and will be opened on")
	hidden(mine, "/v1/uses/"+used.ID)
	require.Contains(t, hidden(mine, "/v1/events?after=start&type=use.*"), "use.sealed.v1")
	exported, err := json.Marshal(q.export().Entries) // the head was opened by the police: they register keys
	require.NoError(t, err)
	for _, secret := range secrets {
		require.NotContains(t, string(exported), secret)
	}
	for _, query := range []string{"?consumer=services.police", "?consumer=market.regulation", "?dataset=" + enterprises} {
		log, err := myUses(q.scene, query)
		require.NoError(t, err)
		require.Empty(t, log.Items, query)
	}
	for _, organisation := range []string{"services", "planning", "market"} { // asked around, all say the same
		_, err := do[any](q.scene, q.as(organisation, ""), http.MethodPost, "/v1/uses/"+used.ID+"/opening-demand", nil)
		require.Equal(t, "use.not_due", client.Reason(err), organisation)
		_, err = do[any](q.scene, q.as(organisation, ""), http.MethodPost, "/v1/uses/"+used.ID+"/delivery", app.Delivery{})
		require.Equal(t, "exchange.use_sealed", client.Reason(err), organisation)
	}
	for _, path := range []string{"", "/details"} {
		q.refused("access.other_agency", func() error {
			_, err := get[any](q.scene, q.as("market", "officer.tax"), "/v1/uses/"+used.ID+path)
			return err
		})
	}
	raw, err := json.Marshal(q.Ledger.Blocks())
	require.NoError(t, err)
	blocks := string(raw)
	require.Contains(t, blocks, used.ID)
	for _, secret := range []string{act, file} { // dataset, fields and purpose are in the grant
		require.NotContains(t, blocks, secret)
	}
	require.Equal(t, []audit.Counted{{Count: exchange.Count{Consumer: "services.police", What: "acknowledged"}, N: 1}, {Count: exchange.Count{Consumer: "services.police", What: "delivered"}, N: 1}, {Count: exchange.Count{Consumer: "services.police", What: "sealed"}, N: 1}},
		q.usage().Counts("dataset", "provider", "consumer", "purpose", "what"))

	report, err := audit.CheckLog(q.Trust(), q.export())
	require.NoError(t, err)
	require.Equal(t, []int{1, 1, 0, 0}, []int{report.Proved, report.Sealed, report.Opened, len(report.Overdue)})
}

// TestAnInquiryIsOpenedAtItsDate, by the gateway itself; until it is, everybody whose business it is hears that it is not.
func TestAnInquiryIsOpenedAtItsDate(t *testing.T) {
	t.Parallel()
	q := newInquiring(t)
	used, err := q.seal("one")
	require.NoError(t, err)
	gateway, auditor := q.Gateways["services"], q.as("audit", "auditor")
	late := func(c *client.Client, query string) int {
		page, err := do[app.Page[exchange.Use]](q.scene, c, http.MethodGet, "/v1/uses?late=opening"+query, nil)
		require.NoError(t, err)
		return len(page.Items)
	}
	sum, err := gateway.App.OpenDue(q.ctx)
	require.NoError(t, err)
	require.Equal(t, app.Openings{Sealed: 1}, sum, "its date has not come")
	require.Zero(t, late(auditor, ""))

	q.Ledger.Advance(30 * 24 * time.Hour)
	require.Equal(t, []int{1, 1, 0}, []int{late(auditor, ""), late(q.police, ""), late(q.as("planning", "officer.housing"), "")})
	unopened := q.usage().Unmatched(q.Ledger.Now()).Unopened
	require.Len(t, unopened, 1)
	require.Equal(t, []string{used.ID, "services.police"}, []string{unopened[0].ID, unopened[0].Consumer})
	log, err := myUses(q.scene, "")
	require.NoError(t, err)
	require.Contains(t, log.Items[0].Words.En, "should have been opened on")
	require.Equal(t, exchange.UnderSeal, log.Items[0].Status)
	sealed := q.export()
	report, err := audit.CheckLog(q.Trust(), sealed)
	require.NoError(t, err)
	require.Equal(t, []int{1}, report.Overdue)

	gateway.Ledger.Before = func(function string) error {
		if function == exchange.UseOpen {
			return errors.New("down")
		}
		return nil
	}
	sum, err = gateway.App.OpenDue(q.ctx)
	require.Error(t, err)
	require.Equal(t, app.Openings{Overdue: 1}, sum)
	gateway.Ledger.Before = nil
	for _, organisation := range []string{"audit", "market", "planning"} {
		sum, err = q.Gateways[organisation].App.OpenDue(q.ctx)
		require.NoError(t, err)
		require.Zero(t, sum, "another organisation owes nothing")
	}
	sum, err = gateway.App.OpenDue(q.ctx)
	require.NoError(t, err)
	require.Equal(t, app.Openings{Opened: 1}, sum)
	require.Zero(t, late(auditor, ""))
	require.Empty(t, q.usage().Unmatched(q.Ledger.Now()).Unopened)

	log, err = myUses(q.scene, "")
	require.NoError(t, err)
	entry := log.Items[0]
	require.Equal(t, []any{file, fraud, act, "services.police"}, []any{entry.Opened.Says.Case, entry.Opened.Says.Purpose, entry.Opened.Says.LegalBasis, entry.Opened.Says.Consumer})
	require.Contains(t, entry.Words.Zh, "市公安局")
	require.Contains(t, entry.Words.En, " This was sealed on "+entry.At.In(exchange.Beijing).Format("2 January 2006")+" and opened on "+entry.Opened.At.In(exchange.Beijing).Format("2 January 2006")+".")
	require.Equal(t, exchange.Acknowledged, entry.Status)
	require.Equal(t, sealed.Entries, q.export().Entries, "the entry stays as it was sealed")

	whole := q.export()
	report, err = audit.CheckLog(q.Trust(), whole)
	require.NoError(t, err)
	require.Equal(t, []int{1, 0, 1, 0}, []int{report.Proved, report.Sealed, report.Opened, len(report.Overdue)})
	for i := range whole.Disclosures[0].Details.Fields {
		if whole.Disclosures[0].Details.Fields[i].Name == "purpose" {
			whole.Disclosures[0].Details.Fields[i].Value = json.RawMessage(`"inquiry.tax"`)
		}
	}
	_, err = audit.CheckLog(q.Trust(), whole)
	require.ErrorIs(t, err, audit.ErrLog, "what is said now is what was sealed then")

	demanded, err := do[app.Opened](q.scene, q.as("planning", ""), http.MethodPost, "/v1/uses/"+used.ID+"/opening-demand", nil)
	require.NoError(t, err)
	require.Equal(t, entry.Opened.At, demanded.OpenedAt)
	same, err := q.seal("one")
	require.NoError(t, err, "the request is answered as the first time, also now")
	require.Equal(t, used.Delivery, same.Delivery)
}

// TestAnOpeningIsDemanded by anybody, at any gateway, once it is due.
func TestAnOpeningIsDemanded(t *testing.T) {
	t.Parallel()
	q := newInquiring(t)
	used, err := q.seal("one")
	require.NoError(t, err)
	q.Ledger.Advance(30 * 24 * time.Hour)
	demanded, err := do[app.Opened](q.scene, q.as("planning", ""), http.MethodPost, "/v1/uses/"+used.ID+"/opening-demand", nil)
	require.NoError(t, err)
	require.False(t, demanded.OpenedAt.Before(demanded.OpensAt))
	item, err := get[app.Item[exchange.Use]](q.scene, q.police, "/v1/uses/"+used.ID)
	require.NoError(t, err)
	require.Equal(t, []any{file, exchange.Acknowledged}, []any{item.Item.Case, item.Item.Status})
}

// TestAnInquiryIsOpenedEarly by its agency, and by no other.
func TestAnInquiryIsOpenedEarly(t *testing.T) {
	t.Parallel()
	q := newInquiring(t)
	used, err := q.seal("one")
	require.NoError(t, err)
	open := func(c *client.Client) error {
		_, err := do[app.Receipt](q.scene, c, http.MethodPut, "/v1/uses/"+used.ID+"/opening", nil, client.Key("open"))
		return err
	}
	q.refused("access.other_agency", func() error { return open(q.as("market", "officer.regulation")) })
	require.NoError(t, open(q.police))
	require.NoError(t, open(q.police), "again")
	require.Len(t, q.export().Disclosures, 1)
}

// TestASealedFetchGoesOnWhereItStopped: whatever was lost, the same request ends with one use, acknowledged.
func TestASealedFetchGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ organisation, lost string }{
		{"services", exchange.UseSeal}, {"market", exchange.UseDeliver}, {"services", exchange.UseAcknowledge},
	} {
		t.Run(c.lost, func(t *testing.T) {
			q := newInquiring(t)
			q.Gateways[c.organisation].Ledger.Before = loseOnce(c.lost)
			_, err := q.seal("one")
			require.Error(t, err)
			used, err := q.seal("one")
			require.NoError(t, err)
			require.Equal(t, 1, used.Number)
			require.Len(t, q.export().Entries, 1)
			require.Equal(t, exchange.Acknowledged, q.stage(used.ID))
		})
	}
}

// stage is the status of a use beneath its seal.
func (q *inquiring) stage(id string) string {
	item, err := get[app.Item[exchange.Use]](q.scene, q.police, "/v1/uses/"+id)
	require.NoError(q.t, err)
	return item.Item.Seal.Stage
}

func TestASealedUseIsRefused(t *testing.T) {
	t.Parallel()
	q := newInquiring(t)
	for name, c := range map[string]struct {
		change func(*app.SealUse)
		reason string
	}{
		"too long":        {func(r *app.SealUse) { r.OpensAt = r.OpensAt.AddDate(0, 0, 2) }, "exchange.delay_not_granted"},
		"in the past":     {func(r *app.SealUse) { r.OpensAt = r.OpensAt.AddDate(0, 0, -60) }, "exchange.opening_past"},
		"another purpose": {func(r *app.SealUse) { r.Purpose = "inquiry.tax" }, "exchange.purpose_not_granted"},
		"another field":   {func(r *app.SealUse) { r.Fields = []string{"scope"} }, "exchange.field_not_granted"},
		"no grant":        {func(r *app.SealUse) { r.Dataset = "market.tax/taxpayer" }, "exchange.grant_missing"},
		"no such subject": {func(r *app.SealUse) { r.Subject = strings.Repeat("x", 43) }, "subject.missing"},
		"a long number":   {func(r *app.SealUse) { r.File = "110101199003071234" }, "request.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			request := q.request
			c.change(&request)
			_, err := do[app.Used](q.scene, q.police, http.MethodPost, "/v1/sealed-uses", request)
			require.Equal(t, c.reason, client.Reason(err))
		})
	}
	require.Empty(t, q.export().Entries)
}
