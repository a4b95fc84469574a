package catalogue

import (
	"fmt"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// resolved says where each material comes from that names a requirement and no source: from the first piece of evidence that
// can be had, and from the applicant where none can. So a service follows the map, and what is asked of applicants follows from
// what the map and the grants allow. The edition that is proposed says it outright: a case is pinned to it.
func (c Catalogue) resolved(s collaboration.Service) collaboration.Service {
	s.Materials = slices.Clone(s.Materials)
	for i, m := range s.Materials {
		if m.Requirement == "" || m.Source != "" {
			continue
		}
		at := slices.IndexFunc(c.Requirements, func(q Requirement) bool { return q.ID() == m.Requirement })
		if at < 0 {
			continue // Validate says so
		}
		s.Materials[i] = c.shown(m, c.Requirements[at].Evidence, s.Code)
	}
	return s
}

// shown is a material with its source.
func (c Catalogue) shown(m collaboration.Material, evidence []exchange.Evidence, purpose string) collaboration.Material {
	for _, e := range evidence {
		switch {
		case e.Certificate != "":
			m.Source, m.Type, m.For = collaboration.FromCertificate, e.Certificate, ""
			return m
		case m.For != "" && c.granted(m.For, e.Dataset, purpose, e.Fields):
			m.Source, m.Dataset, m.Fields = collaboration.FromDataset, e.Dataset, e.Fields
			return m
		}
	}
	m.Source, m.Requirement, m.For = collaboration.FromApplicant, "", ""
	return m
}

// granted says whether a grant lets an agency use fields of a dataset for a purpose.
func (c Catalogue) granted(consumer, dataset, purpose string, fields []string) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return g.Consumer == consumer && g.Dataset == dataset && slices.Contains(g.Purposes, purpose) && covers(g.Fields, fields)
	})
}

// requirements checks their form, and by the contract's own rules that their evidence is in the directory.
func (c *checker) requirements() {
	directory := map[string]exchange.Dataset{}
	for _, d := range c.Datasets {
		if published, _, _, err := d.Publish(caller(d.Owner)); err == nil { // what is wrong with it is said of it
			directory[d.ID()] = published
		}
	}
	seen := map[string]bool{}
	for i, q := range c.Requirements {
		where := fmt.Sprintf("%s: requirements[%d], %s", c.files["requirements"], i, q.ID())
		c.known(where, "agency", q.Agency)
		c.require(!seen[q.ID()], where, "is listed twice")
		seen[q.ID()] = true
		if err := q.PublishRequirement.Validate(); err != nil {
			c.check(where, err)
			continue
		}
		for j, e := range q.Evidence {
			_, found := directory[e.Dataset]
			c.require(e.Dataset == "" || found, where, "evidence[%d].dataset: %q is not in the directory", j, e.Dataset)
			c.require(e.Certificate == "" || c.has(e.Certificate), where, "evidence[%d].certificate_type: %q is not among the types", j, e.Certificate)
		}
		if slices.ContainsFunc(q.Datasets(), func(id string) bool { _, found := directory[id]; return !found }) {
			continue
		}
		_, _, err := q.Publish(caller(q.Agency), directory)
		c.check(where, err)
	}
}
