package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/devidp"
	"github.com/hutong-gov/hutong/gateway/rest"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

// world is a network's material, a development identity provider, and no Fabric at all: what a gateway is on its own.
type world struct {
	t        *testing.T
	topology *topology.Topology
	layout   material.Layout
	data     string
	issuer   string
	idpRoot  string // PEM file
	roots    *x509.CertPool
	clients  string // the provider's; empty: its default ones
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, data: t.TempDir()}
	var err error
	w.topology, err = topology.Load("../../network/topology.yaml")
	require.NoError(t, err)
	w.layout = material.At(t.TempDir())
	require.NoError(t, material.Make(t.Context(), w.topology, w.layout, func(org topology.Organisation) (material.Issuer, error) {
		return material.NewLocal(w.layout, org)
	}))
	w.provider()
	w.roots = x509.NewCertPool()
	for _, file := range []string{w.idpRoot, w.layout.Public(w.topology.Organisations[0]).TLSRoot(), w.layout.Public(w.topology.Organisations[2]).TLSRoot()} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, w.roots.AppendCertsFromPEM(text))
	}
	return w
}

// provider starts the development provider with the certificate `hutong up` gives it.
func (w *world) provider() {
	org := w.topology.Organisations[0]
	files := w.layout.Organisation(org).IdentityProvider().TLS()
	pair, err := tls.LoadX509KeyPair(files.Certificate(), files.Key())
	require.NoError(w.t, err)
	server := httptest.NewUnstartedServer(nil)
	w.issuer = "https://" + server.Listener.Addr().String()
	handler, err := devidp.New(devidp.Config{Listen: "127.0.0.1:0", PublicURL: w.issuer, DataDir: w.t.TempDir(), Clients: w.clients,
		TLS: &devidp.TLS{Cert: files.Certificate(), Key: files.Key()}})
	require.NoError(w.t, err)
	server.Config.Handler, server.TLS = handler, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	w.t.Cleanup(server.Close)
	w.idpRoot = w.layout.Public(org).TLSRoot()
}

// config of an organisation's gateway; its peer's address answers nobody.
func (w *world) config(index int) *config.Config {
	org := w.topology.Organisations[index]
	own, public := w.layout.Organisation(org), w.layout.Public(org)
	c := &config.Config{
		Organisation: org.Name, MSP: org.MSP, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", PublicURL: "https://127.0.0.1:17000",
		TLS: config.TLS{Cert: own.Gateway().TLS().Certificate(), Key: own.Gateway().TLS().Key()}, Channel: w.topology.Channel,
		Peers:         []config.Peer{{Endpoint: "127.0.0.1:9", TLSRoot: public.TLSRoot(), ServerName: "peer0"}},
		EndorsingMSPs: []string{"ServicesMSP", "PlanningMSP", "MarketMSP"}, AllMSPs: []string{"ServicesMSP", "PlanningMSP", "MarketMSP", "AuditMSP"},
		DataDir: filepath.Join(w.data, org.Name), OIDC: config.OIDC{Issuer: w.issuer, Audience: "hutong", TLSRoot: w.idpRoot},
	}
	kept := databasetest.Chosen(w.t)
	c.Database, c.DatabasePassword = kept.URL, kept.PasswordFile
	for _, agency := range org.Agencies {
		id := org.AgencyID(agency)
		for _, role := range agency.Roles {
			c.Identities = append(c.Identities, config.Identity{Agency: id, Role: access.Role(role), MSPDir: own.Agency(agency, role).Dir()})
		}
		c.ExchangeKeys = append(c.ExchangeKeys, config.ExchangeKey{Agency: id, Private: own.ExchangePrivate(agency)})
	}
	c.Webhooks.SigningKey = own.Gateway().WebhookKey()
	if material.HasPortal(org) {
		c.PseudonymKey = own.Gateway().PseudonymKey()
	}
	text, err := c.Marshal()
	require.NoError(w.t, err)
	parsed, err := config.Parse(text, w.data)
	require.NoError(w.t, err)
	return parsed
}

// running is a gateway under way.
type running struct {
	url  string
	stop context.CancelFunc
	done chan error
	log  *lockedBuffer
}

func (w *world) run(c *config.Config) *running {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	r := &running{stop: cancel, done: make(chan error, 1), log: new(lockedBuffer)}
	ready := make(chan net.Addr, 1)
	go func() {
		r.done <- Run(ctx, c, slog.New(slog.NewJSONHandler(r.log, nil)), func(a net.Addr) { ready <- a })
	}()
	select {
	case address := <-ready:
		r.url = "https://" + address.String()
	case err := <-r.done:
		require.NoError(w.t, err, "the gateway did not start")
	case <-time.After(20 * time.Second):
		require.Fail(w.t, "the gateway does not start")
	}
	w.t.Cleanup(cancel)
	return r
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (w *world) get(url string) (int, []byte) {
	w.t.Helper()
	c := http.Client{Transport: client.Transport(w.roots), Timeout: 10 * time.Second}
	defer c.CloseIdleConnections()
	response, err := c.Get(url)
	require.NoError(w.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return response.StatusCode, body
}

func (w *world) readiness(url string) map[string]rest.State {
	_, body := w.get(url + "/readyz")
	var answer rest.Readiness
	require.NoError(w.t, json.Unmarshal(body, &answer))
	states := map[string]rest.State{}
	for _, s := range answer.Checks {
		states[s.Name] = s
	}
	return states
}

func (w *world) client(r *running, user string) *client.Client {
	w.t.Helper()
	tokens, err := client.SignIn(w.t.Context(), w.issuer, w.roots, user)
	require.NoError(w.t, err)
	c, err := client.New(r.url, w.roots, tokens)
	require.NoError(w.t, err)
	return c
}

func TestGatewayWithoutAPeer(t *testing.T) {
	w := newWorld(t)
	r := w.run(w.config(0))
	status, _ := w.get(r.url + "/healthz")
	require.Equal(t, http.StatusOK, status, "the process lives")
	require.Eventually(t, func() bool { return w.readiness(r.url)["identity_provider"].OK }, 10*time.Second, 20*time.Millisecond)
	status, _ = w.get(r.url + "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	for _, name := range []string{"peer", "endorsement", "projection"} {
		state := w.readiness(r.url)[name]
		require.False(t, state.OK, name)
		require.NotEmpty(t, state.Reason, name)
	}

	citizen := w.client(r, "citizen1")
	list, err := client.Do[map[string]any](t.Context(), citizen, "GET", "/v1/cases", nil)
	require.NoError(t, err, "reads come from the projection and need no peer")
	require.Empty(t, list["items"])
	require.Contains(t, list, "as_of_block")
	_, err = client.Do[map[string]any](t.Context(), citizen, "GET", "/v1/tasks", nil)
	require.Equal(t, "access.role", client.Reason(err))

	admin := w.client(r, "admin.police")
	var code int
	began := time.Now()
	_, err = client.Do[map[string]any](t.Context(), admin, "PUT", "/v1/agencies/me", map[string]any{"name": map[string]string{"zh": "公安", "en": "Police"}}, client.Status(&code))
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "ledger.unreachable", client.Reason(err))
	require.Greater(t, time.Since(began), 2*time.Second, "the client waited as it was asked to, and tried again")
	require.Contains(t, r.log.String(), "the ledger could not be reached")
	require.NotContains(t, r.log.String(), "citizen1")
}

func TestGatewayServesItsOwnOrganisation(t *testing.T) {
	w := newWorld(t)
	r := w.run(w.config(2))
	require.Eventually(t, func() bool { return w.readiness(r.url)["identity_provider"].OK }, 10*time.Second, 20*time.Millisecond)
	_, err := client.Do[map[string]any](t.Context(), w.client(r, "citizen1"), "GET", "/v1/cases", nil)
	require.Equal(t, "gateway.not_served", client.Reason(err), "citizens have their own door")
	_, err = client.Do[map[string]any](t.Context(), w.client(r, "admin.police"), "PUT", "/v1/agencies/me", map[string]any{"name": map[string]string{"zh": "公安", "en": "Police"}})
	require.Equal(t, "gateway.not_served", client.Reason(err), "another organisation's key is not here")
}

func TestStopAndStartAgain(t *testing.T) {
	w := newWorld(t)
	c := w.config(0)
	for range 2 {
		r := w.run(c)
		status, _ := w.get(r.url + "/healthz")
		require.Equal(t, http.StatusOK, status)
		r.stop()
		select {
		case err := <-r.done:
			require.NoError(t, err)
		case <-time.After(15 * time.Second):
			require.Fail(t, "the gateway does not stop")
		}
		_, err := net.DialTimeout("tcp", strings.TrimPrefix(r.url, "https://"), time.Second)
		require.Error(t, err, "the port is free")
		require.Contains(t, r.log.String(), "gateway stopped")
	}
}

func TestStartErrorsNameTheSetting(t *testing.T) {
	w := newWorld(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, x := range []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"busy port", func(c *config.Config) { c.Listen = taken.Addr().String() }, "listen: "},
		{"busy operations port", func(c *config.Config) { c.OperationsListen = taken.Addr().String() }, "operations_listen: "},
		{"no certificate", func(c *config.Config) { c.TLS.Cert = "/nonexistent" }, "tls: "},
		{"no exchange key", func(c *config.Config) { c.ExchangeKeys[0].Private = "/nonexistent" }, "exchange_keys: services."},
		{"no pseudonym key", func(c *config.Config) { c.PseudonymKey = "/nonexistent" }, "pseudonym_key: "},
		{"no provider root", func(c *config.Config) { c.OIDC.TLSRoot = "/nonexistent" }, "oidc.tls_root: "},
		{"no identity", func(c *config.Config) { c.Identities[0].MSPDir = "/nonexistent" }, "identity services."},
		{"neighbour's root", func(c *config.Config) {
			c.Directory = []config.Neighbour{{MSP: "MarketMSP", URL: "https://127.0.0.1:1", TLSRoot: "/nonexistent"}}
		}, "directory: MarketMSP: tls_root: "},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := w.config(0)
			x.change(c)
			require.ErrorContains(t, Run(t.Context(), c, slog.New(slog.DiscardHandler), nil), x.want)
		})
	}
}
