package app

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/store"
)

// maxJobs is how many jobs are listed.
const maxJobs = 200

// StartAnchorJob is POST /v1/anchor-jobs.
type StartAnchorJob struct {
	Keyed
	Dataset  string   `json:"dataset" min:"1" max:"128" doc:"The dataset whose records are anchored, of the officer's agency."`
	Files    []string `json:"files,omitempty" max:"1000" doc:"Names of files in the agency's folder of the gateway's inbox, in order. Absent: the department's database is read, as its connector maps it to the dataset."`
	Format   string   `json:"format,omitempty" enum:"csv,ndjson" doc:"What the files are; absent: as their names say."`
	Replaces string   `json:"replaces,omitempty" max:"64" doc:"A withdrawn anchor, to anchor the same source again."`
}

// AnchorJobs is GET /v1/anchor-jobs.
type AnchorJobs struct{}

// AnchorJobList is a list of jobs.
type AnchorJobList struct {
	Items []anchor.Job `json:"items" doc:"The one that began last comes first; at most 200."`
}

// AnchorJobOf is GET /v1/anchor-jobs/{agency}/{code}.
type AnchorJobOf struct {
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
}

// StopAnchorJob is PUT /v1/anchor-jobs/{agency}/{code}/cancellation.
type StopAnchorJob struct {
	Keyed
	AnchorJobOf
}

// Prove is POST /v1/inclusion-proofs.
type Prove struct {
	Keyed
	Dataset   string                     `json:"dataset" min:"1" max:"128"`
	RecordKey map[string]json.RawMessage `json:"key" doc:"The fields of the dataset's record key, with the record's values."`
}

// jobs gives what is needed for jobs of an officer's dataset, or says no.
func (a *App) jobs(who Actor, dataset string) (*anchor.Jobs, error) {
	if _, err := a.asOfficer(who); err != nil {
		return nil, err
	}
	if err := exchange.CheckDataset("dataset", dataset); err != nil {
		return nil, err
	}
	if err := who.own(exchange.DatasetKey(dataset)[0]); err != nil {
		return nil, err
	}
	return a.archive()
}

func (a *App) archive() (*anchor.Jobs, error) {
	if a.Anchoring == nil {
		return nil, notServed("this gateway keeps no archive of anchored records; anchor them with hutong exchange anchor")
	}
	return a.Anchoring, nil
}

// StartAnchorJob starts a job that anchors the records of files or of a department's database, or resumes it.
func (a *App) StartAnchorJob(ctx context.Context, who Actor, req StartAnchorJob) (anchor.Job, error) {
	jobs, err := a.jobs(who, req.Dataset)
	if err != nil {
		return anchor.Job{}, err
	}
	r := anchor.Request{Dataset: req.Dataset, Format: req.Format, Replaces: req.Replaces}
	if len(req.Files) > 0 {
		r.Files, err = jobs.Files(who.Agency, req.Files)
	} else {
		r.Extract, err = a.extract(req.Dataset)
	}
	if err != nil {
		return anchor.Job{}, err
	}
	if err := jobs.Start(anchors{a, who}, anchor.By{Agency: who.Agency, Role: who.Role, Staff: who.Staff}, r); err != nil {
		return anchor.Job{}, err
	}
	job, _, err := jobs.Job(req.Dataset)
	return job, err
}

// ResumeAnchorJobs goes on with the jobs that were cut off when the gateway ended, in the name of who started them.
func (a *App) ResumeAnchorJobs() error {
	if a.Anchoring == nil {
		return nil
	}
	return a.Anchoring.Resume(func(o *anchor.Order) (ledger anchor.Ledger, extract anchor.Extract, err error) {
		if o.Database {
			extract, err = a.extract(o.Dataset)
		}
		return anchors{a, Actor{Agency: o.By.Agency, Role: o.By.Role, Staff: o.By.Staff}}, extract, err
	})
}

func (a *App) extract(dataset string) (anchor.Extract, error) {
	e, found, err := a.Connectors.Extract(dataset)
	if err != nil || !found {
		return nil, fault.New(fault.Refused, "connector.not_configured", "the dataset is not connected to a database that can be read as a whole; name files").On("dataset", "connected")
	}
	return e, nil
}

// AnchorJobs lists the jobs of the officer's agency.
func (a *App) AnchorJobs(_ context.Context, who Actor, _ AnchorJobs) (list AnchorJobList, err error) {
	if err := who.is(Officer); err != nil {
		return list, err
	}
	jobs, err := a.archive()
	if err != nil {
		return list, err
	}
	list.Items, err = jobs.List(who.Agency, maxJobs)
	return list, err
}

// AnchorJob is a dataset's job: the one that runs, or else the last.
func (a *App) AnchorJob(_ context.Context, who Actor, req AnchorJobOf) (anchor.Job, error) {
	jobs, err := a.jobs(who, req.Agency+"/"+req.Code)
	if err != nil {
		return anchor.Job{}, err
	}
	job, _, err := jobs.Job(req.Agency + "/" + req.Code)
	return job, err
}

// FollowAnchorJob tells how far a dataset's job is, until it does not run any more.
func (a *App) FollowAnchorJob(ctx context.Context, who Actor, req AnchorJobOf) (Messages, error) {
	dataset := req.Agency + "/" + req.Code
	jobs, err := a.jobs(who, dataset)
	if err != nil {
		return nil, err
	}
	job, changed, err := jobs.Job(dataset)
	if err != nil {
		return nil, err
	}
	return func(yield func([]Message, error) bool) {
		for yield([]Message{{Data: job}}, nil) && changed != nil {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			if job, changed, err = jobs.Job(dataset); err != nil {
				yield(nil, err)
				return
			}
		}
	}, nil
}

// StopAnchorJob stops a dataset's job. What is anchored stays anchored.
func (a *App) StopAnchorJob(ctx context.Context, who Actor, req StopAnchorJob) (anchor.Job, error) {
	jobs, err := a.jobs(who, req.Agency+"/"+req.Code)
	if err != nil {
		return anchor.Job{}, err
	}
	return jobs.Stop(ctx, req.Agency+"/"+req.Code)
}

// Prove gives the proof of one record of a dataset of the officer's agency, by its key.
func (a *App) Prove(ctx context.Context, who Actor, req Prove) (inclusion.Proof, error) {
	jobs, err := a.jobs(who, req.Dataset)
	if err != nil {
		return inclusion.Proof{}, err
	}
	return jobs.Proof(ctx, req.Dataset, req.RecordKey)
}

// anchors is the ledger of a job that an officer started.
type anchors struct {
	app *App
	who Actor
}

// Dataset implements anchor.Ledger.
func (l anchors) Dataset(ctx context.Context, id string) (exchange.Dataset, error) {
	return get[exchange.Dataset](ctx, l.app, exchange.Datasets.Noun, id, "dataset")
}

// Withdrawn implements anchor.Ledger.
func (l anchors) Withdrawn(ctx context.Context, dataset string) (ids []string, err error) {
	q := store.Query{Noun: exchange.Anchors.Noun, Kind: dataset, Status: exchange.Withdrawn}
	for {
		page, next, err := some[exchange.Anchor](ctx, l.app, q)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			ids = append(ids, a.ID)
		}
		if q.PageToken = next; next == "" {
			return ids, nil
		}
	}
}

// Anchor implements anchor.Ledger.
func (l anchors) Anchor(ctx context.Context, key string, r exchange.CreateAnchor) (anchor.Receipt, error) {
	as, err := l.app.held(l.who.Agency, access.Agency)
	if err != nil {
		return anchor.Receipt{}, err
	}
	receipt, err := l.app.submit(ctx, as, exchange.Name, exchange.AnchorCreate, scoped(l.who.owner(), key), l.who.Staff, r)
	if f := new(fault.Fault); err != nil && ctx.Err() == nil && (!errors.As(err, &f) || f.Kind == fault.Internal || f.Reason == ledger.ReasonBusy || f.Reason == ledger.ReasonContention) {
		err = anchor.Temporary{Cause: err} // not reached, busy, or not known what became of it
	}
	return anchor.Receipt{Anchor: receipt.ID, Tx: receipt.Tx, Block: receipt.Block, At: receipt.At}, err
}
