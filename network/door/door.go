// Package door gives clients of the gateways of a network on this machine, signed in as users of its development identity
// provider by the real code flow. Demonstration, tests and the command line come in through it; in production every agency's
// people sign in at the city's own provider.
package door

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network"
)

// Doors are those of one network. Safe for concurrent use.
type Doors struct {
	// Through, if set before the first client is asked for, stands between every client and the network.
	Through func(http.RoundTripper) http.RoundTripper

	network *network.Network

	mu       sync.Mutex
	provider *client.Provider
	gateways map[string]*client.Client // by organisation, without a token
	users    map[string]*user
}

// user is one that signs in once; whoever else asks meanwhile waits.
type user struct {
	mu    sync.Mutex
	token client.TokenSource // nil: not yet
}

// To opens the doors of a network. Nothing is connected before a client is used.
func To(n *network.Network) *Doors {
	return &Doors{network: n, gateways: map[string]*client.Client{}, users: map[string]*user{}}
}

// SignIn gives a client of an organisation's gateway with a development user's token; without a user it has none.
func (d *Doors) SignIn(ctx context.Context, organisation, name string) (*client.Client, error) {
	c, err := d.gateway(organisation)
	if err != nil || name == "" {
		return c, err
	}
	token, err := d.Token(ctx, name)
	if err != nil {
		return nil, err
	}
	return c.As(token), nil
}

// Token signs a development user in, once.
func (d *Doors) Token(ctx context.Context, name string) (client.TokenSource, error) {
	provider, u, err := d.at(name)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.token == nil {
		if u.token, err = provider.SignIn(ctx, name); err != nil {
			u.token = nil
			return nil, fmt.Errorf("sign in as %s: %w", name, err)
		}
	}
	return u.token, nil
}

// Admin gives a client signed in as an agency's administrator: a catalogue.Door.
func (d *Doors) Admin(ctx context.Context, agency string) (*client.Client, error) {
	organisation, code, _ := strings.Cut(agency, ".")
	return d.SignIn(ctx, organisation, "admin."+code)
}

// Get reads a page of an organisation's gateway as it is, such as /metrics.
func (d *Doors) Get(ctx context.Context, organisation, path string) ([]byte, error) {
	c, err := d.SignIn(ctx, organisation, "")
	if err != nil {
		return nil, err
	}
	return c.Raw(ctx, http.MethodGet, path, nil)
}

// at finds what signing in needs.
func (d *Doors) at(name string) (*client.Provider, *user, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.provider == nil {
		roots, err := d.Roots(d.network.Topology.Organisations[0].Name) // which runs the provider
		if err != nil {
			return nil, nil, err
		}
		d.provider = client.NewProvider(d.network.Topology.IdentityProviderURL(), roots)
	}
	if d.users[name] == nil {
		d.users[name] = &user{}
	}
	return d.provider, d.users[name], nil
}

func (d *Doors) gateway(organisation string) (*client.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, known := d.gateways[organisation]; known {
		return c, nil
	}
	address, err := d.network.GatewayURL(organisation)
	if err != nil {
		return nil, err
	}
	roots, err := d.Roots(organisation)
	if err != nil {
		return nil, err
	}
	c, err := client.New(address, roots, nil)
	if err == nil && d.Through != nil {
		c = c.Through(d.Through)
	}
	if err == nil {
		d.gateways[organisation] = c
	}
	return c, err
}

// Roots are the certificates that an organisation's servers are checked by.
func (d *Doors) Roots(organisation string) (*x509.CertPool, error) {
	file, err := d.network.TLSRoot(organisation)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return client.Roots(text)
}
