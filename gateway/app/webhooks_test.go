package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
)

func TestWebhooksAreTheClientsOwn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin, auditor := s.as("services", "admin.hall"), s.as("services", "auditor")
	tip := s.Ledger.Height() - 1
	register := func(c *client.Client, body any, key string) (app.Webhook, error) {
		return do[app.Webhook](s, c, http.MethodPost, "/v1/webhooks", body, client.Key(key))
	}
	body := map[string]any{"url": "https://portal.example/hook", "filter": map[string]any{"types": []string{"case.*"}, "contract": "collaboration"}}
	hook, err := register(admin, body, "k1")
	require.NoError(t, err)
	require.Equal(t, []any{"active", "https://portal.example/hook", []string{"case.*"}}, []any{hook.State, hook.URL, hook.Filter.Types})
	require.Equal(t, uint64(0), hook.Backlog, "it begins now")
	require.Equal(t, tip, hook.AsOf)
	again, err := register(admin, body, "k1")
	require.NoError(t, err)
	require.Equal(t, hook, again)
	body["after"] = "start"
	_, err = register(admin, body, "k1")
	require.Equal(t, "webhook.conflict", client.Reason(err))
	all, err := register(auditor, map[string]any{"url": "https://audit.example", "after": "2"}, "k1")
	require.NoError(t, err)
	require.Equal(t, []any{"2", tip - 2}, []any{all.Checkpoint, all.Backlog})

	for path, c := range map[string]*client.Client{"/v1/webhooks/" + hook.ID: auditor, "/v1/webhooks/" + all.ID: admin} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			_, err = do[any](s, c, method, path, nil)
			require.Equal(t, "webhook.missing", client.Reason(err), "another's")
		}
		for _, change := range []string{"/pause", "/resumption"} {
			_, err = do[any](s, c, http.MethodPut, path+change, nil)
			require.Equal(t, "webhook.missing", client.Reason(err))
		}
		_, err = do[any](s, c, http.MethodPost, path+"/dead-letters/replay", nil)
		require.Equal(t, "webhook.missing", client.Reason(err))
		_, err = get[any](s, c, path+"/dead-letters")
		require.Equal(t, "webhook.missing", client.Reason(err))
	}
	mine, err := get[app.Page[app.Webhook]](s, admin, "/v1/webhooks")
	require.NoError(t, err)
	require.Len(t, mine.Items, 1)

	paused, err := do[app.Webhook](s, admin, http.MethodPut, "/v1/webhooks/"+hook.ID+"/pause", nil)
	require.NoError(t, err)
	require.Equal(t, "paused", paused.State)
	resumed, err := do[app.Webhook](s, admin, http.MethodPut, "/v1/webhooks/"+hook.ID+"/resumption", nil)
	require.NoError(t, err)
	require.Equal(t, "active", resumed.State)
	letters, err := get[app.Page[app.DeadLetter]](s, admin, "/v1/webhooks/"+hook.ID+"/dead-letters")
	require.NoError(t, err)
	require.Empty(t, letters.Items)
	for _, method := range []string{http.MethodDelete, http.MethodPost} {
		path := "/v1/webhooks/" + hook.ID + "/dead-letters/1-0-0"
		if method == http.MethodPost {
			path += "/replay"
		}
		_, err = do[any](s, admin, method, path, nil)
		require.Equal(t, "dead_letter.missing", client.Reason(err))
	}
	_, err = do[any](s, admin, http.MethodDelete, "/v1/webhooks/"+hook.ID, nil)
	require.NoError(t, err)
	_, err = get[any](s, admin, "/v1/webhooks/"+hook.ID)
	require.Equal(t, "webhook.missing", client.Reason(err))
}

func TestWebhooksThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.as("services", "admin.hall")
	for field, body := range map[string]map[string]any{
		"url":             {"url": "http://portal.example"},
		"filter.types":    {"url": "https://portal.example", "filter": map[string]any{"types": []string{"nothing.*"}}},
		"filter.contract": {"url": "https://portal.example", "filter": map[string]any{"contract": "x"}},
		"after":           {"url": "https://portal.example", "after": "yesterday"},
	} {
		_, err := do[any](s, admin, http.MethodPost, "/v1/webhooks", body)
		var p *client.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, []string{"request.invalid", field}, []string{p.Reason, p.Field})
		require.NotContains(t, p.Error(), "portal.example")
	}
	for _, url := range []string{"https://127.0.0.1:17000/", "https://169.254.169.254/latest", "https://[::1]/"} {
		_, err := do[any](s, admin, http.MethodPost, "/v1/webhooks", map[string]any{"url": url})
		var p *client.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, []string{"url", "allowed_address"}, []string{p.Field, p.Rule})
	}
	_, err := do[any](s, s.citizen.Client, http.MethodPost, "/v1/webhooks", map[string]any{"url": "https://portal.example"})
	require.Equal(t, "access.role", client.Reason(err))
	_, err = do[any](s, s.as("market", "admin.tax"), http.MethodPost, "/v1/webhooks", map[string]any{"url": "https://portal.example"})
	require.Equal(t, "gateway.not_served", client.Reason(err), "a gateway without a key")

	keys, err := get[app.KeySet](s, s.as("services", ""), "/v1/signing-keys")
	require.NoError(t, err)
	require.Len(t, keys.Keys, 1)
	require.Regexp(t, "^[A-Za-z0-9_-]{43}$", keys.Keys[0].ID)
	none, err := get[app.KeySet](s, s.as("market", ""), "/v1/signing-keys")
	require.NoError(t, err)
	require.Empty(t, none.Keys)
	require.False(t, strings.Contains(keys.Keys[0].X, "="))
}
