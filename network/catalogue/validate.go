package catalogue

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// MaxYears of a grant or accreditation.
const MaxYears = 5

// checker collects every mistake, so that a catalogue is corrected in one go.
type checker struct {
	Catalogue
	errs []error
}

func (c *checker) require(ok bool, where, rule string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf("catalogue: %s: %s", where, fmt.Sprintf(rule, args...)))
	}
}

func (c *checker) check(where string, err error) {
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("catalogue: %s: %w", where, err))
	}
}

// Validate checks every entry by the ledger's own rules of form, and that every reference leads somewhere.
func (c Catalogue) Validate() error {
	k := &checker{Catalogue: c}
	k.roster()
	k.agencies()
	k.datasets()
	k.grants()
	k.certificates()
	k.requirements()
	for _, s := range c.Services {
		k.service(s)
	}
	return errors.Join(k.errs...)
}

func (c *checker) agencies() {
	seen := map[string]bool{}
	for i, a := range c.Agencies {
		where := fmt.Sprintf("%s: agencies[%d], %s", c.files["agencies"], i, a.ID)
		c.check(where, exchange.CheckAgency("id", a.ID))
		c.check(where, a.Name.Validate())
		c.require(!seen[a.ID] && !slices.Contains(c.Publishers, a.ID), where, "is listed twice")
		seen[a.ID] = true
		c.require(!a.ReadsOnly || len(a.Duties) == 0, where, "duties: an agency that only reads has none")
		c.check(where, exchange.AssignDuties{Agency: a.ID, Duties: append([]string{}, a.Duties...)}.Validate())
	}
}

func (c *checker) known(where, member, agency string) {
	listed := slices.ContainsFunc(c.Agencies, func(a Agency) bool { return a.ID == agency && !a.ReadsOnly }) || slices.Contains(c.Publishers, agency)
	c.require(listed, where, "%s: %q is not among the agencies that write", member, agency)
}

func (c *checker) datasets() {
	seen := map[string]bool{}
	for _, d := range c.Datasets {
		where := d.file + ": dataset " + d.ID()
		c.known(where, "owner", d.Owner)
		c.check(where, d.Validate())
		c.require(!seen[d.ID()], where, "is listed twice")
		seen[d.ID()] = true
	}
}

func (c *checker) grants() {
	for _, g := range c.Grants {
		where := fmt.Sprintf("%s: grant of %s on %s", g.file, g.Consumer, g.Dataset)
		c.known(where, "consumer", g.Consumer)
		c.years(where, g.Years)
		c.check(where, g.request(time.Unix(0, 0).UTC()).Validate())
		d, found := c.dataset(g.Dataset)
		c.require(found, where, "dataset: %q is not in the directory", g.Dataset)
		if !found {
			continue
		}
		c.require(d.Owner != g.Consumer, where, "consumer: an agency needs no grant for its own dataset")
		for _, name := range g.Fields {
			c.require(has(d, name), where, "fields: %s has no field %q", g.Dataset, name)
		}
	}
}

func (c *checker) years(where string, years int) {
	c.require(years >= 1 && years <= MaxYears, where, "years: must be between 1 and %d, is %d", MaxYears, years)
}

func (c *checker) certificates() {
	seen := map[string]bool{}
	for i, t := range c.Types {
		where := fmt.Sprintf("%s: types[%d], %s", c.files["certificates"], i, t.Code)
		c.known(where, "authority", t.Authority)
		c.check(where, t.Validate())
		c.require(!seen[t.Code], where, "is listed twice")
		seen[t.Code] = true
	}
	for i, a := range c.Accreditations {
		where := fmt.Sprintf("%s: accreditations[%d], %s for %s", c.files["certificates"], i, a.Agency, a.Type)
		c.known(where, "agency", a.Agency)
		c.years(where, a.Years)
		c.require(seen[a.Type], where, "type: %q is not among the types", a.Type)
	}
}

// service checks what a definition needs around it: its agencies, its datasets with grants for them, answers to find the
// records by, and the accreditation for what it issues.
func (c *checker) service(s collaboration.Service) {
	where := c.files["services/"+s.Code]
	c.check(where, s.Validate())
	for _, agency := range s.Responsible() {
		c.known(where, "agency", agency)
	}
	for _, m := range s.Materials {
		at := where + ": material " + m.ID
		if m.Requirement != "" {
			known := slices.IndexFunc(c.Requirements, func(q Requirement) bool { return q.ID() == m.Requirement })
			c.require(known >= 0, at, "requirement: %q is not in the map", m.Requirement)
			c.require(known < 0 || c.Requirements[known].MetBy(m.Dataset, m.Fields, m.Type), at, "requirement: %q lists other evidence", m.Requirement)
		}
		switch m.Source {
		case collaboration.FromDataset:
			c.material(at, s, m)
		case collaboration.FromCertificate:
			c.require(c.has(m.Type), at, "certificate_type: %q is not among the types", m.Type)
		}
	}
	if outcome := s.Outcome.CertificateType; outcome != "" {
		c.require(slices.ContainsFunc(c.Accreditations, func(a Accreditation) bool { return a.Type == outcome && a.Agency == s.Lead }),
			where, "outcome: %s is not accredited to issue %s", s.Lead, outcome)
	}
}

func (c *checker) material(where string, s collaboration.Service, m collaboration.Material) {
	d, found := c.dataset(m.Dataset)
	c.require(found, where, "dataset: %q is not in the directory", m.Dataset)
	if !found {
		return
	}
	for _, name := range d.Selector {
		c.require(slices.ContainsFunc(s.Form, func(q collaboration.Question) bool { return q.ID == name && q.Required }),
			where, "the form must ask for %s, by which %s is found", name, m.Dataset)
	}
	c.require(c.granted(m.For, m.Dataset, s.Code, m.Fields), where, "no grant lets %s use these fields of %s for %s", m.For, m.Dataset, s.Code)
}

func (c Catalogue) dataset(id string) (Dataset, bool) {
	at := slices.IndexFunc(c.Datasets, func(d Dataset) bool { return d.ID() == id })
	if at < 0 {
		return Dataset{}, false
	}
	return c.Datasets[at], true
}

func (c Catalogue) has(certificate string) bool {
	return slices.ContainsFunc(c.Types, func(t Type) bool { return t.Code == certificate })
}

func has(d Dataset, name string) bool {
	return slices.ContainsFunc(d.Fields, func(f exchange.FieldSpec) bool { return f.Name == name })
}

// request is the request for the grant, for a period that begins at a time.
func (g Grant) request(from time.Time) exchange.RequestGrant {
	return exchange.RequestGrant{Dataset: g.Dataset, Basis: g.LegalBasis, Terms: exchange.Terms{
		Purposes: g.Purposes, Fields: g.Fields, ValidFrom: from, ValidUntil: from.AddDate(g.Years, 0, 0), ConsentRequired: g.ConsentRequired, PreviewRequired: g.PreviewRequired,
	}}
}
