package app

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRecordsAreWrittenAsAPage: what a client reads does not depend on who wrote the page.
func TestRecordsAreWrittenAsAPage(t *testing.T) {
	type thing struct {
		ID string `json:"id"`
	}
	for _, page := range []Page[thing]{
		{Items: []thing{}, AsOf: 3},
		{Items: []thing{{"a"}}, AsOf: 1<<64 - 1},
		{Items: []thing{{"a"}, {`b"<\`}}, Next: "WzEsMl0-_w", AsOf: 0},
	} {
		stored := Records[thing]{Page: Page[thing]{Next: page.Next, AsOf: page.AsOf}}
		for _, item := range page.Items {
			body, err := json.Marshal(item)
			require.NoError(t, err)
			stored.bodies = append(stored.bodies, body)
		}
		want, err := json.Marshal(page)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(stored.AppendJSON(nil)))
		got, err := json.Marshal(stored)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	}
}
