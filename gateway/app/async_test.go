package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
)

func TestAWriteThatIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	officer := s.officer("market.regulation").Client
	body := map[string]any{"type": "business-licence", "subject": s.Pseudonym("citizen1"), "commitment": strings.Repeat("ab", 32)}
	issue := func(options ...client.Option) (app.Issued, error) {
		return do[app.Issued](s, officer, http.MethodPost, "/v1/certificates", body, append(options, client.Key("k"))...)
	}
	_, err := issue(client.Async())
	var pending *client.Pending
	require.ErrorAs(t, err, &pending)
	require.Equal(t, []any{"pending", "valid", 1, "/v1/transactions/" + pending.Tx}, []any{pending.State, pending.Status, pending.Version, pending.Location})

	outcome, err := officer.Resolve(s.ctx, pending)
	require.NoError(t, err)
	require.Equal(t, "committed", outcome.State)
	issued, err := issue(client.Async()) // the repetition has the whole answer, waited for or not
	require.NoError(t, err)
	require.Equal(t, []any{pending.ID, pending.Tx, pending.At, true}, []any{issued.ID, issued.Tx, issued.At, issued.Replayed})

	again, err := issue(client.Wait(time.Minute))
	require.NoError(t, err)
	require.Equal(t, issued, again)
	body["commitment"] = strings.Repeat("cd", 32) // what the contract refuses is refused at once
	s.refused("certificate.conflict", func() error { _, err := issue(client.Async()); return err })
}

// A transaction no block has is no mistake of who asks: it may still come.
func TestATransactionThatIsNotThereIsUnknown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	none := "/v1/transactions/" + strings.Repeat("0", 64)
	began := time.Now()
	tx, err := do[app.Transaction](s, s.citizen.Client, http.MethodGet, none, nil, client.Wait(time.Second))
	require.NoError(t, err)
	require.Equal(t, "unknown", string(tx.State))
	require.GreaterOrEqual(t, time.Since(began), 900*time.Millisecond, "whoever waits is waited with")
	require.NotZero(t, tx.AsOf)
}
