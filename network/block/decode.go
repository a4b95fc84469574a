package block

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// maxNameLength bounds what is shown as a name; a first argument may be anything. Fabric ids are 64 digits, keys up to 128.
const maxNameLength = 128

// Decoder decodes blocks and remembers the identities it has met. The zero value is ready. It is not safe for concurrent
// use.
type Decoder struct{ known identities }

// Decode reads a block. The error is ErrMalformed, and only where the block's outline is broken; a transaction that
// cannot be read says so itself.
func (d *Decoder) Decode(b *common.Block) (Block, error) {
	if err := Check(b); err != nil {
		return Block{}, err
	}
	flags, err := codes(b)
	if err != nil {
		return Block{}, err
	}
	decoded := Block{
		Number:       b.GetHeader().GetNumber(),
		Hash:         HeaderHash(b.GetHeader()),
		Previous:     b.GetHeader().GetPreviousHash(),
		DataHash:     b.GetHeader().GetDataHash(),
		Transactions: make([]Transaction, len(flags)),
	}
	for i, raw := range b.GetData().GetData() {
		tx := &decoded.Transactions[i]
		tx.Index, tx.Kind, tx.Code = i, Other, CodeOf(peer.TxValidationCode(flags[i]))
		if err := d.transaction(tx, raw); err != nil {
			tx.Malformed = err.Error()
		}
	}
	return decoded, nil
}

// transaction reads an envelope into tx as far as it can.
func (d *Decoder) transaction(tx *Transaction, raw []byte) error {
	envelope, err := channelHeader(raw)
	if err != nil {
		return err
	}
	head := envelope.channel
	tx.ID, tx.Channel = printable(head.GetTxId()), printable(head.GetChannelId())
	if stamp := head.GetTimestamp(); stamp.IsValid() {
		tx.At = stamp.AsTime().UTC()
	}
	var signer, nonce []byte
	if err := open(envelope.signature, part{number: 1, bytes: &signer}, part{number: 2, bytes: &nonce}); err != nil {
		return fmt.Errorf("signature header: %w", err)
	}
	tx.Creator, tx.Signer, tx.Nonce = d.known.of(signer), signer, nonce
	switch common.HeaderType(head.GetType()) {
	case common.HeaderType_ENDORSER_TRANSACTION:
		tx.Kind = Endorsed
		return d.endorsed(tx, envelope.data)
	case common.HeaderType_CONFIG:
		tx.Kind = Config
		return config(tx, envelope.data)
	}
	return nil
}

func config(tx *Transaction, raw []byte) error {
	var envelope common.ConfigEnvelope
	if err := proto.Unmarshal(raw, &envelope); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	tx.ConfigSequence = envelope.GetConfig().GetSequence()
	return nil
}

// endorsed reads an endorsed transaction. Fabric allows exactly one action.
func (d *Decoder) endorsed(tx *Transaction, raw []byte) error {
	var actions [][]byte
	if err := open(raw, part{number: 1, pieces: &actions}); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	if n := len(actions); n != 1 {
		return fmt.Errorf("transaction: %d actions; there must be one", n)
	}
	var payload []byte
	if err := open(actions[0], part{number: 2, bytes: &payload}); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	var asked, answered []byte
	var endorsements [][]byte
	action := message{parts: []part{{number: 1, bytes: &answered}, {number: 2, pieces: &endorsements}}}
	if err := open(payload, part{number: 1, bytes: &asked}, part{number: 2, inside: &action}); err != nil {
		return fmt.Errorf("action: %w", err)
	}
	endorsers := make([]Identity, len(endorsements))
	for i, e := range endorsements {
		var endorser []byte
		if err := open(e, part{number: 1, bytes: &endorser}); err != nil {
			return fmt.Errorf("action: %w", err)
		}
		endorsers[i] = d.known.of(endorser)
	}
	if len(endorsers) > 0 {
		tx.Endorsers = endorsers
	}
	// The call and its result are read independently, so that a broken one does not hide the other.
	return errors.Join(proposal(tx, asked), result(tx, answered))
}

// proposal reads what was asked for.
func proposal(tx *Transaction, raw []byte) error {
	var input []byte
	var transient [][]byte // a well-behaved client leaves none
	err := open(raw, part{number: 1, bytes: &input}, part{number: 2, pieces: &transient})
	if err == nil && len(transient) > 0 {
		err = proto.Unmarshal(raw, new(peer.ChaincodeProposalPayload))
	}
	if err != nil {
		return fmt.Errorf("proposal: %w", err)
	}
	var invocation peer.ChaincodeInvocationSpec
	if err := proto.Unmarshal(input, &invocation); err != nil {
		return fmt.Errorf("invocation: %w", err)
	}
	tx.Chaincode = printable(invocation.GetChaincodeSpec().GetChaincodeId().GetName())
	arguments := invocation.GetChaincodeSpec().GetInput().GetArgs()
	if len(arguments) == 0 {
		return nil
	}
	tx.Function, tx.Arguments = printable(string(arguments[0])), arguments[1:]
	if len(tx.Arguments) == 1 {
		tx.Commands = commands(tx.Function, tx.Arguments[0])
	}
	return nil
}

// result reads what was answered, written and announced.
func result(tx *Transaction, raw []byte) error {
	var extension []byte
	if err := open(raw, part{number: 2, bytes: &extension}); err != nil {
		return fmt.Errorf("response: %w", err)
	}
	var results, events []byte
	var answer, chaincode [][]byte
	var response peer.Response
	err := open(extension, part{number: 1, bytes: &results}, part{number: 2, bytes: &events}, part{number: 3, pieces: &answer}, part{number: 4, pieces: &chaincode})
	if err := errors.Join(err, join(answer, &response), join(chaincode, new(peer.ChaincodeID))); err != nil {
		return fmt.Errorf("chaincode action: %w", err)
	}
	tx.Response = Response{response.GetStatus(), response.GetMessage(), response.GetPayload()}
	return errors.Join(writes(tx, results), event(tx, events))
}

func event(tx *Transaction, raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	var e peer.ChaincodeEvent
	if err := proto.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	tx.Event = &Event{Chaincode: printable(e.GetChaincodeId()), Name: printable(e.GetEventName()), Payload: e.GetPayload()}
	if e.GetEventName() != kernel.EventName {
		return nil
	}
	var envelope kernel.Envelope
	if err := json.Unmarshal(e.GetPayload(), &envelope); err != nil {
		return fmt.Errorf("event %s: its payload is not an envelope", kernel.EventName)
	}
	tx.Event.Envelope = &envelope
	return nil
}

// commands reads a write in the house's form. An argument in another form (a read, another chaincode) has none.
func commands(function string, argument []byte) []Command {
	if function == kernel.BatchFunction {
		var batch kernel.Batch
		if json.Unmarshal(argument, &batch) != nil {
			return nil
		}
		all := make([]Command, len(batch.Commands))
		for i, c := range batch.Commands {
			all[i] = Command{printable(c.Function), printable(c.IdempotencyKey), printable(c.Staff)}
		}
		return all
	}
	var command kernel.Command
	if json.Unmarshal(argument, &command) != nil || command.IdempotencyKey == "" {
		return nil
	}
	return []Command{{function, printable(command.IdempotencyKey), printable(command.Staff)}}
}

// printable makes a name from a transaction fit to be shown and stored: valid UTF-8 without U+0000, of bounded length.
func printable(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= maxNameLength {
		return s
	}
	return strings.ToValidUTF8(s[:maxNameLength], "") // the cut may have split a rune
}
