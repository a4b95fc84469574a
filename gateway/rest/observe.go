package rest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/trace"
)

// Keys of what a request carries along.
const (
	requestKey = "request_id"
	actorKey   = "actor"
	reasonKey  = "reason"
	errorKey   = "error" // what went wrong, for the log
	txKey      = "tx_id"
	// of streams
	connectionKey = "connection" // the context of the connection, without the request's deadline
	seatKey       = "seat"       // leaves the request's seat
	streamedKey   = "streamed"
)

// requestIDForm is what a caller's own X-Request-Id must look like to be taken over.
var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

// unmatched stands for the route of a request that no row matches; the raw path goes nowhere.
const unmatched = "unmatched"

// quiet are routes polled by machines; they are counted but not logged.
var quiet = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// observe goes round every request: it gives it an id, a deadline and a seat, catches panics, and writes the access log and
// the metrics.
func (s *Server) observe(c *gin.Context) {
	began := time.Now()
	id := c.GetHeader("X-Request-Id")
	if !requestIDForm.MatchString(id) {
		id = rand.Text()
	}
	c.Set(requestKey, id)
	secure(c, id)
	c.Set(connectionKey, c.Request.Context())
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.config.Deadline)
	defer cancel()
	if s.config.Tracer != nil {
		var step trace.Span
		ctx, step = s.config.Tracer.Serve(ctx, c.Request.Header, methodOf(c), route(c))
		defer s.traced(c, step)
	}
	c.Request = c.Request.WithContext(ctx)
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	if !s.admit(c) {
		s.problem(c, errStops)
		s.record(c, time.Since(began))
		return
	}
	select {
	case s.seats <- struct{}{}:
		leave := sync.OnceFunc(func() { <-s.seats })
		c.Set(seatKey, leave)
		s.guarded(c)
		leave()
	default:
		s.problem(c, errOverload)
	}
	s.record(c, time.Since(began))
}

// traced ends a request's step.
func (s *Server) traced(c *gin.Context, step trace.Span) {
	if !step.Recorded() {
		return
	}
	status := c.Writer.Status()
	step.Number("http.response.status_code", int64(status))
	if who, ok := c.Value(actorKey).(app.Actor); ok {
		step.Text("hutong.role", who.Role)
	}
	reason := c.GetString(reasonKey)
	if reason != "" {
		step.Text("hutong.reason", reason)
	}
	if status >= http.StatusInternalServerError {
		step.Failed(reason)
	}
	step.End()
}

// guarded runs the handlers and answers a panic with a problem that tells nothing.
func (s *Server) guarded(c *gin.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(r) // net/http knows what to do with it
		}
		s.log.ErrorContext(c.Request.Context(), "panic", slog.String("request_id", requestID(c)), slog.String("route", route(c)),
			slog.String("panic", panicText(r)), slog.String("stack", string(debug.Stack())))
		if !c.Writer.Written() {
			s.problem(c, errPanic)
		}
		c.Abort()
	}()
	c.Next()
}

// panicText is what may be logged of a panic: the runtime's own words, or the type of anything else, which could be data.
func panicText(r any) string {
	if err, ok := r.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", r)
}

// secure sets the headers every answer has.
func secure(c *gin.Context, id string) {
	h := c.Writer.Header()
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Strict-Transport-Security", "max-age=31536000")
}

func (s *Server) record(c *gin.Context, took time.Duration) {
	where, method, status := route(c), methodOf(c), c.Writer.Status()
	class := classes[min(max(status/100, 0), len(classes)-1)]
	s.metrics.requests.WithLabelValues(where, method, class).Inc()
	if !c.GetBool(streamedKey) { // how long a stream lasts is the client's choice
		s.timed(c, s.metrics.seconds.WithLabelValues(where, method), took)
	}
	s.write(c, method, where, status, took)
}

// timed observes how long a request took; where it is traced, with the trace's id as the bucket's example.
func (s *Server) timed(c *gin.Context, seconds prometheus.Observer, took time.Duration) {
	id := trace.ID(c.Request.Context())
	if exemplar, ok := seconds.(prometheus.ExemplarObserver); ok && id != "" {
		exemplar.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": id})
		return
	}
	seconds.Observe(took.Seconds())
}

// classes of statuses.
var classes = [...]string{"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"}

// methodOf is the request's method; "other" for one that HTTP does not know, so that nobody can grow our metrics.
func methodOf(c *gin.Context) string {
	switch m := c.Request.Method; m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// connectionOf is the context of a request's connection: it ends when the client leaves, and has no deadline.
func connectionOf(c *gin.Context) context.Context { return c.MustGet(connectionKey).(context.Context) }

// leaveSeat makes room for another request where this one goes on for long.
func leaveSeat(c *gin.Context) { c.MustGet(seatKey).(func())() }

func requestID(c *gin.Context) string { return c.GetString(requestKey) }

// route is the row's path, in the form of the table; never the path that was sent.
func route(c *gin.Context) string {
	pattern := c.FullPath()
	if pattern == "" {
		return unmatched
	}
	if named, ok := patterns.Load(pattern); ok {
		return named.(string)
	}
	named := ginName.ReplaceAllString(pattern, "{$1}")
	patterns.Store(pattern, named)
	return named
}

var ginName = regexp.MustCompile(`:([a-z_]+)`)

// patterns are the router's paths as the table has them; no more than there are routes.
var patterns sync.Map

// metrics of the HTTP side. Labels are bounded: rows of the table, their methods, five classes.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	limited  *prometheus.CounterVec
}

// buckets suit answers from the projection (a millisecond) up to a commit (seconds).
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hutong_http_requests_total", Help: "Requests by route, method and class of status.",
		}, []string{"route", "method", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hutong_http_request_seconds", Help: "Time to answer, by route and method.", Buckets: buckets,
		}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hutong_http_requests_in_flight", Help: "Requests under way.",
		}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hutong_http_limited_total", Help: "Requests refused because the client or the address asked too often.",
		}, []string{"by"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight, m.limited} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
