package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/catalogue"
)

// An issuer that keeps its documents itself issues by commitment; the gateway then keeps nothing.
func TestIssueByCommitment(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	city := apptest.New(t)
	c, err := catalogue.Default()
	require.NoError(t, err)
	_, err = c.Active().Load(ctx, city.Admin, catalogue.Options{})
	require.NoError(t, err)
	officer, err := city.SignIn(ctx, "market", "officer.regulation")
	require.NoError(t, err)

	commitment := strings.Repeat("ab", 32)
	body := map[string]any{"type": "business-licence", "subject": city.Pseudonym("citizen1"), "commitment": commitment}
	issued, err := client.Do[app.Issued](ctx, officer, http.MethodPost, "/v1/certificates", body)
	require.NoError(t, err)
	require.Equal(t, "valid", issued.Status)
	require.Equal(t, commitment, issued.Commitment)
	_, found, err := city.Gateways["market"].Vault.Get(ctx, commitment, "market.regulation")
	require.NoError(t, err)
	require.False(t, found)

	for name, c := range map[string]struct {
		change      map[string]any
		field, rule string
	}{
		"both":          {map[string]any{"values": map[string]any{"name": "x"}}, "commitment", "absent_with:values"},
		"neither":       {map[string]any{"commitment": nil}, "values", "type:object"},
		"not of a form": {map[string]any{"commitment": "abc"}, "commitment", "pattern:^[0-9a-f]{64}$"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := map[string]any{}
			for _, from := range []map[string]any{body, c.change} {
				for member, value := range from {
					wrong[member] = value
				}
			}
			_, err := client.Do[app.Issued](ctx, officer, http.MethodPost, "/v1/certificates", wrong)
			var problem *client.Problem
			require.ErrorAs(t, err, &problem)
			require.Equal(t, []string{c.field, c.rule}, []string{problem.Field, problem.Rule})
		})
	}
}
