package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/test/story"
)

func TestADraftWritesNothingAndSaysEverything(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	height := s.Ledger.Height()
	key := client.Key("my-own-key")
	d, err := do[api.Drafted](s, s.citizen.Client, http.MethodPost, "/v1/drafts", app.Draft{Service: story.Service}, key)
	require.NoError(t, err)
	require.Equal(t, height, s.Ledger.Height())
	require.Equal(t, 8, d.Required)
	require.Equal(t, 3, d.Asked)
	require.Equal(t, 5, d.Saved)
	require.Len(t, d.Consents, 3)
	for _, c := range d.Consents {
		require.NoError(t, c.Validate())
		require.Equal(t, d.Case, c.Case)
		require.Equal(t, s.citizen.Me.Pseudonym, c.Subject)
	}
	again, err := do[api.Drafted](s, s.citizen.Client, http.MethodPost, "/v1/drafts", app.Draft{Service: story.Service}, key)
	require.NoError(t, err)
	require.Equal(t, d.Case, again.Case, "the case follows from the key")
	require.NotEqual(t, d.Consents[0].Nonce, again.Consents[0].Nonce)
	// Another citizen's key of the same name is another key.
	other, err := do[api.Drafted](s, s.person("citizen2").Client, http.MethodPost, "/v1/drafts", app.Draft{Service: story.Service}, key)
	require.NoError(t, err)
	require.NotEqual(t, d.Case, other.Case)

	s.refused("service.missing", func() error {
		_, err := do[any](s, s.citizen.Client, http.MethodPost, "/v1/drafts", app.Draft{Service: "no.such"})
		return err
	})
}

func TestAnApplicationIsJudgedWholeBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.draft(s.citizen)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	forger := s.citizen
	forger.Key = stranger
	answer := func(name string, value any) map[string]any {
		a := s.answers(s.citizen)
		if a[name] = value; value == nil {
			delete(a, name)
		}
		return a
	}
	made := func(p story.Person, d api.Drafted, answers map[string]any) api.Apply {
		r, err := p.Application(d, answers)
		require.NoError(t, err)
		return r
	}
	good := func() api.Apply { return made(s.citizen, d, s.answers(s.citizen)) }
	consent := func(change func(*exchange.ConsentTerms)) func() api.Apply {
		return func() api.Apply {
			r, terms := good(), d.Consents[1]
			change(&terms)
			r.Consents[1], err = s.citizen.Sign(exchange.ConsentKind, terms)
			require.NoError(t, err)
			return r
		}
	}
	for name, c := range map[string]struct {
		reason, field string
		request       func() api.Apply
	}{
		"signed by another key":    {"signature.forged", "application", func() api.Apply { return made(forger, d, s.answers(s.citizen)) }},
		"a consent as application": {"signature.kind", "application.typ", func() api.Apply { r := good(); r.Application = r.Consents[0]; return r }},
		"no signature at all":      {"signature.malformed", "application", func() api.Apply { r := good(); r.Application = "a.b.c"; return r }},
		"answers changed after signing": {"form.commitment_mismatch", "application.form", func() api.Apply {
			r := good()
			r.Form, err = commitment.New(s.answers(s.citizen))
			require.NoError(t, err)
			return r
		}},
		"no answers":                {"request.invalid", "form.fields", func() api.Apply { r := good(); r.Form.Fields = []commitment.Field{}; return r }},
		"a question not answered":   {"request.invalid", "form.id_number", func() api.Apply { return made(s.citizen, d, answer("id_number", nil)) }},
		"an empty answer":           {"request.invalid", "form.id_number", func() api.Apply { return made(s.citizen, d, answer("id_number", "")) }},
		"an answer of another type": {"request.invalid", "form.registered_capital_yuan", func() api.Apply { return made(s.citizen, d, answer("registered_capital_yuan", "much")) }},
		"a day that is none":        {"request.invalid", "form.appointed_on", func() api.Apply { return made(s.citizen, d, answer("appointed_on", "2026-02-30")) }},
		"a word for a boolean":      {"request.invalid", "form.general_taxpayer", func() api.Apply { return made(s.citizen, d, answer("general_taxpayer", "no")) }},
		"an answer too long": {"request.invalid", "form.articles", func() api.Apply {
			return made(s.citizen, d, answer("articles", strings.Repeat("文", app.MaxAnswerLength+1)))
		}},
		"an answer to no question": {"request.invalid", "form.fields[6].name", func() api.Apply { return made(s.citizen, d, answer("mother_of_110199198804170025", "x")) }},
		"a consent by another key": {"signature.forged", "consents[0]", func() api.Apply {
			r := good()
			r.Consents[0], err = forger.Sign(exchange.ConsentKind, d.Consents[0])
			require.NoError(t, err)
			return r
		}},
		"a consent for another case":    {"exchange.consent_mismatch", "consents[1].case", consent(func(c *exchange.ConsentTerms) { c.Case = "00000000000000000000000000" })},
		"a consent for another purpose": {"exchange.consent_mismatch", "consents[1].purpose", consent(func(c *exchange.ConsentTerms) { c.Purpose = "other" })},
		"a consent of another subject":  {"exchange.subject_mismatch", "consents[1].subject", consent(func(c *exchange.ConsentTerms) { c.Subject = strings.Repeat("a", 26) })},
		"a consent for another channel": {"exchange.channel_mismatch", "consents[1].channel", consent(func(c *exchange.ConsentTerms) { c.Channel = "other" })},
		"a consent without end":         {"request.invalid", "consents[1].valid_until", consent(func(c *exchange.ConsentTerms) { c.Until = c.From.AddDate(10, 0, 0) })},
		"a definition that changed": {"collaboration.definition_changed", "application.hash", func() api.Apply {
			changed := d
			changed.Application.Hash = strings.Repeat("0", 64)
			return made(s.citizen, changed, s.answers(s.citizen))
		}},
		"a definition that is not": {"definition.missing", "application.definition", func() api.Apply {
			changed := d
			changed.Application.Definition = "no.such/1"
			return made(s.citizen, changed, s.answers(s.citizen))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			request := c.request()
			problem := s.refused(c.reason, func() error { _, err := s.citizen.Apply(s.ctx, d, request); return err })
			require.Equal(t, c.field, problem.Field)
			require.NotContains(t, problem.Error(), "110199", "no value, and no name that may be one")
		})
	}
	s.refused("collaboration.case_mismatch", func() error { // with the key of another draft
		_, err := do[any](s, s.citizen.Client, http.MethodPost, "/v1/cases", good(), client.Key("another"))
		return err
	})
	other := s.person("citizen2").Client
	s.refused("access.other_subject", func() error { // another citizen sends it
		_, err := other.Raw(s.ctx, http.MethodPost, "/v1/cases", encoded(t, good()), client.Key(d.Key))
		return err
	})
	s.apply(s.citizen)
	s.refused("collaboration.duplicate_application", func() error { _, err := s.citizen.Apply(s.ctx, d, good()); return err })
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return raw
}

func TestACitizenWithoutAKeyIsToldToRegisterOne(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.draft(s.citizen)
	request, err := s.citizen.Application(d, s.answers(s.citizen))
	require.NoError(t, err)
	// citizen3 has never registered a key, and signs with some key.
	other := s.citizen
	other.Client = s.as("services", "citizen3")
	var application collaboration.Application = d.Application
	application.Subject, application.Form = s.Pseudonym("citizen3"), mustRoot(t, request.Form)
	request.Application, err = other.Sign(collaboration.ApplicationKind, application)
	require.NoError(t, err)
	s.refused("subject.unregistered", func() error { _, err := other.Apply(s.ctx, d, request); return err })
}

func mustRoot(t *testing.T, d commitment.Document) string {
	t.Helper()
	root, err := d.Root()
	require.NoError(t, err)
	return root
}

// TestAnApplicationGoesOnWhereItStopped loses the answer of each write in turn; the citizen sends the same again.
func TestAnApplicationGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{collaboration.CaseApply, "batch:Submit"} {
		t.Run(lost, func(t *testing.T) {
			s := newScene(t)
			d := s.draft(s.citizen)
			request, err := s.citizen.Application(d, s.answers(s.citizen))
			require.NoError(t, err)
			ledger := s.Gateways["services"].Ledger
			ledger.Before = loseOnce(lost)
			_, err = s.citizen.Apply(s.ctx, d, request)
			var pending *client.Pending
			require.True(t, errors.As(err, &pending), "an outcome that is not known is no failure: %v", err)
			require.NotEmpty(t, pending.Location)

			applied, err := s.citizen.Apply(s.ctx, d, request)
			require.NoError(t, err)
			require.True(t, applied.Replayed)
			require.Equal(t, d.Case, applied.ID)
			require.Len(t, applied.Consents, 3)
			again, err := s.citizen.Apply(s.ctx, d, request)
			require.NoError(t, err)
			require.Equal(t, applied.Tx, again.Tx)
			for _, c := range again.Consents {
				require.True(t, c.Replayed)
			}
			page, err := get[app.Page[exchange.Consent]](s, s.citizen.Client, "/v1/consents?case="+d.Case)
			require.NoError(t, err)
			require.Len(t, page.Items, 3)
		})
	}
}

// loseOnce loses the answer of the first write of a function.
func loseOnce(function string) func(string) error {
	done := false
	return func(f string) error {
		if f != function || done {
			return nil
		}
		done = true
		return apptest.ErrLost
	}
}

func TestReturnAndResubmission(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	tax := s.officer("market.tax")
	task, err := tax.Task(s.ctx, caseID, 0)
	require.NoError(t, err)
	_, err = tax.Act(s.ctx, task, "claim", nil)
	require.NoError(t, err)
	_, err = tax.Act(s.ctx, task, "return", app.ReasonedStep{Reason: "taxpayer_status_unclear"})
	require.NoError(t, err)

	view, err := get[app.CaseView](s, s.citizen.Client, "/v1/cases/"+caseID)
	require.NoError(t, err)
	require.Equal(t, []string{collaboration.Pending, collaboration.Returned}, []string{view.Tasks[0].Status, view.Tasks[1].Status})
	answers := s.answers(s.citizen)
	answers["general_taxpayer"] = true
	form, err := commitment.New(answers)
	require.NoError(t, err)
	sign := func(correction int) app.Resubmit {
		jws, err := s.citizen.Sign(collaboration.ApplicationKind, collaboration.Application{
			Channel: s.citizen.Me.Channel, Subject: s.citizen.Me.Pseudonym, Case: caseID, Definition: view.Case.Definition,
			Hash: view.Case.DefinitionHash, Form: mustRoot(t, form), Correction: correction,
		})
		require.NoError(t, err)
		return app.Resubmit{Application: jws, Form: form}
	}
	path := "/v1/cases/" + caseID + "/resubmission"
	s.refused("collaboration.correction_number", func() error {
		_, err := do[any](s, s.citizen.Client, http.MethodPut, path, sign(2))
		return err
	})
	_, err = do[app.Receipt](s, s.citizen.Client, http.MethodPut, path, sign(1))
	require.NoError(t, err)
	corrected, err := tax.Form(s.ctx, caseID)
	require.NoError(t, err)
	require.JSONEq(t, "true", string(corrected["general_taxpayer"]))
	s.refused("collaboration.nothing_returned", func() error {
		_, err := do[any](s, s.citizen.Client, http.MethodPut, path, sign(2))
		return err
	})
}

func TestWithdrawalFreesTheWayForAnother(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.apply(s.citizen)
	require.Equal(t, first, s.draft(s.citizen).Open)
	_, err := s.citizen.Withdraw(s.ctx, first)
	require.NoError(t, err)
	require.Empty(t, s.draft(s.citizen).Open)
	s.refused("collaboration.case_closed", func() error { _, err := s.citizen.Withdraw(s.ctx, first); return err })
	require.NotEqual(t, first, s.apply(s.citizen))
}

func TestKeysAreRegisteredOnceForGood(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	elsewhere := *s
	elsewhere.keys = t.TempDir()
	_, _, err := story.SignIn(s.ctx, s, "citizen1", elsewhere.keys)
	require.ErrorIs(t, err, story.ErrOtherKey)
	me, err := get[api.Subject](s, s.as("services", "citizen2"), "/v1/subjects/me")
	require.NoError(t, err)
	require.False(t, me.Registered)
	require.Equal(t, s.Pseudonym("citizen2"), me.Pseudonym)
	proof, err := s.citizen.Sign(exchange.RegistrationKind, exchange.Registration{Channel: me.Channel, Subject: me.Pseudonym, Thumbprint: "another"})
	require.NoError(t, err)
	s.refused("exchange.key_mismatch", func() error {
		_, err := do[any](s, s.as("services", "citizen2"), http.MethodPut, "/v1/subjects/me", app.RegisterKey{SigningKey: *s.citizen.Me.SigningKey, Proof: proof})
		return err
	})
}
