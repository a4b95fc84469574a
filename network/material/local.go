package material

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"time"

	"github.com/hutong-gov/hutong/network/topology"
)

// Validity of what the local issuer signs. A local network is made and thrown
// away, and nobody renews it: its certificates outlive it.
const (
	AuthorityValidity   = 20 * 365 * 24 * time.Hour
	CertificateValidity = 5 * 365 * 24 * time.Hour
	// clockSkew lets a certificate be used by a machine whose clock is behind.
	clockSkew = time.Hour
)

// attributeOID marks the extension in which Fabric CA writes attributes, as
// JSON. Chaincode reads it through the client identity library.
var attributeOID = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

// The attributes that Fabric CA adds to those asked for.
const (
	attributeEnrolment   = "hf.EnrollmentID"
	attributeType        = "hf.Type"
	attributeAffiliation = "hf.Affiliation"
)

// Local is an Issuer that keeps the organisation's two authorities as files
// in the organisation's own folder. It issues what Fabric CA would.
type Local struct {
	org     topology.Organisation
	folder  OrganisationFolder
	signing *authority
	tls     *authority
}

type authority struct {
	certificate *x509.Certificate
	pem         []byte
	key         crypto.Signer
}

// NewLocal opens an organisation's authorities, making them if they are not
// there yet.
func NewLocal(l Layout, org topology.Organisation) (*Local, error) {
	local := &Local{org: org, folder: l.Organisation(org)}
	var err error
	if local.signing, err = local.open("ca"); err != nil {
		return nil, err
	}
	if local.tls, err = local.open("tlsca"); err != nil {
		return nil, err
	}
	return local, nil
}

func (l *Local) open(kind string) (*authority, error) {
	certFile, keyFile := l.folder.authority(kind)
	key, err := keptKey(keyFile)
	if err != nil {
		return nil, err
	}
	cert, text, err := keptCertificate(certFile, key, func() ([]byte, error) {
		name := kind + "." + l.org.Domain
		template := &x509.Certificate{
			Subject:               pkix.Name{CommonName: name, Organization: []string{l.org.Domain}},
			NotBefore:             time.Now().Add(-clockSkew),
			NotAfter:              time.Now().Add(AuthorityValidity),
			IsCA:                  true,
			BasicConstraintsValid: true,
			KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		}
		return sign(template, template, key.Public(), key)
	})
	if err != nil {
		return nil, err
	}
	return &authority{certificate: cert, pem: text, key: key}, nil
}

// Roots gives the two root certificates.
func (l *Local) Roots(context.Context) (Roots, error) {
	return Roots{Signing: l.signing.pem, TLS: l.tls.pem}, nil
}

// Enrol issues a signing certificate.
func (l *Local) Enrol(_ context.Context, e Enrolment, key crypto.Signer) ([]byte, error) {
	template := l.leaf(e.Name, e.Unit)
	if len(e.Attributes) > 0 {
		extension, err := attributes(e)
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = []pkix.Extension{extension}
	}
	return sign(template, l.signing.certificate, key.Public(), l.signing.key)
}

// EnrolTLS issues a TLS certificate.
func (l *Local) EnrolTLS(_ context.Context, e TLSEnrolment, key crypto.Signer) ([]byte, error) {
	template := l.leaf(e.Name, e.Unit)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(e.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range e.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return sign(template, l.tls.certificate, key.Public(), l.tls.key)
}

func (l *Local) leaf(name string, unit Unit) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name, Organization: []string{l.org.Domain}, OrganizationalUnit: []string{string(unit)}},
		NotBefore:             time.Now().Add(-clockSkew),
		NotAfter:              time.Now().Add(CertificateValidity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

// attributes is the extension that carries an enrolment's attributes, byte
// for byte as Fabric CA writes it: a JSON object with sorted names.
func attributes(e Enrolment) (pkix.Extension, error) {
	attrs := map[string]string{
		attributeEnrolment:   e.Name,
		attributeType:        string(e.Unit),
		attributeAffiliation: "",
	}
	maps.Copy(attrs, e.Attributes)
	value, err := json.Marshal(struct {
		Attrs map[string]string `json:"attrs"`
	}{attrs})
	if err != nil {
		return pkix.Extension{}, err
	}
	return pkix.Extension{Id: attributeOID, Value: value}, nil
}

// sign makes a certificate in PEM. The serial number is drawn at random.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, LowS(key))
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// LowS signs with the smaller of the two values of s that verify. Fabric
// refuses a signature with the larger one; a certificate with such a signature
// it rewrites before it uses it, after which the bytes of the identity would no
// longer be the bytes of the file.
func LowS(key crypto.Signer) crypto.Signer { return lowS{key} }

type lowS struct{ crypto.Signer }

func (l lowS) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	raw, err := l.Signer.Sign(random, digest, opts)
	if err != nil {
		return nil, err
	}
	public, ok := l.Public().(*ecdsa.PublicKey)
	if !ok {
		return raw, nil
	}
	var signature struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(raw, &signature); err != nil || len(rest) > 0 {
		return nil, errors.New("not an ECDSA signature")
	}
	order := public.Params().N
	if half := new(big.Int).Rsh(order, 1); signature.S.Cmp(half) > 0 {
		signature.S.Sub(order, signature.S)
	}
	return asn1.Marshal(signature)
}
