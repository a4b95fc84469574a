package private

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	fabric "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/process"
	"github.com/hutong-gov/hutong/network/topology"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
	"github.com/hutong-gov/hutong/test/story/search"
)

// blockToLive of the test's network: long enough to see a payload, short enough to wait for its end.
const blockToLive = 40

// From network/node/core.yaml.tmpl: after how many blocks a peer removes from its store what has expired or was purged, and
// what it endorsed and does not keep.
const (
	purgeInterval = 10
	retention     = 200
)

// town is a network of its own with payloads on it.
type town struct {
	*testing.T
	ctx     context.Context
	network *network.Network
	live    *story.Live
	world   departments.World
	keys    string
	citizen story.Person
	matter  string
	terms   exchange.ConsentTerms
}

// TestNetworkPayloadsThatWaitAreGone takes two payloads through the inbox of their consumer's organisation: one is purged, one
// expires.
func TestNetworkPayloadsThatWaitAreGone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	w := newTown(t)
	purged, purgedDocument := w.waiting("purged")
	expired, expiredDocument := w.waiting("expired")
	needles := []string{middle(purged.sealed), middle(expired.sealed)}
	personal, _ := w.world.Personal()

	// Only the consumer's peer has them, and no block.
	require.False(t, w.has("PlanningMSP", purged.use), "a peer of another organisation has none")
	w.down()
	searched, found, err := Databases(w.nodes(), needles)
	require.NoError(t, err)
	require.Positive(t, searched)
	for i, name := range []string{"purged", "expired"} {
		require.NotEmpty(t, of(found, i, "market"), "the consumer's peer has the payload that is to be %s", name)
	}
	for _, f := range found {
		// The provider's peer endorsed it, and forgets it after a while; nobody else was sent it.
		require.True(t, strings.Contains(f.Database, "market") || strings.HasSuffix(f.Database, "services-peer0/transientstore"), f.Database)
	}
	w.up()
	require.Zero(t, w.inBlocks(append(slices.Clone(needles), personal...)), "nor has a block")

	// The gateway takes it from its own peer, though the provider's is not there.
	w.kill("services-gateway")
	used := w.fetch(purged)
	require.Equal(t, exchange.Acknowledged, used.Status)
	w.up()

	_, err = client.Do[api.Receipt](w.ctx, w.officer(), http.MethodPut, "/v1/uses/"+purged.use+"/purge", api.PurgeUse{Reason: "case.over"})
	require.NoError(t, err)
	require.False(t, w.has("MarketMSP", purged.use))
	require.True(t, w.has("MarketMSP", expired.use), "its neighbour still waits")
	w.blocks(max(blockToLive+2*purgeInterval, 2*retention))
	require.False(t, w.has("MarketMSP", expired.use), "its time is over")

	w.down()
	searched, found, err = Databases(w.nodes(), append(slices.Clone(needles), personal...))
	require.NoError(t, err)
	require.Positive(t, searched)
	require.Empty(t, found, "no node's database has them, nor anything the departments know")
	remains, err := Files(w.nodes(), needles)
	require.NoError(t, err)
	t.Logf("%d databases searched; %d files have the sealed bytes still, until they are compacted", searched, len(remains))
	w.up()

	// The evidence holds without the bodies.
	w.proves(purged.use, purgedDocument)
	w.proves(expired.use, expiredDocument)
	require.Zero(t, w.inBlocks(append(slices.Clone(needles), personal...)))
}

func newTown(t *testing.T) *town {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	dir := t.TempDir()
	n, err := story.Own(ctx, dir, func(o *network.Options) {
		o.Topology.Chaincodes[0].Inboxes = &topology.Inboxes{BlockToLive: blockToLive}
	})
	require.NoError(t, err)
	w := &town{T: t, ctx: ctx, network: n, world: departments.Generate(), keys: filepath.Join(dir, "devices")}
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, story.Prepare(ctx, n, w.world))
	w.up()
	var out strings.Builder
	_, err = story.Tell(ctx, &out, w.live, story.Options{World: w.world, Keys: w.keys, Citizens: []string{"citizen1"}})
	require.NoError(t, err, out.String())
	w.open()
	return w
}

// open has a citizen apply.
func (w *town) open() {
	w.Helper()
	var err error
	w.citizen, _, err = story.SignIn(w.ctx, w.live, "citizen2", w.keys)
	require.NoError(w, err)
	d, err := w.citizen.Draft(w.ctx, story.Service)
	require.NoError(w, err)
	answers, err := story.Options{World: w.world}.Answers("citizen2")
	require.NoError(w, err)
	request, err := w.citizen.Application(d, answers)
	require.NoError(w, err)
	applied, err := w.citizen.Apply(w.ctx, d, request)
	require.NoError(w, err)
	w.matter = applied.ID
	at := slices.IndexFunc(d.Consents, func(c exchange.ConsentTerms) bool { return c.Consumer == "market.tax" })
	require.GreaterOrEqual(w, at, 0)
	w.terms = d.Consents[at]
}

func (w *town) up() {
	w.Helper()
	require.NoError(w, w.network.Up(w.ctx))
	w.live = story.NewLive(w.network)
	if w.citizen.User != "" {
		var err error
		w.citizen, _, err = story.SignIn(w.ctx, w.live, w.citizen.User, w.keys)
		require.NoError(w, err)
	}
}

func (w *town) down() {
	w.Helper()
	require.NoError(w, w.network.Down(w.ctx, !network.Purge))
}

// kill ends a process as a crash would.
func (w *town) kill(name string) {
	w.Helper()
	records, err := w.network.Records()
	require.NoError(w, err)
	at := slices.IndexFunc(records, func(r process.Record) bool { return r.Name == name })
	require.GreaterOrEqual(w, at, 0, name)
	require.NoError(w, syscall.Kill(records[at].PID, syscall.SIGKILL))
}

func (w *town) officer() *client.Client {
	w.Helper()
	c, err := w.live.SignIn(w.ctx, "market", "officer.tax")
	require.NoError(w, err)
	return c
}

// payload is one that waits.
type payload struct{ use, consent, sealed string }

// waiting has a use prepared, looked at and released while the consumer's gateway is not there, and gives what waits for it
// with what the citizen saw.
func (w *town) waiting(name string) (p payload, document commitment.Document) {
	w.Helper()
	terms := w.terms
	terms.PreviewRequired, terms.Nonce = true, "nonce-of-what-is-"+name
	jws, err := w.citizen.Sign(exchange.ConsentKind, terms)
	require.NoError(w, err)
	given, err := client.Do[api.Receipt](w.ctx, w.citizen.Client, http.MethodPost, "/v1/consents", api.GiveConsent{Consent: jws})
	require.NoError(w, err)
	p.consent = given.ID
	before := w.uses()
	_, err = w.request(p)
	require.Equal(w, "exchange.not_released", client.Reason(err))
	for _, u := range w.uses() {
		if !slices.ContainsFunc(before, func(b exchange.Use) bool { return b.ID == u.ID }) {
			p.use = u.ID
		}
	}
	require.NotEmpty(w, p.use)
	var preview api.Preview
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // the citizens' gateway may be a block behind
		preview, err = client.Do[api.Preview](w.ctx, w.citizen.Client, http.MethodGet, "/v1/uses/"+p.use+"/preview", nil)
		if client.Reason(err) != "exchange.not_prepared" && client.Reason(err) != "use.missing" || time.Now().After(until) {
			break
		}
	}
	require.NoError(w, err)
	w.kill("market-gateway")
	release, err := w.citizen.Sign(exchange.ReleaseKind, preview.Release)
	require.NoError(w, err)
	_, err = client.Do[api.Receipt](w.ctx, w.citizen.Client, http.MethodPut, "/v1/uses/"+p.use+"/release", api.ReleaseUse{Release: release})
	require.NoError(w, err)
	w.up()
	sealed, err := w.sealed("MarketMSP", p.use)
	require.NoError(w, err)
	require.Equal(w, preview.Use.Preview, sealed.Commitment)
	p.sealed = sealed.Sealed
	return p, *preview.Document
}

// uses are tax's of the case.
func (w *town) uses() []exchange.Use {
	w.Helper()
	page, err := client.Do[api.Page[exchange.Use]](w.ctx, w.officer(), http.MethodGet, "/v1/uses?case="+w.matter, nil)
	require.NoError(w, err)
	return page.Items
}

func (w *town) request(p payload) (api.Used, error) {
	return client.Do[api.Used](w.ctx, w.officer(), http.MethodPost, "/v1/uses", api.RequestUse{Case: w.matter, Material: "tax-identity", Consent: p.consent}, client.Key("use-"+p.consent))
}

func (w *town) fetch(p payload) api.Used {
	w.Helper()
	used, err := w.request(p)
	require.NoError(w, err)
	return used
}

// sealed asks a peer of an organisation, as the consumer, for the payload that waits.
func (w *town) sealed(msp, use string) (s exchange.Sealed, err error) {
	w.Helper()
	peer, err := story.DialPeer(w.network, "market.tax", "agency")
	require.NoError(w, err)
	defer func() { require.NoError(w, peer.Close()) }()
	argument, err := json.Marshal(exchange.PayloadOf{Use: use})
	require.NoError(w, err)
	raw, err := peer.GetContract(exchange.Name).EvaluateWithContext(w.ctx, exchange.UsePayload, fabric.WithBytesArguments(argument), fabric.WithEndorsingOrganizations(msp))
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	return s, err
}

// has says whether a peer of an organisation has the payload of a use.
func (w *town) has(msp, use string) bool {
	w.Helper()
	s, err := w.sealed(msp, use)
	if err != nil {
		w.Logf("%s: %v", msp, err)
		return false
	}
	return s.Sealed != ""
}

// blocks has some be made, one after the other.
func (w *town) blocks(count int) {
	w.Helper()
	for i := range count {
		terms := w.terms
		terms.Nonce = fmt.Sprintf("nonce-of-block-%06d", i)
		jws, err := w.citizen.Sign(exchange.ConsentKind, terms)
		require.NoError(w, err)
		_, err = client.Do[api.Receipt](w.ctx, w.citizen.Client, http.MethodPost, "/v1/consents", api.GiveConsent{Consent: jws})
		require.NoError(w, err)
	}
}

// nodes is the folder of the nodes' data.
func (w *town) nodes() string { return w.network.Options.State }

// inBlocks counts the blocks in which one of the texts stands.
func (w *town) inBlocks(texts []string) (count int) {
	w.Helper()
	finder := search.New(texts)
	blocks, err := story.EachBlock(w.ctx, w.network, func(b *common.Block) error {
		raw, err := proto.Marshal(b)
		if len(finder.Find(raw)) > 0 {
			count++
		}
		return err
	})
	require.NoError(w, err)
	require.Positive(w, blocks)
	return count
}

// proves checks that a document is what the ledger says was delivered.
func (w *town) proves(use string, document commitment.Document) {
	w.Helper()
	item, err := client.Do[api.Item[exchange.Use]](w.ctx, w.officer(), http.MethodGet, "/v1/uses/"+use, nil)
	require.NoError(w, err)
	root, err := document.Root()
	require.NoError(w, err)
	require.Equal(w, item.Item.Delivery, root)
	require.Equal(w, item.Item.Preview, root)
	require.NotEmpty(w, item.Item.Decision, "the subject's signature is still there")
}

// middle is a piece of a text that a search can look for.
func middle(text string) string { return text[len(text)/2 : len(text)/2+48] }
