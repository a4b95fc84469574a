package seal

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/hutong-gov/hutong/chaincode/signed"
)

// Keys are the private exchange keys a gateway holds, by agency id: those of its own organisation's agencies only.
type Keys map[string]*ecdh.PrivateKey

// LoadKey reads an exchange key: PKCS#8 PEM (RFC 5958), P-256. Errors name the file, never its content.
func LoadKey(path string) (*ecdh.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s: want one PEM block of type PRIVATE KEY (PKCS#8)", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: not a PKCS#8 private key", path)
	}
	key, err := agreement(parsed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// agreement takes what x509 makes of an EC key; it reads one as a signing key, which is the same number.
func agreement(parsed any) (*ecdh.PrivateKey, error) {
	wrong := errors.New("want an EC key on P-256")
	switch key := parsed.(type) {
	case *ecdh.PrivateKey:
		if key.Curve() == ecdh.P256() {
			return key, nil
		}
	case *ecdsa.PrivateKey:
		if converted, err := key.ECDH(); err == nil && converted.Curve() == ecdh.P256() {
			return converted, nil
		}
	}
	return nil, wrong
}

// Public is the JWK that an agency registers so that others can seal to it.
func Public(key *ecdh.PrivateKey) (signed.Key, error) {
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key.PublicKey().Bytes())
	if err != nil {
		return signed.Key{}, err
	}
	return signed.KeyOf(public)
}
