package app

import (
	"context"
	"strconv"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// judges remembers, for each dataset this gateway delivers, the schema of the last edition it met, ready to judge.
type judges struct {
	mu    sync.Mutex
	known map[string]judge // by dataset
}

type judge struct {
	edition int
	*exchange.Judge
}

// judged holds what a department's database says to the schema of the dataset's edition in force: what is published is what
// is delivered. Fault: record.off_schema.
func (a *App) judged(ctx context.Context, d exchange.Dataset, values map[string]any) error {
	a.judges.mu.Lock()
	j := a.judges.known[d.ID]
	a.judges.mu.Unlock()
	if j.edition != d.Edition {
		schema, err := get[exchange.Schema](ctx, a, "schema", d.ID+"/"+strconv.Itoa(d.Edition), "dataset")
		if err != nil {
			return err
		}
		made, err := schema.Judge()
		if err != nil {
			return err
		}
		j = judge{d.Edition, made}
		a.judges.mu.Lock()
		a.judges.known[d.ID] = j
		a.judges.mu.Unlock()
	}
	record, err := canonical.Marshal(values)
	if err != nil {
		return err
	}
	return j.Check(record)
}
