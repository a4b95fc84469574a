// Package remote reaches the ledger of an anchor job through a gateway's REST API: for a job that runs where the records
// are, while the gateway that holds the agency's keys runs elsewhere. Of the records, only the roots over them travel.
package remote

import (
	"context"
	"errors"
	"net/http"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

// Ledger is a gateway, called as an officer of the dataset's agency.
type Ledger struct{ Gateway api.Gateway }

// pageSize of lists.
const pageSize = 200

// Dataset reads the dataset's entry in the directory. Fault: dataset.missing.
func (l Ledger) Dataset(ctx context.Context, id string) (found exchange.Dataset, err error) {
	request := api.Datasets{Agency: exchange.DatasetKey(id)[0], PageSize: pageSize}
	for {
		page, err := l.Gateway.Datasets(ctx, request)
		if err != nil {
			return found, passing(err)
		}
		for _, d := range page.Items {
			if d.ID == id {
				return d, nil
			}
		}
		if request.PageToken = page.Next; page.Next == "" {
			return found, fault.New(fault.Missing, "dataset.missing", "no such record; check the identifier").On("dataset", "exists")
		}
	}
}

// Withdrawn lists the ids of a dataset's withdrawn anchors.
func (l Ledger) Withdrawn(ctx context.Context, dataset string) (ids []string, err error) {
	request := api.Anchors{Dataset: dataset, Status: exchange.Withdrawn, PageSize: pageSize}
	for {
		page, err := l.Gateway.Anchors(ctx, request)
		if err != nil {
			return nil, passing(err)
		}
		for _, a := range page.Items {
			ids = append(ids, a.ID)
		}
		if request.PageToken = page.Next; page.Next == "" {
			return ids, nil
		}
	}
}

// Anchor has the gateway anchor a batch.
func (l Ledger) Anchor(ctx context.Context, key string, r exchange.CreateAnchor) (anchor.Receipt, error) {
	receipt, err := l.Gateway.CreateAnchor(ctx, api.CreateAnchor{CreateAnchor: r}, client.Key(key))
	return anchor.Receipt{Anchor: receipt.ID, Tx: receipt.Tx, Block: receipt.Block, At: receipt.At}, passing(err)
}

// passing marks errors that may pass by themselves: no connection, a gateway that is down or busy, a race that was lost, an
// outcome that is not known yet, a token that is being renewed.
func passing(err error) error {
	var problem *client.Problem
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case !errors.As(err, &problem):
		return anchor.Temporary{Cause: err} // of the connection, or *client.Pending
	case problem.Status >= http.StatusInternalServerError, problem.Status == http.StatusTooManyRequests,
		problem.Status == http.StatusUnauthorized, problem.Reason == "transaction.contention":
		return anchor.Temporary{Cause: err}
	}
	return err
}
