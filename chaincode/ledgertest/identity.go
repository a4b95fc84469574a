package ledgertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/attrmgr"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/access"
)

// authority is an organisation's certificate authority.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(mspID string) *authority {
	key := newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca." + strings.ToLower(mspID)},
		NotBefore: Start.AddDate(-1, 0, 0), NotAfter: Start.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	return &authority{key, must(x509.ParseCertificate(raw))}
}

// issue makes a client's certificate with attributes as Fabric CA writes them, and gives the identity as a transaction's
// creator has it. Without attributes the certificate has no attribute extension.
func (a *authority) issue(mspID, name string, attributes map[string]string) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name, OrganizationalUnit: []string{"client"}},
		NotBefore:    Start.AddDate(-1, 0, 0), NotAfter: Start.AddDate(5, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if attributes != nil {
		value := must(json.Marshal(map[string]any{"attrs": attributes}))
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier(attrmgr.AttrOID), Value: value}}
	}
	raw := must(x509.CreateCertificate(rand.Reader, template, a.cert, &newKey().PublicKey, a.key))
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	return must(proto.Marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: certificate}))
}

// As gives a client of an agency ("market.tax") with a role.
func (l *Ledger) As(agency string, role access.Role) *Client {
	organisation, code, found := strings.Cut(agency, ".")
	if !found || organisation == "" || code == "" {
		panic("ledgertest: an agency is {organisation}.{agency}, not " + agency)
	}
	name := agency + "/" + string(role)
	l.mu.Lock()
	client := l.clients[name]
	l.mu.Unlock()
	if client == nil {
		client = l.Identity(access.MSPOf(agency), map[string]string{access.AttributeAgency: code, access.AttributeRole: string(role)})
		l.mu.Lock()
		l.clients[name] = client
		l.mu.Unlock()
	}
	return client
}

// Identity gives a client of an organisation whose certificate has exactly these attributes; nil: no extension at all.
func (l *Ledger) Identity(mspID string, attributes map[string]string) *Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	ca := l.authorities[mspID]
	if ca == nil {
		ca = newAuthority(mspID)
		l.authorities[mspID] = ca
	}
	return &Client{ledger: l, msp: mspID, creator: ca.issue(mspID, "client", attributes)}
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func must[T any](value T, err error) T {
	if err != nil {
		panic("ledgertest: " + err.Error())
	}
	return value
}
