package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Defaults of Rates, Log and Telemetry.
const (
	DefaultRatedClients   = 100_000
	DefaultBurstSeconds   = 2 // a burst is what may be asked in so many seconds
	DefaultLogLevel       = "info"
	DefaultLinesPerSecond = 20
	DefaultSampleRatio    = 0.01

	minRate, maxRate = 0.001, 1_000_000 // requests a second
	maxRatedClients  = 10_000_000
	levels           = "debug, info, warn, error"
	tracesPath       = "/v1/traces" // where a collector takes traces (OTLP 1.x, section OTLP/HTTP)
)

// Rates bound how often one client may ask. A client beyond its rate is answered 429 with the time to wait. Nothing is
// bounded unless it is set here: what a gateway can do at all is bounded by the limits, and how it is shared out is the
// operator's decision.
type Rates struct {
	// Client is what each client that is signed in may ask: a citizen, an officer, a portal or an administrator, by what the
	// verified token says (client, agency, staff number, subject).
	Client Rate `yaml:"client,omitempty"`
	// Address is what may be asked from each source address without signing in, and how often it may fail to sign in. An
	// IPv6 client is its /64 network. Other organisations' gateways ask without signing in: leave room for them.
	Address Rate `yaml:"address,omitempty"`
	// Proxies are the networks (CIDR) of the balancers in front, whose X-Forwarded-For is believed.
	Proxies []string `yaml:"proxies,omitempty"`
	// MaxClients is how many clients and addresses are remembered; who has not asked for longest is forgotten first.
	MaxClients int `yaml:"max_clients,omitempty"`
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64 `yaml:"per_second,omitempty"` // requests a second in the long run; 0: not bounded
	Burst     int     `yaml:"burst,omitempty"`      // requests at once after a pause; by default two seconds' worth
}

// Log says what is written to standard error, as JSON lines.
type Log struct {
	Level string `yaml:"level,omitempty"` // debug, info, warn or error
	// RequestsPerSecond is how many lines a second are written of answered requests, for each HTTP status on its own; the
	// next line says how many were left out. The gateway's own failures (500, 502, 504) are always written.
	RequestsPerSecond int `yaml:"requests_per_second,omitempty"`
}

// SlogLevel is the level as log/slog has it.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo // Validate has refused it
	}
	return level
}

// Telemetry sends traces to an OpenTelemetry collector. Without an endpoint nothing is traced and tracing costs nothing.
type Telemetry struct {
	Endpoint    string  `yaml:"otlp_endpoint,omitempty"` // OTLP over HTTP, e.g. "https://collector:4318/v1/traces"
	TLSRoot     string  `yaml:"tls_root,omitempty"`      // PEM file; empty: the system's roots
	SampleRatio float64 `yaml:"sample_ratio,omitempty"`  // share of requests that are traced, 0 to 1; a caller's own decision (traceparent) wins
}

func (r *Rates) fill() {
	fill(&r.MaxClients, DefaultRatedClients)
	for _, rate := range []*Rate{&r.Client, &r.Address} {
		if rate.PerSecond > 0 {
			fill(&rate.Burst, max(1, int(rate.PerSecond*DefaultBurstSeconds)))
		}
	}
}

func (l *Log) fill() {
	fill(&l.Level, DefaultLogLevel)
	fill(&l.RequestsPerSecond, DefaultLinesPerSecond)
}

func (t *Telemetry) fill() { fill(&t.SampleRatio, DefaultSampleRatio) }

func (c *Config) operations() error {
	for _, r := range []struct {
		name string
		Rate
	}{{"rates.client", c.Rates.Client}, {"rates.address", c.Rates.Address}} {
		if r.PerSecond != 0 && (r.PerSecond < minRate || r.PerSecond > maxRate) {
			return fmt.Errorf("config: %s.per_second must be between %g and %g, or left out for no bound", r.name, minRate, float64(maxRate))
		}
		if r.Burst < 0 || r.Burst > maxRate {
			return fmt.Errorf("config: %s.burst must be between 1 and %d", r.name, maxRate)
		}
		if r.Burst > 0 && r.PerSecond == 0 {
			return fmt.Errorf("config: %s.per_second is required with a burst", r.name)
		}
	}
	if c.Rates.MaxClients < 1 || c.Rates.MaxClients > maxRatedClients {
		return fmt.Errorf("config: rates.max_clients must be between 1 and %d", maxRatedClients)
	}
	for i, network := range c.Rates.Proxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			return fmt.Errorf("config: rates.proxies[%d] must be a network such as 10.0.0.0/8", i)
		}
	}
	if !slices.Contains(strings.Split(levels, ", "), c.Log.Level) {
		return fmt.Errorf("config: log.level must be one of %s", levels)
	}
	if c.Log.RequestsPerSecond < 1 {
		return fmt.Errorf("config: log.requests_per_second must be positive; leave it out for the default")
	}
	return c.Telemetry.validate()
}

func (t Telemetry) validate() error {
	if t.SampleRatio < 0 || t.SampleRatio > 1 {
		return fmt.Errorf("config: telemetry.sample_ratio must be between 0 and 1")
	}
	if t.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Path != tracesPath || u.User != nil {
		return fmt.Errorf("config: telemetry.otlp_endpoint must be an http or https address with the path %s", tracesPath)
	}
	return nil
}
