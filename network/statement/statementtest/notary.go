// Package statementtest makes statements without a network: organisations with roots and peers of their own, and answers
// endorsed as Fabric's peers do.
package statementtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Organisation has a root and one peer.
type Organisation struct {
	MSP      string
	Root     *x509.Certificate
	key, own *ecdsa.PrivateKey // the root's, the peer's
	identity []byte            // the peer's, serialized
}

// New makes an organisation whose peer's certificate, with an organisational unit, holds for the given time.
func New(mspID, unit string, from, until time.Time) Organisation {
	o := Organisation{MSP: mspID, key: newKey(), own: newKey()}
	root := template("ca."+mspID, "", from.AddDate(-1, 0, 0), from.AddDate(20, 0, 0))
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	o.Root = certificate(root, root, &o.key.PublicKey, o.key)
	member := certificate(template("peer0."+mspID, unit, from, until), o.Root, &o.own.PublicKey, o.key)
	o.identity = marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: member.Raw})})
	return o
}

// Answer is what is to be endorsed. Edit, if set, changes the parts before they are signed.
type Answer struct {
	Channel, Chaincode, Function string
	Request, Payload             []byte
	At                           time.Time
	Block                        uint64 // of what was read
	Edit                         func(*Parts)
}

// Parts of a transaction before it is signed.
type Parts struct {
	Channel *common.ChannelHeader
	Action  *peer.ChaincodeAction
	Set     *kvrwset.KVRWSet
}

// Endorse makes a statement's signed part.
func Endorse(a Answer, by ...Organisation) []byte {
	p := Parts{
		Channel: &common.ChannelHeader{Type: int32(common.HeaderType_ENDORSER_TRANSACTION), ChannelId: a.Channel, Timestamp: timestamppb.New(a.At)},
		Action:  &peer.ChaincodeAction{ChaincodeId: &peer.ChaincodeID{Name: a.Chaincode, Version: "1"}, Response: &peer.Response{Status: 200, Payload: a.Payload}},
		Set:     &kvrwset.KVRWSet{Reads: []*kvrwset.KVRead{{Key: "key", Version: &kvrwset.Version{BlockNum: a.Block}}}},
	}
	if a.Edit != nil {
		a.Edit(&p)
	}
	p.Action.Results = marshal(&rwset.TxReadWriteSet{NsRwset: []*rwset.NsReadWriteSet{{Namespace: a.Chaincode, Rwset: marshal(p.Set)}}})
	header := &common.Header{ChannelHeader: marshal(p.Channel), SignatureHeader: marshal(&common.SignatureHeader{Creator: []byte("somebody"), Nonce: []byte("nonce")})}
	proposal := marshal(&peer.ChaincodeProposalPayload{Input: marshal(&peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{
		ChaincodeId: &peer.ChaincodeID{Name: a.Chaincode}, Input: &peer.ChaincodeInput{Args: [][]byte{[]byte(a.Function), a.Request}},
	}})})
	hash := sha256.New()
	hash.Write(header.ChannelHeader)
	hash.Write(header.SignatureHeader)
	hash.Write(proposal)
	response := marshal(&peer.ProposalResponsePayload{ProposalHash: hash.Sum(nil), Extension: marshal(p.Action)})
	endorsements := make([]*peer.Endorsement, len(by))
	for i, o := range by {
		digest := sha256.Sum256(append(append([]byte(nil), response...), o.identity...))
		endorsements[i] = &peer.Endorsement{Endorser: o.identity, Signature: must(ecdsa.SignASN1(rand.Reader, o.own, digest[:]))}
	}
	return marshal(&common.Payload{Header: header, Data: marshal(&peer.Transaction{Actions: []*peer.TransactionAction{{
		Payload: marshal(&peer.ChaincodeActionPayload{ChaincodeProposalPayload: proposal, Action: &peer.ChaincodeEndorsedAction{
			ProposalResponsePayload: response, Endorsements: endorsements,
		}}),
	}}})})
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func template(name, unit string, from, until time.Time) *x509.Certificate {
	t := &x509.Certificate{SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
	if unit != "" {
		t.Subject.OrganizationalUnit = []string{unit}
	}
	return t
}

func certificate(t, parent *x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey) *x509.Certificate {
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, t, parent, public, signer))))
}

func marshal(m proto.Message) []byte { return must(proto.Marshal(m)) }

// must panics on an error: what is made here is made of constants.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
