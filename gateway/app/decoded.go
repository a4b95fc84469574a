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
// Invariant: what is given is what the store's bytes say at its present height or later; they are read once a height, and
// other bytes are decoded anew.
type decoded struct {
	mu    sync.Mutex
	known map[string]decodedDataset
}

type decodedDataset struct {
	height  uint64 // of the store, from before it was read
	body    []byte
	dataset exchange.Dataset
}

// dataset reads a dataset. Fault: dataset.missing. It is shared and must not be changed.
func (a *App) dataset(ctx context.Context, id string) (exchange.Dataset, error) {
	height, err := a.Store.Height(ctx)
	if err != nil {
		return exchange.Dataset{}, err
	}
	known := a.decoded.of(id)
	if known.height == height && height > 0 { // 0 may mean that there is no block at all
		return known.dataset, nil
	}
	r, found, err := a.Store.Get(ctx, exchange.Datasets.Noun, id)
	if err == nil && !found {
		err = missing(exchange.Datasets.Noun, "dataset")
	}
	if err != nil {
		return exchange.Dataset{}, err
	}
	if !bytes.Equal(known.body, r.Body) {
		known.body = r.Body
		if known.dataset, err = record[exchange.Dataset](r); err != nil {
			return exchange.Dataset{}, err
		}
	}
	known.height = height
	a.decoded.keep(id, known)
	return known.dataset, nil
}

func (d *decoded) of(id string) decodedDataset {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[id]
}

// keep keeps a dataset, unless something newer is kept by now.
func (d *decoded) keep(id string, known decodedDataset) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[id].height > known.height {
		return
	}
	if len(d.known) >= maxDecoded {
		clear(d.known)
	}
	d.known[id] = known
}
