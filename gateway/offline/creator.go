package offline

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/key"
	"github.com/hutong-gov/hutong/network/block"
)

// CertificateField is the request's member with the signer's certificate.
const CertificateField = "certificate"

// MaxCertificateBytes bounds a certificate in PEM; those of agencies have about 1,200.
const MaxCertificateBytes = 8 << 10

// Faults about who signs.
var (
	ErrCertificate = fault.New(fault.Invalid, "offline.certificate", "send one X.509 certificate with an ECDSA key, in PEM, that is valid now")
	ErrCreator     = fault.New(fault.Denied, "offline.creator", "the certificate must be that of the agency and role for which you are signed in: an officer signs with the agency's service identity, an administrator with its administrator, a portal with its portal identity")
)

// Creator is who signs: a certificate whose key somebody else has.
type Creator struct {
	block.Identity
	Certificate *x509.Certificate
	public      *ecdsa.PublicKey
	serialized  []byte
}

// CreatorOf reads a certificate in PEM as an identity of an organisation. Fault: offline.certificate.
func CreatorOf(mspID, text string) (Creator, error) {
	certificate, rest := pem.Decode([]byte(text))
	if len(text) > MaxCertificateBytes || certificate == nil || strings.TrimSpace(string(rest)) != "" {
		return Creator{}, ErrCertificate.On(CertificateField, "one_certificate")
	}
	clean := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Bytes})
	serialized, err := proto.Marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: clean})
	if err != nil {
		return Creator{}, ErrCertificate.On(CertificateField, "one_certificate")
	}
	return readCreator(serialized, CertificateField)
}

// readCreator reads a serialized identity.
func readCreator(serialized []byte, field string) (Creator, error) {
	var named msp.SerializedIdentity
	if !strict(serialized, &named) {
		return Creator{}, ErrForm.On(field, "creator")
	}
	text, rest := pem.Decode(named.GetIdBytes())
	if text == nil || text.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return Creator{}, ErrCertificate.On(field, "one_certificate")
	}
	certificate, err := x509.ParseCertificate(text.Bytes)
	if err != nil {
		return Creator{}, ErrCertificate.On(field, "x509")
	}
	public, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return Creator{}, ErrCertificate.On(field, "ecdsa")
	}
	if now := time.Now(); now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		return Creator{}, ErrCertificate.On(field, "valid_now")
	}
	return Creator{block.IdentityOf(serialized), certificate, public, serialized}, nil
}

// Serialized is the creator as transactions carry it.
func (c Creator) Serialized() []byte { return c.serialized }

// Is checks that the creator is an agency in a role, by the attributes its organisation's CA wrote into the certificate.
// Fault: offline.creator.
func (c Creator) Is(agency string, role access.Role) error {
	switch {
	case c.MSP != access.MSPOf(agency):
		return ErrCreator.On("creator.msp", "own_organisation")
	case c.Agency != agency:
		return ErrCreator.On("creator.agency", "own_agency")
	case c.Role != role:
		return ErrCreator.On("creator.role", "equals:"+string(role))
	}
	return nil
}

// Verified checks a signature over a digest and gives it with low S, as Fabric takes it. Fault: offline.signature.
func (c Creator) Verified(digest, signature []byte) ([]byte, error) {
	low, err := key.LowS(c.public, signature)
	switch {
	case err != nil:
		return nil, ErrSignature.On("signature", "ecdsa_asn1")
	case !ecdsa.VerifyASN1(c.public, digest, low):
		return nil, ErrSignature.On("signature", "signed_by_creator")
	}
	return low, nil
}
