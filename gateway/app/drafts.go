package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// What a draft proposes for consents.
const (
	ConsentPeriod = 90 * 24 * time.Hour
	ConsentUses   = 3 // an officer may have to fetch again, after a correction or a late delivery
	nonceBytes    = 18
)

// Draft is POST /v1/drafts.
type Draft struct {
	Keyed
	Service string `json:"service" min:"1" max:"64" doc:"Code of the service to apply for." example:"business.start"`
}

// Material is what a service needs, and where it comes from.
type Material struct {
	ID      string        `json:"id"`
	Name    exchange.Text `json:"name"`
	Source  string        `json:"source" doc:"applicant, dataset or certificate."`
	Asked   bool          `json:"asked" doc:"Whether the applicant must still bring it."`
	Dataset string        `json:"dataset,omitempty" doc:"Where it is fetched from."`
	Fields  []string      `json:"fields,omitempty" doc:"What is read there, and nothing else."`
	For     string        `json:"for,omitempty" doc:"The agency that reads it."`
	Consent string        `json:"consent,omitempty" doc:"The consent it rests on, once given."`
	Use     string        `json:"use,omitempty" doc:"The use by which it was fetched."`
	Status  string        `json:"status,omitempty" doc:"Status of that use."`
}

// Drafted is everything an applicant needs to apply: what is asked, what is fetched instead, and the texts to sign.
// Nothing has been written.
type Drafted struct {
	Key         string                    `json:"idempotency_key" doc:"Send it with the application: the case's id follows from it."`
	Case        string                    `json:"case" doc:"The id the case will have."`
	Open        string                    `json:"open_case,omitempty" doc:"A case of the applicant for this service that is still open; there can be one."`
	Service     collaboration.Service     `json:"service"`
	Definition  string                    `json:"definition"`
	Hash        string                    `json:"hash" doc:"Of the definition shown here; the applicant signs it."`
	Required    int                       `json:"materials_required"`
	Asked       int                       `json:"materials_asked"`
	Saved       int                       `json:"materials_saved"`
	Materials   []Material                `json:"materials"`
	Application collaboration.Application `json:"application" doc:"To sign as hutong-application+jwt, with form set to the commitment of the answers."`
	Consents    []exchange.ConsentTerms   `json:"consents" doc:"Each to sign as hutong-consent+jwt; one that is not signed is not used, and the material must be asked for."`
	AsOf        uint64                    `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Draft prepares an application: which materials are fetched instead of asked, and the exact texts to sign.
func (a *App) Draft(ctx context.Context, who Actor, req Draft) (d Drafted, err error) {
	if err := who.is(Citizen); err != nil {
		return d, err
	}
	portal, err := a.asPortal(who)
	if err != nil {
		return d, err
	}
	if d.AsOf, err = a.Store.Height(ctx); err != nil {
		return d, err
	}
	definition, err := a.active(ctx, req.Service, "service")
	if err != nil {
		return d, err
	}
	d.Key, d.Case = req.Key, caseID(portal.Agency, who.Subject, req.Key)
	d.Service, d.Definition, d.Hash = definition.Service, definition.ID, definition.Hash
	d.Required, d.Asked = len(definition.Materials), definition.Asked()
	d.Saved = d.Required - d.Asked
	for _, m := range definition.Materials {
		d.Materials = append(d.Materials, material(m))
	}
	d.Application = collaboration.Application{
		Channel: a.Channel, Subject: who.Subject, Case: d.Case, Definition: d.Definition, Hash: d.Hash,
	}
	d.Consents = a.consentsFor(definition, who.Subject, d.Case)
	d.Open, err = a.openCase(ctx, who.Subject, definition.Code)
	return d, err
}

// caseID is the id of the case that a subject opens with an idempotency key.
func caseID(portal, subject, key string) string {
	return kernel.ID(portal, collaboration.CaseApply, scoped(subject, key))
}

func material(m collaboration.Material) Material {
	return Material{
		ID: m.ID, Name: m.Name, Source: m.Source, Asked: m.Source == collaboration.FromApplicant,
		Dataset: m.Dataset, Fields: m.Fields, For: m.For,
	}
}

// consentsFor writes the terms a subject would sign: one consent for each dataset and agency, with the fields of all
// materials between the two. The beginning is rounded down to the minute, so that clocks need not agree to the second.
func (a *App) consentsFor(d collaboration.Definition, subject, caseID string) []exchange.ConsentTerms {
	from := a.now().Truncate(time.Minute)
	consents := []exchange.ConsentTerms{}
	for _, m := range d.Materials {
		if m.Source != collaboration.FromDataset {
			continue
		}
		at := slices.IndexFunc(consents, func(c exchange.ConsentTerms) bool { return c.Dataset == m.Dataset && c.Consumer == m.For })
		if at < 0 {
			at = len(consents)
			consents = append(consents, exchange.ConsentTerms{
				Channel: a.Channel, Subject: subject, Dataset: m.Dataset, Consumer: m.For, Purpose: d.Code, Case: caseID,
				MaxUses: ConsentUses, From: from, Until: from.Add(ConsentPeriod), Nonce: nonce(),
			})
		}
		fields := append(consents[at].Fields, m.Fields...)
		slices.Sort(fields)
		consents[at].Fields = slices.Compact(fields)
	}
	slices.SortFunc(consents, func(x, y exchange.ConsentTerms) int {
		return strings.Compare(x.Dataset+" "+x.Consumer, y.Dataset+" "+y.Consumer)
	})
	return consents
}

func nonce() string {
	raw := make([]byte, nonceBytes)
	_, _ = rand.Read(raw) // crypto/rand never fails: it would end the program
	return base64.RawURLEncoding.EncodeToString(raw)
}

// openCase is the id of a subject's open case for a service, empty if there is none.
func (a *App) openCase(ctx context.Context, subject, service string) (string, error) {
	slot, found, err := find[collaboration.Slot](ctx, a, "slot", subject+"/"+service)
	if err != nil || !found || slot.Status != collaboration.Taken {
		return "", err
	}
	return slot.Case, nil
}
