package serve

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/credential"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/reload"
)

func TestNeighbours(t *testing.T) {
	var status int
	var body, media string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a token was shown to a neighbour")
		}
		if r.Method == http.MethodPost && r.URL.Path != "/v1/uses/u 1/delivery" || r.Method == http.MethodGet && r.URL.EscapedPath() != "/v1/sealed/ab/market.tax" {
			t.Errorf("unexpected %s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", media)
		w.Header().Set("Location", "/v1/transactions/t1")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	files, err := reload.NewSet(slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	all, err := newNeighbours(files, []config.Neighbour{{MSP: "MarketMSP", URL: server.URL}})
	require.NoError(t, err)
	for _, c := range []struct {
		name        string
		status      int
		media, body string
		want        error
	}{
		{"sealed payload", 200, "application/json", `{"commitment":"ab","to":"market.tax","sealed":"xyz"}`, nil},
		{"a rule says no", 409, "application/problem+json", `{"type":"/problems/use.late","status":409,"reason":"use.late","field":"use","rule":"in_time"}`, fault.New(fault.Refused, "use.late", "")},
		{"missing", 404, "application/problem+json", `{"type":"/problems/sealed.missing","status":404,"reason":"sealed.missing"}`, fault.New(fault.Missing, "sealed.missing", "")},
		{"outcome unknown", 202, "application/json", `{"tx_id":"t1","state":"unknown"}`, app.Unknown{Tx: "t1"}},
		{"it failed", 500, "application/problem+json", `{"type":"/problems/gateway.internal","status":500,"reason":"gateway.internal"}`, fault.New(fault.Internal, "neighbour.unreachable", "")},
		{"something else answered", 404, "text/html", `<h1>nginx</h1>`, fault.New(fault.Internal, "neighbour.unreachable", "")},
		{"nonsense", 200, "application/json", `<h1>`, fault.New(fault.Internal, "neighbour.unreachable", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, media, body = c.status, c.media, c.body
			sealed, err := all.Sealed(t.Context(), "MarketMSP", "ab", "market.tax")
			_, err2 := all.Deliver(t.Context(), "MarketMSP", "u 1", app.Delivery{Selector: &seal.Envelope{To: "x"}})
			if c.want == nil {
				require.NoError(t, errors.Join(err, err2))
				require.Equal(t, seal.Envelope{Commitment: "ab", To: "market.tax", Sealed: "xyz"}, sealed)
				return
			}
			require.ErrorIs(t, err, c.want)
			require.ErrorIs(t, err2, c.want)
		})
	}
	_, err = all.Sealed(t.Context(), "PlanningMSP", "ab", "x")
	require.ErrorIs(t, err, fault.New(fault.Missing, "neighbour.unknown", ""))
	server.Close()
	_, err = all.Sealed(t.Context(), "MarketMSP", "ab", "market.tax")
	require.ErrorIs(t, err, fault.New(fault.Internal, "neighbour.unreachable", ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = all.Sealed(ctx, "MarketMSP", "ab", "market.tax")
	require.ErrorIs(t, err, context.Canceled)
}

func TestCallers(t *testing.T) {
	pseudonyms, err := credential.NewPseudonyms(make([]byte, credential.PseudonymKeyBytes))
	require.NoError(t, err)
	claims := credential.Claims{Issuer: "https://idp", Subject: "citizen1", Role: app.Citizen, Client: "console"}
	var failure error
	c := callers{verify: func(context.Context, string) (credential.Claims, error) { return claims, failure }, pseudonyms: pseudonyms}
	who, err := c.actor(t.Context(), "token")
	require.NoError(t, err)
	require.Equal(t, app.Actor{Role: app.Citizen, Subject: pseudonyms.Of("https://idp", "citizen1"), Client: "console"}, who)

	_, err = callers{verify: c.verify}.actor(t.Context(), "token")
	require.ErrorIs(t, err, fault.New(fault.Denied, "gateway.not_served", ""))

	claims = credential.Claims{Issuer: "https://idp", Subject: "officer.tax", Role: app.Officer, Agency: "market.tax", Staff: "S5001", Client: "console"}
	who, err = c.actor(t.Context(), "token")
	require.NoError(t, err)
	require.Equal(t, app.Actor{Role: app.Officer, Agency: "market.tax", Staff: "S5001", Client: "console"}, who, "officers have no pseudonym")

	failure = credential.ErrExpired
	_, err = c.actor(t.Context(), "token")
	require.ErrorIs(t, err, credential.ErrExpired)
}
