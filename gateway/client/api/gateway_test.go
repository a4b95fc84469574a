package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

// TestWhereFieldsGo pairs requests with what is sent.
func TestWhereFieldsGo(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, body = r, string(raw)
		_, _ = w.Write([]byte(`{"id":"x","items":[{"id":"y"}],"next_page_token":"n","as_of_block":7}`))
	}))
	defer server.Close()
	c, err := client.New(server.URL, nil, nil)
	require.NoError(t, err)
	g := api.Of(c).As(client.Token("officer"))

	receipt, err := g.ReturnStep(t.Context(), api.ReasonedStep{ID: "a/b", Step: "tax", Reason: "unclear"}, client.Key("k"))
	require.NoError(t, err)
	require.Equal(t, "x", receipt.ID)
	require.Equal(t, "PUT /v1/cases/a%2Fb/steps/tax/return", got.Method+" "+got.URL.EscapedPath())
	require.JSONEq(t, `{"reason":"unclear"}`, body)
	require.Equal(t, []string{"k", "Bearer officer"}, []string{got.Header.Get("Idempotency-Key"), got.Header.Get("Authorization")})

	_, err = g.Claim(t.Context(), api.OnStep{ID: "c", Step: "tax"})
	require.NoError(t, err)
	require.Empty(t, body, "a route that takes no body gets none")
	require.NotEmpty(t, got.Header.Get("Idempotency-Key"))

	page, err := g.Tasks(t.Context(), api.Tasks{Status: "pending", PageSize: 5, MinBlock: 12})
	require.NoError(t, err)
	require.Equal(t, "min_block=12&page_size=5&status=pending", got.URL.RawQuery)
	require.Equal(t, []any{1, "n", uint64(7)}, []any{len(page.Items), page.Next, page.AsOf})

	_, err = g.Events(t.Context(), api.Events{Types: []string{"case.*", "use.*"}, Last: "7-0-0"})
	require.NoError(t, err)
	require.Equal(t, "type=case.%2A&type=use.%2A", got.URL.RawQuery)
	require.Equal(t, "7-0-0", got.Header.Get("Last-Event-ID"))

	zero := uint64(0)
	_, err = g.CheckChain(t.Context(), api.CheckChain{From: &zero})
	require.NoError(t, err)
	require.Equal(t, "from=0", got.URL.RawQuery, "what is pointed to is sent even if it is zero")

	got = nil
	_, err = g.Claim(t.Context(), api.OnStep{Step: "tax"})
	require.ErrorContains(t, err, "give every part of the path")
	require.Nil(t, got)
}

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": 409, "reason": "certificate.already_revoked"})
	}))
	defer server.Close()

	c, err := client.New(server.URL, nil, client.Token("…"))
	if err != nil {
		panic(err)
	}
	gateway := api.Of(c)
	_, err = gateway.Revoke(context.Background(), api.ChangeCertificate{ID: "c-1", Reason: "ceased"}, client.Key("revoke-c-1"))
	if p := new(client.Problem); errors.As(err, &p) {
		fmt.Println(p.Status, p.Reason)
	}
	// Output: 409 certificate.already_revoked
}
