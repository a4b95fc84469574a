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
	head, payload, err := channelHeader(raw)
	if err != nil {
		return err
	}
	tx.ID, tx.Channel = printable(head.GetTxId()), printable(head.GetChannelId())
	if stamp := head.GetTimestamp(); stamp.IsValid() {
		tx.At = stamp.AsTime().UTC()
	}
	var signature common.SignatureHeader
	if err := proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), &signature); err != nil {
		return fmt.Errorf("signature header: %w", err)
	}
	tx.Creator, tx.Signer, tx.Nonce = d.known.of(signature.GetCreator()), signature.GetCreator(), signature.GetNonce()
	switch common.HeaderType(head.GetType()) {
	case common.HeaderType_ENDORSER_TRANSACTION:
		tx.Kind = Endorsed
		return d.endorsed(tx, payload.GetData())
	case common.HeaderType_CONFIG:
		tx.Kind = Config
		return config(tx, payload.GetData())
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
	var transaction peer.Transaction
	if err := proto.Unmarshal(raw, &transaction); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	if n := len(transaction.GetActions()); n != 1 {
		return fmt.Errorf("transaction: %d actions; there must be one", n)
	}
	var payload peer.ChaincodeActionPayload
	if err := proto.Unmarshal(transaction.GetActions()[0].GetPayload(), &payload); err != nil {
		return fmt.Errorf("action: %w", err)
	}
	for _, e := range payload.GetAction().GetEndorsements() {
		tx.Endorsers = append(tx.Endorsers, d.known.of(e.GetEndorser()))
	}
	// The call and its result are read independently, so that a broken one does not hide the other.
	return errors.Join(proposal(tx, payload.GetChaincodeProposalPayload()), result(tx, payload.GetAction().GetProposalResponsePayload()))
}

// proposal reads what was asked for.
func proposal(tx *Transaction, raw []byte) error {
	var payload peer.ChaincodeProposalPayload
	if err := proto.Unmarshal(raw, &payload); err != nil {
		return fmt.Errorf("proposal: %w", err)
	}
	var invocation peer.ChaincodeInvocationSpec
	if err := proto.Unmarshal(payload.GetInput(), &invocation); err != nil {
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
	var payload peer.ProposalResponsePayload
	if err := proto.Unmarshal(raw, &payload); err != nil {
		return fmt.Errorf("response: %w", err)
	}
	var action peer.ChaincodeAction
	if err := proto.Unmarshal(payload.GetExtension(), &action); err != nil {
		return fmt.Errorf("chaincode action: %w", err)
	}
	tx.Response = Response{action.GetResponse().GetStatus(), action.GetResponse().GetMessage(), action.GetResponse().GetPayload()}
	return errors.Join(writes(tx, action.GetResults()), event(tx, action.GetEvents()))
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
