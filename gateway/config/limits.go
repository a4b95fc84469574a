package config

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
)

// Defaults of Limits. They suit a network on one machine; a busy gateway raises connections and concurrency.
const (
	DefaultMaxBodyBytes     = 256 << 10
	DefaultEndorseTimeout   = 15 * time.Second
	DefaultSubmitTimeout    = 10 * time.Second
	DefaultCommitTimeout    = 30 * time.Second
	DefaultEvaluateTimeout  = 10 * time.Second
	DefaultMaxRetries       = 5
	DefaultPeerConnections  = 2
	DefaultMaxInFlight      = 2048
	DefaultMaxInFlightBytes = 32 << 20
	DefaultMaxMessageBytes  = 32 << 20
	DefaultReadConnections  = 4
	DefaultMaxLagBlocks     = 50
	DefaultMaxLag           = 10 * time.Second
	DefaultBlocksPerCommit  = 64
	DefaultShutdownPatience = 10 * time.Second

	DefaultMaxStreams          = 1024
	DefaultMaxStreamsPerCaller = 8
)

// MaxPeers bounds the organisation's own peers, and with them the labels of their metrics.
const MaxPeers = 16

// Limits bound what the gateway does at once and how long it waits. Zero means the default.
type Limits struct {
	MaxBodyBytes int64 `yaml:"max_body_bytes,omitempty"` // of an HTTP request

	EndorseTimeout  Duration `yaml:"endorse_timeout,omitempty"`  // collecting endorsements of one transaction
	SubmitTimeout   Duration `yaml:"submit_timeout,omitempty"`   // handing a transaction to an orderer
	CommitTimeout   Duration `yaml:"commit_timeout,omitempty"`   // wait for a block that holds the transaction
	EvaluateTimeout Duration `yaml:"evaluate_timeout,omitempty"` // one question to the peer
	MaxRetries      int      `yaml:"max_retries,omitempty"`      // of a write that lost a race

	PeerConnections  int   `yaml:"peer_connections,omitempty"`    // gRPC connections to each peer: one for the block stream, the others for calls
	MaxInFlight      int   `yaml:"max_in_flight,omitempty"`       // writes under way at once; beyond, 503
	MaxInFlightBytes int64 `yaml:"max_in_flight_bytes,omitempty"` // of commands of writes under way; beyond, 503
	MaxMessageBytes  int   `yaml:"max_message_bytes,omitempty"`   // of a gRPC message, blocks included

	MaxStreams          int `yaml:"max_streams,omitempty"`            // answers that go on (events), open at once
	MaxStreamsPerCaller int `yaml:"max_streams_per_caller,omitempty"` // of these, one caller's

	ReadConnections int      `yaml:"read_connections,omitempty"`  // to the store
	MaxLagBlocks    int      `yaml:"max_lag_blocks,omitempty"`    // further behind, the gateway is not ready
	MaxLag          Duration `yaml:"max_lag,omitempty"`           // a block received longer ago that is not readable yet makes the gateway not ready
	BlocksPerCommit int      `yaml:"blocks_per_commit,omitempty"` // folded into one SQL transaction while catching up

	ShutdownDelay    Duration `yaml:"shutdown_delay,omitempty"`    // between "not ready" and the end of accepting: time for balancers to look elsewhere
	ShutdownPatience Duration `yaml:"shutdown_patience,omitempty"` // for requests under way
}

func (l *Limits) fill() {
	fill(&l.MaxBodyBytes, DefaultMaxBodyBytes)
	fill(&l.EndorseTimeout, Duration(DefaultEndorseTimeout))
	fill(&l.SubmitTimeout, Duration(DefaultSubmitTimeout))
	fill(&l.CommitTimeout, Duration(DefaultCommitTimeout))
	fill(&l.EvaluateTimeout, Duration(DefaultEvaluateTimeout))
	fill(&l.MaxRetries, DefaultMaxRetries)
	fill(&l.PeerConnections, DefaultPeerConnections)
	fill(&l.MaxInFlight, DefaultMaxInFlight)
	fill(&l.MaxInFlightBytes, DefaultMaxInFlightBytes)
	fill(&l.MaxMessageBytes, DefaultMaxMessageBytes)
	fill(&l.ReadConnections, DefaultReadConnections)
	fill(&l.MaxLagBlocks, DefaultMaxLagBlocks)
	fill(&l.MaxLag, Duration(DefaultMaxLag))
	fill(&l.BlocksPerCommit, DefaultBlocksPerCommit)
	fill(&l.MaxStreams, DefaultMaxStreams)
	fill(&l.MaxStreamsPerCaller, DefaultMaxStreamsPerCaller)
	fill(&l.ShutdownPatience, Duration(DefaultShutdownPatience))
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (l *Limits) validate() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"max_body_bytes", l.MaxBodyBytes},
		{"endorse_timeout", int64(l.EndorseTimeout)},
		{"submit_timeout", int64(l.SubmitTimeout)},
		{"commit_timeout", int64(l.CommitTimeout)},
		{"evaluate_timeout", int64(l.EvaluateTimeout)},
		{"max_retries", int64(l.MaxRetries)},
		{"peer_connections", int64(l.PeerConnections)},
		{"max_in_flight", int64(l.MaxInFlight)},
		{"max_in_flight_bytes", l.MaxInFlightBytes},
		{"max_message_bytes", int64(l.MaxMessageBytes)},
		{"read_connections", int64(l.ReadConnections)},
		{"max_lag_blocks", int64(l.MaxLagBlocks)},
		{"max_lag", int64(l.MaxLag)},
		{"blocks_per_commit", int64(l.BlocksPerCommit)},
		{"max_streams", int64(l.MaxStreams)},
		{"max_streams_per_caller", int64(l.MaxStreamsPerCaller)},
		{"shutdown_patience", int64(l.ShutdownPatience)},
	} {
		if f.value < 1 {
			return fmt.Errorf("config: limits.%s must be positive; leave it out for the default", f.name)
		}
	}
	if l.ShutdownDelay < 0 {
		return fmt.Errorf("config: limits.shutdown_delay must not be negative")
	}
	return nil
}

// Duration is a time.Duration written as "15s" in YAML.
type Duration time.Duration

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalYAML reads the form of time.ParseDuration.
func (d *Duration) UnmarshalYAML(text []byte) error {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 15s", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }
