package ledger

import (
	"encoding/json"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// reader makes outcomes of a contract's answer to a write, all of them Committed or Rejected as they will be once the
// transaction is in a block.
type reader func(answer []byte) ([]Outcome, error)

func readReceipt(answer []byte) ([]Outcome, error) {
	var receipt kernel.Receipt
	if err := json.Unmarshal(answer, &receipt); err != nil || receipt.ID == "" {
		return nil, unreadable()
	}
	return []Outcome{{State: Committed, Receipt: receipt}}, nil
}

func readOutcomes(n int) reader {
	return func(answer []byte) ([]Outcome, error) {
		var batch kernel.Outcomes
		if err := json.Unmarshal(answer, &batch); err != nil || len(batch.Outcomes) != n {
			return nil, unreadable()
		}
		outcomes := make([]Outcome, n)
		for i, o := range batch.Outcomes {
			switch {
			case o.Receipt != nil && o.Fault == nil:
				outcomes[i] = Outcome{State: Committed, Receipt: *o.Receipt}
			case o.Fault != nil && o.Receipt == nil:
				outcomes[i] = Outcome{State: Rejected, Fault: o.Fault}
			default:
				return nil, unreadable()
			}
		}
		return outcomes, nil
	}
}

// nothingNew says whether a write changed nothing: every command was refused or done before. Such a transaction need not
// be ordered; the endorsements of its answer have shown what is already on the ledger.
func nothingNew(outcomes []Outcome) bool {
	for _, o := range outcomes {
		if o.State == Committed && !o.Receipt.Replayed {
			return false
		}
	}
	return true
}

func readAnswer(raw []byte, answer any) error {
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return unreadable()
	}
	return nil
}

// unreadable is the fault for an answer in a form this gateway does not know. The answer itself is not repeated.
func unreadable() *fault.Fault {
	return fault.New(fault.Internal, ReasonUnreadable, "the contract answered in a form this gateway does not know; their versions may differ")
}
