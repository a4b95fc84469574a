package app_test

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/test/departments"
)

// subscribed takes a citizen's premises to a subscription of market regulation to them.
func subscribed(t *testing.T, s *scene) (use, number string) {
	t.Helper()
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	used, _, err := officer.Fetch(s.ctx, caseID, "premises")
	require.NoError(t, err)
	_, premises, found := s.World.Behind("citizen1")
	require.True(t, found)
	wrong := app.Subscribe{Selector: map[string]json.RawMessage{"premises_number": json.RawMessage(`"HT99-999999"`)}}
	s.refused("use.selector_mismatch", func() error {
		_, err := do[app.Receipt](s, officer.Client, http.MethodPut, "/v1/uses/"+used.ID+"/subscription", wrong)
		return err
	})
	raw, err := json.Marshal(premises.Number)
	require.NoError(t, err)
	right := app.Subscribe{Selector: map[string]json.RawMessage{"premises_number": raw}}
	for range 2 { // sent again, it goes on where it stopped
		_, err = do[app.Receipt](s, officer.Client, http.MethodPut, "/v1/uses/"+used.ID+"/subscription", right, client.Key("follow"))
		require.NoError(t, err)
	}
	s.refused("access.other_agency", func() error {
		_, err := do[app.Receipt](s, s.officer("market.tax").Client, http.MethodPut, "/v1/uses/"+used.ID+"/subscription", right)
		return err
	})
	return used.ID, premises.Number
}

// look has housing's gateway look at what is subscribed to.
func look(t *testing.T, s *scene) app.Looked {
	t.Helper()
	sum, err := s.Gateways["planning"].App.Announce(s.ctx, premisesDataset)
	require.NoError(t, err)
	return sum
}

// changed changes the housing authority's own database.
func changed(t *testing.T, s *scene, statement string, arguments ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", s.Department(departments.HousingFile))
	require.NoError(t, err)
	_, err = db.Exec(statement, arguments...)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestASubscriberIsToldThatARecordChangedAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	use, number := subscribed(t, s)
	officer := s.officer("market.regulation")
	state := func() exchange.Subscription {
		t.Helper()
		item, err := get[app.Item[exchange.Subscription]](s, officer.Client, "/v1/subscriptions/"+use)
		require.NoError(t, err)
		return item.Item
	}
	events := func(who *client.Client) (types []string) {
		t.Helper()
		page, err := get[app.EventPage](s, who, "/v1/events?type=subscription.*")
		require.NoError(t, err)
		for _, e := range page.Items {
			require.Equal(t, use, e.Record)
			types = append(types, e.Type)
		}
		return types
	}

	require.Equal(t, app.Looked{Announced: 1}, look(t, s), "that it watches")
	first := state()
	require.Equal(t, exchange.Watched, first.Status)
	require.Equal(t, app.Looked{Same: 1}, look(t, s))

	changed(t, s, `UPDATE premises SET mortgaged = 'Y' WHERE prem_no = ?`, number) // not among the fields that were delivered
	require.Equal(t, app.Looked{Same: 1}, look(t, s))
	changed(t, s, `UPDATE premises SET floor_area_m2 = floor_area_m2 + 1 WHERE prem_no = ?`, number)
	var group sync.WaitGroup
	for range 3 { // gateways of one organisation that look at once announce once
		group.Go(func() {
			sum, err := s.Gateways["planning"].App.Announce(s.ctx, premisesDataset)
			require.NoError(t, err)
			require.Equal(t, 1, sum.Announced+sum.Same)
		})
	}
	group.Wait()
	second := state()
	require.Equal(t, 1, second.Changes)
	require.NotEqual(t, first.State, second.State)
	changed(t, s, `UPDATE premises SET floor_area_m2 = floor_area_m2 - 1 WHERE prem_no = ?`, number)
	look(t, s)
	require.Equal(t, first.State, state().State, "equal states have the same commitment")

	changed(t, s, `PRAGMA foreign_keys = 0; ALTER TABLE premises RENAME TO away`)
	require.Equal(t, app.Looked{Failed: 1}, look(t, s), "a database that fails is no change")
	changed(t, s, `PRAGMA foreign_keys = 0; ALTER TABLE away RENAME TO premises`)
	changed(t, s, `UPDATE premises SET prem_no = 'moved' WHERE prem_no = ?`, number)
	require.Equal(t, app.Looked{Announced: 1}, look(t, s))
	require.Equal(t, exchange.Gone, state().Status)
	require.Equal(t, app.Looked{Same: 1}, look(t, s))

	want := []string{"subscription.started.v1", "subscription.watched.v1", "subscription.announced.v1", "subscription.announced.v1", "subscription.announced.v1"}
	require.Equal(t, want, events(officer.Client))
	require.Equal(t, want, events(s.citizen.Client), "the subject sees it too")
	require.Empty(t, events(s.officer("market.tax").Client), "another agency of the case does not")
}

func TestWhoeverMayNotUseARecordIsNotTold(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	use, number := subscribed(t, s)
	require.Equal(t, app.Looked{Announced: 1}, look(t, s))
	page, err := get[app.Page[exchange.Consent]](s, s.officer("market.regulation").Client, "/v1/consents")
	require.NoError(t, err)
	for _, consent := range page.Items {
		if consent.Terms.Dataset != premisesDataset {
			continue
		}
		jws, err := s.citizen.Sign(exchange.RevocationKind, exchange.Revocation{Channel: s.citizen.Me.Channel, Subject: s.citizen.Me.Pseudonym, Consent: consent.ID})
		require.NoError(t, err)
		_, err = do[app.Receipt](s, s.citizen.Client, http.MethodPut, "/v1/consents/"+consent.ID+"/revocation", app.RevokeConsent{Revocation: jws})
		require.NoError(t, err)
	}
	changed(t, s, `UPDATE premises SET floor_area_m2 = floor_area_m2 + 1 WHERE prem_no = ?`, number)
	require.Equal(t, app.Looked{Ended: 1}, look(t, s))
	require.Equal(t, app.Looked{}, look(t, s))
	item, err := get[app.Item[exchange.Subscription]](s, s.citizen.Client, "/v1/subscriptions/"+use)
	require.NoError(t, err)
	require.Equal(t, exchange.Ended, item.Item.Status)
	require.Zero(t, item.Item.Changes)
}
