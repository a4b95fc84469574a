package rest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
)

// Limits of streams. A stream outlives the deadlines of requests, so it has its own: each write must be taken within
// StreamWriteTimeout, and the whole ends with the caller's token, or after MaxStreamAge.
const (
	DefaultMaxStreams          = 1024
	DefaultMaxStreamsPerCaller = 8
	StreamWriteTimeout         = 20 * time.Second
	MaxStreamAge               = time.Hour
	// StreamRetry is how long a client is asked to wait before it comes back to a stream that ended.
	StreamRetry = time.Second
	// streamBuffer is how much of a stream is written at once.
	streamBuffer = 16 << 10
)

// streamMedia is the media type of server-sent events (HTML Living Standard, section 9.2).
const streamMedia = "text/event-stream"

var errStreams = fault.New(fault.Limit, "stream.limit", "end a stream before beginning another")

// Stream is an application function whose answer goes on, made by Follow. A row that has one answers with it whoever
// accepts text/event-stream, everybody else with its Handler.
type Stream struct {
	Sends []Sent
	call  func(context.Context, app.Actor, reflect.Value) (app.Messages, error)
	takes reflect.Type
}

// Sent is a kind of message that a stream sends.
type Sent struct {
	Name string // empty for the ordinary one
	Data reflect.Type
	Doc  string
}

// Sends describes a kind of message whose data is a T.
func Sends[T any](name, doc string) Sent { return Sent{name, reflect.TypeFor[T](), doc} }

// Follow makes a stream of an application function. Its request must be that of the row's Handler. An error before the
// first message is answered as a problem; one after it ends the stream, and who comes back with the last id misses nothing.
func Follow[Req any](f func(context.Context, app.Actor, Req) (app.Messages, error), sends ...Sent) Stream {
	return Stream{
		Sends: sends, takes: reflect.TypeFor[Req](),
		call: func(ctx context.Context, who app.Actor, request reflect.Value) (app.Messages, error) {
			return f(ctx, who, request.Interface().(Req))
		},
	}
}

// Streams says whether the row has an answer that goes on.
func (r Route) Streams() bool { return r.Stream.call != nil }

// wantsStream says whether a request asks for server-sent events.
func wantsStream(r *http.Request) bool {
	for _, accepted := range r.Header.Values("Accept") {
		for media := range strings.SplitSeq(accepted, ",") {
			media, _, _ = strings.Cut(media, ";")
			if strings.EqualFold(strings.TrimSpace(media), streamMedia) {
				return true
			}
		}
	}
	return false
}

// Why a stream ended; the label `end` of its metric.
var (
	errStopping = errors.New("stopping") // the gateway stops
	errAged     = errors.New("aged")     // the token's time is over, or MaxStreamAge
	errSlow     = errors.New("slow")     // a write was not taken in time
	endings     = []error{errStopping, errAged, errSlow}
	endGone     = "gone" // the client left
	endFailed   = "failed"
	endComplete = "complete"
)

// streams are those that are open.
type streams struct {
	max, perCaller int
	stopping       context.Context // ends when the server stops
	stop           func()

	mu   sync.Mutex
	open map[app.Actor]int

	gauge *prometheus.GaugeVec
	ended *prometheus.CounterVec
	sent  *prometheus.CounterVec
}

func newStreams(c Config) (*streams, error) {
	s := &streams{
		max: cmp.Or(c.MaxStreams, DefaultMaxStreams), perCaller: cmp.Or(c.MaxStreamsPerCaller, DefaultMaxStreamsPerCaller),
		open:  map[app.Actor]int{},
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hutong_streams_open", Help: "Streams under way, by route."}, []string{"route"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hutong_streams_ended_total", Help: "Streams that ended, by route and why: complete, gone (the client left), slow, aged, stopping, failed.",
		}, []string{"route", "end"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hutong_stream_messages_total", Help: "Messages sent on streams, by route."}, []string{"route"}),
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	for _, collector := range []prometheus.Collector{s.gauge, s.ended, s.sent} {
		if err := c.Registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// enter takes a place for a caller's stream. Faults: stream.limit, gateway.overloaded.
func (s *streams) enter(who app.Actor) (leave func(), err error) {
	who.Until = time.Time{} // a new token is the same caller
	s.mu.Lock()
	defer s.mu.Unlock()
	all := 0
	for _, n := range s.open {
		all += n
	}
	switch {
	case s.open[who] >= s.perCaller:
		return nil, errStreams.On("caller", fmt.Sprintf("max_streams:%d", s.perCaller))
	case all >= s.max:
		return nil, errOverload
	}
	s.open[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[who]--; s.open[who] == 0 {
			delete(s.open, who)
		}
	}, nil
}

// lifetime is a stream's own context: it ends when the client leaves, the token expires, or the server stops.
func (s *streams) lifetime(connection context.Context, who app.Actor) (context.Context, func()) {
	age := MaxStreamAge
	if !who.Until.IsZero() {
		age = min(age, time.Until(who.Until))
	}
	ctx, end := context.WithCancelCause(connection)
	aged := time.AfterFunc(age, func() { end(errAged) })
	stopped := context.AfterFunc(s.stopping, func() { end(errStopping) })
	return ctx, func() {
		aged.Stop()
		stopped()
		end(nil)
	}
}

// stream answers a request with what goes on.
func (s *Server) stream(c *gin.Context, r Route, who app.Actor, request reflect.Value) {
	leave, err := s.streams.enter(who)
	if err != nil {
		s.fail(c, err)
		return
	}
	defer leave()
	ctx, end := s.streams.lifetime(connectionOf(c), who)
	defer end()
	messages, err := r.Stream.call(ctx, who, request)
	if err != nil {
		s.fail(c, err)
		return
	}
	leaveSeat(c)
	s.streams.gauge.WithLabelValues(r.Path).Inc()
	defer s.streams.gauge.WithLabelValues(r.Path).Dec()
	h := c.Writer.Header()
	h.Set("Content-Type", streamMedia)
	h.Set("X-Accel-Buffering", "no") // a proxy in between hands on what comes
	c.Set(streamedKey, true)
	c.Status(http.StatusOK)
	w := newStreamWriter(c.Writer)
	w.retry()
	for batch, err := range messages {
		if err != nil {
			w.err = errors.Join(w.err, err)
			break
		}
		for _, m := range batch {
			w.message(m)
		}
		if w.flush(); w.err != nil {
			break
		}
		s.streams.sent.WithLabelValues(r.Path).Add(float64(len(batch)))
	}
	s.ended(c, r, context.Cause(ctx), w)
}

// ended counts how a stream ended, logs what is the gateway's own failure, and leaves the client the hint to come back.
func (s *Server) ended(c *gin.Context, r Route, cause error, w *streamWriter) {
	end := endComplete
	switch {
	case errors.Is(w.err, errSlow):
		end = errSlow.Error()
	case cause != nil:
		end = endGone
		for _, known := range endings {
			if errors.Is(cause, known) {
				end = known.Error()
			}
		}
	case w.err != nil && !w.broken:
		end = endFailed
		s.log.ErrorContext(c.Request.Context(), "stream failed", slog.String("request_id", requestID(c)), slog.String("route", r.Path), slog.String("error", w.err.Error()))
	case w.err != nil:
		end = endGone
	}
	if !w.broken {
		w.retry()
	}
	s.streams.ended.WithLabelValues(r.Path, end).Inc()
}

// streamWriter writes server-sent events and keeps the first error. Each write has a deadline of its own.
type streamWriter struct {
	buffer  *bufio.Writer
	control *http.ResponseController
	to      http.ResponseWriter
	err     error
	broken  bool // nothing more can be written
}

func newStreamWriter(to http.ResponseWriter) *streamWriter {
	w := &streamWriter{control: http.NewResponseController(to), to: to}
	w.buffer = bufio.NewWriterSize(w, streamBuffer)
	return w
}

// Write hands bytes to the connection and waits until they are taken.
func (w *streamWriter) Write(p []byte) (int, error) {
	until := time.Now().Add(StreamWriteTimeout)
	if err := w.control.SetWriteDeadline(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, w.fail(err, until)
	}
	n, err := w.to.Write(p)
	if err == nil {
		err = w.control.Flush()
	}
	return n, w.fail(err, until)
}

func (w *streamWriter) fail(err error, until time.Time) error {
	if err == nil {
		return nil
	}
	w.broken = true
	if !time.Now().Before(until) {
		return fmt.Errorf("%w: %w", errSlow, err)
	}
	return err
}

func (w *streamWriter) flush() { w.keep(w.buffer.Flush()) }

func (w *streamWriter) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// message writes one message. IDs and names are the application's own and have no line ends; JSON has none.
func (w *streamWriter) message(m app.Message) {
	var text []byte
	if m.ID != "" {
		text = fmt.Appendf(text, "id: %s\n", m.ID)
	}
	if m.Name != "" {
		text = fmt.Appendf(text, "event: %s\n", m.Name)
	}
	if m.Data != nil {
		raw, err := json.Marshal(m.Data)
		if err != nil {
			w.keep(fmt.Errorf("a message of type %T cannot be written: %w", m.Data, err))
			return
		}
		text = fmt.Appendf(text, "data: %s\n", raw)
	}
	_, err := w.buffer.Write(append(text, '\n'))
	w.keep(err)
}

// retry says when to come back if the stream ends.
func (w *streamWriter) retry() {
	_, err := fmt.Fprintf(w.buffer, "retry: %d\n\n", StreamRetry.Milliseconds())
	w.keep(err)
	w.flush()
}
