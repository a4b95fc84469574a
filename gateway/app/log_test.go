package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/statement"
)

// myUses reads a page of the citizen's log.
func myUses(s *scene, query string) (app.UseLog, error) {
	return do[app.UseLog](s, s.citizen.Client, http.MethodGet, "/v1/subjects/me/uses"+query, nil)
}

func TestACitizenReadsTheirLogInPlainWords(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	for i := range 3 {
		_, err := do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(fmt.Sprint("fetch-", i)))
		require.NoError(t, err)
	}
	log, err := myUses(s, "")
	require.NoError(t, err)
	require.Equal(t, 3, log.Log.Count)
	require.Equal(t, []int{3, 2, 1}, numbers(log), "newest first")
	require.Nil(t, log.Proof)
	u := log.Items[0]
	at := u.At.In(exchange.Beijing)
	require.Equal(t, at.Format("2006年1月2日 15:04")+"，市市场监督管理局为办理“企业开办一次办”，经您同意，向市公安局调取了您在“居民身份信息”中的住址、公民身份号码、姓名、姓名拼音（依据："+u.LegalBasis+"；案件："+caseID+"）。数据已送达，并已签收。", u.Words.Zh)
	require.Contains(t, u.Words.En, "with your consent")
	require.Contains(t, u.Words.En, "The data was delivered and received.")

	one, err := do[app.Item[exchange.Use]](s, s.citizen.Client, http.MethodGet, "/v1/uses/"+u.Use, nil)
	require.NoError(t, err)
	require.Empty(t, one.Item.Created.Staff, "which officer is none of the subject's business")
	require.Empty(t, one.Item.Changed.Staff)
	theirs, err := do[app.Item[exchange.Use]](s, officer.Client, http.MethodGet, "/v1/uses/"+u.Use, nil)
	require.NoError(t, err)
	require.NotEmpty(t, theirs.Item.Created.Staff)
}

func TestAPageOfALogProvesItself(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	for i := range 3 {
		_, err := do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(fmt.Sprint("fetch-", i)))
		require.NoError(t, err)
	}
	for page, token := 0, ""; page == 0 || token != ""; page++ {
		log, err := myUses(s, "?count=3&page_size=2&page_token="+token)
		require.NoError(t, err)
		require.NotNil(t, log.Proof)
		var entries []exchange.Entry
		for _, u := range slices.Backward(log.Items) {
			entries = append(entries, u.Entry)
		}
		head := exchange.Log{Subject: entries[0].Subject, Count: log.Log.Count, Root: log.Log.Root}
		require.NoError(t, head.Proves(entries, *log.Proof))
		entries[0].Purpose = "other"
		require.ErrorIs(t, head.Proves(entries, *log.Proof), exchange.ErrNotInLog)
		token = log.Next
	}
	for query, want := range map[string][]int{
		"?consumer=market.regulation":                   {3, 2, 1},
		"?consumer=market.tax":                          {},
		"?dataset=services.police/identity&page_size=1": {3},
		"?case=" + caseID:                               {3, 2, 1},
		"?before=" + s.Ledger.Now().Add(-time.Hour).UTC().Format(time.RFC3339): {},
		"?since=" + s.Ledger.Now().Add(-time.Hour).UTC().Format(time.RFC3339):  {3, 2, 1},
		"?count=2": {2, 1},
	} {
		log, err := myUses(s, query)
		require.NoError(t, err, query)
		require.Equal(t, want, numbers(log), query)
	}
	for _, query := range []string{"?count=4", "?count=3&consumer=market.tax"} {
		_, err := myUses(s, query)
		require.Equal(t, "request.invalid", client.Reason(err), query)
	}
}

func numbers(log app.UseLog) []int {
	all := []int{}
	for _, u := range log.Items {
		all = append(all, u.Number)
	}
	return all
}

// The exported log is proved by a program that has nothing but the certificates.
func TestAnExportedLogIsProved(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	export := func(query string) (audit.LogFile, error) {
		return do[audit.LogFile](s, s.citizen.Client, http.MethodGet, "/v1/subjects/me/log"+query, nil)
	}
	empty, err := export("")
	require.NoError(t, err)
	report, err := audit.CheckLog(s.Trust(), empty)
	require.NoError(t, err)
	require.Zero(t, report.Count+report.Missing)

	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	for i := range 3 {
		_, err := do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(fmt.Sprint("fetch-", i)))
		require.NoError(t, err)
	}
	whole, err := export("")
	require.NoError(t, err)
	require.NotContains(t, string(whole.Statement.Answer), "staff")
	report, err = audit.CheckLog(s.Trust(), whole)
	require.NoError(t, err)
	require.Equal(t, 3, report.Count)
	require.Equal(t, 3, report.Proved)
	require.Zero(t, report.Missing)
	tail, err := export("?from=3")
	require.NoError(t, err)
	require.Len(t, tail.Entries, 1)
	report, err = audit.CheckLog(s.Trust(), tail)
	require.NoError(t, err)
	require.Equal(t, 1, report.Missing)
	_, err = export("?from=4")
	require.Equal(t, "request.invalid", client.Reason(err))

	stated, err := do[statement.Statement](s, s.citizen.Client, http.MethodGet, "/v1/subjects/me/log/statement", nil)
	require.NoError(t, err)
	page, err := myUses(s, "?count=3&page_size=2")
	require.NoError(t, err)
	file := audit.LogFile{Statement: stated, Proof: *page.Proof}
	for _, u := range slices.Backward(page.Items) {
		file.Entries = append(file.Entries, u.Entry)
	}
	report, err = audit.CheckLog(s.Trust(), file)
	require.NoError(t, err)
	require.Equal(t, 2, report.Proved)

	other := whole
	other.Entries = slices.Clone(whole.Entries[:2])
	_, err = audit.CheckLog(s.Trust(), other)
	require.ErrorIs(t, err, audit.ErrLog)
}
