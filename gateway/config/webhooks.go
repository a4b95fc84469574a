package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Defaults of Webhooks.
const (
	DefaultWebhookTimeout   = 10 * time.Second
	DefaultWebhookMaxPause  = 5 * time.Minute
	DefaultWebhookDeadAfter = 24 * time.Hour
)

// Webhooks says how events are delivered to addresses that callers register. Without a signing key, none are.
type Webhooks struct {
	SigningKey  string   `yaml:"signing_key,omitempty"`  // PEM file, PKCS#8, ECDSA P-256; the same for gateways that share a database
	TLSRoot     string   `yaml:"tls_root,omitempty"`     // PEM file receivers' certificates stand under; empty: the system's roots
	Hosts       []string `yaml:"hosts,omitempty"`        // the only hosts that may be registered; empty: any
	Networks    []string `yaml:"networks,omitempty"`     // CIDR networks that may be reached although they are not public, such as the city's own
	Timeout     Duration `yaml:"timeout,omitempty"`      // of one attempt
	MaxPause    Duration `yaml:"max_pause,omitempty"`    // between attempts: the pause doubles from a second up to this
	DeadAfter   Duration `yaml:"dead_after,omitempty"`   // an event that could not be delivered for so long becomes a dead letter
	MaxAttempts int      `yaml:"max_attempts,omitempty"` // or after so many attempts; 0: only the time counts
}

func (w *Webhooks) fill() {
	fill(&w.Timeout, Duration(DefaultWebhookTimeout))
	fill(&w.MaxPause, Duration(DefaultWebhookMaxPause))
	fill(&w.DeadAfter, Duration(DefaultWebhookDeadAfter))
}

func (w *Webhooks) validate() error {
	for name, value := range map[string]int64{"timeout": int64(w.Timeout), "max_pause": int64(w.MaxPause), "dead_after": int64(w.DeadAfter)} {
		if value < 1 {
			return fmt.Errorf("config: webhooks.%s must be positive; leave it out for the default", name)
		}
	}
	if w.MaxAttempts < 0 {
		return fmt.Errorf("config: webhooks.max_attempts must not be negative")
	}
	if slices.Contains(w.Hosts, "") {
		return fmt.Errorf("config: webhooks.hosts must not have an empty entry")
	}
	_, err := w.Prefixes()
	return err
}

// Prefixes are the networks, parsed.
func (w *Webhooks) Prefixes() (all []netip.Prefix, err error) {
	for i, text := range w.Networks {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("config: webhooks.networks[%d] must be a network such as 10.20.0.0/16", i)
		}
		all = append(all, p)
	}
	return all, nil
}
