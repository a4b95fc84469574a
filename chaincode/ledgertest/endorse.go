package ledgertest

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// opinion is what one endorser makes of a proposal.
type opinion struct {
	response   *peer.Response
	simulation *simulation
}

func (e opinion) refused() bool { return e.response.GetStatus() >= shim.ERRORTHRESHOLD }

// refusedByClock: the refusals that depend on an endorser's clock, and may: then there is no endorsement that could differ.
func (e opinion) refusedByClock() bool {
	f, ok := fault.Parse(e.response.GetMessage())
	return e.refused() && ok && slices.Contains(kernel.ClockReasons, f.Reason)
}

// simulate runs a call on two endorsers and holds them to making the same of it.
func (c *Client) simulate(chaincode string, args [][]byte) (*Tx, error) {
	l := c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	tx := &Tx{ID: l.nextID(), ledger: l, at: l.now.Add(c.offset), msp: c.msp, chaincode: chaincode, args: args}
	l.skew = 0
	first := c.endorse(tx)
	l.skew = EndorserSkew
	second := c.endorse(tx)
	l.skew = 0
	switch {
	case first.refusedByClock():
	case second.refusedByClock():
		first = second
	default:
		if part := first.difference(second); part != "" {
			panic(fmt.Sprintf("ledgertest: %s is not deterministic: two endorsers differ in the %s", function(args), part))
		}
	}
	if first.simulation.misuse != "" {
		panic("ledgertest: " + function(args) + ": " + first.simulation.misuse)
	}
	if first.refused() {
		if f, ok := fault.Parse(first.response.GetMessage()); ok {
			if f.Reason == kernel.ReasonPanicked {
				panic("ledgertest: " + function(args) + " panicked; the log has the stack")
			}
			return nil, f
		}
		return nil, &EndorseError{first.response.GetStatus(), first.response.GetMessage()}
	}
	l.checkEvent(function(args), first.simulation.event)
	tx.Payload, tx.simulation = first.response.GetPayload(), first.simulation
	return tx, nil
}

func (c *Client) endorse(tx *Tx) opinion {
	s := newSimulation()
	stub := &Stub{
		ledger: c.ledger, simulation: s, id: tx.ID, namespace: tx.chaincode, args: cloneArgs(tx.args),
		creator: c.creator, msp: c.msp, transient: c.transient, at: timestamppb.New(tx.at),
	}
	response := stub.run()
	s.event = stub.event
	return opinion{response, s}
}

// difference names the first part in which two endorsements of one proposal differ, "" if they agree.
func (e opinion) difference(other opinion) string {
	switch {
	case e.response.GetStatus() != other.response.GetStatus():
		return fmt.Sprintf("response status: %d %s and %d %s", e.response.GetStatus(), e.response.GetMessage(), other.response.GetStatus(), other.response.GetMessage())
	case e.response.GetMessage() != other.response.GetMessage():
		return fmt.Sprintf("response message: %s and %s", e.response.GetMessage(), other.response.GetMessage())
	case string(e.response.GetPayload()) != string(other.response.GetPayload()):
		return fmt.Sprintf("answer: %s and %s", e.response.GetPayload(), other.response.GetPayload())
	}
	return e.simulation.difference(other.simulation)
}

// checkEvent holds contracts to announcing only what they declare.
func (l *Ledger) checkEvent(function string, event *Event) {
	if event == nil || event.Name != kernel.EventName {
		return
	}
	var envelope kernel.Envelope
	if err := json.Unmarshal(event.Payload, &envelope); err != nil {
		panic("ledgertest: " + function + " sets an event that is no envelope: " + err.Error())
	}
	for _, change := range envelope.Changes {
		if !l.declared[change.Type] {
			panic("ledgertest: " + function + " announces " + change.Type + ", which no contract declares in Events")
		}
	}
}

func function(args [][]byte) string {
	if len(args) == 0 {
		return "a call without arguments"
	}
	return string(args[0])
}

func cloneArgs(args [][]byte) [][]byte {
	clone := make([][]byte, len(args))
	for i, arg := range args {
		clone[i] = slices.Clone(arg)
	}
	return clone
}
