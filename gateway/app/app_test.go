package app_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/story"
)

// scene is a city with the catalogue loaded and a citizen signed in, at the gateways' HTTP doors.
type scene struct {
	*apptest.City
	t       *testing.T
	ctx     context.Context
	citizen story.Person
	keys    string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{City: apptest.New(t), t: t, ctx: context.Background(), keys: t.TempDir()}
	c, err := catalogue.Default()
	require.NoError(t, err)
	_, err = c.Active().Load(s.ctx, s.Admin, catalogue.Options{})
	require.NoError(t, err)
	s.citizen = s.person("citizen1")
	return s
}

func (s *scene) person(user string) story.Person {
	p, _, err := story.SignIn(s.ctx, s, user, s.keys)
	require.NoError(s.t, err)
	return p
}

func (s *scene) as(organisation, user string) *client.Client {
	c, err := s.SignIn(s.ctx, organisation, user)
	require.NoError(s.t, err)
	return c
}

func (s *scene) officer(agency string) story.Officer {
	o, err := story.NewOfficer(s.ctx, s, agency)
	require.NoError(s.t, err)
	return o
}

func (s *scene) draft(p story.Person) api.Drafted {
	d, err := p.Draft(s.ctx, story.Service)
	require.NoError(s.t, err)
	return d
}

// answers are a citizen's to the form.
func (s *scene) answers(p story.Person) map[string]any {
	a, err := story.Options{World: s.World}.Answers(p.User)
	require.NoError(s.t, err)
	return a
}

// apply lets a citizen apply.
func (s *scene) apply(p story.Person) string {
	d := s.draft(p)
	request, err := p.Application(d, s.answers(p))
	require.NoError(s.t, err)
	applied, err := p.Apply(s.ctx, d, request)
	require.NoError(s.t, err)
	return applied.ID
}

// approved brings a case as far as all its steps approved.
func (s *scene) approved(caseID string) {
	for _, agency := range []string{"market.regulation", "market.tax"} {
		o := s.officer(agency)
		task, err := o.Task(s.ctx, caseID, 0)
		require.NoError(s.t, err)
		_, err = o.Act(s.ctx, task, "claim", nil)
		require.NoError(s.t, err)
		_, err = o.Act(s.ctx, task, "approval", app.ApproveStep{})
		require.NoError(s.t, err)
	}
}

// refused wants a problem with a reason, and nothing new on the ledger.
func (s *scene) refused(reason string, act func() error) *client.Problem {
	s.t.Helper()
	height := s.Ledger.Height()
	err := act()
	var problem *client.Problem
	require.True(s.t, errors.As(err, &problem), "want %s, got %v", reason, err)
	require.Equal(s.t, reason, problem.Reason, problem.Error())
	require.NotEmpty(s.t, problem.Rule, problem.Error())
	require.Equal(s.t, height, s.Ledger.Height(), "something was written")
	return problem
}

func do[Res any](s *scene, c *client.Client, method, path string, body any, options ...client.Option) (Res, error) {
	return client.Do[Res](s.ctx, c, method, path, body, options...)
}

func get[Res any](s *scene, c *client.Client, path string) (Res, error) {
	return do[Res](s, c, http.MethodGet, path, nil)
}

func TestADependencyThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	_, err := app.New(app.Dependencies{})
	require.ErrorContains(t, err, "msp")
	_, err = app.New(app.Dependencies{MSP: "M", Channel: "c"})
	require.ErrorContains(t, err, "ledger")
}

func TestACitizenReachesOnlyWhatIsTheirs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	other := s.person("citizen2").Client
	officer := s.officer("market.tax")
	used, _, err := officer.Fetch(s.ctx, caseID, "tax-identity")
	require.NoError(t, err)
	consents, err := get[app.Page[exchange.Consent]](s, s.citizen.Client, "/v1/consents")
	require.NoError(t, err)
	require.Len(t, consents.Items, 3)

	for path, reason := range map[string]string{
		"/v1/cases/" + caseID: "case.missing",
		"/v1/uses/" + used.ID: "use.missing",
	} {
		s.refused(reason, func() error { _, err := get[any](s, other, path); return err })
	}
	s.refused("consent.missing", func() error {
		_, err := do[any](s, other, http.MethodPut, "/v1/consents/"+consents.Items[0].ID+"/revocation", app.RevokeConsent{Revocation: "x"})
		return err
	})
	s.refused("case.missing", func() error {
		_, err := do[any](s, other, http.MethodPut, "/v1/cases/"+caseID+"/withdrawal", app.Withdraw{Withdrawal: "x"})
		return err
	})
	for _, path := range []string{"/v1/cases", "/v1/consents", "/v1/certificates", "/v1/subjects/me/uses"} {
		page, err := get[app.Page[any]](s, other, path)
		require.NoError(t, err)
		require.Empty(t, page.Items, path)
		mine, err := get[app.Page[any]](s, s.citizen.Client, path)
		require.NoError(t, err)
		require.Equal(t, path != "/v1/certificates", len(mine.Items) > 0, path)
	}
	// Of what is theirs, a citizen sees the use, but not what an agency was delivered.
	_, err = get[app.Item[exchange.Use]](s, s.citizen.Client, "/v1/uses/"+used.ID)
	require.NoError(t, err)
	s.refused("access.role", func() error {
		_, err := get[any](s, s.citizen.Client, "/v1/uses/"+used.ID+"/payload")
		return err
	})
}

func TestAnOfficerReachesOnlyWhatIsTheAgencys(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	tax, housing := s.officer("market.tax"), s.officer("planning.housing")
	used, _, err := tax.Fetch(s.ctx, caseID, "tax-identity")
	require.NoError(t, err)

	for _, path := range []string{"/v1/cases/" + caseID, "/v1/cases/" + caseID + "/form", "/v1/uses/" + used.ID, "/v1/uses/" + used.ID + "/payload"} {
		s.refused("access.other_agency", func() error { _, err := get[any](s, housing.Client, path); return err })
	}
	police := s.officer("services.police").Client // the provider sees the use, not the payload it delivered
	_, err = get[app.Item[exchange.Use]](s, police, "/v1/uses/"+used.ID)
	require.NoError(t, err)
	s.refused("access.other_agency", func() error { _, err := get[any](s, police, "/v1/uses/"+used.ID+"/payload"); return err })
	regulation := s.officer("market.regulation")
	s.refused("access.other_agency", func() error {
		_, _, err := regulation.Fetch(s.ctx, caseID, "tax-identity") // a material for another agency
		return err
	})
	for _, what := range []string{"claim", "release", "approval"} {
		s.refused("access.other_agency", func() error {
			_, err := tax.Act(s.ctx, collaboration.Task{Case: caseID, Step: "registration"}, what, nil)
			return err
		})
	}
	for _, what := range []string{"return", "rejection"} {
		s.refused("access.other_agency", func() error {
			_, err := tax.Act(s.ctx, collaboration.Task{Case: caseID, Step: "registration"}, what, app.ReasonedStep{Reason: "incomplete"})
			return err
		})
	}
	s.refused("access.other_agency", func() error {
		_, err := do[any](s, tax.Client, http.MethodPut, "/v1/cases/"+caseID+"/conclusion", app.Conclude{})
		return err
	})

	mine, err := get[app.Page[collaboration.Task]](s, tax.Client, "/v1/tasks")
	require.NoError(t, err)
	require.Len(t, mine.Items, 1)
	require.Equal(t, "market.tax", mine.Items[0].Agency)
	for path, want := range map[string]int{"/v1/uses": 1, "/v1/uses?as=provider": 0, "/v1/consents": 1, "/v1/cases": 0} {
		page, err := get[app.Page[any]](s, tax.Client, path)
		require.NoError(t, err)
		require.Len(t, page.Items, want, path)
	}
	page, err := get[app.Page[any]](s, police, "/v1/uses?as=provider")
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
}

func TestAGatewayActsOnlyForItsOwnOrganisation(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	for name, act := range map[string]func() error{
		"a citizen elsewhere": func() error {
			_, err := do[any](s, s.as("market", "citizen1"), http.MethodPost, "/v1/drafts", app.Draft{Service: story.Service})
			return err
		},
		"a key elsewhere": func() error {
			_, err := do[any](s, s.as("planning", "citizen1"), http.MethodPut, "/v1/subjects/me", app.RegisterKey{SigningKey: *s.citizen.Me.SigningKey, Proof: "x"})
			return err
		},
		"an officer elsewhere": func() error {
			_, err := do[any](s, s.as("services", "officer.tax"), http.MethodPut, "/v1/cases/"+caseID+"/steps/tax-registration/claim", nil)
			return err
		},
		"an administrator elsewhere": func() error {
			_, err := do[any](s, s.as("services", "admin.tax"), http.MethodPut, "/v1/agencies/me", app.RegisterAgency{Name: exchange.Text{Zh: "税", En: "Tax"}})
			return err
		},
		"a form elsewhere": func() error {
			_, err := get[any](s, s.as("planning", "officer.tax"), "/v1/cases/"+caseID+"/form")
			return err
		},
		"an auditor elsewhere": func() error {
			_, err := get[any](s, s.as("services", "auditor"), "/v1/audit/channel")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { s.refused("gateway.not_served", act) })
	}
}

func TestActorsWithoutWhomTheyAreForReachNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.Gateways["services"].App
	for _, who := range []app.Actor{{}, {Role: app.Public}, {Role: app.Citizen}, {Role: app.Officer}, {Role: app.AgencyAdmin}, {Role: app.Auditor}, {Role: app.Portal}, {Role: "root", Agency: "x.y", Subject: "z"}} {
		_, err := a.Cases(s.ctx, who, app.Cases{})
		require.Error(t, err, who.Role)
		_, err = a.Consents(s.ctx, who, app.Consents{})
		require.Error(t, err, who.Role)
		_, err = a.Uses(s.ctx, who, app.Uses{})
		require.Error(t, err, who.Role)
		_, err = a.Certificates(s.ctx, who, app.Certificates{})
		require.Error(t, err, who.Role)
		_, err = a.Grants(s.ctx, who, app.Grants{})
		require.Error(t, err, who.Role)
		_, err = a.Tasks(s.ctx, who, app.Tasks{})
		require.Error(t, err, who.Role)
		_, err = a.Me(s.ctx, who, app.Me{})
		require.Error(t, err, who.Role)
		_, err = a.MyUses(s.ctx, who, app.MyUses{})
		require.Error(t, err, who.Role)
		_, err = a.Head(s.ctx, who, app.ChannelInfo{})
		require.Error(t, err, who.Role)
		_, err = a.Transaction(s.ctx, who, app.TransactionByID{})
		require.Error(t, err, who.Role)
	}
}
