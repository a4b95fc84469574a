package block

import (
	"encoding/json"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/state"
)

// Written are the records of one collection of a contract that a transaction wrote, by id. What was deleted or cannot be read
// is left out.
func Written[R any](tx Transaction, contract string, in state.Map[R]) map[string]R {
	records := map[string]R{}
	for _, namespace := range tx.Writes {
		if namespace.Name != contract {
			continue
		}
		for _, w := range namespace.Writes {
			noun, parts, ok := state.Split(w.Key)
			var record R
			if ok && noun == in.Noun && json.Unmarshal(w.Value, &record) == nil {
				records[strings.Join(parts, state.IDSeparator)] = record
			}
		}
	}
	return records
}
