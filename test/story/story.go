// Package story walks one real case through a network: somebody starts a business and submits once. It is the
// demonstration (`make demo`), and the tests run it too.
//
//	catalogue ─▶ citizen signs in, registers a key, sees what is fetched instead of asked, consents, applies once
//	          ─▶ market regulation and tax decide in parallel on data that departments deliver sealed
//	          ─▶ the licence is issued ─▶ a stranger verifies it ─▶ the citizen sees who read what ─▶ the auditor checks
//
// Nothing is staged: every act goes through the gateways' REST API with the token of who acts, and every claim that is
// printed was checked; the story ends with an error if one does not hold. It prints no personal data.
package story

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/departments"
)

// City is where the story happens.
type City interface {
	// SignIn gives a client of an organisation's gateway with a development user's token; without a user it has none.
	SignIn(ctx context.Context, organisation, user string) (*client.Client, error)
	// Admin gives a client signed in as an agency's administrator.
	Admin(ctx context.Context, agency string) (*client.Client, error)
}

// Options say how the story is told.
type Options struct {
	World    departments.World
	Keys     string // folder for the citizens' own keys, as their devices would keep them
	Citizens []string
}

// DefaultCitizens are tried in this order; the first is taken whose registered key is at hand, or who has none yet.
var DefaultCitizens = []string{"citizen1", "citizen2", "citizen3"}

// Service of the story.
const Service = "business.start"

// Report is what came of it.
type Report struct {
	Citizen      string // development user
	Subject      string // pseudonym
	Case         string
	Certificate  string
	Required     int // materials
	Asked        int
	Saved        int
	Visits       int
	Steps        int
	Uses         int // entries in the citizen's access log
	Transactions int
	Blocks       int
	FirstBlock   uint64 // of the story; the catalogue's blocks lie before
	LastBlock    uint64
	Took         time.Duration // of the case, from sign-in to licence
	Loaded       catalogue.Count
}

// teller tells the story.
type teller struct {
	city    City
	options Options
	out     io.Writer
	report  Report
	block   uint64 // the last one written to: reads include it
	began   time.Time

	citizen  chosen
	file     file // the lead agency's
	document api.Licence
}

// Tell tells the story in a city that is up.
func Tell(ctx context.Context, out io.Writer, city City, options Options) (Report, error) {
	if len(options.Citizens) == 0 {
		options.Citizens = DefaultCitizens
	}
	t := &teller{city: city, options: options, out: out}
	for _, chapter := range []struct {
		title string
		tell  func(context.Context) error
	}{
		{"目录 Catalogue", t.loadCatalogue},
		{"登录 Signing in", t.signIn},
		{"一次申请 Applying once", t.apply},
		{"并联办理 Two agencies at the same time", t.decide},
		{"电子证照 The licence", t.licence},
		{"陌生人核验 A stranger verifies it", t.verify},
		{"谁看过我的数据 Who read my data", t.whoRead},
		{"审计 The auditor", t.audit},
	} {
		fmt.Fprintf(out, "\n%s\n", chapter.title)
		if err := chapter.tell(ctx); err != nil {
			return t.report, fmt.Errorf("%s: %w", chapter.title, err)
		}
	}
	return t.report, nil
}

// say prints a line of the current chapter.
func (t *teller) say(format string, args ...any) { fmt.Fprintf(t.out, "  "+format+"\n", args...) }

// saw notes that something was written to a block.
func (t *teller) saw(block uint64) { t.block = max(t.block, block) }

func (t *teller) loadCatalogue(ctx context.Context) error {
	c, err := catalogue.Default()
	if err != nil {
		return err
	}
	result, err := c.Load(ctx, t.city.Admin, catalogue.Options{})
	t.saw(result.Block)
	for _, line := range result.Lines() {
		t.say("%s", line)
	}
	if err != nil {
		return err
	}
	t.report.Loaded = result.Total()
	return nil
}

// Print prints the report.
func (r Report) Print(out io.Writer) {
	fmt.Fprintf(out, `
结果 Result
  materials        required %d · asked of the applicant %d · saved %d (%.0f %%)
  visits           %d
  steps            %d, by two agencies in parallel
  data read        %d times, each numbered in the applicant's own log
  transactions     %d in %d blocks (%d to %d)
  catalogue        %d entries, %d written, loaded in %.1f s
  time             %.1f s from sign-in to licence
`, r.Required, r.Asked, r.Saved, 100*float64(r.Saved)/float64(max(r.Required, 1)), r.Visits, r.Steps, r.Uses,
		r.Transactions, r.Blocks, r.FirstBlock, r.LastBlock, r.Loaded.Present+r.Loaded.Written, r.Loaded.Written, r.Loaded.Took.Seconds(), r.Took.Seconds())
}
