package rest_test

import (
	"encoding/hex"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
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
}
