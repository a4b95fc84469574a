package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network"
	doors "github.com/hutong-gov/hutong/network/door"
)

// dialAs connects to an organisation's peer as one of its agencies.
func dialAs(n *network.Network, agency, role string) (*Direct, error) {
	organisation, code, _ := strings.Cut(agency, ".")
	endpoint, err := n.Endpoint(organisation)
	if err != nil {
		return nil, err
	}
	root, err := n.TLSRoot(organisation)
	if err != nil {
		return nil, err
	}
	msp, err := n.Identity(organisation, code, role)
	if err != nil {
		return nil, err
	}
	org, _ := n.Topology.Organisation(organisation)
	return Dial(Peer{Endpoint: endpoint, TLSRoot: root}, n.Topology.Channel, org.MSP, msp.Dir())
}

// door is an organisation's gateway as one user meets it.
type door struct {
	address string
	roots   *x509.CertPool
	tokens  client.TokenSource
	kept    *http.Client // HTTP/1.1 with connections that are kept, as portals behind a balancer have them
}

func doorOf(ctx context.Context, n *network.Network, organisation, user string) (*door, error) {
	doors := doors.To(n)
	roots, err := doors.Roots(organisation)
	if err != nil {
		return nil, err
	}
	tokens, err := doors.Token(ctx, user)
	if err != nil {
		return nil, err
	}
	address, err := n.GatewayURL(organisation)
	if err != nil {
		return nil, err
	}
	transport := client.Transport(roots)
	transport.ForceAttemptHTTP2, transport.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
	return &door{address, roots, tokens, &http.Client{Transport: transport, Timeout: client.DefaultTimeout}}, nil
}

// get reads a path.
func (d *door) get(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return d.do(r)
}

// post writes to a path, each time with a new key.
func (d *door) post(ctx context.Context, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", client.NewKey())
	return d.do(r)
}

func (d *door) do(r *http.Request) ([]byte, error) {
	token, err := d.tokens.Token(r.Context())
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := d.kept.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %.200s", response.Status, answer)
	}
	return answer, err
}
