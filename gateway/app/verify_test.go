package app_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/claim"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/test/departments"
	"github.com/hutong-gov/hutong/test/story"
)

const premisesDataset = "planning.housing/premises"

// verifying is a scene in which regulation may ask about the premises of a citizen who has applied.
type verifying struct {
	*scene
	officer  story.Officer
	premises departments.Premises
	ask      app.Verification // of the provider
}

func newVerifying(t *testing.T) *verifying {
	s := newScene(t)
	v := &verifying{scene: s, officer: s.officer("market.regulation")}
	id := s.apply(s.citizen)
	_, v.premises, _ = s.World.Behind("citizen1")
	from := s.Ledger.Now().UTC().Truncate(24 * time.Hour)
	terms := exchange.Terms{
		Purposes: []string{story.Service}, Fields: []string{"address", "floor_area_m2", "permitted_use"}, ConsentRequired: true,
		ValidFrom: from, ValidUntil: from.AddDate(1, 0, 0), Modes: []string{exchange.ModeVerify},
	}
	granted, err := do[app.Receipt](s, s.as("market", "admin.regulation"), http.MethodPost, "/v1/grants", exchange.RequestGrant{Dataset: premisesDataset, Terms: terms, Basis: "art. 16"})
	require.NoError(t, err)
	_, err = do[app.Receipt](s, s.as("planning", "admin.housing"), http.MethodPut, "/v1/grants/"+granted.ID+"/approval", nil)
	require.NoError(t, err)
	consents, err := get[app.Page[exchange.Consent]](s, s.citizen.Client, "/v1/consents")
	require.NoError(t, err)
	at := slices.IndexFunc(consents.Items, func(c exchange.Consent) bool { return c.Terms.Dataset == premisesDataset })
	v.ask = app.Verification{
		Case: id, Purpose: story.Service, LegalBasis: "art. 16", Consent: consents.Items[at].ID, Selector: text("premises_number", v.premises.Number),
		Question: app.Question{Dataset: premisesDataset, Claims: []claim.Claim{
			{Field: "floor_area_m2", Is: claim.AtLeast, Value: number(v.premises.Area)},
			{Field: "floor_area_m2", Is: claim.AtMost, Value: number(v.premises.Area - 1)},
			{Field: "permitted_use", Is: claim.MemberOf, Value: json.RawMessage(`["commercial","industrial"]`)},
		}},
	}
	return v
}

func text(name, value string) map[string]json.RawMessage {
	raw, _ := json.Marshal(value)
	return map[string]json.RawMessage{name: raw}
}

func number(n int) json.RawMessage { return json.RawMessage(fmt.Sprint(n)) }

func (v *verifying) verify(ask app.Verification, options ...client.Option) (app.Verified, error) {
	return do[app.Verified](v.scene, v.officer.Client, http.MethodPost, "/v1/verifications", app.VerifyClaims{Verification: ask}, options...)
}

// said is each verdict with its reason.
func said(verdicts []claim.Verdict) (all []string) {
	for _, v := range verdicts {
		all = append(all, strings.TrimSpace(v.Verdict+" "+v.Reason))
	}
	return all
}

// commit has housing commit to the premises' record and gives what the citizen gets of it.
func (v *verifying) commit(supersedes string) (root string, held app.HeldRecord) {
	done, err := do[app.Committed](v.scene, v.as("planning", "officer.housing"), http.MethodPost, "/v1/commitments", app.CommitRecord{
		Dataset: premisesDataset, Subject: v.citizen.Me.Pseudonym, Selector: text("premises_number", v.premises.Number), Supersedes: supersedes})
	require.NoError(v.t, err)
	held, err = get[app.HeldRecord](v.scene, v.citizen.Client, fmt.Sprintf("/v1/subjects/me/records/planning.housing/premises?min_block=%d", done.Block))
	require.NoError(v.t, err)
	require.Equal(v.t, done.Root, held.Commitment.Root)
	return done.Root, held
}

// show makes the question one that is answered by what the citizen shows.
func show(ask app.Verification, held app.HeldRecord) app.Verification {
	ask.Selector, ask.Presented = nil, nil
	for _, name := range claim.Fields(ask.Claims) {
		at := slices.IndexFunc(held.Fields, func(p app.Presented) bool { return p.Name == name })
		ask.Presented = append(ask.Presented, held.Fields[at])
	}
	return ask
}

func TestTheProviderAnswersClaims(t *testing.T) {
	t.Parallel()
	v := newVerifying(t)
	done, err := v.verify(v.ask, client.Key("one"))
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, done.Status)
	require.Equal(t, 1, done.Number)
	require.Equal(t, []string{"yes", "no", "yes"}, said(done.Verdicts))

	height := v.Ledger.Height()
	again, err := v.verify(v.ask, client.Key("one"))
	require.NoError(t, err)
	require.Equal(t, done.Verdicts, again.Verdicts)
	require.Equal(t, height, v.Ledger.Height())

	use, err := get[app.Item[exchange.Use]](v.scene, v.officer.Client, "/v1/uses/"+done.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"floor_area_m2", "permitted_use"}, use.Item.Fields, "only the fields the claims are about")
	for document, root := range map[*commitment.Document]string{&done.Claims: use.Item.Claims, &done.Answer: use.Item.Delivery} {
		got, err := document.Root()
		require.NoError(t, err)
		require.Equal(t, root, got, "the ledger has the commitment")
	}
	log, err := myUses(v.scene, "")
	require.NoError(t, err)
	require.Equal(t, 1, log.Log.Count)
	require.Equal(t, use.Item.Claims, log.Items[0].Claims, "the subject sees that something was asked")
	require.Contains(t, log.Items[0].Words.Zh, "核验了您在")
	require.Contains(t, log.Items[0].Words.Zh, "没有提供数据")
	require.Contains(t, log.Items[0].Words.En, "verify claims about your ")
	require.Contains(t, log.Items[0].Words.En, "no data was delivered")

	// What the asker is told has no value of the record in it.
	raw, err := json.Marshal([]any{done.Verdicts, done.Answer, use})
	require.NoError(t, err)
	for _, value := range []string{v.premises.Address, v.premises.Number, v.premises.Owner, "commercial"} {
		require.NotContains(t, string(raw), value)
	}
}

// connectors answer what a test wants.
type connectors func(connector.Query) (connector.Record, error)

func (c connectors) Fetch(_ context.Context, q connector.Query) (connector.Record, error) {
	return c(q)
}

func (connectors) Extract(string) (*connector.Extract, bool, error) { return nil, false, nil }
func (c connectors) Part(context.Context, connector.Query, exchange.FieldSpec, int64, int) ([]byte, error) {
	panic("a claim is about no file")
}

func TestWhatIsNotKnownIsUnknown(t *testing.T) {
	t.Parallel()
	v := newVerifying(t)
	planning := v.Gateways["planning"].App
	real := planning.Connectors
	for name, c := range map[string]struct {
		fetch connectors
		want  string
	}{
		"the database does not answer": {func(connector.Query) (connector.Record, error) {
			return connector.Record{}, fault.New(fault.Internal, "connector.timeout", "")
		}, "unknown source_failed"},
		"no record": {func(connector.Query) (connector.Record, error) {
			return connector.Record{}, fault.New(fault.Missing, "record.missing", "")
		}, "unknown no_record"},
		"null": {func(connector.Query) (connector.Record, error) {
			return connector.Record{Values: map[string]any{"floor_area_m2": nil, "permitted_use": nil}}, nil
		}, "unknown no_value"},
	} {
		t.Run(name, func(t *testing.T) {
			planning.Connectors = c.fetch
			defer func() { planning.Connectors = real }()
			done, err := v.verify(v.ask)
			require.NoError(t, err)
			require.Equal(t, []string{c.want, c.want, c.want}, said(done.Verdicts))
			require.Equal(t, exchange.Acknowledged, done.Status, "the question and its answer are recorded")
		})
	}
}

func TestAnotherSubjectsRecordIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.apply(s.citizen)
	neighbour, _, _ := s.World.Behind("citizen2")
	from := s.Ledger.Now().UTC().Truncate(24 * time.Hour)
	granted, err := do[app.Receipt](s, s.as("market", "admin.tax"), http.MethodPost, "/v1/grants", exchange.RequestGrant{Dataset: "services.police/identity", Basis: "art. 15",
		Terms: exchange.Terms{Purposes: []string{story.Service}, Fields: []string{"name"}, ConsentRequired: true, ValidFrom: from, ValidUntil: from.AddDate(1, 0, 0), Modes: []string{"verify"}}})
	require.NoError(t, err)
	_, err = do[app.Receipt](s, s.as("services", "admin.police"), http.MethodPut, "/v1/grants/"+granted.ID+"/approval", nil)
	require.NoError(t, err)
	consents, err := get[app.Page[exchange.Consent]](s, s.citizen.Client, "/v1/consents")
	require.NoError(t, err)
	at := slices.IndexFunc(consents.Items, func(c exchange.Consent) bool { return c.Terms.Consumer == "market.tax" })
	name, err := json.Marshal(neighbour.Zh)
	require.NoError(t, err)
	done, err := do[app.Verified](s, s.officer("market.tax").Client, http.MethodPost, "/v1/verifications", app.VerifyClaims{Verification: app.Verification{
		Case: id, Purpose: story.Service, LegalBasis: "art. 15", Consent: consents.Items[at].ID, Selector: text("id_number", neighbour.IDNumber),
		Question: app.Question{Dataset: "services.police/identity", Claims: []claim.Claim{{Field: "name", Is: claim.Equals, Value: name}}},
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"unknown no_record"}, said(done.Verdicts), "the same as of nobody")
}

func TestClaimsAreVerifiedAgainstACommitment(t *testing.T) {
	t.Parallel()
	v := newVerifying(t)
	root, held := v.commit("")
	require.Len(t, held.Fields, 8)
	ask := show(v.ask, held)
	planning := v.Gateways["planning"].App
	planning.Connectors = connectors(func(connector.Query) (connector.Record, error) { panic("the provider is asked") })
	done, err := v.verify(ask, client.Key("one"))
	require.NoError(t, err)
	require.Equal(t, exchange.Proven, done.Status)
	require.Equal(t, []string{"yes", "no", "yes"}, said(done.Verdicts))
	require.Equal(t, 1, done.Number)
	again, err := v.verify(ask, client.Key("one"))
	require.NoError(t, err)
	done.Replayed = true
	require.Equal(t, done, again, "the first answer once more, with the same salts")
	use, err := get[app.Item[exchange.Use]](v.scene, v.officer.Client, "/v1/uses/"+done.ID)
	require.NoError(t, err)
	require.Equal(t, root, use.Item.Root)
	for document, root := range map[*commitment.Document]string{&done.Claims: use.Item.Claims, &done.Answer: use.Item.Delivery} {
		got, err := document.Root()
		require.NoError(t, err)
		require.Equal(t, root, got)
	}

	// The subject sees the same and leaves nothing.
	height := v.Ledger.Height()
	own := func(q app.Question) app.VerifiedMine {
		answer, err := do[app.VerifiedMine](v.scene, v.citizen.Client, http.MethodPost, "/v1/subjects/me/verifications", app.VerifyMine{Question: q})
		require.NoError(t, err)
		return answer
	}
	mine := own(ask.Question)
	require.Equal(t, exchange.Proven, mine.Finding)
	require.Equal(t, done.Verdicts, mine.Verdicts)
	forged := ask
	forged.Presented = slices.Clone(ask.Presented)
	forged.Presented[0].Value = number(v.premises.Area + 100)
	mine = own(forged.Question)
	require.Equal(t, []string{exchange.Mismatched, "unknown mismatched", "unknown mismatched", "unknown mismatched"}, append([]string{mine.Finding}, said(mine.Verdicts)...))
	require.Equal(t, height, v.Ledger.Height())

	lied, err := v.verify(forged)
	require.NoError(t, err)
	require.Equal(t, exchange.Mismatched, lied.Status)
	require.Equal(t, []string{"unknown mismatched", "unknown mismatched", "unknown mismatched"}, said(lied.Verdicts))
	require.Empty(t, lied.Answer.Fields)
	require.Equal(t, 2, lied.Number, "asked is asked")
}

func TestACommitmentThatIsSupersededOrWithdrawnProvesNothing(t *testing.T) {
	t.Parallel()
	v := newVerifying(t)
	root, held := v.commit("")
	ask := show(v.ask, held)
	_, renewed := v.commit(root)
	own := func(q app.Question) string {
		answer, err := do[app.VerifiedMine](v.scene, v.citizen.Client, http.MethodPost, "/v1/subjects/me/verifications", app.VerifyMine{Question: q})
		require.NoError(t, err)
		return answer.Finding + ": " + said(answer.Verdicts)[0]
	}
	require.Equal(t, "superseded: unknown superseded", own(ask.Question))
	require.Equal(t, "proven: yes", own(show(v.ask, renewed).Question))
	v.refused("commitment.conflict", func() error {
		_, err := do[app.Committed](v.scene, v.as("planning", "officer.housing"), http.MethodPost, "/v1/commitments", app.CommitRecord{
			Dataset: premisesDataset, Subject: v.citizen.Me.Pseudonym, Selector: text("premises_number", v.premises.Number)})
		return err
	})
	_, err := do[app.Receipt](v.scene, v.as("planning", "officer.housing"), http.MethodPut, "/v1/commitments/planning.housing/premises/"+v.citizen.Me.Pseudonym+"/withdrawal", app.WithdrawCommitment{Reason: "error"})
	require.NoError(t, err)
	require.Equal(t, "withdrawn: unknown withdrawn", own(show(v.ask, renewed).Question))
	done, err := v.verify(show(v.ask, renewed))
	require.NoError(t, err)
	require.Equal(t, []string{"unknown withdrawn", "unknown withdrawn", "unknown withdrawn"}, said(done.Verdicts))
	other := v.person("citizen2")
	v.refused("commitment.missing", func() error {
		_, err := get[any](v.scene, other.Client, "/v1/subjects/me/records/planning.housing/premises")
		return err
	})
	answer, err := do[app.VerifiedMine](v.scene, other.Client, http.MethodPost, "/v1/subjects/me/verifications", app.VerifyMine{Question: ask.Question})
	require.NoError(t, err)
	require.Equal(t, exchange.Absent, answer.Finding, "what somebody else shows is nothing of theirs")
	v.refused("access.other_agency", func() error {
		_, err := do[app.Committed](v.scene, v.as("services", "officer.police"), http.MethodPost, "/v1/commitments", app.CommitRecord{
			Dataset: premisesDataset, Subject: v.citizen.Me.Pseudonym, Selector: text("premises_number", v.premises.Number)})
		return err
	})
}

// Many at once: each with its own number, verdicts and refusal, and the same again once an answer was lost.
func TestManyVerifications(t *testing.T) {
	t.Parallel()
	v := newVerifying(t)
	_, held := v.commit("")
	ask := show(v.ask, held)
	bad, foreign, outside := ask, ask, ask
	bad.Consent = ""
	foreign.Case = strings.Repeat("0", 26)
	outside.Claims = []claim.Claim{{Field: "owner_name", Is: claim.Equals, Value: json.RawMessage(`"x"`)}}
	outside = show(outside, held)
	request := app.VerifyMany{Items: []app.Verification{ask, bad, foreign, outside, ask}}
	send := func() (app.VerifiedMany, error) {
		return do[app.VerifiedMany](v.scene, v.officer.Client, http.MethodPost, "/v1/verification-batches", request, client.Key("many"))
	}
	var losing atomic.Bool
	losing.Store(true)
	v.Gateways["market"].Ledger.Before = func(function string) error {
		if function == exchange.UseVerify && losing.Load() {
			return apptest.ErrLost
		}
		return nil
	}
	_, err := send()
	require.True(t, errors.As(err, new(*client.Pending)), "%v", err)
	losing.Store(false)
	got, err := send()
	require.NoError(t, err)
	var words []string
	for _, item := range got.Items {
		if item.Problem != nil {
			words = append(words, item.Problem.Reason)
		} else {
			words = append(words, item.Verified.Status)
		}
	}
	require.Equal(t, []string{"proven", "exchange.consent_required", "case.missing", "exchange.field_not_granted", "proven"}, words)
	require.ElementsMatch(t, []int{1, 2}, []int{got.Items[0].Verified.Number, got.Items[4].Verified.Number})
	require.Equal(t, "case", got.Items[2].Problem.Field)
	again, err := send()
	require.NoError(t, err)
	require.Equal(t, got.Items[0].Verified.Number, again.Items[0].Verified.Number)
	log, err := myUses(v.scene, "")
	require.NoError(t, err)
	require.Equal(t, 2, log.Log.Count)
	require.Contains(t, log.Items[0].Words.Zh, "按市规划和住房委员会的链上承诺")
	require.Contains(t, log.Items[0].Words.En, "It was as committed to.")
}

func TestVerificationsThatAreRefused(t *testing.T) {
	t.Parallel()
	v := newVerifying(t)
	_, held := v.commit("")
	shown := show(v.ask, held)
	for name, c := range map[string]struct {
		reason, field string
		change        func(*app.Verification)
	}{
		"nothing to find it by": {"request.invalid", "selector", func(a *app.Verification) { a.Selector = nil }},
		"both":                  {"request.invalid", "selector", func(a *app.Verification) { a.Question = shown.Question }},
		"a search":              {"request.invalid", "claims[3].is", func(a *app.Verification) { a.Claims = append(slices.Clone(a.Claims), a.Claims[0]) }},
		"no field of it":        {"request.invalid", "claims[0].field", func(a *app.Verification) { a.Claims = []claim.Claim{{Field: "height", Is: "equals", Value: number(1)}} }},
		"a field not granted": {"exchange.field_not_granted", "request.fields", func(a *app.Verification) {
			a.Claims = []claim.Claim{{Field: "mortgaged", Is: "equals", Value: json.RawMessage(`true`)}}
		}},
		"no such dataset":      {"dataset.missing", "dataset", func(a *app.Verification) { a.Dataset = "planning.housing/debts" }},
		"no consent":           {"exchange.consent_required", "request.consent", func(a *app.Verification) { a.Consent = "" }},
		"no legal basis":       {"request.invalid", "legal_basis", func(a *app.Verification) { a.LegalBasis = "" }},
		"a field is not shown": {"request.invalid", "presented", func(a *app.Verification) { *a = shown; a.Presented = shown.Presented[:1] }},
		"a field too many": {"request.invalid", "presented", func(a *app.Verification) {
			*a = shown
			a.Presented = append(slices.Clone(shown.Presented), held.Fields[0])
		}},
		"a field shown twice": {"request.invalid", "presented", func(a *app.Verification) {
			*a = shown
			a.Presented = append(slices.Clone(shown.Presented), shown.Presented[0])
		}},
		"a salt that is none": {"request.invalid", "presented[0].salt", func(a *app.Verification) {
			*a = shown
			a.Presented = slices.Clone(shown.Presented)
			a.Presented[0].Salt = strings.Repeat("!", 22)
		}},
		"a path that is none": {"request.invalid", "presented[0].path[0]", func(a *app.Verification) {
			*a = shown
			a.Presented = slices.Clone(shown.Presented)
			a.Presented[0].Path = []string{"x"}
		}},
		"a grant that fetches": {"exchange.mode_not_granted", "request.claims", func(a *app.Verification) { a.Grant = v.fetching() }},
	} {
		t.Run(name, func(t *testing.T) {
			ask := v.ask
			c.change(&ask)
			problem := v.refused(c.reason, func() error { _, err := v.verify(ask); return err })
			require.Equal(t, c.field, problem.Field)
		})
	}
	v.refused("exchange.mode_not_granted", func() error {
		_, err := do[any](v.scene, v.officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: v.ask.Case, Dataset: premisesDataset, Fields: []string{"address"},
			Purpose: story.Service, LegalBasis: "art. 16", Consent: v.ask.Consent, Selector: v.ask.Selector, Grant: v.verifying()})
		return err
	})
}

// fetching and verifying are the two grants there are.
func (v *verifying) fetching() string  { return v.grant(false) }
func (v *verifying) verifying() string { return v.grant(true) }

func (v *verifying) grant(verify bool) string {
	grants, err := get[app.Page[exchange.Grant]](v.scene, v.as("market", "admin.regulation"), "/v1/grants")
	require.NoError(v.t, err)
	at := slices.IndexFunc(grants.Items, func(g exchange.Grant) bool {
		return g.Dataset == premisesDataset && g.Terms.Allow(exchange.ModeVerify) == verify
	})
	return grants.Items[at].ID
}

// A consumer's gateway that lies to the provider's gets nothing: claims it has not committed to, or about fields the use does
// not name.
func TestAProviderJudgesOnlyWhatWasCommittedTo(t *testing.T) {
	t.Parallel()
	v := newVerifying(t)
	housing, err := get[app.Page[exchange.Agency]](v.scene, v.as("services", ""), "/v1/agencies")
	require.NoError(t, err)
	at := slices.IndexFunc(housing.Items, func(a exchange.Agency) bool { return a.ID == "planning.housing" })
	commit := func(claims ...claim.Claim) (commitment.Document, string) {
		values, err := claim.Values(claims)
		require.NoError(t, err)
		plain := map[string]any{}
		for name, value := range values {
			plain[name] = value
		}
		d, err := commitment.New(plain)
		require.NoError(t, err)
		root, err := d.Root()
		require.NoError(t, err)
		return d, root
	}
	area := claim.Claim{Field: "floor_area_m2", Is: claim.AtLeast, Value: number(1)}
	owner := claim.Claim{Field: "owner_name", Is: claim.Equals, Value: json.RawMessage(`"x"`)}
	one, oneRoot := commit(area)
	_, otherRoot := commit(area)
	outside, outsideRoot := commit(owner)
	for i, c := range []struct {
		name, root, reason string
		document           any
	}{
		{"other claims", otherRoot, "use.claims_mismatch", one},
		{"no claims", oneRoot, "use.claims_mismatch", "x"},
		{"a field the use does not name", outsideRoot, "request.invalid", outside},
		{"as committed to", oneRoot, "", one},
	} {
		t.Run(c.name, func(t *testing.T) {
			selector, err := commitment.New(map[string]any{"premises_number": v.premises.Number, "claims.document": c.document})
			require.NoError(t, err)
			root, err := selector.Root()
			require.NoError(t, err)
			receipt, err := v.Ledger.As("market.regulation", access.Agency).Submit(exchange.UseRequest, fmt.Sprintf("lie-%d", i), exchange.RequestUse{
				Subject: v.citizen.Me.Pseudonym, Dataset: premisesDataset, Fields: []string{"floor_area_m2"}, Purpose: story.Service, LegalBasis: "art. 16",
				Case: v.ask.Case, Grant: v.verifying(), Consent: v.consent(), Selector: root, Claims: c.root,
			})
			require.NoError(t, err)
			sealed, err := seal.Document(selector, "planning.housing", housing.Items[at].ExchangeKey)
			require.NoError(t, err)
			envelope, err := do[seal.Envelope](v.scene, v.as("planning", ""), http.MethodPost, "/v1/uses/"+receipt.ID+"/delivery", app.Delivery{Selector: &sealed})
			require.Equal(t, c.reason, client.Reason(err))
			if c.reason == "" {
				answer, err := seal.Open(envelope, v.Gateways["market"].App.Keys["market.regulation"])
				require.NoError(t, err)
				verdicts, err := claim.FromDocument[claim.Verdict](answer)
				require.NoError(t, err)
				require.Equal(t, []string{"yes"}, said(verdicts))
			}
		})
	}
}

// consent is a new one of the citizen's, for the case.
func (v *verifying) consent() string {
	now := v.Ledger.Now().UTC().Truncate(time.Second)
	terms := exchange.ConsentTerms{
		Channel: v.citizen.Me.Channel, Subject: v.citizen.Me.Pseudonym, Dataset: premisesDataset, Fields: []string{"floor_area_m2"}, Consumer: "market.regulation",
		Purpose: story.Service, Case: v.ask.Case, MaxUses: 1, From: now.Add(-time.Hour), Until: now.AddDate(0, 1, 0), Nonce: rand.Text(),
	}
	jws, err := v.citizen.Sign(exchange.ConsentKind, terms)
	require.NoError(v.t, err)
	done, err := do[app.Receipt](v.scene, v.citizen.Client, http.MethodPost, "/v1/consents", app.GiveConsent{Consent: jws})
	require.NoError(v.t, err)
	return done.ID
}
