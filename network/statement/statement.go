// Package statement is proof of what the ledger says that needs no ledger: the answer to a read, endorsed by peers of
// several organisations and never submitted. It carries its own signatures and certificates, so whoever has the roots of the
// channel's organisations checks it offline, also years later.
//
//	proposal ◀─hash─ response ◀─signature─ peer ◀─certificate─ organisation's root
//	(channel, chaincode,    (answer, chaincode,
//	 function, request,      versions of what was read)
//	 time)
//
// What it proves: that at the stated time, give or take kernel.MaxSkew, peers of these organisations answered this call so.
// What it does not: that nothing was written since, and that a peer's certificate had not been revoked; a channel's list of
// revocations is not part of it.
//
// Certificates are judged at the time of the statement. A key that leaks after its certificate has expired can sign
// statements that are dated back; that is why one organisation's signature is not enough.
package statement

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// Statement is what several organisations' peers answered. All members but Signed are there for who reads it: they follow
// from Signed, and Verify refuses a statement in which they say something else.
type Statement struct {
	Channel       string          `json:"channel"`
	Chaincode     string          `json:"chaincode"`
	Function      string          `json:"function"`
	Request       json.RawMessage `json:"request"`
	Answer        json.RawMessage `json:"answer"`
	At            time.Time       `json:"at" doc:"When it was made; UTC."`
	Block         uint64          `json:"block" doc:"The latest block of those in which what was read was last written: the answer holds from there on."`
	Organisations []string        `json:"organisations" doc:"MSP ids of the organisations whose peers signed, sorted."`
	Signed        []byte          `json:"signed" doc:"The transaction's payload (Fabric's common.Payload) with proposal, response and endorsements, in base64; it was never submitted."`
}

// ErrUnsound says that a statement is not what it pretends to be.
var ErrUnsound = errors.New("the statement does not hold")

// MaxBytes bounds a statement's signed part. One with four endorsements is about 6 kB.
const MaxBytes = 1 << 20

// Trust is what a statement is held against.
type Trust struct {
	Channel string
	Roots   map[string][]*x509.Certificate // by MSP id: roots of its identities, and intermediates
	Needed  int                            // of how many organisations a peer must have signed
}

// Read takes a statement apart. It judges nothing: that is Verify's. Error: ErrUnsound.
func Read(signed []byte) (Statement, error) {
	o, err := open(signed)
	return o.statement, err
}

// Verify judges a statement. Error: ErrUnsound, with what is wrong.
func (s Statement) Verify(t Trust) error {
	o, err := open(s.Signed)
	if err != nil {
		return err
	}
	said, err := json.Marshal(s)
	if err != nil {
		return unsound("it cannot be written: %v", err)
	}
	signed, err := json.Marshal(o.statement)
	if err != nil || !bytes.Equal(said, signed) {
		return unsound("what it says is not what was signed")
	}
	if s.Channel != t.Channel {
		return unsound("it is of the channel %s, not %s", s.Channel, t.Channel)
	}
	if t.Needed < 1 || t.Needed > len(t.Roots) {
		return unsound("%d organisations cannot be asked for, with the certificates of %d", t.Needed, len(t.Roots))
	}
	agreed := map[string]bool{}
	for _, e := range o.endorsements {
		id, err := o.endorser(e, t)
		if err != nil {
			return err
		}
		agreed[id] = true
	}
	if len(agreed) < t.Needed {
		return unsound("%d organisations signed, %d are needed", len(agreed), t.Needed)
	}
	return nil
}

func unsound(format string, values ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsound, fmt.Sprintf(format, values...))
}

// opened is a statement's signed part, taken apart and checked for being one whole.
type opened struct {
	statement    Statement
	response     []byte // what was signed, with the endorser behind it
	endorsements []*peer.Endorsement
}

func open(signed []byte) (o opened, err error) {
	if len(signed) > MaxBytes {
		return o, unsound("it is larger than %d bytes", MaxBytes)
	}
	var (
		payload    common.Payload
		channel    common.ChannelHeader
		tx         peer.Transaction
		action     peer.ChaincodeActionPayload
		asked      peer.ChaincodeProposalPayload
		invocation peer.ChaincodeInvocationSpec
		response   peer.ProposalResponsePayload
		done       peer.ChaincodeAction
	)
	var actions []*peer.TransactionAction
	for _, layer := range []struct {
		name string
		raw  func() []byte
		into proto.Message
	}{
		{"payload", func() []byte { return signed }, &payload},
		{"channel header", func() []byte { return payload.GetHeader().GetChannelHeader() }, &channel},
		{"transaction", func() []byte { return payload.GetData() }, &tx},
		{"action", func() []byte {
			if actions = tx.GetActions(); len(actions) != 1 {
				return []byte{0} // no message: refused
			}
			return actions[0].GetPayload()
		}, &action},
		{"proposal", func() []byte { return action.GetChaincodeProposalPayload() }, &asked},
		{"invocation", func() []byte { return asked.GetInput() }, &invocation},
		{"response", func() []byte { return action.GetAction().GetProposalResponsePayload() }, &response},
		{"result", func() []byte { return response.GetExtension() }, &done},
	} {
		if err := proto.Unmarshal(layer.raw(), layer.into); err != nil {
			return o, unsound("its %s cannot be read", layer.name)
		}
	}
	// The peers signed the hash of the proposal; so what was asked, of which channel and when, is signed too.
	hash := sha256.New()
	hash.Write(payload.GetHeader().GetChannelHeader())
	hash.Write(payload.GetHeader().GetSignatureHeader())
	hash.Write(action.GetChaincodeProposalPayload())
	if !bytes.Equal(hash.Sum(nil), response.GetProposalHash()) {
		return o, unsound("the response is to another proposal")
	}
	arguments := invocation.GetChaincodeSpec().GetInput().GetArgs()
	chaincode := invocation.GetChaincodeSpec().GetChaincodeId().GetName()
	switch {
	case channel.GetType() != int32(common.HeaderType_ENDORSER_TRANSACTION):
		return o, unsound("it is no call of a chaincode")
	case done.GetChaincodeId().GetName() != chaincode:
		return o, unsound("another chaincode answered than was asked")
	case done.GetResponse().GetStatus() != successful:
		return o, unsound("the chaincode refused")
	case len(arguments) != 2 || !json.Valid(arguments[1]) || !json.Valid(done.GetResponse().GetPayload()):
		return o, unsound("it is not of the house's form: function and request, answer")
	case !channel.GetTimestamp().IsValid():
		return o, unsound("it has no time")
	}
	block, err := lastRead(done.GetResults())
	if err != nil {
		return o, err
	}
	o.response, o.endorsements = action.GetAction().GetProposalResponsePayload(), action.GetAction().GetEndorsements()
	o.statement = Statement{
		Channel: channel.GetChannelId(), Chaincode: chaincode, Function: string(arguments[0]), Request: arguments[1],
		Answer: done.GetResponse().GetPayload(), At: channel.GetTimestamp().AsTime().UTC(), Block: block,
		Organisations: []string{}, Signed: signed,
	}
	for _, e := range o.endorsements {
		var id msp.SerializedIdentity
		if err := proto.Unmarshal(e.GetEndorser(), &id); err != nil {
			return o, unsound("an endorser's identity cannot be read")
		}
		o.statement.Organisations = append(o.statement.Organisations, id.GetMspid())
	}
	slices.Sort(o.statement.Organisations)
	o.statement.Organisations = slices.Compact(o.statement.Organisations)
	return o, nil
}

// successful is the status of a chaincode's answer that is no refusal.
const successful = 200

// lastRead is the latest block of the versions that were read. A statement is of a read: one that writes is none.
func lastRead(results []byte) (latest uint64, err error) {
	var sets rwset.TxReadWriteSet
	if err := proto.Unmarshal(results, &sets); err != nil {
		return 0, unsound("what was read cannot be read")
	}
	for _, namespace := range sets.GetNsRwset() {
		var set kvrwset.KVRWSet
		if err := proto.Unmarshal(namespace.GetRwset(), &set); err != nil {
			return 0, unsound("what was read cannot be read")
		}
		if len(set.GetWrites()) > 0 || len(set.GetMetadataWrites()) > 0 || len(namespace.GetCollectionHashedRwset()) > 0 {
			return 0, unsound("it writes")
		}
		for _, r := range set.GetReads() {
			latest = max(latest, r.GetVersion().GetBlockNum())
		}
	}
	return latest, nil
}

// endorser checks one endorsement and gives the organisation it speaks for. One that does not hold spoils the statement:
// there is no honest reason for it.
func (o opened) endorser(e *peer.Endorsement, t Trust) (string, error) {
	var id msp.SerializedIdentity
	if err := proto.Unmarshal(e.GetEndorser(), &id); err != nil {
		return "", unsound("an endorser's identity cannot be read")
	}
	certificates, known := t.Roots[id.GetMspid()]
	if !known {
		return "", unsound("%q is no organisation of the channel", id.GetMspid())
	}
	certificate, err := certificateOf(id.GetIdBytes())
	if err != nil {
		return "", err
	}
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: o.statement.At,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range certificates {
		if bytes.Equal(c.RawIssuer, c.RawSubject) {
			options.Roots.AddCert(c)
		} else {
			options.Intermediates.AddCert(c)
		}
	}
	if _, err := certificate.Verify(options); err != nil {
		return "", unsound("the certificate of a peer of %s: %v", id.GetMspid(), err)
	}
	if !slices.Contains(certificate.Subject.OrganizationalUnit, peerUnit) {
		return "", unsound("an endorser of %s is no peer", id.GetMspid())
	}
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return "", unsound("a peer of %s has a key of another kind than ECDSA", id.GetMspid())
	}
	digest := sha256.Sum256(append(slices.Clone(o.response), e.GetEndorser()...))
	if !ecdsa.VerifyASN1(key, digest[:], e.GetSignature()) {
		return "", unsound("the signature of a peer of %s is not of this answer", id.GetMspid())
	}
	return id.GetMspid(), nil
}

// peerUnit is the organisational unit in which a certificate says that it is a peer's (Fabric's NodeOUs).
const peerUnit = "peer"

func certificateOf(raw []byte) (*x509.Certificate, error) {
	encoded, _ := pem.Decode(raw)
	if encoded == nil {
		return nil, unsound("an endorser has no certificate")
	}
	certificate, err := x509.ParseCertificate(encoded.Bytes)
	if err != nil {
		return nil, unsound("an endorser's certificate cannot be read")
	}
	return certificate, nil
}
