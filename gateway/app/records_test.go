package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/network/catalogue"
)

func licence(change func(map[string]any)) *app.Content {
	values := map[string]any{
		"credit_code": "911101990000000000", "enterprise_name": "a", "legal_representative": "b", "premises_address": "c",
		"business_scope": "d", "registered_capital_yuan": 1, "established_on": "2026-01-01",
	}
	change(values)
	raw, _ := json.Marshal(values)
	return &app.Content{Values: raw}
}

func unchanged(map[string]any) {}

func TestConcludingIssuesWhatWasSaidAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	path := "/v1/cases/" + caseID + "/conclusion"
	conclude := func(content *app.Content, options ...client.Option) (app.Concluded, error) {
		return do[app.Concluded](s, officer.Client, http.MethodPut, path, app.Conclude{Certificate: content}, options...)
	}
	refuse := func(reason, field string, content *app.Content) {
		t.Helper()
		require.Equal(t, field, s.refused(reason, func() error { _, err := conclude(content); return err }).Field)
	}
	refuse("collaboration.steps_open", "request.case", licence(unchanged))
	s.approved(caseID)
	refuse("collaboration.certificate_required", "certificate", nil)
	refuse("request.invalid", "certificate.values.credit_code", licence(func(v map[string]any) { delete(v, "credit_code") }))
	refuse("request.invalid", "certificate.values", licence(func(v map[string]any) { v["rating"] = "AAA" }))
	refuse("request.invalid", "certificate.values.registered_capital_yuan", licence(func(v map[string]any) { v["registered_capital_yuan"] = "1" }))
	refuse("request.invalid", "certificate.values.established_on", licence(func(v map[string]any) { v["established_on"] = "today" }))
	refuse("request.invalid", "certificate.values", &app.Content{Values: json.RawMessage("[]")})
	past, long := time.Now().UTC().AddDate(-1, 0, 0).Truncate(time.Second), time.Now().UTC().AddDate(50, 0, 0).Truncate(time.Second)
	tooLong := licence(unchanged)
	tooLong.Until = &long
	refuse("certificate.validity_too_long", "request.valid_until", tooLong)
	over := licence(unchanged)
	over.From, over.Until = &past, &past
	refuse("request.invalid", "certificate.valid_until", over)

	s.Gateways["market"].Ledger.Before = loseOnce(collaboration.CaseConclude)
	_, err := conclude(licence(unchanged), client.Key("conclude"))
	require.True(t, errors.As(err, new(*client.Pending)), "%v", err)
	concluded, err := conclude(licence(unchanged), client.Key("conclude"))
	require.NoError(t, err, "the same again is the same document")
	require.True(t, concluded.Replayed)

	got, err := get[app.Licence](s, s.citizen.Client, "/v1/certificates/"+concluded.Certificate+"/document")
	require.NoError(t, err)
	require.Equal(t, concluded.Commitment, mustRoot(t, got.Document))
	values := got.Document.Values()
	require.JSONEq(t, fmt.Sprintf("%q", concluded.Certificate), string(values["meta.id"]))
	require.JSONEq(t, `"market.regulation"`, string(values["meta.issuer"]))
	require.Contains(t, values, "meta.valid_until")
	other := s.person("citizen2").Client
	s.refused("certificate.missing", func() error {
		_, err := get[any](s, other, "/v1/certificates/"+concluded.Certificate+"/document")
		return err
	})
}

func TestVerificationAnswersThreeQuestions(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	officer := s.officer("market.regulation")
	issued, err := do[app.Issued](s, officer.Client, http.MethodPost, "/v1/certificates", map[string]any{
		"type": "business-licence", "subject": s.citizen.Me.Pseudonym, "values": licence(unchanged).Values,
	})
	require.NoError(t, err)
	got, err := get[app.Licence](s, s.citizen.Client, "/v1/certificates/"+issued.ID+"/document")
	require.NoError(t, err)
	require.Equal(t, issued.Commitment, mustRoot(t, got.Document))
	ask := func(id string, question app.Verify) certificate.Verdict {
		v, err := do[certificate.Verdict](s, s.as("audit", ""), http.MethodPost, "/v1/certificates/"+id+"/verification", question)
		require.NoError(t, err)
		return v
	}
	answers := func(v certificate.Verdict) []certificate.Answer {
		return []certificate.Answer{v.Integrity.Answer, v.Status.Answer, v.Issuer.Answer}
	}
	require.Equal(t, []certificate.Answer{certificate.Yes, certificate.Yes, certificate.Yes}, answers(ask(issued.ID, app.Verify{Document: &got.Document})))
	require.Equal(t, []certificate.Answer{certificate.Yes, certificate.Yes, certificate.Yes}, answers(ask(issued.ID, app.Verify{Commitment: issued.Commitment})))
	require.Equal(t, certificate.Unknown, ask(issued.ID, app.Verify{}).Integrity.Answer)
	require.Equal(t, certificate.No, ask(issued.ID, app.Verify{Commitment: strings.Repeat("0", 64)}).Integrity.Answer)
	before := time.Now().AddDate(-1, 0, 0)
	require.Equal(t, certificate.No, ask(issued.ID, app.Verify{At: &before}).Status.Answer)
	require.Equal(t, certificate.NotFound, ask(strings.Repeat("0", 26), app.Verify{}).Status.Reason)
	s.refused("request.invalid", func() error {
		_, err := do[any](s, s.as("audit", ""), http.MethodPost, "/v1/certificates/"+issued.ID+"/verification", app.Verify{Document: &got.Document, Commitment: issued.Commitment})
		return err
	})

	change := func(what, reason string) error {
		_, err := do[app.Receipt](s, officer.Client, http.MethodPut, "/v1/certificates/"+issued.ID+"/"+what, map[string]any{"reason": reason})
		return err
	}
	require.NoError(t, change("suspension", "under_review"))
	require.Equal(t, certificate.IsSuspended, ask(issued.ID, app.Verify{}).Status.Reason)
	require.NoError(t, change("reinstatement", "under_review"))
	require.Equal(t, certificate.Yes, ask(issued.ID, app.Verify{}).Status.Answer)
	s.refused("request.invalid", func() error { return change("revocation", "because") })
	require.NoError(t, change("revocation", "ceased"))
	require.Equal(t, certificate.IsRevoked, ask(issued.ID, app.Verify{}).Status.Reason)
	s.refused("certificate.already_revoked", func() error { return change("revocation", "ceased") })
	page, err := get[app.Page[certificate.Certificate]](s, officer.Client, "/v1/certificates?status=revoked")
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
}

func TestAnAgencysRecordIsWrittenOnlyWhenItChanges(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin, err := s.Admin(s.ctx, "market.tax")
	require.NoError(t, err)
	height := s.Ledger.Height()
	put := func(name exchange.Text) app.Receipt {
		r, err := do[app.Receipt](s, admin, http.MethodPut, "/v1/agencies/me", app.RegisterAgency{Name: name})
		require.NoError(t, err)
		return r
	}
	same := put(exchange.Text{Zh: "市税务局", En: "Tax Service"})
	require.True(t, same.Replayed)
	require.Equal(t, height, s.Ledger.Height())
	changed := put(exchange.Text{Zh: "市税务局", En: "Municipal Tax Service"})
	require.False(t, changed.Replayed)
	require.Equal(t, same.Version+1, changed.Version)
	s.refused("access.organisation", func() error {
		_, err := do[any](s, admin, http.MethodPut, "/v1/agencies/market.tax/duties", app.AssignDuties{Duties: []string{"identity"}})
		return err
	})
}

func TestGrantsAreAskedForGivenAndTakenBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	tax, err := s.Admin(s.ctx, "market.tax")
	require.NoError(t, err)
	housing, err := s.Admin(s.ctx, "planning.housing")
	require.NoError(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	ask := func() app.Receipt {
		r, err := do[app.Receipt](s, tax, http.MethodPost, "/v1/grants", app.RequestGrant{RequestGrant: exchange.RequestGrant{
			Dataset: "planning.housing/premises", Basis: "art. 15",
			Terms: exchange.Terms{Purposes: []string{"tax.audit"}, Fields: []string{"address", "permitted_use"}, ValidFrom: now, ValidUntil: now.AddDate(1, 0, 0), ConsentRequired: true},
		}})
		require.NoError(t, err)
		return r
	}
	reason := map[string]any{"reason": "not_needed"}
	denied, granted := ask(), ask()
	_, err = do[app.Receipt](s, housing, http.MethodPut, "/v1/grants/"+denied.ID+"/denial", reason)
	require.NoError(t, err)
	s.refused("exchange.grant_decided", func() error {
		_, err := do[any](s, housing, http.MethodPut, "/v1/grants/"+denied.ID+"/approval", app.ApproveGrant{})
		return err
	})
	s.refused("access.other_agency", func() error {
		_, err := do[any](s, tax, http.MethodPut, "/v1/grants/"+granted.ID+"/approval", app.ApproveGrant{})
		return err
	})
	_, err = do[app.Receipt](s, housing, http.MethodPut, "/v1/grants/"+granted.ID+"/approval", app.ApproveGrant{})
	require.NoError(t, err)
	page, err := get[app.Page[exchange.Grant]](s, tax, "/v1/grants?dataset=planning.housing/premises")
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	at := slices.IndexFunc(page.Items, func(g exchange.Grant) bool { return g.ID == granted.ID })
	require.Equal(t, page.Items[at].Wanted, *page.Items[at].Terms, "all that was wanted, if nothing else is said")
	_, err = do[app.Receipt](s, housing, http.MethodPut, "/v1/grants/"+granted.ID+"/withdrawal", reason)
	require.NoError(t, err)
	given, err := get[app.Page[exchange.Grant]](s, housing, "/v1/grants?as=provider&status=withdrawn")
	require.NoError(t, err)
	require.Len(t, given.Items, 1)
}

func TestDatasetsServicesAndTypes(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	anybody := s.as("audit", "")
	service, err := get[app.ServiceView](s, anybody, "/v1/services/business.start")
	require.NoError(t, err)
	require.Equal(t, 1, *service.Active)
	s.refused("service.missing", func() error { _, err := get[any](s, anybody, "/v1/services/no.such"); return err })
	active, err := get[app.Page[collaboration.Definition]](s, anybody, "/v1/services")
	require.NoError(t, err)
	require.Len(t, active.Items, 1)

	// The next edition is proposed by the lead, approved by tax, and takes the place of the first.
	next := service.Editions[0].Service
	next.Edition, next.Visits = 2, 1
	regulation, err := s.Admin(s.ctx, "market.regulation")
	require.NoError(t, err)
	_, err = do[app.Receipt](s, regulation, http.MethodPost, "/v1/services", app.ProposeService{Service: next})
	require.NoError(t, err)
	tax, err := s.Admin(s.ctx, "market.tax")
	require.NoError(t, err)
	s.refused("collaboration.definition_changed", func() error {
		_, err := do[any](s, tax, http.MethodPut, "/v1/services/business.start/editions/2/approval", app.ApproveService{Hash: service.Editions[0].Hash})
		return err
	})
	hash, err := next.Hash()
	require.NoError(t, err)
	_, err = do[app.Receipt](s, tax, http.MethodPut, "/v1/services/business.start/editions/2/approval", app.ApproveService{Hash: hash})
	require.NoError(t, err)
	service, err = get[app.ServiceView](s, anybody, "/v1/services/business.start")
	require.NoError(t, err)
	require.Equal(t, 2, *service.Active)
	require.Equal(t, []string{"active", "retired"}, []string{service.Editions[0].Status, service.Editions[1].Status})

	police, err := s.Admin(s.ctx, "services.police")
	require.NoError(t, err)
	_, err = do[app.Receipt](s, police, http.MethodPut, "/v1/datasets/services.police/identity/withdrawal", map[string]any{"reason": "replaced"})
	require.NoError(t, err)
	city, err := catalogue.Default()
	require.NoError(t, err)
	for status, want := range map[string]int{"published": len(city.Active().Datasets) - 1, "withdrawn": 1} {
		page, err := get[app.Page[exchange.Dataset]](s, anybody, "/v1/datasets?status="+status)
		require.NoError(t, err)
		require.Len(t, page.Items, want)
	}

	hall, err := s.Admin(s.ctx, "services.hall")
	require.NoError(t, err)
	_, err = do[app.Receipt](s, hall, http.MethodPut, "/v1/certificate-types/business-licence/accreditations/market.regulation/withdrawal", map[string]any{"reason": "merged"})
	require.NoError(t, err)
	list, err := get[app.Page[certificate.Accreditation]](s, anybody, "/v1/certificate-types/business-licence/accreditations")
	require.NoError(t, err)
	require.Equal(t, certificate.Withdrawn, list.Items[0].Status)
	officer := s.officer("market.regulation")
	s.refused("certificate.not_accredited", func() error {
		_, err := do[any](s, officer.Client, http.MethodPost, "/v1/certificates", map[string]any{"type": "business-licence", "subject": s.citizen.Me.Pseudonym, "values": licence(unchanged).Values})
		return err
	})
}

func TestReadsWaitForABlockOrSayThatTheyCannot(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	tip := s.Ledger.Height() - 1
	page, err := get[app.Page[any]](s, s.citizen.Client, fmt.Sprintf("/v1/cases?min_block=%d", tip))
	require.NoError(t, err)
	require.Equal(t, tip, page.AsOf)
	_, err = get[app.Page[any]](s, s.citizen.Client, fmt.Sprintf("/v1/cases?min_block=%d", tip+100))
	require.Equal(t, "projection.behind", client.Reason(err))
}

func TestTheOutcomeOfATransactionCanBeAsked(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	auditor := s.as("audit", "auditor")
	blocks, err := get[app.Page[app.BlockSummary]](s, auditor, "/v1/audit/blocks?page_size=1")
	require.NoError(t, err)
	last, err := get[app.BlockView](s, auditor, fmt.Sprintf("/v1/audit/blocks/%d", blocks.Items[0].Number))
	require.NoError(t, err)
	known, err := get[app.Transaction](s, s.citizen.Client, "/v1/transactions/"+last.Transactions[0].ID)
	require.NoError(t, err)
	require.Equal(t, ledger.Committed, known.State)
	require.Equal(t, last.Number, known.Block)
	unknown, err := get[app.Transaction](s, s.citizen.Client, "/v1/transactions/"+strings.Repeat("0", 64))
	require.NoError(t, err)
	require.Equal(t, ledger.Unknown, unknown.State)
	require.Equal(t, last.Number, unknown.AsOf)
}

func TestTheAuditorSeesBlocksRecordsAndTheChain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	_, err := s.citizen.Withdraw(s.ctx, caseID)
	require.NoError(t, err)
	auditor := s.as("audit", "auditor")
	head, err := get[app.Channel](s, auditor, "/v1/audit/channel")
	require.NoError(t, err)
	require.Equal(t, s.Ledger.Height(), head.Height)
	require.Equal(t, head.Last, head.AsOf)

	view, err := get[app.BlockView](s, auditor, fmt.Sprintf("/v1/audit/blocks/%d", head.Last))
	require.NoError(t, err)
	tx := view.Transactions[0]
	require.Equal(t, collaboration.CaseWithdraw, tx.Function)
	require.Equal(t, "services.hall", tx.Creator.Agency)
	at := slices.IndexFunc(tx.Writes, func(w app.WriteView) bool { return w.Noun == "case" })
	require.Equal(t, []string{caseID}, tx.Writes[at].Key)
	require.Equal(t, collaboration.EventCaseWithdrawn, tx.Changes[0].Type)
	same, err := get[app.TransactionView](s, auditor, "/v1/audit/transactions/"+tx.ID)
	require.NoError(t, err)
	require.Equal(t, tx, same)

	history, err := get[app.Revisions](s, auditor, "/v1/audit/records/case/"+caseID+"/history")
	require.NoError(t, err)
	require.Len(t, history.Items, 2)
	slot, err := get[app.Revisions](s, auditor, "/v1/audit/records/slot/"+s.citizen.Me.Pseudonym+"%2Fbusiness.start/history")
	require.NoError(t, err)
	require.Len(t, slot.Items, 2)

	check, err := get[app.ChainCheck](s, auditor, "/v1/audit/chain-check")
	require.NoError(t, err)
	require.True(t, check.Intact)
	require.True(t, *check.Agrees)
	require.Equal(t, head.Hash, check.Report.LastHash)
	part, err := get[app.ChainCheck](s, auditor, "/v1/audit/chain-check?from=3&to=5")
	require.NoError(t, err)
	require.True(t, part.Intact)
	require.EqualValues(t, 3, part.Report.Blocks)
	require.Nil(t, part.Agrees)

	for path, reason := range map[string]string{
		"/v1/audit/blocks/9999":                                          "block.missing",
		"/v1/audit/transactions/" + strings.Repeat("0", 64):              "transaction.missing",
		"/v1/audit/records/salary/x/history":                             "noun.missing",
		"/v1/audit/records/case/" + strings.Repeat("0", 26) + "/history": "case.missing",
		"/v1/audit/chain-check?from=5&to=3":                              "request.invalid",
		"/v1/audit/chain-check?to=9999":                                  "request.invalid",
	} {
		s.refused(reason, func() error { _, err := get[any](s, auditor, path); return err })
	}
	for _, user := range []string{"citizen1", "officer.regulation", "admin.office"} {
		s.refused("access.role", func() error { _, err := get[any](s, s.as("audit", user), "/v1/audit/channel"); return err })
	}
}
