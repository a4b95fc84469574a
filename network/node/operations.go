package node

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
)

// maxAnswer bounds what is read from an operations listener.
const maxAnswer = 8 << 20

// Operations asks a node's operations listener: health, version, metrics.
// Health and version are for everybody; metrics want the administrator's TLS
// certificate.
type Operations struct {
	config *tls.Config
	client *http.Client
	base   string
}

// NewOperations is a client for the operations listener at a port, with an
// administrator's TLS certificate.
func NewOperations(admin material.TLS, port int) (*Operations, error) {
	config, err := ClientTLS(admin)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	return &Operations{config: config, client: &http.Client{Transport: transport}, base: "https://" + topology.Address(port)}, nil
}

// ClientTLS is the configuration of a client that shows a TLS certificate and
// trusts the organisation that issued it.
func ClientTLS(folder material.TLS) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(folder.Certificate(), folder.Key())
	if err != nil {
		return nil, err
	}
	roots, err := Roots(folder.Root())
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// Roots reads root certificates from a PEM file.
func Roots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: holds no certificate", file)
	}
	return pool, nil
}

func (o *Operations) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := o.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s%s answered %s: %s", o.base, path, response.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// Healthy is nil when every health check of the node passes.
func (o *Operations) Healthy(ctx context.Context) error {
	_, err := o.get(ctx, "/healthz")
	return err
}

// Serving is a probe: the node is healthy, and listens at its other ports,
// which nodes open after the operations listener.
func (o *Operations) Serving(ports ...int) func(context.Context) error {
	config := o.config.Clone()
	config.NextProtos = []string{"h2"}
	return func(ctx context.Context) error {
		if err := o.Healthy(ctx); err != nil {
			return err
		}
		for _, port := range ports {
			if err := process.Handshake(ctx, config, process.Port{Number: port, Purpose: "listener"}); err != nil {
				return err
			}
		}
		return nil
	}
}

// Version is the node's release as its binary states it.
func (o *Operations) Version(ctx context.Context) (string, error) {
	body, err := o.get(ctx, "/version")
	if err != nil {
		return "", err
	}
	var answer struct{ Version string }
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("%s/version: %w", o.base, err)
	}
	return answer.Version, nil
}

// ErrNoMetric means that the node does not report a metric (yet).
var ErrNoMetric = errors.New("the node does not report this metric")

// Metric is the value of a metric for a channel.
func (o *Operations) Metric(ctx context.Context, name, channel string) (float64, error) {
	body, err := o.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	prefix, label := name+"{", fmt.Sprintf("channel=%q", channel)
	lines := bufio.NewScanner(strings.NewReader(string(body)))
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, prefix) || !strings.Contains(line, label) {
			continue
		}
		_, value, ok := strings.Cut(line, "} ")
		if !ok {
			continue
		}
		return strconv.ParseFloat(strings.Fields(value)[0], 64)
	}
	return 0, fmt.Errorf("%s: %w", name, ErrNoMetric)
}
