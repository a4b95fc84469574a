// Package signed is how a subject (a person or an enterprise) speaks for itself on the ledger: a compact JWS (RFC 7515)
// with ES256 (RFC 7518 §3.4) over canonical JSON, made by the subject's own key. Contracts verify it, so that not even a
// gateway can invent a consent or an application.
//
// The protected header is exactly {"alg":"ES256","typ":<kind>}: the kind keeps a signature made for one purpose from being
// used for another. The key is the one registered for the subject; none is taken from the header.
package signed

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// MaxBytes bounds a compact JWS.
const MaxBytes = 16 << 10

// signatureBytes is the length of an ES256 signature, r ‖ s.
const signatureBytes = 64

// Key is a public key as a JWK (RFC 7517) of type EC on P-256.
type Key struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// KeyOf gives the JWK of a P-256 public key.
func KeyOf(public *ecdsa.PublicKey) (Key, error) {
	point, err := public.Bytes() // 0x04 ‖ X ‖ Y
	if err != nil || public.Curve != elliptic.P256() {
		return Key{}, badKey("crv", "equals:P-256")
	}
	half := (len(point) - 1) / 2
	return Key{"EC", "P-256", encode(point[1 : 1+half]), encode(point[1+half:])}, nil
}

// Public checks the key and gives it as crypto/ecdsa has it. Fault: request.invalid naming the member.
func (k Key) Public() (*ecdsa.PublicKey, error) {
	if k.Kty != "EC" {
		return nil, badKey("kty", "equals:EC")
	}
	if k.Crv != "P-256" {
		return nil, badKey("crv", "equals:P-256")
	}
	x, err := decode(k.X)
	if err != nil || len(x) != 32 {
		return nil, badKey("x", "base64url_bytes:32")
	}
	y, err := decode(k.Y)
	if err != nil || len(y) != 32 {
		return nil, badKey("y", "base64url_bytes:32")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), bytes.Join([][]byte{{4}, x, y}, nil))
	if err != nil {
		return nil, badKey("x", "on_curve")
	}
	return public, nil
}

func badKey(member, rule string) error {
	return fault.Field("key."+member, rule, "send an EC public key on P-256 as a JWK (RFC 7517) with kty, crv, x, y")
}

// Thumbprint is the key's RFC 7638 thumbprint, base64url.
func (k Key) Thumbprint() string {
	raw, err := canonical.Marshal(k) // crv, kty, x, y: the members RFC 7638 wants, in its order
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return encode(sum[:])
}

// Sign makes a compact JWS of the given kind over content's canonical form.
func Sign(key *ecdsa.PrivateKey, kind string, content any) (string, error) {
	payload, err := canonical.Marshal(content)
	if err != nil {
		return "", err
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, kind); err != nil {
		return "", err
	}
	compact, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), key, jws.WithProtectedHeaders(headers)))
	return string(compact), err
}

// Open verifies a compact JWS of the given kind with a key and decodes its payload strictly into content. field names the
// request's member for faults: signature.malformed, signature.kind, signature.forged, and those of canonical.Decode.
func Open(compact, field, kind string, key Key, content any) error {
	payload, err := parse(compact, field, kind)
	if err != nil {
		return err
	}
	public, err := key.Public()
	if err != nil {
		return err
	}
	if _, err := jws.Verify([]byte(compact), jws.WithKey(jwa.ES256(), public)); err != nil {
		return fault.New(fault.Denied, "signature.forged", "the signature was not made by the key registered for the subject").On(field, "signed_by_subject")
	}
	return decodePayload(payload, field, content)
}

// Peek decodes a payload without verifying the signature: only to learn whose key to verify with.
func Peek(compact, field, kind string, content any) error {
	payload, err := parse(compact, field, kind)
	if err != nil {
		return err
	}
	return decodePayload(payload, field, content)
}

func decodePayload(payload []byte, field string, content any) error {
	if err := canonical.Decode(payload, content); err != nil {
		return fault.From(err).Under(field)
	}
	return nil
}

// header is all a protected header may have.
type header struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
}

// parse takes a compact JWS apart and checks its header.
func parse(compact, field, kind string) (payload []byte, err error) {
	malformed := fault.New(fault.Invalid, "signature.malformed", "send a compact JWS (RFC 7515) with the protected header {\"alg\":\"ES256\",\"typ\":…}").On(field, "compact_jws")
	if len(compact) > MaxBytes {
		return nil, fault.New(fault.Limit, "request.too_large", "make the signed content smaller").On(field, fmt.Sprintf("max_bytes:%d", MaxBytes))
	}
	pieces := strings.Split(compact, ".")
	if len(pieces) != 3 {
		return nil, malformed
	}
	rawHeader, err := decode(pieces[0])
	if err != nil {
		return nil, malformed
	}
	var h header
	if canonical.Decode(rawHeader, &h) != nil || h.Alg != "ES256" {
		return nil, malformed
	}
	if h.Typ != kind {
		return nil, fault.New(fault.Invalid, "signature.kind", "the signature was made for another purpose").On(field+".typ", "equals:"+kind)
	}
	if payload, err = decode(pieces[1]); err != nil {
		return nil, malformed
	}
	if signature, err := decode(pieces[2]); err != nil || len(signature) != signatureBytes {
		return nil, malformed
	}
	return payload, nil
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// decode accepts one text for each content: no padding, no stray bits, and no line breaks, which the standard library skips.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
