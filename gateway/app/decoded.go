package app

import (
	"bytes"
	"context"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// maxDecoded bounds how many datasets are remembered as structs.
const maxDecoded = 512

// decoded remembers datasets as structs: verifications read a few of them thousands of times a second, and decoding one takes
// longer than everything else a verification of one's own record does.
//
// Invariant: what is given is what the store's bytes say; other bytes are decoded anew.
type decoded struct {
	mu    sync.Mutex
	known map[string]decodedDataset
}

type decodedDataset struct {
	body    []byte
	dataset exchange.Dataset
}

// dataset reads a dataset. Fault: dataset.missing. It is shared and must not be changed.
func (a *App) dataset(ctx context.Context, id string) (exchange.Dataset, error) {
	r, found, err := a.Store.Get(ctx, exchange.Datasets.Noun, id)
	if err == nil && !found {
		err = missing(exchange.Datasets.Noun, "dataset")
	}
	if err != nil {
		return exchange.Dataset{}, err
	}
	a.decoded.mu.Lock()
	known, there := a.decoded.known[id]
	a.decoded.mu.Unlock()
	if there && bytes.Equal(known.body, r.Body) {
		return known.dataset, nil
	}
	d, err := record[exchange.Dataset](r)
	if err != nil {
		return d, err
	}
	a.decoded.mu.Lock()
	defer a.decoded.mu.Unlock()
	if len(a.decoded.known) >= maxDecoded {
		clear(a.decoded.known)
	}
	a.decoded.known[id] = decodedDataset{r.Body, d}
	return d, nil
}
