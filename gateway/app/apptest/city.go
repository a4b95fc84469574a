// Package apptest is a city in memory, for tests of the application and of what stands on it: the four gateways of the
// default network with their HTTP faces, the contracts on an in-memory ledger, the projection fed with its blocks, the
// departments' databases. No Fabric runs, so a whole case takes milliseconds.
//
// What is real: contracts, application, routes, projection, store, vaults, seals, connectors. What is not: endorsement,
// ordering, TLS, and the identity provider: a token is the name of a development user, or of a portal.
package apptest

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	certificates "github.com/hutong-gov/hutong/chaincode/certificate/contract"
	collaborations "github.com/hutong-gov/hutong/chaincode/collaboration/contract"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	exchanges "github.com/hutong-gov/hutong/chaincode/exchange/contract"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/devidp"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/rest"
	"github.com/hutong-gov/hutong/gateway/rest/resttest"
	"github.com/hutong-gov/hutong/gateway/vault"
	"github.com/hutong-gov/hutong/gateway/webhook"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/block/blocktest"
	"github.com/hutong-gov/hutong/network/statement"
	"github.com/hutong-gov/hutong/network/statement/statementtest"
	"github.com/hutong-gov/hutong/test/departments"
)

// organisation of the default network, with the roles its agencies hold identities for.
type organisation struct {
	name     string
	agencies map[string][]access.Role
}

var organisations = func() (all []organisation) {
	for _, org := range network.DefaultTopology().Organisations {
		o := organisation{org.Name, map[string][]access.Role{}}
		for _, a := range org.Agencies {
			for _, role := range a.Roles {
				o.agencies[org.AgencyID(a)] = append(o.agencies[org.AgencyID(a)], access.Role(role))
			}
		}
		all = append(all, o)
	}
	return all
}()

// City is the whole of it.
type City struct {
	Ledger     *ledgertest.Ledger
	World      departments.World
	Gateways   map[string]*Gateway // by organisation
	Projection *projection.Projection

	databases string // the departments'
	chain     blocktest.Chain
	asked     sync.Map   // use → app.Delivery
	mu        sync.Mutex // one block at a time goes to the projection

	peers func() []statementtest.Organisation // one of each organisation
}

// sign makes the organisations as their peers sign.
func sign(now time.Time) []statementtest.Organisation {
	peers := make([]statementtest.Organisation, len(organisations))
	for i, o := range organisations {
		peers[i] = statementtest.New(access.MSPOf(o.name+".x"), "peer", now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	}
	return peers
}

// Trust is what statements of this city are held against.
func (c *City) Trust() statement.Trust {
	t := statement.Trust{Channel: ledgertest.Channel, Roots: map[string][]*x509.Certificate{}, Needed: statement.Majority(len(organisations))}
	for _, o := range c.peers() {
		t.Roots[o.MSP] = []*x509.Certificate{o.Root}
	}
	return t
}

// Gateway is one organisation's.
type Gateway struct {
	App    *app.App
	Vault  *vault.Vault
	Server *httptest.Server
	Ledger *Ledger
	Inbox  string // for files to anchor

	anybody      *client.Client
	dependencies app.Dependencies
	serving      atomic.Value // http.Handler
}

// New builds a city. It goes with the test.
func New(t testing.TB) *City {
	t.Helper()
	ctx := context.Background()
	c := &City{
		Ledger:   ledgertest.New(exchanges.New(), collaborations.New(), certificates.New()),
		World:    departments.GenerateSized(departments.DefaultSeed, 40, 40),
		Gateways: map[string]*Gateway{},
	}
	c.peers = sync.OnceValue(func() []statementtest.Organisation { return sign(c.Ledger.Now()) })
	c.Ledger.Advance(time.Since(c.Ledger.Now())) // clients and catalogues go by the real clock
	var err error
	c.Projection, err = projection.Open(ctx, databasetest.Chosen(t), 4, projection.Contracts())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Projection.Close()) })
	c.databases = t.TempDir()
	require.NoError(t, c.World.Write(ctx, c.databases))
	c.chain.Add(blocktest.Tx{Config: true})
	require.NoError(t, c.follow(ctx))
	for _, organisation := range organisations {
		msp := access.MSPOf(organisation.name + ".x")
		c.Ledger.DefineCollection(exchange.Name, exchange.Inbox(msp), msp)
		c.Ledger.DefineCollection(exchange.Name, exchange.SealedCollection(msp), msp)
		c.Gateways[organisation.name] = c.gateway(t, organisation.name, organisation.agencies)
	}
	return c
}

func (c *City) gateway(t testing.TB, organisation string, agencies map[string][]access.Role) *Gateway {
	ctx, dir := context.Background(), t.TempDir()
	g := &Gateway{Ledger: &Ledger{city: c}}
	var err error
	g.Vault, err = vault.Open(ctx, databasetest.Chosen(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Vault.Close()) })
	connectors, err := connector.Open(c.connect(t, organisation, dir), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connectors.Close()) })

	g.Server = httptest.NewUnstartedServer(nil)
	d := app.Dependencies{
		MSP: access.MSPOf(organisation + ".x"), Channel: ledgertest.Channel, PublicURL: "https://" + g.Server.Listener.Addr().String(),
		Keys: seal.Keys{}, Ledger: g.Ledger, Offline: elsewhere{}, Chain: chain{&c.chain}, Store: c.Projection.Store(), Vault: g.Vault,
		Peers: peers{c}, Connectors: connectors, Clock: c.Ledger.Now, MaxWait: maxWait,
	}
	d.Anchoring, err = anchor.NewJobs(filepath.Join(dir, "anchors"), filepath.Join(dir, "inbox"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Anchoring.Close()) })
	g.Inbox = filepath.Join(dir, "inbox")
	if organisation == "services" {
		d.Pseudonym = c.Pseudonym
		d.Webhooks = webhooks(t)
	}
	for agency, roles := range agencies {
		d.Keys[agency], err = ecdh.P256().GenerateKey(rand.Reader)
		require.NoError(t, err)
		for _, role := range roles {
			d.Identities = append(d.Identities, ledger.Signer{Agency: agency, Role: role})
		}
	}
	g.dependencies = d
	c.start(t, organisation, g)
	g.Server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serving.Load().(http.Handler).ServeHTTP(w, r) })
	g.Server.Start()
	t.Cleanup(g.Server.Close)
	g.anybody, err = client.New(g.Server.URL, nil, nil)
	require.NoError(t, err)
	return g
}

// start makes the application and its HTTP face of what outlives both. Whatever passes is held against the OpenAPI document.
func (c *City) start(t testing.TB, organisation string, g *Gateway) {
	var err error
	g.App, err = app.New(g.dependencies)
	require.NoError(t, err)
	server, err := rest.New(rest.Config{
		Routes: rest.Routes(g.App), Authenticate: c.authenticate, Registry: prometheus.NewRegistry(),
		Log: slog.New(slog.DiscardHandler), About: about(organisation, g.dependencies.PublicURL),
	})
	require.NoError(t, err)
	served, err := document()
	require.NoError(t, err)
	g.serving.Store(served.Handler(server.Handler(), func(err error) { t.Error(err) }))
}

func about(organisation, publicURL string) rest.About {
	return rest.About{Organisation: organisation, PublicURL: publicURL}
}

// document is the API's description, read once: that of all gateways is the same but for their names.
var document = sync.OnceValues(func() (*resttest.Document, error) {
	raw, err := rest.Document(rest.Routes(nil), about("", ""))
	if err != nil {
		return nil, err
	}
	return resttest.Load(raw)
})

// Restart makes every gateway's application anew, as after a crash: what it keeps in memory is gone.
func (c *City) Restart(t testing.TB) {
	t.Helper()
	for organisation, g := range c.Gateways {
		c.start(t, organisation, g)
	}
}

// webhooks are those of one gateway: they can be registered, and nothing is delivered.
func webhooks(t testing.TB) *app.Webhooks {
	db, err := database.Open(context.Background(), database.Settings{Folder: t.TempDir(), Organisation: "services"}, webhook.Part)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := webhook.NewKey(private)
	require.NoError(t, err)
	return &app.Webhooks{Book: webhook.NewBook(db), Key: key}
}

// Department is a department's database: departments.HousingFile, ….
func (c *City) Department(file string) string { return filepath.Join(c.databases, file) }

// connect writes the departments' databases that an organisation has.
func (c *City) connect(t testing.TB, organisation, dir string) string {
	name, has := map[string]string{"services": "identity", "planning": "premises", "market": "enterprise"}[organisation]
	if !has {
		return ""
	}
	folder := filepath.Join(dir, "connectors")
	require.NoError(t, departments.Connect(name, folder, c.databases))
	return folder
}

// Pseudonym is what the ledger knows a user as.
func (c *City) Pseudonym(user string) string {
	sum := sha256.Sum256([]byte("pseudonym of " + user))
	return hex.EncodeToString(sum[:])[:26]
}

func (c *City) authenticate(_ context.Context, token string) (app.Actor, error) {
	for _, u := range devidp.DefaultUsers() {
		if u.ID != token {
			continue
		}
		who := app.Actor{Role: u.Role, Agency: u.Agency, Staff: u.Staff, Client: devidp.ConsoleClient}
		if u.Role == app.Citizen {
			who.Subject = c.Pseudonym(u.ID)
		}
		return who, nil
	}
	if who, found := portals[token]; found {
		return who, nil
	}
	return app.Actor{}, errors.New("no such user")
}

// portals sign in as programs: one for the agency that runs the portal, one for an agency that does not.
var portals = map[string]app.Actor{
	"portal.hall":   {Role: app.Portal, Agency: "services.hall", Staff: "portal", Client: devidp.PortalClient},
	"portal.police": {Role: app.Portal, Agency: "services.police", Staff: "portal", Client: "police"},
}

// SignIn gives a client of an organisation's gateway with a user's token; without a user it has none.
func (c *City) SignIn(_ context.Context, organisation, user string) (*client.Client, error) {
	g, found := c.Gateways[organisation]
	if !found {
		return nil, fmt.Errorf("there is no organisation %s", organisation)
	}
	return g.anybody.As(client.Token(user)), nil
}

// Admin gives a client signed in as an agency's administrator: a catalogue.Door.
func (c *City) Admin(ctx context.Context, agency string) (*client.Client, error) {
	organisation, code, _ := strings.Cut(agency, ".")
	return c.SignIn(ctx, organisation, "admin."+code)
}

// follow brings the projection up to the chain's end.
func (c *City) follow(ctx context.Context) error {
	tip, err := c.chain.Tip(ctx)
	if err != nil {
		return err
	}
	at, started, err := c.Projection.Checkpoint(ctx)
	if err != nil {
		return err
	}
	next := at.Number + 1
	if !started {
		next = 0
	}
	return c.apply(ctx, next, tip.Number)
}

// maxWait is how long a read waits for a block: in memory it is there or does not come.
const maxWait = 200 * time.Millisecond

// tick is how far the clock moves with every block.
const tick = time.Second

// chain is the blocks as a peer has them.
type chain struct{ *blocktest.Chain }

func (c chain) Block(_ context.Context, number uint64) (*common.Block, error) {
	return c.Chain.Block(number), nil
}
