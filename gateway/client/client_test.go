package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/devidp"
)

// serve answers requests with f and gives a client.
func serve(t *testing.T, tokens client.TokenSource, f http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, nil, tokens)
	require.NoError(t, err)
	return c
}

func problem(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"/problems/%s","title":"t","status":%d,"reason":%q,"field":"name","rule":"required","detail":"send it"}`, reason, status, reason)
}

type receipt struct {
	ID string `json:"id"`
}

func TestWrite(t *testing.T) {
	c := serve(t, client.Token("secret"), func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"name":"x"}` || r.Header.Get("Authorization") != "Bearer secret" ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Idempotency-Key") == "" || r.URL.RequestURI() != "/v1/badges/b%2F1?min_block=3" {
			t.Errorf("unexpected %s %s %v %s", r.Method, r.URL.RequestURI(), r.Header, body)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"b"}`))
	})
	var status int
	got, err := client.Do[receipt](t.Context(), c, "POST", "/v1/badges/b%2F1?min_block=3", map[string]string{"name": "x"}, client.Status(&status))
	require.NoError(t, err)
	require.Equal(t, receipt{"b"}, got)
	require.Equal(t, http.StatusCreated, status)
}

func TestReadSendsNoKeyAndRawAnswersAreGiven(t *testing.T) {
	c := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("unexpected headers %v", r.Header)
		}
		_, _ = w.Write([]byte("%PDF"))
	})
	raw, err := client.Do[[]byte](t.Context(), c, "GET", "/v1/x", nil)
	require.NoError(t, err)
	require.Equal(t, "%PDF", string(raw))
	_, err = client.Do[receipt](t.Context(), c, "GET", "/v1/x", nil)
	require.ErrorContains(t, err, "not what was expected")
}

func TestProblem(t *testing.T) {
	c := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) { problem(w, 422, "request.invalid") })
	_, err := client.Do[receipt](t.Context(), c, "GET", "/v1/x", nil)
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "name", p.Field)
	require.ErrorIs(t, err, &client.Problem{Reason: "request.invalid"})
	require.NotErrorIs(t, err, &client.Problem{Reason: "other"})
	require.Equal(t, "422 request.invalid (name: required): send it", err.Error())
	require.Equal(t, "request.invalid", client.Reason(fmt.Errorf("wrapped: %w", err)))
	require.Empty(t, client.Reason(errors.New("x")))
}

func TestAnswerFromSomethingElse(t *testing.T) {
	c := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>proxy</h1>", http.StatusBadGateway) })
	_, err := client.Do[receipt](t.Context(), c, "GET", "/v1/x", nil)
	require.Equal(t, "http.status", client.Reason(err))
}

func TestRepeatsWithTheSameKeyAsLongAsItIsAskedTo(t *testing.T) {
	var keys []string
	c := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) < 3 {
			w.Header().Set("Retry-After", "0")
			problem(w, http.StatusServiceUnavailable, "ledger.unreachable")
			return
		}
		_, _ = w.Write([]byte(`{"id":"b"}`))
	})
	got, err := client.Do[receipt](t.Context(), c, "PUT", "/v1/x", map[string]string{})
	require.NoError(t, err)
	require.Equal(t, "b", got.ID)
	require.Len(t, keys, 3)
	require.NotEmpty(t, keys[0])
	require.Equal(t, []string{keys[0], keys[0], keys[0]}, keys)
}

func TestGivesUp(t *testing.T) {
	var calls atomic.Int32
	busy := func(after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			problem(w, http.StatusServiceUnavailable, "gateway.overloaded")
		}
	}
	_, err := client.Do[receipt](t.Context(), serve(t, nil, busy("0")), "GET", "/v1/x", nil)
	require.Equal(t, "gateway.overloaded", client.Reason(err))
	require.EqualValues(t, client.MaxAttempts, calls.Swap(0))

	_, err = client.Do[receipt](t.Context(), serve(t, nil, busy("")), "GET", "/v1/x", nil)
	require.Equal(t, "gateway.overloaded", client.Reason(err))
	require.EqualValues(t, 1, calls.Swap(0), "nobody asked to wait")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = client.Do[receipt](ctx, serve(t, nil, busy("5")), "GET", "/v1/x", nil)
	require.Equal(t, "gateway.overloaded", client.Reason(err), "a caller without time gets the answer there is")
}

func TestUnknownOutcome(t *testing.T) {
	var asked atomic.Int32
	c := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/transactions/t1" {
			state := map[bool]string{true: "unknown", false: "committed"}[asked.Add(1) < 2]
			_ = json.NewEncoder(w).Encode(map[string]any{"tx_id": "t1", "state": state, "block": 7})
			return
		}
		w.Header().Set("Location", "/v1/transactions/t1")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"tx_id":"t1","state":"unknown"}`))
	})
	_, err := client.Do[receipt](t.Context(), c, "POST", "/v1/x", map[string]string{})
	var pending *client.Pending
	require.ErrorAs(t, err, &pending)
	require.Equal(t, client.Pending{Location: "/v1/transactions/t1", Tx: "t1", State: "unknown"}, *pending)
	outcome, err := c.Resolve(t.Context(), pending)
	require.NoError(t, err)
	require.Equal(t, client.Transaction{Tx: "t1", State: "committed", Block: 7}, outcome)
}

func TestTokenIsKeptAndRenewed(t *testing.T) {
	for _, c := range []struct {
		life  time.Duration
		sames bool
	}{{time.Hour, true}, {10 * time.Second, false}} { // ten seconds are less than a token needs to be worth keeping
		server := httptest.NewUnstartedServer(nil)
		issuer := "http://" + server.Listener.Addr().String()
		handler, err := devidp.New(devidp.Config{Listen: "127.0.0.1:0", PublicURL: issuer, DataDir: t.TempDir(), TokenLife: c.life})
		require.NoError(t, err)
		server.Config.Handler = handler
		server.Start()
		defer server.Close()
		source, err := client.SignIn(t.Context(), issuer, nil, "officer.tax")
		require.NoError(t, err)
		var group sync.WaitGroup
		tokens := make([]string, 4)
		for i := range tokens {
			group.Go(func() { tokens[i], _ = source.Token(context.Background()) })
		}
		group.Wait()
		require.NotEmpty(t, tokens[0])
		require.Equal(t, c.sames, tokens[0] == tokens[1] && tokens[1] == tokens[2])
	}
}

func TestSignInAtAnAddressWithoutProvider(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := client.SignIn(t.Context(), server.URL, nil, "citizen1")
	require.ErrorContains(t, err, "404")
}

func TestBadAddress(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:1", "not an address"} {
		_, err := client.New(address, nil, nil)
		require.ErrorContains(t, err, "gateway's address", address)
	}
	_, err := client.Roots([]byte("no PEM"))
	require.ErrorContains(t, err, "no certificate")
}

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusConflict, "dataset.conflict")
	}))
	defer server.Close()

	ctx := context.Background()
	c, err := client.New(server.URL, nil, client.Token("…"))
	if err != nil {
		panic(err)
	}
	_, err = client.Do[receipt](ctx, c, http.MethodPost, "/v1/datasets", map[string]string{"code": "premises"}, client.Key("publish-premises"))
	if p := new(client.Problem); errors.As(err, &p) {
		fmt.Println(p.Status, p.Reason)
	}
	// Output: 409 dataset.conflict
}

// record is what a server's requests leave for the test, which runs beside them.
type record struct {
	sync.Mutex
	seen []string
}

// add appends what a request said and gives how many there were, this one included.
func (r *record) add(s string) int {
	r.Lock()
	defer r.Unlock()
	r.seen = append(r.seen, s)
	return len(r.seen)
}

// take gives what was recorded and forgets it.
func (r *record) take() []string {
	r.Lock()
	defer r.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

func TestFollowComesBackAfterWhatItHasSeen(t *testing.T) {
	var asked record
	c := serve(t, client.Token("t"), func(w http.ResponseWriter, r *http.Request) {
		n := asked.add(r.Header.Get("Last-Event-ID"))
		assert.Equal(t, "Bearer t", r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "text/event-stream")
		switch n {
		case 1:
			_, _ = io.WriteString(w, "retry: 1\n\n: hello\nid: 5\ndata: {\"n\":1}\n\nevent: checkpoint\nid:6\ndata:{}\n\ndata: \"cut")
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			panic(http.ErrAbortHandler)
		case 4:
			_, _ = io.WriteString(w, "data: [1,\ndata: 2]\n\n")
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"status":401,"reason":"token.expired"}`)
		}
	})
	var got []client.Message
	for m, err := range c.Follow(t.Context(), "/v1/events", "4") {
		if err != nil {
			require.Equal(t, "token.expired", client.Reason(err))
			break
		}
		got = append(got, m)
	}
	require.Equal(t, []client.Message{
		{ID: "5", Name: "message", Data: json.RawMessage(`{"n":1}`)},
		{ID: "6", Name: "checkpoint", Data: json.RawMessage(`{}`)},
		{ID: "6", Name: "message", Data: json.RawMessage("[1,\n2]")},
	}, got, "a message that was cut off is not one")
	require.Equal(t, []string{"4", "6", "6", "6", "6"}, asked.take())

	var numbers []int
	for v, err := range client.FollowAs[struct{ N int }](t.Context(), c, "/v1/events", "") {
		if err != nil {
			require.ErrorAs(t, err, new(*json.UnmarshalTypeError), "a list is not what was expected")
			break
		}
		numbers = append(numbers, v.N)
	}
	require.Equal(t, []int{1}, numbers)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range c.Follow(ctx, "/v1/events", "") {
		require.ErrorIs(t, err, context.Canceled)
	}
}
