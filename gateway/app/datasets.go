package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/store"
)

// PublishDataset is POST /v1/datasets.
type PublishDataset struct {
	Keyed
	exchange.PublishDataset
}

// PublishDataset enters a dataset of the administrator's agency in the directory.
func (a *App) PublishDataset(ctx context.Context, who Actor, req PublishDataset) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	if err := req.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.DatasetPublish, req.Keyed, req.PublishDataset)
}

// ReviseDataset is POST /v1/datasets/{agency}/{code}/editions.
type ReviseDataset struct {
	Keyed
	Agency  string `path:"agency" json:"-" max:"64"`
	Code    string `path:"code" json:"-" max:"64"`
	Edition int    `json:"edition" min:"2" max:"1000" doc:"The number of the edition this makes: one more than the one in force."`
	exchange.Content
	Schema json.RawMessage `json:"schema,omitempty" doc:"JSON Schema 2020-12 of a record; derived from the fields if absent."`
}

// ReviseDataset makes the next edition of a dataset of the administrator's agency.
func (a *App) ReviseDataset(ctx context.Context, who Actor, req ReviseDataset) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.ReviseDataset{Dataset: req.Agency + "/" + req.Code, Edition: req.Edition, Content: req.Content, Schema: req.Schema}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.DatasetRevise, req.Keyed, request)
}

// WithdrawDataset is PUT /v1/datasets/{agency}/{code}/withdrawal.
type WithdrawDataset struct {
	Keyed
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
	Reason string `json:"reason" min:"1" max:"64" doc:"A code."`
}

// WithdrawDataset takes a dataset out of the directory for good. It leaves a trace.
func (a *App) WithdrawDataset(ctx context.Context, who Actor, req WithdrawDataset) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.WithdrawDataset{Dataset: req.Agency + "/" + req.Code, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.DatasetWithdraw, req.Keyed, request)
}

// Datasets is GET /v1/datasets.
type Datasets struct {
	Listing
	Agency         string `query:"agency" json:"-" max:"64" doc:"Only datasets of this agency."`
	Status         string `query:"status" json:"-" enum:"published,withdrawn" doc:"Only datasets of this status."`
	Classification string `query:"classification" json:"-" enum:"open,shared,conditional,restricted" doc:"Only datasets classified so."`
	Field          string `query:"field" json:"-" max:"64" doc:"Only datasets that give a field of this name."`
	Purpose        string `query:"purpose" json:"-" max:"64" doc:"Only datasets whose conditions list this purpose."`
	Text           string `query:"text" json:"-" max:"100" doc:"Only datasets with all these words, or parts of words, in their id, names, or names and titles of fields, in either language."`
}

// Datasets lists the directory: what agencies hold and may share, never the data. Anybody may ask.
func (a *App) Datasets(ctx context.Context, _ Actor, req Datasets) (Records[exchange.Dataset], error) {
	q := store.Query{Noun: "dataset", Agency: req.Agency, Status: req.Status, Text: req.Text}
	for tag, value := range map[string]string{exchange.TagClassification: req.Classification, exchange.TagField: req.Field, exchange.TagPurpose: req.Purpose} {
		if value != "" {
			q.Tags = append(q.Tags, tag+value)
		}
	}
	slices.Sort(q.Tags) // a page token is of one form of the list
	return records[exchange.Dataset](ctx, a, req.Listing, q)
}

// DatasetByID is GET /v1/datasets/{agency}/{code}.
type DatasetByID struct {
	After
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
}

// Dataset shows the edition of an entry that is in force. Anybody may ask.
func (a *App) Dataset(ctx context.Context, _ Actor, req DatasetByID) (Item[exchange.Dataset], error) {
	return one[exchange.Dataset](ctx, a, req.After, "dataset", req.Agency+"/"+req.Code, "path.code")
}

// DatasetEditions is GET /v1/datasets/{agency}/{code}/editions.
type DatasetEditions struct {
	Paging
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
}

// DatasetState is an entry as it was from a time on.
type DatasetState struct {
	Since   time.Time        `json:"since" doc:"Until the next state, or still."`
	Block   uint64           `json:"block"`
	Tx      string           `json:"tx_id"`
	Dataset exchange.Dataset `json:"dataset"`
}

// DatasetEditions lists what an entry has said, oldest first: its editions and, where it was withdrawn, that. Anybody may
// ask.
func (a *App) DatasetEditions(ctx context.Context, _ Actor, req DatasetEditions) (page Page[DatasetState], err error) {
	if page.AsOf, err = a.wait(ctx, req.After); err != nil {
		return page, err
	}
	past, next, err := a.Store.History(ctx, "dataset", req.Agency+"/"+req.Code, req.PageSize, req.PageToken)
	if err != nil {
		return page, err
	}
	if len(past) == 0 {
		return page, missing("dataset", "path.code")
	}
	page.Next, page.Items = next, make([]DatasetState, len(past))
	for i, p := range past {
		page.Items[i] = DatasetState{Since: p.At, Block: p.Block, Tx: p.Tx}
		if err := json.Unmarshal(p.Body, &page.Items[i].Dataset); err != nil {
			return page, fmt.Errorf("projection: a past dataset: %w", err)
		}
	}
	return page, nil
}

// DatasetSchema is GET /v1/datasets/{agency}/{code}/editions/{edition}/schema.
type DatasetSchema struct {
	After
	Agency  string `path:"agency" json:"-" max:"64"`
	Code    string `path:"code" json:"-" max:"64"`
	Edition int    `path:"edition" json:"-" min:"1" max:"1000"`
}

// DatasetSchema shows what the records of an edition look like. Anybody may ask.
func (a *App) DatasetSchema(ctx context.Context, _ Actor, req DatasetSchema) (Item[exchange.Schema], error) {
	return one[exchange.Schema](ctx, a, req.After, "schema", fmt.Sprintf("%s/%s/%d", req.Agency, req.Code, req.Edition), "path.edition")
}

// DatasetGrants is GET /v1/datasets/{agency}/{code}/grants.
type DatasetGrants struct {
	Listing
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
	Status string `query:"status" json:"-" enum:"requested,granted,denied,withdrawn" doc:"Only grants of this status."`
}

// DatasetGrants lists who uses a dataset, for what and on what terms. Anybody may ask: who shares what with whom is no secret.
func (a *App) DatasetGrants(ctx context.Context, _ Actor, req DatasetGrants) (Records[exchange.Grant], error) {
	q := store.Query{Noun: "grant", Kind: req.Agency + "/" + req.Code, Status: req.Status}
	return records[exchange.Grant](ctx, a, req.Listing, q)
}
