// Package offline reads what an agency signs with a key that its gateway does not have. A write takes two signatures, and a
// third one asks what became of it:
//
//	proposal        what is asked for, before any peer has seen it
//	transaction     the same, with what the contract answered and who endorsed that
//	status request  the question whether a transaction was committed
//
// The bytes are those of Fabric's client libraries (Bytes of a Proposal, Transaction and Commit), so that any of them can
// make or sign them. They go by way of the client between the stages: whoever reads them trusts nobody's word about them.
//
// Invariant: what Read… returns is all there is. Bytes with anything besides one command to one chaincode function in the
// house's form (transient data, further actions, fields that are not known, another encoding of the same) are refused, so
// that nobody signs more than was shown.
package offline

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Names of the three things, as requests and faults have them.
const (
	ProposalField    = "proposal"
	TransactionField = "transaction"
	StatusField      = "status_request"
)

// Faults of reading. The field is the one with the bytes, the rule what they break.
var (
	ErrForm      = fault.New(fault.Invalid, "offline.form", "send, unchanged, the bytes that the stage before answered")
	ErrChanged   = fault.New(fault.Invalid, "offline.changed", "the transaction is not what was proposed and endorsed; do not sign it, and begin again with a new proposal")
	ErrSignature = fault.New(fault.Invalid, "offline.signature", "sign the digest with the key of the certificate that the proposal names: ECDSA in ASN.1 form, over the SHA-256 digest as it is")
)

// Proposal is one command as it is asked for.
type Proposal struct {
	Tx        string // its id, which follows from creator and nonce
	Channel   string
	At        time.Time // the timestamp the transaction claims
	Creator   Creator
	Chaincode string
	Function  string
	Command   kernel.Command

	channelHeader, signatureHeader, payload []byte // as they are
	signed                                  []byte // what the signature is over
}

// Digest is what is signed: the SHA-256 of the proposal.
func (p *Proposal) Digest() []byte { return digest(p.signed) }

// ReadProposal reads a proposal that is to be signed: a serialized gateway.ProposedTransaction.
// Faults: offline.form; what canonical decoding says of the command; offline.certificate.
func ReadProposal(raw []byte) (*Proposal, error) {
	wrong := func(rule string) error { return ErrForm.On(ProposalField, rule) }
	var proposed gateway.ProposedTransaction
	if !strict(raw, &proposed) || len(proposed.GetEndorsingOrganizations()) > 0 || len(proposed.GetProposal().GetSignature()) > 0 {
		return nil, wrong("unsigned_proposal")
	}
	var proposal peer.Proposal
	var header common.Header
	if !strict(proposed.GetProposal().GetProposalBytes(), &proposal) || len(proposal.GetExtension()) > 0 || !strict(proposal.GetHeader(), &header) {
		return nil, wrong("proposal")
	}
	p := &Proposal{channelHeader: header.GetChannelHeader(), signatureHeader: header.GetSignatureHeader(), payload: proposal.GetPayload(), signed: proposed.GetProposal().GetProposalBytes()}
	if err := p.read(ProposalField); err != nil {
		return nil, err
	}
	if p.Tx != proposed.GetTransactionId() {
		return nil, wrong("transaction_id")
	}
	return p, nil
}

// read reads headers and payload, which a transaction has as its proposal has them.
func (p *Proposal) read(field string) error {
	wrong := func(rule string) error { return ErrForm.On(field, rule) }
	var channel common.ChannelHeader
	var signature common.SignatureHeader
	if !strict(p.channelHeader, &channel) || !strict(p.signatureHeader, &signature) {
		return wrong("header")
	}
	if channel.GetType() != int32(common.HeaderType_ENDORSER_TRANSACTION) || channel.GetVersion() != 0 || channel.GetEpoch() != 0 ||
		len(channel.GetTlsCertHash()) > 0 || !channel.GetTimestamp().IsValid() {
		return wrong("chaincode_call")
	}
	p.Channel, p.Tx, p.At = channel.GetChannelId(), channel.GetTxId(), channel.GetTimestamp().AsTime().UTC()
	if id := sha256.Sum256(append(bytes.Clone(signature.GetNonce()), signature.GetCreator()...)); p.Tx != hex.EncodeToString(id[:]) {
		return wrong("transaction_id")
	}
	creator, err := readCreator(signature.GetCreator(), field)
	if err != nil {
		return err
	}
	p.Creator = creator
	var extension peer.ChaincodeHeaderExtension
	if !strict(channel.GetExtension(), &extension) || extension.GetChaincodeId().GetPath() != "" || extension.GetChaincodeId().GetVersion() != "" {
		return wrong("chaincode_call")
	}
	return p.call(field, extension.GetChaincodeId().GetName())
}

// call reads what is called, and that it is the chaincode the header names.
func (p *Proposal) call(field, chaincode string) error {
	wrong := func(rule string) error { return ErrForm.On(field, rule) }
	var payload peer.ChaincodeProposalPayload
	var invocation peer.ChaincodeInvocationSpec
	if !strict(p.payload, &payload) || len(payload.GetTransientMap()) > 0 || !strict(payload.GetInput(), &invocation) {
		return wrong("chaincode_call")
	}
	spec := invocation.GetChaincodeSpec()
	id, input := spec.GetChaincodeId(), spec.GetInput()
	switch {
	case id.GetName() == "" || id.GetName() != chaincode || id.GetPath() != "" || id.GetVersion() != "":
		return wrong("chaincode")
	case spec.GetTimeout() != 0 || input.GetIsInit() || len(input.GetDecorations()) > 0 || len(input.GetArgs()) != 2:
		return wrong("one_command")
	}
	p.Chaincode, p.Function = id.GetName(), string(input.GetArgs()[0])
	if err := canonical.DecodeEnvelope(input.GetArgs()[1], &p.Command); err != nil {
		return fault.From(err).Under(field)
	}
	return nil
}

// Endorser is a peer that stands for a transaction's result.
type Endorser struct {
	MSP, Name   string
	Certificate *x509.Certificate
}

// Transaction is a proposal with what the contract answered to it.
type Transaction struct {
	Proposal
	Receipt   kernel.Receipt // as the endorsers answered
	Endorsers []Endorser
}

// ReadTransaction reads a transaction that is to be signed: a serialized gateway.PreparedTransaction. The endorsers have
// signed this answer to this proposal, by the certificates that the transaction itself names; whether those are of members
// of the channel is for the peers to say, who do not take it otherwise.
// Faults: those of ReadProposal; offline.changed; ledger.unreadable.
func ReadTransaction(raw []byte) (*Transaction, error) {
	wrong := func(rule string) error { return ErrForm.On(TransactionField, rule) }
	var prepared gateway.PreparedTransaction
	if !strict(raw, &prepared) || len(prepared.GetEnvelope().GetSignature()) > 0 {
		return nil, wrong("unsigned_transaction")
	}
	var payload common.Payload
	var transaction peer.Transaction
	if !strict(prepared.GetEnvelope().GetPayload(), &payload) || !strict(payload.GetData(), &transaction) || len(transaction.GetActions()) != 1 {
		return nil, wrong("one_action")
	}
	action := transaction.GetActions()[0]
	var call peer.ChaincodeActionPayload
	if !strict(action.GetPayload(), &call) || !bytes.Equal(action.GetHeader(), payload.GetHeader().GetSignatureHeader()) {
		return nil, wrong("one_action")
	}
	t := &Transaction{Proposal: Proposal{channelHeader: payload.GetHeader().GetChannelHeader(), signatureHeader: payload.GetHeader().GetSignatureHeader(),
		payload: call.GetChaincodeProposalPayload(), signed: prepared.GetEnvelope().GetPayload()}}
	if err := t.read(TransactionField); err != nil {
		return nil, err
	}
	if t.Tx != prepared.GetTransactionId() {
		return nil, wrong("transaction_id")
	}
	return t, t.answer(call.GetAction())
}

// Carries checks that the transaction is the proposal that was approved, with an answer to it. Fault: offline.changed.
func (t *Transaction) Carries(p *Proposal) error {
	if !bytes.Equal(t.channelHeader, p.channelHeader) || !bytes.Equal(t.signatureHeader, p.signatureHeader) || !bytes.Equal(t.payload, p.payload) {
		return ErrChanged.On(TransactionField, "same_as_proposal")
	}
	return nil
}

// Status is the question what became of a transaction.
type Status struct {
	Tx, Channel string
	Creator     Creator
	signed      []byte
}

// Digest is what is signed: the SHA-256 of the request.
func (s *Status) Digest() []byte { return digest(s.signed) }

// ReadStatus reads a status request that is to be signed: a serialized gateway.SignedCommitStatusRequest.
// Faults: offline.form, offline.certificate.
func ReadStatus(raw []byte) (*Status, error) {
	var signed gateway.SignedCommitStatusRequest
	var request gateway.CommitStatusRequest
	if !strict(raw, &signed) || len(signed.GetSignature()) > 0 || !strict(signed.GetRequest(), &request) {
		return nil, ErrForm.On(StatusField, "unsigned_status_request")
	}
	creator, err := readCreator(request.GetIdentity(), StatusField)
	if err != nil {
		return nil, err
	}
	return &Status{Tx: request.GetTransactionId(), Channel: request.GetChannelId(), Creator: creator, signed: signed.GetRequest()}, nil
}

func digest(of []byte) []byte {
	sum := sha256.Sum256(of)
	return sum[:]
}
