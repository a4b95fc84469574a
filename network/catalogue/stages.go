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

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
)

// agencies registers those that write. A gateway that finds its agency's record up to date writes nothing; only it knows, for
// the record has its own key and address, so a dry run compares what the catalogue says.
func (l *loader) agencies(ctx context.Context) (p plan, err error) {
	var registered []exchange.Agency
	if l.DryRun {
		if registered, err = shared[exchange.Agency](ctx, l, "/v1/agencies"); err != nil {
			return p, err
		}
	}
	for _, a := range l.writers() {
		if slices.ContainsFunc(registered, func(r exchange.Agency) bool { return r.ID == a.ID && r.Name == a.Name }) {
			p.has(a.ID)
			continue
		}
		p.needs(entry{a.ID, "register agency " + a.ID, http.MethodPut, "/v1/agencies/me", app.RegisterAgency{Name: a.Name}})
	}
	return p, nil
}

// duties are assigned by the coordinating organisation. An agency that is not listed in agencies.yaml with duties has none.
func (l *loader) duties(ctx context.Context) (p plan, err error) {
	as, err := l.coordinator()
	if err != nil || !l.concerns(as) {
		return p, err
	}
	registered, err := shared[exchange.Agency](ctx, l, "/v1/agencies")
	if err != nil {
		return p, err
	}
	for _, a := range l.writers() {
		version, duties := 0, []string(nil)
		if at := slices.IndexFunc(registered, func(r exchange.Agency) bool { return r.ID == a.ID }); at >= 0 {
			version, duties = registered[at].Version, registered[at].Duties // a duty taken away and given again is another request
		}
		if slices.Equal(duties, a.Duties) {
			if len(duties) > 0 {
				p.has(as)
			}
			continue
		}
		what := fmt.Sprintf("assign duties to %s (from version %d)", a.ID, version)
		p.needs(entry{as, what, http.MethodPut, "/v1/agencies/" + a.ID + "/duties", app.AssignDuties{Duties: append([]string{}, a.Duties...)}})
	}
	return p, nil
}

func (l *loader) datasets(ctx context.Context) (p plan, err error) {
	published, err := shared[exchange.Dataset](ctx, l, "/v1/datasets")
	if err != nil {
		return p, err
	}
	for _, d := range l.Datasets {
		at := slices.IndexFunc(published, func(r exchange.Dataset) bool { return r.ID == d.ID() })
		if at < 0 {
			p.needs(entry{d.Owner, "publish dataset " + d.ID(), http.MethodPost, "/v1/datasets", d.PublishDataset})
			continue
		}
		want, _, _, err := d.Publish(caller(d.Owner))
		if err != nil {
			return p, fmt.Errorf("dataset %s: %w", d.ID(), err)
		}
		if r := published[at]; l.concerns(d.Owner) && (!reflect.DeepEqual(want.Content, r.Content) || want.SchemaHash != r.SchemaHash || r.Status != exchange.Published) {
			return p, fmt.Errorf("dataset %s: the ledger has it otherwise (status %s); its owner revises it, or it is published under another code", d.ID(), r.Status)
		}
		p.has(d.Owner)
	}
	return p, nil
}

func (l *loader) types(ctx context.Context) (p plan, err error) {
	published, err := shared[certificate.Type](ctx, l, "/v1/certificate-types")
	if err != nil {
		return p, err
	}
	for _, t := range l.Types {
		at := slices.IndexFunc(published, func(r certificate.Type) bool { return r.Code == t.Code })
		if at < 0 {
			p.needs(entry{t.Authority, "publish certificate type " + t.Code, http.MethodPost, "/v1/certificate-types", t.PublishType})
			continue
		}
		r := published[at]
		if r.Authority != t.Authority || !reflect.DeepEqual(t.PublishType, certificate.PublishType{Code: r.Code, Name: r.Name, Fields: r.Fields, ValidDays: r.ValidDays}) {
			return p, fmt.Errorf("certificate type %s: the ledger has it otherwise; publish a changed type under another code", t.Code)
		}
		p.has(t.Authority)
	}
	return p, nil
}

func (l *loader) accreditations(ctx context.Context) (p plan, err error) {
	given := map[string][]certificate.Accreditation{} // by type
	for _, a := range l.Accreditations {
		path := "/v1/certificate-types/" + a.Type + "/accreditations"
		if given[a.Type] == nil {
			if given[a.Type], err = shared[certificate.Accreditation](ctx, l, path); err != nil {
				return p, err
			}
		}
		authority := l.Types[slices.IndexFunc(l.Types, func(t Type) bool { return t.Code == a.Type })].Authority // Validate made sure that there is one
		at := slices.IndexFunc(given[a.Type], func(r certificate.Accreditation) bool { return r.Agency == a.Agency })
		if at < 0 {
			body := app.Accredit{From: l.now, Until: l.now.AddDate(a.Years, 0, 0)}
			p.needs(entry{authority, "accredit " + a.Agency + " for " + a.Type, http.MethodPut, path + "/" + a.Agency, body})
			continue
		}
		if !given[a.Type][at].Live(kernel.At(time.Now())) {
			return p, fmt.Errorf("accreditation of %s for %s: it was withdrawn or has ended; an accreditation is not given again under the same type", a.Agency, a.Type)
		}
		p.has(authority)
	}
	return p, nil
}

func (l *loader) requirements(ctx context.Context) (p plan, err error) {
	published, err := shared[exchange.Requirement](ctx, l, "/v1/requirements")
	if err != nil {
		return p, err
	}
	for _, q := range l.Requirements {
		at := slices.IndexFunc(published, func(r exchange.Requirement) bool { return r.ID == q.ID() })
		if at < 0 {
			p.needs(entry{q.Agency, "publish requirement " + q.ID(), http.MethodPost, "/v1/requirements", q.PublishRequirement})
			continue
		}
		if r := published[at]; l.concerns(q.Agency) && (!reflect.DeepEqual(q.Need, r.Need) || r.Status != exchange.Published) {
			return p, fmt.Errorf("requirement %s: the ledger has it otherwise (status %s); its agency revises it, or it is published under another code", q.ID(), r.Status)
		}
		p.has(q.Agency)
	}
	return p, nil
}

// requests asks for the grants that no live one covers.
func (l *loader) requests(ctx context.Context) (p plan, err error) {
	for _, g := range l.Grants {
		if !l.concerns(g.Consumer) {
			continue
		}
		found, err := l.grantOf(ctx, g, g.Consumer, "consumer")
		if err != nil {
			return p, err
		}
		if found != nil {
			p.has(g.Consumer)
			continue
		}
		p.needs(entry{g.Consumer, g.asks(), http.MethodPost, "/v1/grants", g.request(l.now)})
	}
	return p, nil
}

// grants gives those that are asked for.
func (l *loader) grants(ctx context.Context) (p plan, err error) {
	for _, g := range l.Grants {
		provider := exchange.DatasetKey(g.Dataset)[0]
		if !l.concerns(provider) {
			continue
		}
		found, err := l.grantOf(ctx, g, provider, "provider")
		if err != nil {
			return p, err
		}
		what := fmt.Sprintf("grant %s to %s", g.Dataset, g.Consumer)
		switch {
		case found != nil && found.Status == exchange.Granted:
			p.has(provider)
		case found != nil:
			p.needs(entry{provider, what + " " + found.ID, http.MethodPut, "/v1/grants/" + found.ID + "/approval", app.ApproveGrant{Terms: &found.Wanted}})
		case l.DryRun:
			p.needs(entry{as: provider, what: what}) // once it is asked for
		case l.Agency == "":
			return p, fmt.Errorf("grant of %s on %s: asked for, but not found", g.Consumer, g.Dataset)
		}
	}
	return p, nil
}

// grantOf finds the grant that covers what the catalogue wants, as one of the two sides sees it: granted if there is one, else
// asked for.
func (l *loader) grantOf(ctx context.Context, g Grant, as, side string) (*exchange.Grant, error) {
	grants, err := read[exchange.Grant](ctx, l, as, "/v1/grants", url.Values{"dataset": {g.Dataset}, "as": {side}})
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
		if r.Consumer != g.Consumer || !now.Before(terms.ValidUntil) || !covers(terms.Purposes, g.Purposes) || !covers(terms.Fields, g.Fields) {
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

// services proposes the editions that the ledger does not have.
func (l *loader) services(ctx context.Context) (p plan, err error) {
	for _, s := range l.Services {
		d, err := l.edition(ctx, s)
		if err != nil {
			return p, err
		}
		if d == nil {
			p.needs(entry{s.Lead, fmt.Sprintf("propose service %s edition %d", s.Code, s.Edition), http.MethodPost, "/v1/services", app.ProposeService{Service: s}})
			continue
		}
		hash, err := s.Hash()
		if err != nil {
			return p, err
		}
		if d.Hash != hash {
			return p, fmt.Errorf("service %s edition %d: the ledger has it otherwise; count the edition up", s.Code, s.Edition)
		}
		p.has(s.Lead)
	}
	return p, nil
}

// approvals gives those that editions wait for.
func (l *loader) approvals(ctx context.Context) (p plan, err error) {
	for _, s := range l.Services {
		d, err := l.edition(ctx, s)
		if err != nil {
			return p, err
		}
		awaiting := slices.DeleteFunc(s.Responsible(), func(agency string) bool { return agency == s.Lead }) // who proposes approves
		hash, err := s.Hash()
		if err != nil {
			return p, err
		}
		for _, agency := range awaiting {
			if d != nil && !slices.Contains(d.Awaiting, agency) {
				p.has(agency)
				continue
			}
			what := fmt.Sprintf("approve service %s edition %d for %s", s.Code, s.Edition, agency)
			path := fmt.Sprintf("/v1/services/%s/editions/%d/approval", s.Code, s.Edition)
			p.needs(entry{agency, what, http.MethodPut, path, app.ApproveService{Hash: hash}})
		}
	}
	return p, nil
}

// edition is a service's on the ledger; nil where it has none.
func (l *loader) edition(ctx context.Context, s collaboration.Service) (*collaboration.Definition, error) {
	as, err := l.reader()
	if err != nil {
		return nil, err
	}
	c, err := l.door(ctx, as)
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/v1/services/%s?min_block=%d", url.PathEscape(s.Code), l.since())
	view, err := client.Do[app.ServiceView](ctx, c, http.MethodGet, path, nil)
	if client.Reason(err) == "service.missing" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, d := range view.Editions {
		if d.Edition == s.Edition {
			return &d, nil
		}
	}
	return nil, nil
}

// roster enters the city's departments and districts.
func (l *loader) roster(ctx context.Context) (p plan, err error) {
	as, err := l.coordinator()
	if err != nil || !l.concerns(as) {
		return p, err
	}
	listed, err := shared[exchange.Listing](ctx, l, "/v1/roster")
	if err != nil {
		return p, err
	}
	for _, line := range l.Roster.listings() {
		if slices.ContainsFunc(listed, func(r exchange.Listing) bool { return r.ID == line.Agency }) {
			p.has(as)
			continue
		}
		p.needs(entry{as, "enter " + line.Agency + " in the roster", http.MethodPut, "/v1/roster/" + line.Agency, app.EnterListing{Kind: line.Kind, Name: line.Name}})
	}
	return p, nil
}

// asks names the request for a grant.
func (g Grant) asks() string {
	return fmt.Sprintf("ask for grant on %s for %s", g.Dataset, strings.Join(g.Purposes, ", "))
}
