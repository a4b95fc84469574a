// Package offlinetest makes identities and endorsed transactions for tests of what is signed outside the gateway.
package offlinetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/gateway/key"
)

// Identity is a key with a certificate that has the attributes an organisation's CA writes. It certifies itself.
type Identity struct {
	Key         *ecdsa.PrivateKey
	Certificate string // PEM
}

// NewIdentity makes one. A certificate that has ended began the day before.
func NewIdentity(t testing.TB, agency, role string, until time.Time) Identity {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return Identity{private, Certify(t, private, agency, role, until)}
}

// Certify makes a certificate for a key.
func Certify(t testing.TB, private *ecdsa.PrivateKey, agency, role string, until time.Time) string {
	t.Helper()
	attributes, err := json.Marshal(map[string]any{"attrs": map[string]string{"agency": agency, "role": role}})
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: agency + "-" + role},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: until,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}, Value: attributes}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// PEM is the private key in PKCS#8.
func (i Identity) PEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.Key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Sign signs a digest as Fabric takes it.
func (i Identity) Sign(t testing.TB, digest []byte) []byte {
	t.Helper()
	sign, err := key.Digests(i.Key)
	require.NoError(t, err)
	signature, err := sign(digest)
	require.NoError(t, err)
	return signature
}

// Answer is the receipt in transactions that Endorse makes.
const Answer = `{"id":"licence","status":"published","version":1,"at":"2026-03-01T08:00:00Z","tx_id":"t"}`

// Endorse assembles a transaction of a proposal as a peer does. change, if given, changes it before the endorser signs.
func Endorse(t testing.TB, endorser Identity, proposal []byte, change func(*peer.ProposalResponsePayload, *peer.ChaincodeAction)) []byte {
	t.Helper()
	var proposed gateway.ProposedTransaction
	var inner peer.Proposal
	var header common.Header
	require.NoError(t, proto.Unmarshal(proposal, &proposed))
	require.NoError(t, proto.Unmarshal(proposed.GetProposal().GetProposalBytes(), &inner))
	require.NoError(t, proto.Unmarshal(inner.GetHeader(), &header))
	hash := sha256.Sum256(slices.Concat(header.GetChannelHeader(), header.GetSignatureHeader(), inner.GetPayload()))
	response := &peer.ProposalResponsePayload{ProposalHash: hash[:]}
	action := &peer.ChaincodeAction{ChaincodeId: &peer.ChaincodeID{Name: "certificate"}, Response: &peer.Response{Status: 200, Payload: []byte(Answer)}}
	if change != nil {
		change(response, action)
	}
	response.Extension = Marshal(t, action)
	payload, by := Marshal(t, response), Marshal(t, &msp.SerializedIdentity{Mspid: "MarketMSP", IdBytes: []byte(endorser.Certificate)})
	over := sha256.Sum256(slices.Concat(payload, by))
	call := &peer.ChaincodeActionPayload{ChaincodeProposalPayload: inner.GetPayload(), Action: &peer.ChaincodeEndorsedAction{
		ProposalResponsePayload: payload, Endorsements: []*peer.Endorsement{{Endorser: by, Signature: endorser.Sign(t, over[:])}}}}
	transaction := &peer.Transaction{Actions: []*peer.TransactionAction{{Header: header.GetSignatureHeader(), Payload: Marshal(t, call)}}}
	envelope := &common.Envelope{Payload: Marshal(t, &common.Payload{Header: &header, Data: Marshal(t, transaction)})}
	return Marshal(t, &gateway.PreparedTransaction{TransactionId: proposed.GetTransactionId(), Envelope: envelope})
}

// Marshal encodes a message in the one way that is read.
func Marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	require.NoError(t, err)
	return raw
}
