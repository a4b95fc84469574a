package devidp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
)

// keyFile holds the signing key in the data folder, so that tokens outlive a restart.
const keyFile = "signing.pem"

// signingKey is ES256; its id follows from the key.
type signingKey struct {
	private *ecdsa.PrivateKey
	id      string
}

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Key() any                                    { return k.private }
func (k signingKey) ID() string                                  { return k.id }

// publicKey is what the provider publishes of a signing key.
type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.private.PublicKey }

// loadKey reads the signing key in a folder, making both if they are not there.
func loadKey(dir string) (signingKey, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(dir, path)
	}
	if err != nil {
		return signingKey{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return signingKey{}, fmt.Errorf("%s: no PEM block; remove the file to have a new key made", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return signingKey{}, fmt.Errorf("%s: %w", path, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return signingKey{}, fmt.Errorf("%s: not an ECDSA key on P-256", path)
	}
	return newSigningKey(private)
}

func makeKey(dir, path string) (signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return signingKey{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return signingKey{}, err
	}
	// written whole under another name first: a crash leaves no half key behind
	fresh := path + ".new"
	if err := os.WriteFile(fresh, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600); err != nil {
		return signingKey{}, err
	}
	if err := os.Rename(fresh, path); err != nil {
		return signingKey{}, err
	}
	return newSigningKey(private)
}

func newSigningKey(private *ecdsa.PrivateKey) (signingKey, error) {
	raw, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return signingKey{}, err
	}
	sum := sha256.Sum256(raw)
	return signingKey{private, base64.RawURLEncoding.EncodeToString(sum[:12])}, nil
}
