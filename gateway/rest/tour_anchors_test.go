package rest_test

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/app"
)

// anchoring binds a batch of one record to the ledger, shows it, and takes it back.
func (t *tour) anchoring() {
	const dataset = "planning.housing/premises"
	var salt inclusion.Salt
	record := []byte(`{"premises_number":"HT01-000001"}`)
	leaf := inclusion.Leaf(dataset, record, salt)
	root := hex.EncodeToString(leaf[:])
	request := exchange.CreateAnchor{Dataset: dataset, Source: strings.Repeat("5", 64), Position: 1, Size: 1, Root: root}
	id := text(t.call("POST /v1/anchors", "planning", "officer.housing", request), "id")
	t.call("GET /v1/anchors", "planning", nobody, nil, "?dataset="+dataset)
	t.call("GET /v1/anchors/{id}", "audit", nobody, nil, id)
	proof := inclusion.Proof{Format: inclusion.Format, Dataset: dataset, Record: record, Salt: salt.String(), Size: 1, Path: []string{}, Anchor: id, Root: root}
	verify := func(p inclusion.Proof) [2]any {
		answer := t.call("POST /v1/anchors/{id}/verification", "audit", nobody, p, id)
		return [2]any{answer["included"], answer["stands"]}
	}
	require.Equal(t, [2]any{true, true}, verify(proof))
	forged := proof
	forged.Record = []byte(`{"premises_number":"HT01-000002"}`)
	require.Equal(t, [2]any{false, true}, verify(forged))
	t.call("PUT /v1/anchors/{id}/withdrawal", "planning", "officer.housing", app.WithdrawAnchor{Reason: "wrong-source"}, id)
	require.Equal(t, [2]any{true, false}, verify(proof))
	t.anchorJob()
}

// anchorJob lets the gateway anchor a file. It works in the background, so its writes are not counted.
func (t *tour) anchorJob() {
	const dataset = "market.tax/export-refund"
	folder := filepath.Join(t.city.Gateways["market"].Inbox, "market.tax")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "refunds.csv"), []byte("refund_number,refund_yuan\nTR1,100\nTR2,200\nTR1,300\n"), 0o600))
	started := t.try("POST /v1/anchor-jobs", "market", "officer.tax", app.StartAnchorJob{Dataset: dataset, Files: []string{"refunds.csv"}})
	require.Equal(t, http.StatusCreated, started.status, "%s", started.answer)
	// The job is waited for without a stop of the tour: before a route's first, everybody else asks, dry (TestAuthorisationMatrix),
	// and the job's own writes are not to be.
	job, s := anchor.Job{State: anchor.Running}, stop{route: "GET /v1/anchor-jobs/{agency}/{code}", organisation: "market", target: "/v1/anchor-jobs/market.tax/export-refund"}
	for until := time.Now().Add(30 * time.Second); job.State == anchor.Running; time.Sleep(20 * time.Millisecond) {
		require.True(t, time.Now().Before(until), "the job does not end")
		_, answer := t.send(s, "officer.tax")
		require.NoError(t, json.Unmarshal(answer, &job))
	}
	t.call("GET /v1/anchor-jobs/{agency}/{code}", "market", "officer.tax", nil, "market.tax", "export-refund")
	require.Equal(t, [4]any{anchor.Done, 2, 1, 1}, [4]any{job.State, job.Records, job.Duplicates, job.Anchored}, "%v", job.Failure)
	require.Len(t, items(t.call("GET /v1/anchor-jobs", "market", "officer.tax", nil)), 1)
	t.call("PUT /v1/anchor-jobs/{agency}/{code}/cancellation", "market", "officer.tax", nil, "market.tax", "export-refund")
	p := t.call("POST /v1/inclusion-proofs", "market", "officer.tax", map[string]any{"dataset": dataset, "key": map[string]string{"refund_number": "TR2"}})
	answer := t.call("POST /v1/anchors/{id}/verification", "audit", nobody, p, text(p, "anchor"))
	require.Equal(t, [2]any{true, true}, [2]any{answer["included"], answer["stands"]})
}
