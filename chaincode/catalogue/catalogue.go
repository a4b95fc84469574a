// Package catalogue writes the reference page of what is on the ledger: collections with their keys and members, events,
// functions with who may call them. All of it is read from the contracts, so the page cannot say anything else than they do.
package catalogue

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

const intro = `# What is on the ledger

<!-- Generated from the contracts by chaincode/cmd/catalogue. Do not edit: change the contract and run ` + "`make generate`" + `. -->

Each contract is a chaincode with a namespace of its own. A record is stored as canonical JSON (RFC 8785) under a Fabric
composite key, ` + "`U+0000 noun U+0000 part U+0000 … part U+0000`" + `; its id is the parts joined by ` + "`/`" + `. Nothing personal is in a key, a
record or an event: persons and enterprises are pseudonyms, documents are commitments.

A write is called with a command, ` + "`{\"idempotency_key\", \"staff\"?, \"request\"}`" + `, and answers a receipt; ` + "`%s`" + ` carries up to
%d commands to any writes of one contract. A read is called with its request. A transaction has at most one event,
` + "`%s`" + `, whose payload ` + "`{\"version\": %d, \"changes\": […]}`" + ` lists what happened in order. In the tables ` + "`?`" + ` marks what may be left out.

`

// Write writes the page.
func Write(w io.Writer, contracts []*kernel.Contract) error {
	p := &page{w: w}
	p.printf(intro, kernel.BatchFunction, kernel.MaxCommands, kernel.EventName, kernel.EnvelopeVersion)
	p.common()
	for _, c := range contracts {
		p.contract(c)
	}
	return p.err
}

// page writes until the first error, which it keeps.
type page struct {
	w   io.Writer
	err error
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// common describes what the records of every contract share.
func (p *page) common() {
	types := []reflect.Type{reflect.TypeFor[state.Head](), reflect.TypeFor[state.Stamp](), reflect.TypeFor[state.Done](), reflect.TypeFor[kernel.Receipt](), reflect.TypeFor[kernel.Change]()}
	p.printf("## Common to all contracts\n\n| type | members |\n|---|---|\n")
	for _, t := range types {
		p.printf("| %s | %s |\n", t.Name(), members(t))
	}
	p.printf("\nScopes: %s.\n\n", strings.Join([]string{
		scope(access.Any, "no restriction beyond the role"),
		scope(access.OwnAgency, "the record belongs to the caller's agency"),
		scope(access.OwnOrganisations, "it belongs to an agency of the caller's organisation"),
		scope(access.Coordinating, "the caller is of the organisation `"+access.Coordinator+"`"),
		scope(access.SubjectSigned, "the request carries the subject's own signature"),
	}, "; "))
}

func scope(s access.Scope, meaning string) string { return fmt.Sprintf("`%s`: %s", s, meaning) }

func (p *page) contract(c *kernel.Contract) {
	named := newTypes()
	p.printf("## %s\n\n%s\n\n", c.Name, c.Doc)
	p.printf("### Collections of %s\n\n| noun | key parts | what it is | members of a record |\n|---|---|---|---|\n", c.Name)
	for _, collection := range c.Collections {
		named.add(collection.RecordType())
		p.printf("| `%s` | %s | %s | %s |\n", collection.Name(), code(collection.KeyParts()), cell(collection.Describe()), members(collection.RecordType()))
	}
	p.printf("\n### Events of %s\n\n| type | when |\n|---|---|\n", c.Name)
	for _, e := range c.Events {
		p.printf("| `%s` | %s |\n", e.Type, cell(e.Doc))
	}
	p.printf("\n### Functions of %s\n\n", c.Name)
	if nouns := readable(c); len(nouns) > 0 {
		p.printf("Records of %s are read by everyone with `Get` (%s), `List` (%s) and `History` (%s).\n\n", code(nouns),
			members(reflect.TypeFor[kernel.ByID]()), members(reflect.TypeFor[kernel.Listing]()), members(reflect.TypeFor[kernel.ByID]()))
	}
	p.printf("| function | kind | who | scope | request | what it does |\n|---|---|---|---|---|---|\n")
	for _, f := range c.Rows() {
		if standardRead(f) {
			continue
		}
		named.add(f.Request)
		p.printf("| `%s` | %s | %s | %s | %s | %s |\n", f.Name, f.Kind, who(f.Rule.Roles), f.Rule.Scope, members(f.Request), cell(f.Doc))
	}
	if len(named.order) > 0 {
		p.printf("\n### Types of %s\n\n| type | members |\n|---|---|\n", c.Name)
		for _, t := range named.order {
			p.printf("| %s | %s |\n", t.Name(), members(t))
		}
	}
	p.printf("\n")
}

// standardRead says whether a function is one of the three that kernel.Reads makes for a collection.
func standardRead(f kernel.Function) bool {
	_, verb, _ := strings.Cut(f.Name, ":")
	switch {
	case f.Kind != kernel.KindRead || len(f.Rule.Roles) != len(access.AllRoles):
		return false
	case verb == "Get", verb == "History":
		return f.Request == reflect.TypeFor[kernel.ByID]()
	}
	return verb == "List" && f.Request == reflect.TypeFor[kernel.Listing]()
}

// readable lists the nouns of a contract that have all three.
func readable(c *kernel.Contract) (nouns []string) {
	count := map[string]int{}
	for _, f := range c.Rows() {
		if noun, _, _ := strings.Cut(f.Name, ":"); standardRead(f) {
			if count[noun]++; count[noun] == 3 {
				nouns = append(nouns, noun)
			}
		}
	}
	return nouns
}

func who(roles []access.Role) string {
	if len(roles) == len(access.AllRoles) {
		return "everyone"
	}
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return strings.Join(names, ", ")
}

func code(words []string) string { return "`" + strings.Join(words, "` `") + "`" }

// cell keeps a text inside its table cell.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", "\\|"), "\n", " ")
}
