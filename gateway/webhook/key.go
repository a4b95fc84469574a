package webhook

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/yaronf/httpsign"
)

// What a delivery's signature is called and covers. Content-Digest (RFC 9530) covers the body.
const (
	signatureName  = "hutong"
	deliveryHeader = "Hutong-Delivery"
	digestHeader   = "Content-Digest"
)

// Covered are the components of a delivery that its signature covers (RFC 9421, section 2), besides created, keyid and alg.
var Covered = []string{"@method", "@target-uri", "content-digest", "content-type", "hutong-delivery"}

// Key signs deliveries: ECDSA P-256 with SHA-256 (RFC 9421, section 3.3.4).
type Key struct {
	public PublicKey
	signer *httpsign.Signer
}

// PublicKey is a JWK (RFC 7517) that verifies what a Key signs.
type PublicKey struct {
	Type      string `json:"kty" enum:"EC"`
	Curve     string `json:"crv" enum:"P-256"`
	X         string `json:"x"`
	Y         string `json:"y"`
	ID        string `json:"kid" doc:"The key's thumbprint (RFC 7638); a signature names it as keyid."`
	Algorithm string `json:"alg" enum:"ES256"`
	Use       string `json:"use" enum:"sig"`
}

// LoadKey reads a key from a PEM file (PKCS#8, ECDSA P-256).
func LoadKey(file string) (*Key, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM block in it", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: must be an ECDSA key", file)
	}
	key, err := NewKey(private)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// NewKey makes a key that signs with a private key on P-256.
func NewKey(private *ecdsa.PrivateKey) (*Key, error) {
	if private.Curve != elliptic.P256() {
		return nil, errors.New("must be on the curve P-256")
	}
	public, err := jwk.Import(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	point, err := private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	text := base64.RawURLEncoding.EncodeToString
	k := &Key{public: PublicKey{Type: "EC", Curve: "P-256", X: text(point[1:33]), Y: text(point[33:]), ID: text(thumbprint), Algorithm: "ES256", Use: "sig"}}
	k.signer, err = httpsign.NewP256Signer(*private, httpsign.NewSignConfig().SetKeyID(k.public.ID), httpsign.Headers(Covered...))
	return k, err
}

// Public is the key that verifies.
func (k *Key) Public() PublicKey { return k.public }

// sign adds the digest of the body and the signature to a request.
func (k *Key) sign(r *http.Request) error {
	digest, err := httpsign.GenerateContentDigestHeader(&r.Body, []string{httpsign.DigestSha256})
	if err != nil {
		return err
	}
	r.Header.Set(digestHeader, digest)
	input, signature, err := httpsign.SignRequest(signatureName, *k.signer, r)
	if err != nil {
		return err
	}
	r.Header.Set("Signature-Input", input)
	r.Header.Set("Signature", signature)
	return nil
}
