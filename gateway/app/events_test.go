package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/test/story"
)

// eventsOf reads every event somebody may see, in pages of seven.
func (s *scene) eventsOf(c *client.Client, filter string) (events []feed.Event) {
	s.t.Helper()
	for next := ""; ; {
		page, err := get[app.EventPage](s, c, "/v1/events?page_size=7"+filter+"&page_token="+next)
		require.NoError(s.t, err)
		require.LessOrEqual(s.t, len(page.Items), 7)
		events = append(events, page.Items...)
		if next = page.Next; next == "" {
			return events
		}
	}
}

func idsOf(events []feed.Event) []string {
	ids := []string{}
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// TestASubscriberSeesOnlyWhatItMayRead lets two whole cases happen and compares, for everybody, the events they see with
// what the other routes let them read.
func TestASubscriberSeesOnlyWhatItMayRead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, err := story.Tell(s.ctx, io.Discard, s, story.Options{World: s.World, Keys: s.keys, Citizens: []string{"citizen2"}})
	require.NoError(t, err)
	s.apply(s.citizen)
	s.person("citizen3") // who registers a key and nothing else
	all := s.eventsOf(s.as("audit", "auditor"), "")
	require.Greater(t, len(all), 40)
	opened := map[string]int{}
	for i, e := range all {
		if e.Type == "case.opened.v1" {
			opened[e.Case] = i
		}
	}
	require.Len(t, opened, 2)
	reads := func(c *client.Client, path string) bool {
		_, err := get[any](s, c, path)
		return err == nil
	}
	seenByAll := map[string]int{}
	for _, agency := range []string{"market.tax", "market.regulation", "planning.housing", "services.police", "services.hall"} {
		officer := s.officer(agency).Client
		var may []string
		for i, e := range all {
			noun, _, _ := strings.Cut(e.Type, ".")
			at, inCase := opened[e.Case]
			record := func(of map[string]string) bool { return slices.Contains([]string{of["agency"], of["peer"]}, agency) }
			switch {
			case e.Agency == agency,
				inCase && i >= at && reads(officer, "/v1/cases/"+e.Case),
				noun == "use" && reads(officer, "/v1/uses/"+e.Record),
				noun == "grant" && (s.grant(e.Record).Provider == agency || s.grant(e.Record).Consumer == agency),
				noun == "definition" && record(s.indexOf("definition", e.Record)),
				noun == "accreditation" && record(s.indexOf("accreditation", e.Record)):
				may = append(may, e.ID)
			}
		}
		sees := idsOf(s.eventsOf(officer, ""))
		require.Equal(t, may, sees, agency)
		require.Equal(t, may, idsOf(s.eventsOf(s.as(agency[:strings.Index(agency, ".")], "admin."+agency[strings.Index(agency, ".")+1:]), "")), agency)
		seenByAll[agency] = len(sees)
		require.NotEmpty(t, sees)
		require.Less(t, len(sees), len(all))
	}
	require.NotEqual(t, seenByAll["market.tax"], seenByAll["planning.housing"])

	for _, user := range []string{"citizen1", "citizen2", "citizen3"} {
		citizen := s.person(user)
		var may []string
		for _, e := range all {
			if e.Subject != "" && e.Subject == s.Pseudonym(user) {
				may = append(may, e.ID)
			}
		}
		require.Equal(t, append([]string{}, may...), idsOf(s.eventsOf(citizen.Client, "")), user)
	}

	hall := s.Gateways["services"].App
	for desk, of := range map[string]bool{"services.hall": true, "planning.hall": false} {
		var may []string
		for i, e := range all {
			if at, inCase := opened[e.Case]; of && inCase && i >= at {
				may = append(may, e.ID)
			}
		}
		page, err := hall.Events(s.ctx, app.Actor{Role: app.Portal, Agency: desk, Client: "portal"}, app.Events{Paging: app.Paging{PageSize: 200}})
		require.NoError(t, err)
		require.Equal(t, append([]string{}, may...), idsOf(page.Items), desk)
		require.Empty(t, page.Next)
	}
}

func (s *scene) grant(id string) (g exchange.Grant) {
	r, found, err := s.Projection.Store().Get(s.ctx, "grant", id)
	require.NoError(s.t, err)
	require.True(s.t, found)
	require.NoError(s.t, json.Unmarshal(r.Body, &g))
	return g
}

// indexOf is who a record of the public directory belongs to.
func (s *scene) indexOf(noun, id string) map[string]string {
	r, found, err := s.Projection.Store().Get(s.ctx, noun, id)
	require.NoError(s.t, err)
	require.True(s.t, found)
	return map[string]string{"agency": r.Index.Agency, "peer": r.Index.Peer}
}

func TestEventsAreFollowed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	before := len(s.eventsOf(s.citizen.Client, ""))
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	type heard struct {
		client.Message
		err error
	}
	follow := func(path, after string) (chan heard, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		messages := make(chan heard, 1000)
		go func() {
			defer close(messages)
			for m, err := range s.citizen.Client.Follow(ctx, path, after) {
				messages <- heard{m, err}
			}
		}()
		return messages, cancel
	}
	// next gives the next n events, and the id to go on from
	next := func(messages chan heard, n int) (events []feed.Event, last string) {
		for len(events) < n {
			m := <-messages
			require.NoError(t, m.err)
			last = m.ID
			if m.Name == "checkpoint" {
				continue
			}
			var e feed.Event
			require.NoError(t, json.Unmarshal(m.Data, &e))
			require.Equal(t, m.ID, e.ID)
			events = append(events, e)
		}
		return events, last
	}
	past, stop := follow("/v1/events?after=start", "")
	events, last := next(past, before)
	require.Equal(t, idsOf(s.eventsOf(s.citizen.Client, "")), idsOf(events))
	stop()

	caseID := s.apply(s.citizen)
	now, _ := follow("/v1/events?after=start", last) // what the client has seen goes before what its address says
	missed, last := next(now, len(s.eventsOf(s.citizen.Client, "&after="+last)))
	require.Equal(t, caseID, missed[len(missed)-1].Case)
	_, err := s.citizen.Withdraw(s.ctx, caseID)
	require.NoError(t, err)
	events, _ = next(now, 1)
	require.Equal(t, "case.withdrawn.v1", events[0].Type)
	checkpoint := <-now
	require.Equal(t, "checkpoint", checkpoint.Name)
	require.JSONEq(t, `{"as_of_block":`+checkpoint.ID+`}`, string(checkpoint.Data))
	require.Equal(t, []string{events[0].ID}, idsOf(s.eventsOf(s.citizen.Client, "&after="+last)))
	require.Empty(t, s.eventsOf(s.citizen.Client, "&after="+checkpoint.ID))

	opened := s.eventsOf(s.citizen.Client, "&type=case.opened.v1&contract=collaboration&case="+caseID)
	require.Len(t, opened, 1)
	require.Len(t, s.eventsOf(s.citizen.Client, "&type=case.*&case="+caseID), 2)
	require.Empty(t, s.eventsOf(s.citizen.Client, "&subject=somebody"))
}

func TestEventsThatCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for query, field := range map[string]string{
		"type=case":                "query.type",
		"type=nothing.happened.v1": "query.type",
		"after=tomorrow":           "query.after",
		"after=1-2":                "query.after",
		"after=01":                 "query.after",
		"page_token=next":          "query.page_token",
		"contract=other":           "query.contract",
		"page_size=1000":           "query.page_size",
		"case=" + url.QueryEscape(strings.Repeat("x", 65)): "query.case",
	} {
		_, err := get[app.EventPage](s, s.citizen.Client, "/v1/events?"+query)
		var p *client.Problem
		require.ErrorAs(t, err, &p, query)
		require.Equal(t, []string{"request.invalid", field}, []string{p.Reason, p.Field}, query)
	}
	for query, field := range map[string]string{"page_size=5": "query.page_size", "page_token=5": "query.page_token", "type=x": "query.type"} {
		for _, err := range s.citizen.Client.Stream(s.ctx, "/v1/events?"+query, "") {
			var p *client.Problem
			require.ErrorAs(t, err, &p, query)
			require.Equal(t, field, p.Field)
		}
	}
	_, err := get[app.EventPage](s, s.citizen.Client, "/v1/events?after=now")
	require.NoError(t, err)
}
