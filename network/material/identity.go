package material

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"github.com/hutong-gov/hutong/network/topology"
)

// secretBytes is the length of a secret: a portal's pseudonym key, a
// registrar's password.
const secretBytes = 32

// nodeOUs tells Fabric to read a member's kind from its certificate.
const nodeOUs = `NodeOUs:
  Enable: true
  ClientOUIdentifier:
    Certificate: cacerts/ca.pem
    OrganizationalUnitIdentifier: client
  PeerOUIdentifier:
    Certificate: cacerts/ca.pem
    OrganizationalUnitIdentifier: peer
  AdminOUIdentifier:
    Certificate: cacerts/ca.pem
    OrganizationalUnitIdentifier: admin
  OrdererOUIdentifier:
    Certificate: cacerts/ca.pem
    OrganizationalUnitIdentifier: orderer
`

// identity makes an MSP folder with a key and its certificate.
func (m *maker) identity(msp MSP, e Enrolment) error {
	key, err := keptKey(msp.Key())
	if err != nil {
		return err
	}
	_, _, err = keptCertificate(msp.Certificate(), key, func() ([]byte, error) { return m.issuer.Enrol(m.ctx, e, key) })
	if err != nil {
		return fmt.Errorf("enrol %s: %w", e.Name, err)
	}
	return m.writeRoots(msp)
}

// tls makes a TLS folder with a key, its certificate and the root.
func (m *maker) tls(folder TLS, e TLSEnrolment) error {
	key, err := keptKey(folder.Key())
	if err != nil {
		return err
	}
	_, _, err = keptCertificate(folder.Certificate(), key, func() ([]byte, error) { return m.issuer.EnrolTLS(m.ctx, e, key) })
	if err != nil {
		return fmt.Errorf("enrol %s for TLS: %w", e.Name, err)
	}
	return keep(folder.Root(), m.roots.TLS, publicFile)
}

func (m *maker) writeRoots(msp MSP) error {
	if err := keep(msp.Root(), m.roots.Signing, publicFile); err != nil {
		return err
	}
	if err := keep(msp.TLSRoot(), m.roots.TLS, publicFile); err != nil {
		return err
	}
	return WriteIfChanged(msp.config(), []byte(nodeOUs), publicFile)
}

// exchange makes the key pair to which bodies for an agency are sealed, and
// publishes the public half.
func (m *maker) exchange(agency topology.Agency) error {
	file := m.folder.ExchangePrivate(agency)
	text, err := kept(file, secretFile, func() ([]byte, error) {
		key, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return encodeKey(key)
	})
	if err != nil {
		return err
	}
	private, err := parseExchangeKey(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.PublicKey())
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := keep(m.folder.ExchangePublic(agency), public, publicFile); err != nil {
		return err
	}
	return keep(m.public.ExchangeKey(agency), public, publicFile)
}

// Secret is the random secret in a file, in hexadecimal, made if it is not
// there.
func Secret(file string) (string, error) {
	text, err := kept(file, secretFile, func() ([]byte, error) {
		secret := make([]byte, secretBytes)
		if _, err := rand.Read(secret); err != nil {
			return nil, err
		}
		return []byte(hex.EncodeToString(secret) + "\n"), nil
	})
	return strings.TrimSpace(string(text)), err
}

// ReadSecret is the secret that Secret has made.
func ReadSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}
