package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
)

// count is a request of the row below.
type count struct {
	Kind string `path:"kind"`
	From string `header:"Last-Event-ID,omitempty" json:"-"`
}

type tick struct {
	N int `json:"n"`
}

// streamTable is a row that counts, and goes on counting in ways that kind names.
func streamTable(slow chan<- struct{}) []Route {
	return append(table(), Route{
		Method: "GET", Path: "/v1/ticks/{kind}", Roles: []string{app.Officer}, Doc: Doc{Tag: "ticks", Summary: "Count"},
		Handler: Handle(func(context.Context, app.Actor, count) (tick, error) { return tick{0}, nil }),
		Stream: Follow(func(ctx context.Context, who app.Actor, r count) (app.Messages, error) {
			if r.Kind == "refused" {
				return nil, fault.New(fault.Missing, "certificate.missing", "no such record")
			}
			return func(yield func([]app.Message, error) bool) {
				if !yield([]app.Message{{ID: r.From + "1", Data: tick{1}}, {ID: "2", Name: "second", Data: tick{2}}}, nil) {
					return
				}
				switch r.Kind {
				case "failing":
					yield(nil, errors.New("the file /var/lib/secret is gone"))
				case "endless":
					<-ctx.Done()
				case "flood":
					long := make([]app.Message, 100)
					for i := range long {
						long[i] = app.Message{Data: map[string]string{"x": strings.Repeat("x", 10_000)}}
					}
					for yield(long, nil) {
					}
					close(slow)
				}
			}, nil
		}, Sends[tick]("", "A number."), Sends[tick]("second", "The second number.")),
	})
}

// streamWorld serves the table on a real listener.
func streamWorld(t *testing.T, http2 bool, change ...func(*Config)) (*world, *httptest.Server, chan struct{}) {
	t.Helper()
	slow := make(chan struct{})
	w := newWorld(t, append([]func(*Config){func(c *Config) {
		c.Routes = streamTable(slow)
		c.Deadline = 50 * time.Millisecond
	}}, change...)...)
	server := httptest.NewUnstartedServer(nil)
	server.Config = w.s.HTTPServer()
	server.Config.WriteTimeout, server.Config.ReadTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return w, server, slow
}

func open(t *testing.T, server *httptest.Server, kind string, headers ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/ticks/"+kind, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer token-officer")
	r.Header.Set("Accept", "text/event-stream; q=1, */*;q=0.1")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := server.Client().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

const twoTicks = "retry: 1000\n\nid: 71\ndata: {\"n\":1}\n\nid: 2\nevent: second\ndata: {\"n\":2}\n\n"

func TestStream(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			w, server, _ := streamWorld(t, http2)
			response := open(t, server, "finite", "Last-Event-ID: 7")
			require.Equal(t, name[:6], response.Proto[:6])
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, twoTicks+"retry: 1000\n\n", string(body))

			require.Equal(t, "certificate.missing", refusal(t, open(t, server, "refused")).Reason, "before the first message there are problems")
			answer := open(t, server, "finite", "Accept: application/json")
			body, err = io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.JSONEq(t, `{"n":0}`, string(body))

			body, err = io.ReadAll(open(t, server, "failing", "Last-Event-ID: 7").Body)
			require.NoError(t, err)
			require.Equal(t, twoTicks+"retry: 1000\n\n", string(body), "what failed is for the log")

			// the request's deadline, the server's write timeout and its read timeout are over long before this ends
			endless := open(t, server, "endless", "Last-Event-ID: 7")
			time.Sleep(300 * time.Millisecond)
			w.s.EndStreams()
			body, err = io.ReadAll(endless.Body)
			require.NoError(t, err)
			require.Equal(t, twoTicks+"retry: 1000\n\n", string(body))
			metrics := w.send("GET", "/metrics", "", "").Body.String()
			require.Contains(t, metrics, `hutong_streams_ended_total{end="stopping",route="/v1/ticks/{kind}"} 1`)
			require.Contains(t, metrics, `hutong_streams_ended_total{end="failed",route="/v1/ticks/{kind}"} 1`)
			require.Contains(t, metrics, `hutong_streams_ended_total{end="complete",route="/v1/ticks/{kind}"} 1`)
			require.Contains(t, metrics, `hutong_stream_messages_total{route="/v1/ticks/{kind}"} 6`)
			require.Contains(t, metrics, `hutong_streams_open{route="/v1/ticks/{kind}"} 0`)
			require.Contains(t, metrics, `hutong_http_request_seconds_count{method="GET",route="/v1/ticks/{kind}"} 2`, "only answers that ended by themselves")
			require.Contains(t, w.log.String(), "/var/lib/secret")
		})
	}
}

func refusal(t *testing.T, response *http.Response) (p Problem) {
	t.Helper()
	require.Equal(t, problemMedia, response.Header.Get("Content-Type"))
	require.NoError(t, json.NewDecoder(response.Body).Decode(&p))
	return p
}

func TestStreamEndsWithItsToken(t *testing.T) {
	_, server, _ := streamWorld(t, true, func(c *Config) {
		c.Authenticate = func(ctx context.Context, token string) (app.Actor, error) {
			who, err := testTokens(ctx, token)
			who.Until = time.Now().Add(200 * time.Millisecond)
			return who, err
		}
	})
	began := time.Now()
	_, err := io.Copy(io.Discard, open(t, server, "endless").Body)
	require.NoError(t, err)
	require.Less(t, time.Since(began), 30*time.Second)
}

func TestStreamsHaveALimit(t *testing.T) {
	w, server, _ := streamWorld(t, true, func(c *Config) { c.MaxStreams, c.MaxStreamsPerCaller = 3, 2 })
	first, second := open(t, server, "endless"), open(t, server, "endless")
	for _, r := range []*http.Response{first, second} { // both are under way
		_, err := bufio.NewReader(r.Body).ReadString('\n')
		require.NoError(t, err)
	}
	require.Empty(t, w.s.seats, "a stream does not take a request's seat")
	p := refusal(t, open(t, server, "endless"))
	require.Equal(t, []any{http.StatusTooManyRequests, "stream.limit", "max_streams:2"}, []any{p.Status, p.Reason, p.Rule})
	leave, err := w.s.streams.enter(app.Actor{Role: app.Auditor})
	require.NoError(t, err)
	_, err = w.s.streams.enter(app.Actor{Role: app.Portal})
	require.ErrorIs(t, err, errOverload)
	leave()
	require.NoError(t, first.Body.Close())
	require.Eventually(t, func() bool {
		leave, err := w.s.streams.enter(app.Actor{Role: app.Officer, Agency: "market.tax", Staff: "S5001", Until: time.Now()})
		if err == nil {
			leave()
		}
		return err == nil
	}, 10*time.Second, 5*time.Millisecond, "a client that leaves gives its place back")
}

// TestStoppingServerIsNotHeldUp shuts a server down while streams are open.
func TestStoppingServerIsNotHeldUp(t *testing.T) {
	_, server, _ := streamWorld(t, true)
	stream := open(t, server, "endless")
	lines := bufio.NewReader(stream.Body)
	_, err := lines.ReadString('\n')
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- server.Config.Shutdown(ctx) }()
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(rest), "retry: 1000\n\n"))
	require.NoError(t, <-stopped)
}

// TestSlowReaderCostsNothing: nothing is made that is not read, and who reads nothing at all is left.
func TestSlowReaderCostsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for StreamWriteTimeout")
	}
	w, server, slow := streamWorld(t, false)
	open(t, server, "flood")
	select {
	case <-slow:
	case <-time.After(StreamWriteTimeout + 20*time.Second):
		t.Fatal("a reader that reads nothing is still served")
	}
	require.Eventually(t, func() bool {
		return strings.Contains(w.send("GET", "/metrics", "", "").Body.String(), `hutong_streams_ended_total{end="slow",route="/v1/ticks/{kind}"} 1`)
	}, 5*time.Second, 10*time.Millisecond)
}

func TestStreamInTheDocument(t *testing.T) {
	raw, err := Document(streamTable(nil), About{})
	require.NoError(t, err)
	content := valid(t, raw).Paths.Find("/v1/ticks/{kind}").Get.Responses.Value("200").Value.Content
	require.Contains(t, content, "application/json")
	require.Equal(t, "string", content["text/event-stream"].Schema.Value.Type.Slice()[0])
	require.Contains(t, string(raw), `"second": {`)
	require.Contains(t, string(raw), "stream.limit")

	mistaken := streamTable(nil)
	last := &mistaken[len(mistaken)-1]
	last.Handler = table()[1].Handler
	last.Path = "/v1/ticks"
	_, err = New(Config{Routes: mistaken, Registry: prometheus.NewRegistry()})
	require.ErrorContains(t, err, "one request to answer and another to stream")
}
