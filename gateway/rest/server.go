// Package rest is the gateway's HTTP face. A route is a row of data (Route): what it is called, who may call it, what it
// takes and gives, and the application function behind it. The router, the checks, the OpenAPI document and the
// authorisation matrix are made from the same rows. A handler does three things: decode, call, render.
//
// Every answer that says no is a problem document by RFC 9457 with a permanent reason; a write whose outcome is not known
// is answered 202 with the address of the transaction, never with a guess. No log line, metric or problem has a token, a
// raw path, a query or a value that a caller sent.
package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/trace"
)

// Limits of the HTTP side. The deadline of a request is longer than the ledger's stages together (see config.Limits), and
// the write timeout longer than the deadline, so that a slow commit ends in an answer and not in a broken connection.
const (
	DefaultMaxBody    = 256 << 10
	MaxHeaderBytes    = 32 << 10
	ReadHeaderTimeout = 5 * time.Second
	ReadTimeout       = 30 * time.Second
	RequestDeadline   = 70 * time.Second
	WriteTimeout      = 80 * time.Second
	IdleTimeout       = 2 * time.Minute
	// MaxRequests under way at once; beyond, callers are told to wait instead of being queued without end.
	MaxRequests = 2048
	// MaxStreams is HTTP/2's concurrent requests on one connection.
	MaxStreams = 512
)

// Config is what a server needs.
type Config struct {
	Routes []Route
	// Authenticate makes a caller of an access token. Errors are faults (token.invalid …).
	Authenticate func(ctx context.Context, token string) (app.Actor, error)
	Checks       []Check // of /readyz
	MaxBody      int64   // zero: DefaultMaxBody
	Deadline     time.Duration
	Rates        config.Rates // of clients and addresses
	About        About
	Registry     *prometheus.Registry
	Log          *slog.Logger
	Tracer       *trace.Tracer // nil: nothing is traced
	Lines        int           // of the log, a second and status; zero: config.DefaultLinesPerSecond

	MaxStreams          int // open at once; zero: DefaultMaxStreams
	MaxStreamsPerCaller int // zero: DefaultMaxStreamsPerCaller
}

// About is shown in the OpenAPI document and on the page to try the API.
type About struct {
	Version      string
	Organisation string
	PublicURL    string
	Issuer       string // OpenID Connect issuer
	ClientID     string // the public client with which the page signs users in
}

// Server answers requests.
type Server struct {
	config    Config
	engine    *gin.Engine
	log       *slog.Logger
	metrics   *metrics
	seats     chan struct{}        // one for each request under way
	clients   *bound[client]       // nil: not bounded
	addresses *bound[netip.Prefix] // nil: not bounded
	stage     stage
	lines     *lines
	openAPI   []byte
	streams   *streams
}

// New makes a server. It fails if two rows contradict each other.
func New(c Config) (*Server, error) {
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.Deadline == 0 {
		c.Deadline = RequestDeadline
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if err := CheckTable(c.Routes); err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registry)
	if err != nil {
		return nil, err
	}
	open, err := newStreams(c)
	if err != nil {
		return nil, err
	}
	document, err := Document(c.Routes, c.About)
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	s := &Server{config: c, engine: gin.New(), log: c.Log, metrics: m, seats: make(chan struct{}, MaxRequests), streams: open, openAPI: document, lines: newLines(c.Lines)}
	e := s.engine
	e.UseRawPath, e.UnescapePathValues = true, true // an encoded slash stays inside its path value
	e.RedirectTrailingSlash, e.RedirectFixedPath = false, false
	e.HandleMethodNotAllowed = true
	e.ForwardedByClientIP, e.RemoteIPHeaders = len(c.Rates.Proxies) > 0, []string{"X-Forwarded-For"}
	if err := e.SetTrustedProxies(c.Rates.Proxies); err != nil {
		return nil, fmt.Errorf("rates.proxies: %w", err)
	}
	s.clients = newBound[client]("client", c.Rates.Client, c.Rates.MaxClients, m.limited)
	s.addresses = newBound[netip.Prefix]("address", c.Rates.Address, c.Rates.MaxClients, m.limited)
	e.Use(s.observe)
	e.NoRoute(s.limitAddress, func(c *gin.Context) { s.problem(c, errNoRoute) })
	e.NoMethod(s.limitAddress, func(c *gin.Context) { s.problem(c, errMethod) })
	s.own()
	for _, r := range c.Routes {
		e.Handle(r.Method, ginPath(r.Path), s.serve(r))
	}
	return s, nil
}

// own adds the routes that are not the application's.
func (s *Server) own() {
	s.engine.GET("/healthz", s.health)
	s.engine.GET("/readyz", s.ready)
	s.engine.GET("/metrics", gin.WrapH(s.Metrics()))
	pages := s.engine.Group("", s.limitAddress)
	pages.GET("/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", s.openAPI) })
	pages.GET("/", s.home)
	pages.GET(docsPath, s.show(newDocs()))
	pages.GET(consentsPath, s.show(newConsents()))
	pages.GET(signerPath, s.signer)
	pages.GET("/problems", s.reasons)
	pages.GET("/problems/:reason", s.reason)
}

// Metrics serves the registry alone, for a listener of its own.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.config.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}) // exemplars need the newer form
}

// Handler serves everything.
func (s *Server) Handler() http.Handler { return s.engine }

// HTTPServer is a listener's server with the limits above.
func (s *Server) HTTPServer() *http.Server {
	server := &http.Server{
		Handler: s.engine, ReadHeaderTimeout: ReadHeaderTimeout, ReadTimeout: ReadTimeout, WriteTimeout: WriteTimeout,
		IdleTimeout: IdleTimeout, MaxHeaderBytes: MaxHeaderBytes,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: MaxStreams},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.EndStreams)
	return server
}

// EndStreams ends the streams that are open, and those that are begun from now on at once: they would hold up a graceful
// stop. Their clients are told when to come back.
func (s *Server) EndStreams() { s.streams.stop() }

// serve makes a row's handler: who asks, what for, the call, the answer.
func (s *Server) serve(r Route) gin.HandlerFunc {
	function := "app " + r.Handler.Request.Name()
	return func(c *gin.Context) {
		arrived := time.Now()
		who, err := s.caller(c, r)
		if err != nil {
			s.fail(c, err)
			return
		}
		if err := s.checkKey(c, r); err != nil {
			s.fail(c, err)
			return
		}
		request, err := r.Handler.plan.bind(c, r.Handler.Request, s.config.MaxBody)
		if err != nil {
			s.fail(c, err)
			return
		}
		if r.Streams() && wantsStream(c.Request) {
			s.stream(c, r, who, request.Elem())
			return
		}
		ctx, step := trace.Start(s.prefer(c, r, arrived), function)
		answer, err := r.Handler.call(ctx, who, request.Elem())
		step.End()
		if err != nil {
			s.fail(c, err)
			return
		}
		s.answer(c, r.Success(), answer)
	}
}

// caller says who calls, if they may and have not called too often. Who does not sign in, or fails to, is told apart by
// address.
func (s *Server) caller(c *gin.Context, r Route) (app.Actor, error) {
	if r.Open() {
		return app.Actor{Role: app.Public}, s.addresses.take(c, address(c))
	}
	who, err := s.authenticate(c, r)
	if _, known := c.Get(actorKey); known {
		return who, errors.Join(s.clients.take(c, clientOf(who)), err)
	}
	return who, errors.Join(s.addresses.take(c, address(c)), err)
}

// authenticate says who calls a row that is not open, and whether their role may.
func (s *Server) authenticate(c *gin.Context, r Route) (app.Actor, error) {
	scheme, token, ok := strings.Cut(c.GetHeader("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return app.Actor{}, errNoToken
	}
	who, err := s.config.Authenticate(c.Request.Context(), strings.TrimSpace(token))
	if err != nil {
		return who, err
	}
	c.Set(actorKey, who)
	if !slices.Contains(r.Roles, who.Role) {
		return who, errRole.On("token.role", "one_of:"+strings.Join(r.Roles, ","))
	}
	return who, nil
}

// keyHeader carries the caller's own key for a write.
const keyHeader = "Idempotency-Key"

var keyForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]*$`)

// checkKey asks for an idempotency key with every write, so that a caller whose answer was lost can always ask again.
func (s *Server) checkKey(c *gin.Context, r Route) error {
	if !r.Keyed() {
		return nil
	}
	switch key := c.GetHeader(keyHeader); {
	case key == "":
		return fault.Field(keyHeader, "required", "send a key of your own with every write; repeat it when you repeat the request")
	case len(key) > kernel.MaxKeyLength:
		return fault.Field(keyHeader, fmt.Sprintf("max_length:%d", kernel.MaxKeyLength), "send a shorter key")
	case !keyForm.MatchString(key):
		return fault.Field(keyHeader, "pattern:"+keyForm.String(), "use letters, digits and . _ : -")
	}
	return nil
}

// File is implemented by answers that are not JSON.
type File interface {
	MediaType() string
	FileName() string
	Content() []byte
}

// answer renders a success.
func (s *Server) answer(c *gin.Context, status int, answer any) {
	if file, ok := answer.(File); ok {
		c.Header("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.FileName()}))
		c.Data(status, file.MediaType(), file.Content())
		return
	}
	if status == http.StatusNoContent {
		c.Status(status)
		return
	}
	if t, ok := answer.(transaction); ok {
		c.Set(txKey, t.Transaction())
	}
	s.render(c, status, answer)
}

// appender is implemented by answers that write their JSON themselves.
type appender interface{ AppendJSON(to []byte) []byte }

func (s *Server) render(c *gin.Context, status int, answer any) {
	raw, err := encoded(answer)
	if err != nil {
		s.fail(c, fmt.Errorf("the answer of type %T cannot be written: %w", answer, err))
		return
	}
	c.Header("Content-Length", strconv.Itoa(len(raw)))
	c.Data(status, "application/json", raw)
}

func encoded(answer any) ([]byte, error) {
	if a, ok := answer.(appender); ok {
		return a.AppendJSON(nil), nil
	}
	return json.Marshal(answer)
}

// ginPath writes {name} as :name.
func ginPath(path string) string {
	return pathName.ReplaceAllString(path, ":$1")
}

var pathName = regexp.MustCompile(`\{([a-z_]+)\}`)

// CheckTable finds mistakes in a table: doubles, unknown roles, path names that no field takes.
func CheckTable(routes []Route) error {
	seen := map[string]bool{}
	for _, r := range routes {
		name := r.Method + " " + r.Path
		switch {
		case seen[name]:
			return fmt.Errorf("rest: %s stands in the table twice", name)
		case r.Handler.call == nil:
			return fmt.Errorf("rest: %s has no handler", name)
		case len(r.Roles) == 0:
			return fmt.Errorf("rest: %s names no role", name)
		case r.Doc.Summary == "" || r.Doc.Tag == "":
			return fmt.Errorf("rest: %s is not described", name)
		case r.Open() && len(r.Roles) > 1:
			return fmt.Errorf("rest: %s is public and names other roles besides", name)
		case r.Streams() && r.Stream.takes != r.Handler.Request:
			return fmt.Errorf("rest: %s takes one request to answer and another to stream", name)
		}
		seen[name] = true
		for _, role := range r.Roles {
			if !slices.Contains(app.Roles, role) {
				return fmt.Errorf("rest: %s names the unknown role %q", name, role)
			}
		}
		if err := checkPath(r); err != nil {
			return err
		}
	}
	return nil
}

func checkPath(r Route) error {
	var wanted, bound []string
	for _, m := range pathName.FindAllStringSubmatch(r.Path, -1) {
		wanted = append(wanted, m[1])
	}
	for _, q := range r.Handler.plan.parameters {
		if q.In == "path" {
			bound = append(bound, q.Name)
		}
	}
	slices.Sort(wanted)
	slices.Sort(bound)
	if !reflect.DeepEqual(wanted, bound) {
		return fmt.Errorf("rest: %s %s names %v, and %s binds %v", r.Method, r.Path, wanted, r.Handler.Request, bound)
	}
	return nil
}
