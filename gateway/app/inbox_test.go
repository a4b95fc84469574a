package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
)

// unreachable are gateways that do not answer.
type unreachable struct{ app.Peers }

func (unreachable) Deliver(context.Context, string, string, app.Delivery) (seal.Envelope, error) {
	return seal.Envelope{}, errors.New("nobody answers")
}

// TestAPayloadWaitsForAGatewayThatIsNotThere: what is released while the consumer does not ask is at its own peer when it does,
// whether or not the provider's gateway still answers.
func TestAPayloadWaitsForAGatewayThatIsNotThere(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	p, err := l.preview("citizen1")
	require.NoError(t, err)
	require.NoError(t, l.release(p))
	item, err := get[app.Item[exchange.Use]](l.scene, l.officer.Client, "/v1/uses/"+l.id)
	require.NoError(t, err)
	require.True(t, item.Item.Waiting)
	person, _, _ := l.World.Behind("citizen1")
	for _, block := range l.Ledger.Blocks() {
		raw, err := json.Marshal(block)
		require.NoError(t, err)
		require.NotContains(t, string(raw), person.IDNumber)
	}
	l.Gateways["market"].App.Peers = unreachable{}
	used, err := l.fetch()
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, used.Status)
	payload, err := get[app.Payload](l.scene, l.officer.Client, "/v1/uses/"+l.id+"/payload")
	require.NoError(t, err)
	require.Equal(t, *p.Document, payload.Document)
}

// TestWhatIsPurgedIsGoneEverywhere: from both gateways and the inbox, while what the ledger says of it stays.
func TestWhatIsPurgedIsGoneEverywhere(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	p, err := l.preview("citizen1")
	require.NoError(t, err)
	require.NoError(t, l.release(p))
	used, err := l.fetch()
	require.NoError(t, err)
	kept := func(organisation, agency string) bool {
		_, found, err := l.Gateways[organisation].Vault.Get(l.ctx, used.Delivery, agency)
		require.NoError(t, err)
		return found
	}
	require.True(t, kept("market", "market.tax"))
	require.True(t, kept("services", "market.tax"))
	require.True(t, kept("services", "services.police"))
	purge := func(organisation, user string) error {
		_, err := do[app.Receipt](l.scene, l.as(organisation, user), http.MethodPut, "/v1/uses/"+l.id+"/purge", app.PurgeUse{Reason: "case.over"})
		return err
	}
	require.Equal(t, "access.other_agency", client.Reason(purge("market", "officer.regulation")))
	require.NoError(t, purge("market", "officer.tax"))
	for _, k := range [][2]string{{"market", "market.tax"}, {"services", "market.tax"}, {"services", "services.police"}, {"services", "services.hall"}} {
		require.False(t, kept(k[0], k[1]), k)
	}
	var sealed exchange.Sealed
	err = l.Ledger.As("market.tax", "agency").On(exchange.Name).Query(exchange.UsePayload, exchange.PayloadOf{Use: l.id}, &sealed)
	require.ErrorIs(t, err, exchange.ErrNothingWaits)
	_, err = get[app.Payload](l.scene, l.officer.Client, "/v1/uses/"+l.id+"/payload")
	require.Equal(t, "use.purged", client.Reason(err))
	require.Equal(t, "exchange.already_purged", client.Reason(purge("market", "officer.tax")))

	// Whoever still has the document can show that it is what was delivered.
	item, err := get[app.Item[exchange.Use]](l.scene, l.officer.Client, "/v1/uses/"+l.id)
	require.NoError(t, err)
	root, err := p.Document.Root()
	require.NoError(t, err)
	require.Equal(t, item.Item.Delivery, root)
	require.Equal(t, exchange.Acknowledged, item.Item.Status)
	require.Equal(t, "case.over", item.Item.Purged)
	again, err := l.fetch()
	require.NoError(t, err, "the request is answered as the first time")
	require.Equal(t, used.Delivery, again.Delivery)
}

// TestWhatIsDeliveredDirectlyIsPurgedByTheProvider, too.
func TestWhatIsDeliveredDirectlyIsPurgedByTheProvider(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	tax := s.officer("market.tax")
	used, _, err := tax.Fetch(s.ctx, caseID, "tax-identity")
	require.NoError(t, err)
	_, err = do[app.Receipt](s, s.officer("services.police").Client, http.MethodPut, "/v1/uses/"+used.ID+"/purge", app.PurgeUse{Reason: "asked"})
	require.NoError(t, err)
	_, found, err := s.Gateways["market"].Vault.Get(s.ctx, used.Delivery, "market.tax")
	require.NoError(t, err)
	require.False(t, found)
}
