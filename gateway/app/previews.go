package app

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// prepare keeps what the subject is to look at: sealed to the portal its case was opened at, where it sees it, and to the
// provider itself, which delivers the same once it is released. For the consumer nothing is sealed yet. It ends with the
// fault that says that the subject is to decide.
func (a *App) prepare(ctx context.Context, as ledger.Signer, use exchange.Use, document commitment.Document) error {
	c, err := get[collaboration.Case](ctx, a, "case", use.Case, "use")
	if err != nil {
		return err
	}
	root, err := document.Root()
	if err != nil {
		return err
	}
	// Kept before the ledger is told: what is prepared on the ledger can always be shown.
	if err := a.keepDocument(ctx, vault.Preview, use.Case, document, c.Created.By, use.Provider); err != nil {
		return err
	}
	request := exchange.PrepareUse{Use: use.ID, Commitment: root}
	_, err = a.submit(ctx, as, exchange.Name, exchange.UsePrepare, scoped("prepare", use.ID+root), "", request)
	if err != nil && !errors.Is(err, exchange.ErrAlreadyPrepared) {
		return err
	}
	return exchange.ErrNotReleased.On("use", "status:"+exchange.Released)
}

// prepared is what was prepared for a use of one of this gateway's agencies.
func (a *App) prepared(ctx context.Context, use exchange.Use) (commitment.Document, error) {
	return a.openFrom(ctx, use.Provider, use.Preview, use.Provider, vault.Entry{Kind: vault.Preview, Case: use.Case})
}

// Preview is what would be delivered, as its subject sees it.
type Preview struct {
	Use      exchange.Use         `json:"use"`
	Document *commitment.Document `json:"document,omitempty" doc:"To the subject: what would be delivered. Its commitment is use.preview, and the delivery's will be the same. Absent at a window."`
	Fields   []PreviewField       `json:"fields" doc:"The same for reading."`
	Release  exchange.Release     `json:"release" doc:"What the subject signs (JWS of type hutong-release+jwt) to have it delivered."`
	Refusal  exchange.Refusal     `json:"refusal" doc:"What the subject signs (JWS of type hutong-refusal+jwt) to have nothing delivered."`
	AsOf     uint64               `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// PreviewField is one field of a preview.
type PreviewField struct {
	Name   string          `json:"name"`
	Title  exchange.Text   `json:"title"`
	Value  json.RawMessage `json:"value,omitempty" doc:"Absent where it is masked."`
	Masked bool            `json:"masked,omitempty" doc:"The field is personal, and somebody else than its subject is looking: at a window, where what is sensitive is left out."`
}

// Preview shows a subject, or a window of the portal its case was opened at, what a use would deliver.
func (a *App) Preview(ctx context.Context, who Actor, req ByID) (p Preview, err error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return p, err
	}
	if p.AsOf, err = a.wait(ctx, req.After); err != nil {
		return p, err
	}
	if p.Use, err = a.previewed(ctx, who, req.ID); err != nil {
		return p, err
	}
	if p.Use.Preview == "" {
		return p, exchange.ErrNotPrepared.On("id", "status:"+exchange.Prepared)
	}
	dataset, err := get[exchange.Dataset](ctx, a, "dataset", p.Use.Dataset, "id")
	if err != nil {
		return p, err
	}
	document, err := a.openFrom(ctx, p.Use.Provider, p.Use.Preview, portal.Agency, vault.Entry{Kind: vault.Preview, Case: p.Use.Case})
	if err != nil {
		return p, err
	}
	if who.Role == Citizen {
		p.Document = &document
	}
	p.Fields = shown(document, dataset, who.Role != Citizen)
	p.Release = exchange.Release{Channel: a.Channel, Subject: p.Use.Subject, Use: p.Use.ID, Preview: p.Use.Preview}
	p.Refusal = exchange.Refusal{Channel: a.Channel, Subject: p.Use.Subject, Use: p.Use.ID}
	return p, nil
}

// shown lists a document's fields. Where somebody else than the subject looks, what is personal is masked and what is
// sensitive left out; a field that the dataset does not describe counts as sensitive.
func shown(document commitment.Document, d exchange.Dataset, window bool) []PreviewField {
	fields := []PreviewField{}
	for _, f := range document.Fields {
		spec := exchange.FieldSpec{Name: f.Name, Title: exchange.Text{Zh: f.Name, En: f.Name}, Sensitivity: exchange.Sensitive}
		if at := slices.IndexFunc(d.Fields, func(s exchange.FieldSpec) bool { return s.Name == f.Name }); at >= 0 {
			spec = d.Fields[at]
		}
		shown := PreviewField{Name: f.Name, Title: spec.Title, Value: f.Value}
		switch {
		case window && spec.Sensitivity == exchange.Sensitive:
			continue
		case window && spec.Sensitivity == exchange.Personal:
			shown.Value, shown.Masked = nil, true
		}
		fields = append(fields, shown)
	}
	return fields
}

// previewed reads a use whose subject decides: the citizen's own, or one for a case opened at the portal.
func (a *App) previewed(ctx context.Context, who Actor, id string) (use exchange.Use, err error) {
	if use, err = get[exchange.Use](ctx, a, "use", id, "id"); err != nil {
		return use, err
	}
	if who.Role == Citizen {
		return use, who.self(use.Subject, "use")
	}
	c, err := get[collaboration.Case](ctx, a, "case", use.Case, "id")
	if err != nil {
		return use, err
	}
	return use, who.own(c.Created.By)
}

// ReleaseUse is PUT /v1/uses/{id}/release.
type ReleaseUse struct {
	Keyed
	ID      string `path:"id" json:"-"`
	Release string `json:"release" max:"16384" doc:"Compact JWS of type hutong-release+jwt over {channel, subject, use, preview}."`
}

// ReleaseUse has what the subject was shown delivered.
func (a *App) ReleaseUse(ctx context.Context, who Actor, req ReleaseUse) (Receipt, error) {
	portal, use, err := a.deciding(ctx, who, req.ID)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.ReleaseUse{Use: req.ID, JWS: req.Release}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "release")
	}
	receipt, err := a.write(ctx, who, portal, exchange.Name, exchange.UseRelease, req.Keyed, request)
	if err == nil {
		a.nudge(ctx, use, use.Provider, Delivery{Block: receipt.Block, Wait: true})
	}
	return receipt, err
}

// RefuseUse is PUT /v1/uses/{id}/refusal.
type RefuseUse struct {
	Keyed
	ID      string `path:"id" json:"-"`
	Refusal string `json:"refusal" max:"16384" doc:"Compact JWS of type hutong-refusal+jwt over {channel, subject, use}."`
}

// RefuseUse has nothing delivered. The use stays in the subject's log, refused.
func (a *App) RefuseUse(ctx context.Context, who Actor, req RefuseUse) (Receipt, error) {
	portal, _, err := a.deciding(ctx, who, req.ID)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.RefuseUse{Use: req.ID, JWS: req.Refusal}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "refusal")
	}
	return a.write(ctx, who, portal, exchange.Name, exchange.UseRefuse, req.Keyed, request)
}

// deciding is who signs for a citizen's decision, and the use it is about.
func (a *App) deciding(ctx context.Context, who Actor, id string) (portal ledger.Signer, use exchange.Use, err error) {
	if portal, err = a.asPortal(who); err != nil {
		return portal, use, err
	}
	use, err = a.previewed(ctx, who, id)
	return portal, use, err
}
