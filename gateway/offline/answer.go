package offline

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// answer reads what the contract answered, and checks that it is the endorsers' answer to this proposal.
func (t *Transaction) answer(action *peer.ChaincodeEndorsedAction) error {
	changed := func(rule string) error { return ErrChanged.On(TransactionField, rule) }
	var response peer.ProposalResponsePayload
	var result peer.ChaincodeAction
	if proto.Unmarshal(action.GetProposalResponsePayload(), &response) != nil || proto.Unmarshal(response.GetExtension(), &result) != nil {
		return ErrForm.On(TransactionField, "answer")
	}
	hash := sha256.Sum256(slices.Concat(t.channelHeader, t.signatureHeader, t.payload))
	if !bytes.Equal(response.GetProposalHash(), hash[:]) || result.GetChaincodeId().GetName() != t.Chaincode {
		return changed("answers_proposal")
	}
	if len(action.GetEndorsements()) == 0 {
		return changed("endorsed")
	}
	for _, e := range action.GetEndorsements() {
		endorser, err := readCreator(e.GetEndorser(), TransactionField)
		if err != nil {
			return changed("endorsed")
		}
		over := sha256.Sum256(slices.Concat(action.GetProposalResponsePayload(), e.GetEndorser()))
		if !ecdsa.VerifyASN1(endorser.public, over[:], e.GetSignature()) {
			return changed("endorsed")
		}
		t.Endorsers = append(t.Endorsers, Endorser{endorser.MSP, endorser.Name, endorser.Certificate})
	}
	if json.Unmarshal(result.GetResponse().GetPayload(), &t.Receipt) != nil || t.Receipt.ID == "" {
		return ErrForm.On(TransactionField, "receipt")
	}
	return nil
}

// strict decodes a message that must be written in the one way Fabric's client libraries write it, and have nothing in it
// that is not known here.
func strict(raw []byte, into proto.Message) bool {
	if proto.Unmarshal(raw, into) != nil || !known(into.ProtoReflect()) {
		return false
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(into)
	return err == nil && bytes.Equal(again, raw)
}

// known says whether a message and all below it have no unknown fields.
func known(m protoreflect.Message) bool {
	ok := len(m.GetUnknown()) == 0
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Kind() != protoreflect.MessageKind || field.IsMap(): // maps here are of bytes
		case field.IsList():
			for i := range value.List().Len() {
				ok = ok && known(value.List().Get(i).Message())
			}
		default:
			ok = ok && known(value.Message())
		}
		return ok
	})
	return ok
}
