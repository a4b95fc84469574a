package rest_test

import (
	"encoding/json"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
)

// following has a record that was delivered followed, and ends that.
func (t *tour) following(use string) {
	person, _, found := t.city.World.Behind("citizen1")
	require.True(t, found)
	number, err := json.Marshal(person.IDNumber)
	require.NoError(t, err)
	t.call("PUT /v1/uses/{id}/subscription", "market", "officer.regulation", app.Subscribe{Selector: map[string]json.RawMessage{"id_number": number}}, use)
	t.call("GET /v1/subscriptions", "services", "citizen1", nil)
	t.call("GET /v1/subscriptions/{id}", "market", "officer.regulation", nil, use)
	t.call("PUT /v1/subscriptions/{id}/end", "market", "officer.regulation", app.Unsubscribe{Reason: "case_done"}, use)
}
