package catalogue

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
)

// Door gives a client that is signed in as an agency's administrator, at the gateway of the agency's organisation.
type Door func(ctx context.Context, agency string) (*client.Client, error)

// Result counts what was done.
type Result struct {
	Present int    // entries that the ledger had already
	Written int    // transactions
	Block   uint64 // the last one written to; 0 if none was
}

// A write may be endorsed by a peer that is a block behind the one that was read: what it does not know yet, it says is
// missing. So a request that misses something is repeated.
const (
	attempts = 10
	pause    = 200 * time.Millisecond
)

// loader brings a catalogue to a network.
type loader struct {
	door   Door
	now    time.Time
	after  uint64 // reads include this block
	result Result
	say    func(format string, args ...any)
}

// Load brings the catalogue to a network. It looks at what the ledger has and writes only what is missing: loading again
// writes nothing. An entry that the ledger has with other content is an error; nothing is changed silently. say is told of
// every write; it may be nil.
func (c Catalogue) Load(ctx context.Context, door Door, say func(format string, args ...any)) (Result, error) {
	if say == nil {
		say = func(string, ...any) {}
	}
	// Periods begin on a day, so that a load that was interrupted goes on with the same requests.
	l := &loader{door: door, now: time.Now().UTC().Truncate(24 * time.Hour), say: say}
	steps := []func(context.Context, Catalogue) error{l.agencies, l.duties, l.datasets, l.grants, l.types, l.accreditations, l.services}
	for _, step := range steps {
		if err := step(ctx, c); err != nil {
			return l.result, fmt.Errorf("catalogue: %w", err)
		}
	}
	return l.result, nil
}

// write sends a write as an agency's administrator. what names it, in the progress and as its idempotency key.
func (l *loader) write(ctx context.Context, agency, method, path, what string, body any) error {
	c, err := l.door(ctx, agency)
	if err != nil {
		return err
	}
	digest, err := canonical.Digest(body)
	if err != nil {
		return err
	}
	key := client.Key("catalogue:" + canonical.Sum([]byte(what + "\n" + digest))[:40])
	var receipt app.Receipt
	for attempt := 1; ; attempt++ {
		receipt, err = client.Do[app.Receipt](ctx, c, method, path, body, key)
		if attempt == attempts || !lagging(err) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	if err != nil {
		return fmt.Errorf("%s as %s: %w", what, agency, err)
	}
	l.after = max(l.after, receipt.Block)
	if receipt.Replayed {
		l.result.Present++
		return nil
	}
	l.result.Written++
	l.result.Block = receipt.Block
	l.say("%s  (%s)", what, agency)
	return nil
}

// lagging says whether an error may be that of a peer that is behind.
func lagging(err error) bool {
	reason := client.Reason(err)
	return strings.HasSuffix(reason, ".missing") || reason == exchange.ErrAgencyUnregistered.Reason
}

// read reads all pages of a list that includes everything written so far.
func read[T any](ctx context.Context, l *loader, agency, path string, query url.Values) (items []T, err error) {
	c, err := l.door(ctx, agency)
	if err != nil {
		return nil, err
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("page_size", "200")
	if l.after > 0 {
		query.Set("min_block", fmt.Sprint(l.after))
	}
	for {
		page, err := client.Do[app.Page[T]](ctx, c, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Next == "" {
			return items, nil
		}
		query.Set("page_token", page.Next)
	}
}

// agencies registers them; a gateway that finds its agency's record up to date writes nothing.
func (l *loader) agencies(ctx context.Context, c Catalogue) error {
	for _, a := range c.Agencies {
		if a.ReadsOnly {
			continue
		}
		if err := l.write(ctx, a.ID, http.MethodPut, "/v1/agencies/me", "register agency "+a.ID, app.RegisterAgency{Name: a.Name}); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) duties(ctx context.Context, c Catalogue) error {
	as, err := c.coordinator()
	if err != nil {
		return err
	}
	registered, err := read[exchange.Agency](ctx, l, as, "/v1/agencies", nil)
	if err != nil {
		return err
	}
	for _, a := range c.Agencies {
		if a.ReadsOnly {
			continue
		}
		at := slices.IndexFunc(registered, func(r exchange.Agency) bool { return r.ID == a.ID })
		if at >= 0 && slices.Equal(registered[at].Duties, a.Duties) {
			l.result.Present++
			continue
		}
		version := 0
		if at >= 0 {
			version = registered[at].Version // a duty taken away and given again is another request
		}
		what := fmt.Sprintf("assign duties to %s (from version %d)", a.ID, version)
		if err := l.write(ctx, as, http.MethodPut, "/v1/agencies/"+a.ID+"/duties", what, app.AssignDuties{Duties: append([]string{}, a.Duties...)}); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) datasets(ctx context.Context, c Catalogue) error {
	for _, d := range c.Datasets {
		published, err := read[exchange.Dataset](ctx, l, d.Owner, "/v1/datasets", url.Values{"agency": {d.Owner}})
		if err != nil {
			return err
		}
		at := slices.IndexFunc(published, func(p exchange.Dataset) bool { return p.ID == d.ID() })
		if at < 0 {
			if err := l.write(ctx, d.Owner, http.MethodPost, "/v1/datasets", "publish dataset "+d.ID(), d.PublishDataset); err != nil {
				return err
			}
			continue
		}
		p := published[at]
		if !reflect.DeepEqual(d.Content, p.Content) || p.Status != exchange.Published {
			return fmt.Errorf("dataset %s: the ledger has it otherwise (status %s); publish a changed dataset under another code", d.ID(), p.Status)
		}
		l.result.Present++
	}
	return nil
}

// grants asks for those that no live grant covers, and grants those that are asked for.
func (l *loader) grants(ctx context.Context, c Catalogue) error {
	for _, g := range c.Grants {
		found, err := l.grantOf(ctx, g)
		if err != nil {
			return err
		}
		if found == nil {
			what := fmt.Sprintf("ask for grant on %s for %s", g.Dataset, strings.Join(g.Purposes, ", "))
			if err := l.write(ctx, g.Consumer, http.MethodPost, "/v1/grants", what, g.request(l.now)); err != nil {
				return err
			}
			if found, err = l.grantOf(ctx, g); err != nil {
				return err
			}
			if found == nil {
				return fmt.Errorf("grant of %s on %s: asked for, but not found", g.Consumer, g.Dataset)
			}
		}
		if found.Status == exchange.Granted {
			l.result.Present++
			continue
		}
		provider := exchange.DatasetKey(g.Dataset)[0]
		what := fmt.Sprintf("grant %s to %s", g.Dataset, g.Consumer)
		if err := l.write(ctx, provider, http.MethodPut, "/v1/grants/"+found.ID+"/approval", what+" "+found.ID, app.ApproveGrant{Terms: &found.Wanted}); err != nil {
			return err
		}
	}
	return nil
}

// grantOf finds the grant that covers what the catalogue wants: granted if there is one, else asked for.
func (l *loader) grantOf(ctx context.Context, g Grant) (*exchange.Grant, error) {
	grants, err := read[exchange.Grant](ctx, l, g.Consumer, "/v1/grants", url.Values{"dataset": {g.Dataset}})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var asked *exchange.Grant
	for _, r := range grants {
		terms := r.Wanted
		if r.Terms != nil {
			terms = *r.Terms
		}
		if !now.Before(terms.ValidUntil) || !covers(terms.Purposes, g.Purposes) || !covers(terms.Fields, g.Fields) {
			continue
		}
		switch r.Status {
		case exchange.Granted:
			return &r, nil
		case exchange.Requested:
			asked = &r
		}
	}
	return asked, nil
}

func covers(wide, narrow []string) bool {
	return !slices.ContainsFunc(narrow, func(name string) bool { return !slices.Contains(wide, name) })
}

func (l *loader) types(ctx context.Context, c Catalogue) error {
	for _, t := range c.Types {
		published, err := read[certificate.Type](ctx, l, t.Authority, "/v1/certificate-types", nil)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(published, func(p certificate.Type) bool { return p.Code == t.Code })
		if at < 0 {
			if err := l.write(ctx, t.Authority, http.MethodPost, "/v1/certificate-types", "publish certificate type "+t.Code, t.PublishType); err != nil {
				return err
			}
			continue
		}
		p := published[at]
		if p.Authority != t.Authority || !reflect.DeepEqual(t.PublishType, certificate.PublishType{Code: p.Code, Name: p.Name, Fields: p.Fields, ValidDays: p.ValidDays}) {
			return fmt.Errorf("certificate type %s: the ledger has it otherwise; publish a changed type under another code", t.Code)
		}
		l.result.Present++
	}
	return nil
}

func (l *loader) accreditations(ctx context.Context, c Catalogue) error {
	for _, a := range c.Accreditations {
		at := slices.IndexFunc(c.Types, func(t Type) bool { return t.Code == a.Type })
		authority := c.Types[at].Authority // Validate made sure that there is one
		path := "/v1/certificate-types/" + a.Type + "/accreditations"
		granted, err := read[certificate.Accreditation](ctx, l, authority, path, nil)
		if err != nil {
			return err
		}
		at = slices.IndexFunc(granted, func(g certificate.Accreditation) bool { return g.Agency == a.Agency })
		if at < 0 {
			what := "accredit " + a.Agency + " for " + a.Type
			body := app.Accredit{From: l.now, Until: l.now.AddDate(a.Years, 0, 0)}
			if err := l.write(ctx, authority, http.MethodPut, path+"/"+a.Agency, what, body); err != nil {
				return err
			}
			continue
		}
		if !granted[at].Live(kernel.At(time.Now())) {
			return fmt.Errorf("accreditation of %s for %s: it was withdrawn or has ended; an accreditation is not given again under the same type", a.Agency, a.Type)
		}
		l.result.Present++
	}
	return nil
}

// services proposes editions the ledger does not have, and approves those that wait for it.
func (l *loader) services(ctx context.Context, c Catalogue) error {
	for _, s := range c.Services {
		d, found, err := l.edition(ctx, s)
		if err != nil {
			return err
		}
		if !found {
			what := fmt.Sprintf("propose service %s edition %d", s.Code, s.Edition)
			if err := l.write(ctx, s.Lead, http.MethodPost, "/v1/services", what, app.ProposeService{Service: s}); err != nil {
				return err
			}
			if d, _, err = l.edition(ctx, s); err != nil {
				return err
			}
		}
		hash, err := s.Hash()
		if err != nil {
			return err
		}
		if d.Hash != hash {
			return fmt.Errorf("service %s edition %d: the ledger has it otherwise; count the edition up", s.Code, s.Edition)
		}
		if found && d.Status != collaboration.Proposed {
			l.result.Present++
		}
		for _, agency := range d.Awaiting {
			what := fmt.Sprintf("approve service %s edition %d for %s", s.Code, s.Edition, agency)
			path := fmt.Sprintf("/v1/services/%s/editions/%d/approval", s.Code, s.Edition)
			if err := l.write(ctx, agency, http.MethodPut, path, what, app.ApproveService{Hash: hash}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) edition(ctx context.Context, s collaboration.Service) (collaboration.Definition, bool, error) {
	c, err := l.door(ctx, s.Lead)
	if err != nil {
		return collaboration.Definition{}, false, err
	}
	path := fmt.Sprintf("/v1/services/%s?min_block=%d", url.PathEscape(s.Code), l.after)
	view, err := client.Do[app.ServiceView](ctx, c, http.MethodGet, path, nil)
	if client.Reason(err) == "service.missing" {
		return collaboration.Definition{}, false, nil
	}
	if err != nil {
		return collaboration.Definition{}, false, err
	}
	at := slices.IndexFunc(view.Editions, func(d collaboration.Definition) bool { return d.Edition == s.Edition })
	if at < 0 {
		return collaboration.Definition{}, false, nil
	}
	return view.Editions[at], true, nil
}
