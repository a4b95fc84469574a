package kernel

import (
	"encoding/json"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// AskFunction carries many questions to one read function. A call from contract to contract costs a peer far more than the
// read it is for: it checks the whole transaction's signature again, each time.
const AskFunction = "batch:Ask"

// Question is a read of another contract.
type Question struct {
	Chaincode, Function string
	Request             any
}

// Questions is the argument of AskFunction: up to MaxCommands requests for one read function.
type Questions struct {
	Function string            `json:"function"`
	Requests []json.RawMessage `json:"requests"`
}

// Answer is a question's: one of the two.
type Answer struct {
	Answer json.RawMessage `json:"answer,omitempty"`
	Fault  *fault.Fault    `json:"fault,omitempty"`
}

// Answers answers Questions, in their order.
type Answers struct {
	Answers []Answer `json:"answers"`
}

// answerAll answers many questions. A question that is refused does not touch its neighbours.
func (c *Contract) answerAll(tx *Tx, argument []byte) ([]byte, error) {
	var questions Questions
	if err := canonical.DecodeEnvelope(argument, &questions); err != nil {
		return nil, err
	}
	if n := len(questions.Requests); n == 0 || n > MaxCommands {
		return nil, fault.Field("requests", fmt.Sprintf("length:1,%d", MaxCommands), "send between one and this many requests")
	}
	f, ok := c.table[questions.Function]
	if !ok || f.Kind != KindRead {
		return nil, unknownFunction()
	}
	if err := f.Rule.Check(tx.By); err != nil {
		return nil, err
	}
	all := Answers{Answers: make([]Answer, len(questions.Requests))}
	for i, request := range questions.Requests {
		raw, err := f.read(tx, request)
		switch {
		case err == nil:
			all.Answers[i].Answer = raw
		case fault.From(err).Kind == fault.Internal:
			return nil, err // the ledger failed, not the question
		default:
			all.Answers[i].Fault = fault.From(err)
		}
	}
	return canonical.Marshal(all)
}

// askAhead asks other contracts what the commands of a batch will ask them one by one (Tx.Ask), each function once. What a
// request that cannot be read would ask is left out: its command is refused before it asks.
func (c *Contract) askAhead(tx *Tx, commands []BatchCommand) error {
	type target struct{ chaincode, function string }
	var order []target
	wanted := map[target][]json.RawMessage{}
	for _, command := range commands {
		f := c.table[command.Function]
		if f.asks == nil || command.validate() != nil || f.Rule.Check(tx.By) != nil {
			continue
		}
		q, ok := f.asks(command.Request)
		if !ok {
			continue
		}
		raw, err := canonical.Marshal(q.Request)
		if err != nil {
			continue
		}
		name := asked(q.Chaincode, q.Function, raw)
		if _, known := tx.answers[name]; known {
			continue
		}
		to := target{q.Chaincode, q.Function}
		if len(wanted[to]) == 0 {
			order = append(order, to)
		}
		tx.remember(name, Answer{}) // until the answer comes
		wanted[to] = append(wanted[to], raw)
	}
	for _, to := range order {
		raw, err := tx.call(to.chaincode, AskFunction, Questions{to.function, wanted[to]})
		if err != nil {
			return err
		}
		var all Answers
		if err := json.Unmarshal(raw, &all); err != nil || len(all.Answers) != len(wanted[to]) {
			return errUnreadable
		}
		for i, answer := range all.Answers {
			tx.remember(asked(to.chaincode, to.function, wanted[to][i]), answer)
		}
	}
	return nil
}

// asked identifies a question within a transaction.
func asked(chaincode, function string, request []byte) string {
	return chaincode + "\n" + function + "\n" + string(request)
}

// remember keeps an answer for the rest of the transaction. A transaction does not see its own writes, in no contract, so
// an answer does not change within it.
func (tx *Tx) remember(question string, answer Answer) {
	if tx.answers == nil {
		tx.answers = map[string]Answer{}
	}
	tx.answers[question] = answer
}

// Ask calls a read function of another chaincode on this channel, once a transaction for each request; what it reads joins
// this transaction's read set. A fault of the other chaincode is returned as it is. A function that asks says what in
// Create.Asks, so that a batch can ask for all its commands at once.
func (tx *Tx) Ask(chaincode, function string, request, answer any) error {
	raw, err := canonical.Marshal(request)
	if err != nil {
		return err
	}
	name := asked(chaincode, function, raw)
	known, found := tx.answers[name]
	if !found {
		if known.Answer, err = tx.call(chaincode, function, json.RawMessage(raw)); err != nil {
			return err
		}
		tx.remember(name, known)
	}
	if known.Fault != nil {
		return known.Fault
	}
	if err := json.Unmarshal(known.Answer, answer); err != nil {
		return errUnreadable
	}
	return nil
}

var errUnreadable = fault.New(fault.Internal, "ledger.failed", "another contract's answer could not be read")
