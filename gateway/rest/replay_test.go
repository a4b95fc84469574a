package rest_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drafts write nothing: they are made anew each time. Of a draft, the idempotency key decides the case's id. A webhook is
// shown as it stands now; what was asked for is not done again.
var drafts = map[string][]string{
	"POST /v1/drafts":                                  {"idempotency_key", "case"},
	"POST /v1/code-drafts":                             {},
	"POST /v1/anchor-jobs":                             {"dataset"}, // a job that is done is not done again
	"PUT /v1/anchor-jobs/{agency}/{code}/cancellation": {"dataset"},
	"POST /v1/offline/proposals":                       {},
	"POST /v1/webhooks":                                {"id", "url"},
	"PUT /v1/webhooks/{id}/pause":                      {"id", "url", "created_at"},
	"PUT /v1/webhooks/{id}/resumption":                 {"id", "url", "created_at"},
	"POST /v1/webhooks/{id}/dead-letters/replay":       {"id", "url", "created_at"},
	"DELETE /v1/webhooks/{id}":                         nil,
	"POST /v1/subjects/me/verifications":               nil, // a question, answered by what the ledger says now
}

// TestARepetitionGetsTheFirstAnswer repeats every keyed request days later, after everything else has happened, at gateways
// that remember nothing: the answer is the first one, byte for byte but for `replayed`.
func TestARepetitionGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	tr := newTour(t)
	tr.walk()
	tr.city.Ledger.Advance(49 * time.Hour)
	tr.city.Restart(t)
	height := tr.city.Ledger.Height()
	repeated := 0
	for _, s := range tr.stops {
		if s.key == "" || s.status >= http.StatusBadRequest {
			continue
		}
		repeated++
		status, answer := tr.send(s, s.as)
		require.Equal(t, s.status, status, "%s: %s", s.route, answer)
		if members, ok := drafts[s.route]; ok {
			for _, name := range members { // none where there is no content
				require.Equal(t, member(t, s.answer, name), member(t, answer, name), s.route)
			}
			continue
		}
		require.Equal(t, plain(t, s.answer), plain(t, answer), s.route)
	}
	require.Equal(t, height, tr.city.Ledger.Height(), "a repetition wrote something")
	require.Greater(t, repeated, 30)
}

func member(t *testing.T, raw []byte, name string) any {
	t.Helper()
	var answer map[string]any
	require.NoError(t, json.Unmarshal(raw, &answer))
	require.Contains(t, answer, name)
	return answer[name]
}

// plain is an answer without the word that it was given before.
func plain(t *testing.T, raw []byte) string {
	t.Helper()
	var answer any
	require.NoError(t, json.Unmarshal(raw, &answer))
	var clean func(any)
	clean = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "replayed")
			for _, inner := range v {
				clean(inner)
			}
		case []any:
			for _, inner := range v {
				clean(inner)
			}
		}
	}
	clean(answer)
	text, err := json.Marshal(answer)
	require.NoError(t, err)
	return string(text)
}
