// Package key signs with a Fabric identity's private key, wherever it is kept: in a PEM file (File), or in a hardware
// security module behind PKCS#11 (OpenHSM). Both are a crypto.Signer, and nothing above knows which.
//
// Fabric takes ECDSA signatures in ASN.1 (RFC 3279) with the lower of the two values S that verify; Digests makes them so,
// whatever the signer gives.
package key

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/hyperledger/fabric-gateway/pkg/identity"
)

// Sign signs a SHA-256 digest; the signature is ASN.1 with low S. Safe for concurrent use.
type Sign = func(digest []byte) ([]byte, error)

// File reads a private key: ECDSA, PKCS#8 or SEC 1, in PEM. The error never quotes the file.
func File(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	private, err := identity.PrivateKeyFromPEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: the private key cannot be read", path) // without the cause: it may quote the key
	}
	signer, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: the private key is not an ECDSA key", path)
	}
	return signer, nil
}

// Digests makes signatures in the form Fabric takes. The signer's key must be ECDSA.
func Digests(signer crypto.Signer) (Sign, error) {
	public, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the key is not an ECDSA key")
	}
	return func(digest []byte) ([]byte, error) {
		signature, err := signer.Sign(rand.Reader, digest, crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return LowS(public, signature)
	}, nil
}

// pair is an ECDSA signature as ASN.1 has it.
type pair struct{ R, S *big.Int }

// LowS gives the same signature with the lower of its two values S (both verify; Fabric takes only this one). The error
// says that it is not an ECDSA signature in ASN.1.
func LowS(public *ecdsa.PublicKey, signature []byte) ([]byte, error) {
	var p pair
	if rest, err := asn1.Unmarshal(signature, &p); err != nil || len(rest) > 0 || p.R.Sign() <= 0 || p.S.Sign() <= 0 {
		return nil, errors.New("not an ECDSA signature in ASN.1 form")
	}
	order := public.Params().N
	if p.S.Cmp(new(big.Int).Rsh(order, 1)) <= 0 {
		return signature, nil
	}
	return asn1.Marshal(pair{p.R, new(big.Int).Sub(order, p.S)})
}

// Fits says whether a certificate's public key is the signer's.
func Fits(signer crypto.Signer, certified crypto.PublicKey) bool {
	public, ok := signer.Public().(*ecdsa.PublicKey)
	return ok && public.Equal(certified)
}
