package exchange_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func TestPublishDataset(t *testing.T) {
	d := premises()
	request := exchange.PublishDataset{
		Code: d.Code, Name: d.Name, Classification: d.Classification, Fields: d.Fields, Selector: d.Selector, ConsentRequired: d.ConsentRequired,
	}
	require.NoError(t, request.Validate())
	made, event, err := request.Publish(asHouse)
	require.NoError(t, err)
	require.Equal(t, d, made)
	require.Equal(t, kernel.Change{Type: exchange.EventDatasetPublished, ID: d.ID, Agency: housing}, event)
	require.Empty(t, documented(t, exchange.DatasetPublish))
}

func TestWithdrawDataset(t *testing.T) {
	type world struct {
		by      access.Caller
		dataset exchange.Dataset
	}
	request := exchange.WithdrawDataset{Dataset: housing + "/premises", Reason: "replaced"}
	require.NoError(t, request.Validate())
	run := func(w *world) error {
		d, event, err := w.dataset.Withdraw(w.by, request)
		if err == nil {
			require.Equal(t, exchange.Withdrawn, d.Status)
			require.Equal(t, "replaced", d.Reason)
			require.Equal(t, kernel.Change{Type: exchange.EventDatasetWithdrawn, ID: d.ID, Agency: housing}, event)
		}
		return err
	}
	checkGuards(t, exchange.DatasetWithdraw, func() *world { return &world{asHouse, premises()} }, run, []guard[world]{
		{"another agency", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"withdrawn before", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
	})
}
