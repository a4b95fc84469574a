package story

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/gateway/client/api"
)

// chosen is the citizen the story is about, kept between chapters.
type chosen struct {
	Person
	draft   api.Drafted
	answers map[string]any
}

func (t *teller) signIn(ctx context.Context) error {
	t.began = time.Now()
	for _, user := range t.options.Citizens {
		p, block, err := SignIn(ctx, t.city, user, t.options.Keys)
		if errors.Is(err, ErrOtherKey) {
			t.say("%s has registered another key than the one kept here; somebody else tells the story", user)
			continue
		}
		if err != nil {
			return err
		}
		t.citizen.Person = p
		t.report.Citizen, t.report.Subject = user, p.Me.Pseudonym
		t.say("%s signs in; to everybody but the identity provider this is subject %s", user, p.Me.Pseudonym)
		if block > 0 {
			t.saw(block)
			t.say("makes a P-256 key, proves to hold it, and has it registered (block %d)", block)
		} else {
			t.say("the key registered before is on this device: %s", p.Me.SigningKey.Thumbprint())
		}
		return nil
	}
	return errors.New("no citizen is left whose key is at hand; `make purge` starts a new city")
}

func (t *teller) apply(ctx context.Context) error {
	p := t.citizen.Person
	d, err := t.draft(ctx)
	if err != nil {
		return err
	}
	t.report.Case, t.report.Required, t.report.Asked, t.report.Saved = d.Case, d.Required, d.Asked, d.Saved
	t.report.Visits, t.report.Steps = d.Service.Visits, len(d.Service.Steps)
	t.say("%s · %s needs %d materials:", d.Service.Name.Zh, d.Service.Name.En, d.Required)
	for _, m := range d.Materials {
		t.say("  %s %s · %s%s", mark(m.Asked), m.Name.Zh, m.Name.En, origin(m))
	}
	t.say("□ asked of the applicant: %d   ■ not asked any more: %d", d.Asked, d.Saved)
	for _, c := range d.Consents {
		t.say("consents to %s reading %s of %s", c.Consumer, strings.Join(c.Fields, ", "), c.Dataset)
	}
	answers, err := t.options.Answers(p.User)
	if err != nil {
		return err
	}
	request, err := p.Application(d, answers)
	if err != nil {
		return err
	}
	applied, err := p.Apply(ctx, d, request)
	if err != nil {
		return err
	}
	t.citizen.draft, t.citizen.answers = d, answers
	t.report.FirstBlock = applied.Block
	t.saw(applied.Block)
	for _, c := range applied.Consents {
		t.saw(c.Block)
	}
	t.say("signs %d consents and the application with their own key, and submits once: case %s", len(applied.Consents), d.Case)
	return nil
}

// draft asks for a draft. A case left open by a story that was interrupted is withdrawn first.
func (t *teller) draft(ctx context.Context) (api.Drafted, error) {
	for {
		d, err := t.citizen.Draft(ctx, Service)
		if err != nil || d.Open == "" {
			return d, err
		}
		receipt, err := t.citizen.Withdraw(ctx, d.Open)
		if err != nil {
			return d, fmt.Errorf("withdraw the case left open before: %w", err)
		}
		t.say("withdraws case %s, left open by an earlier telling", d.Open)
		// The next draft must see the withdrawal.
		if _, err := t.citizen.gateway().Me(ctx, api.Me{MinBlock: receipt.Block}); err != nil {
			return d, err
		}
	}
}

func mark(asked bool) string {
	if asked {
		return "□"
	}
	return "■"
}

func origin(m api.Material) string {
	switch m.Source {
	case "dataset":
		return "  ← " + m.Dataset + " for " + m.For
	case "certificate":
		return "  ← read from the chain"
	}
	return ""
}
