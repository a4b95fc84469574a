// Package seal closes a payload so that only one agency can open it: HPKE (RFC 9180), base mode, single shot, with
// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. What is sealed is always a commitment.Document, and the
// additional data is its commitment: an envelope cannot be passed off as the answer to something else.
//
// Invariants: an envelope opens only with the private key of the agency it names, only under the commitment it names, and
// only to a document that has that commitment. Errors never say what was inside.
package seal

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// Info binds every envelope to this use of HPKE (RFC 9180 §5.1, `info`).
const Info = "hutong/sealed/v1"

// MaxPlaintextBytes bounds a document before it is sealed.
const MaxPlaintextBytes = 256 << 10

// What sealing adds: the encapsulated key, an uncompressed P-256 point (RFC 9180 §7.1, Nenc), and the AEAD's tag.
const (
	encapsulatedBytes = 65
	overhead          = encapsulatedBytes + 16
)

// MaxSealedLength bounds Envelope.Sealed.
const MaxSealedLength = (MaxPlaintextBytes + overhead + 2) / 3 * 4

// Envelope is a sealed document. It has nothing in it that needs protecting, but it is shown only to those concerned.
type Envelope struct {
	Commitment string `json:"commitment"` // of the document inside
	To         string `json:"to"`         // agency id
	Sealed     string `json:"sealed"`     // base64url of the encapsulated key and the ciphertext
}

// Document seals a document to an agency's registered exchange key.
func Document(document commitment.Document, agency string, key signed.Key) (Envelope, error) {
	root, err := document.Root()
	if err != nil {
		return Envelope{}, err
	}
	plaintext, err := canonical.Marshal(document)
	if err != nil {
		return Envelope{}, fault.New(fault.Invalid, "sealed.unencodable", "the document has no canonical form").On("document", "canonical")
	}
	if len(plaintext) > MaxPlaintextBytes {
		return Envelope{}, fault.New(fault.Limit, "request.too_large", "make the document smaller").On("document", fmt.Sprintf("max_bytes:%d", MaxPlaintextBytes))
	}
	public, err := recipient(key)
	if err != nil {
		return Envelope{}, err
	}
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(Info))
	if err != nil {
		return Envelope{}, fmt.Errorf("seal: %w", err)
	}
	ciphertext, err := sender.Seal([]byte(root), plaintext)
	if err != nil {
		return Envelope{}, fmt.Errorf("seal: %w", err)
	}
	return Envelope{Commitment: root, To: agency, Sealed: base64.RawURLEncoding.EncodeToString(append(enc, ciphertext...))}, nil
}

func recipient(key signed.Key) (hpke.PublicKey, error) {
	public, err := key.Public()
	if err != nil {
		return nil, err
	}
	point, err := public.ECDH()
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return hpke.NewDHKEMPublicKey(point)
}

// errClosed is the one answer to whatever is wrong with an envelope: telling cases apart would help only who forges them.
var errClosed = fault.New(fault.Refused, "sealed.cannot_open", "the envelope was not sealed to this agency's key under this commitment, or was changed").On("sealed", "opens_with_recipient_key")

// Open opens an envelope with an agency's private exchange key. Faults: sealed.cannot_open, sealed.other_content.
func Open(envelope Envelope, key *ecdh.PrivateKey) (commitment.Document, error) {
	var document commitment.Document
	if len(envelope.Sealed) > MaxSealedLength {
		return document, fault.New(fault.Limit, "request.too_large", "make the document smaller").On("sealed", fmt.Sprintf("max_length:%d", MaxSealedLength))
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(envelope.Sealed)
	if err != nil || len(raw) < overhead {
		return document, errClosed
	}
	private, err := hpke.NewDHKEMPrivateKey(key)
	if err != nil {
		return document, fmt.Errorf("open: %w", err)
	}
	enc, ciphertext := raw[:encapsulatedBytes], raw[encapsulatedBytes:]
	receiver, err := hpke.NewRecipient(enc, private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(Info))
	if err != nil {
		return document, errClosed
	}
	plaintext, err := receiver.Open([]byte(envelope.Commitment), ciphertext)
	if err != nil {
		return document, errClosed
	}
	otherContent := fault.New(fault.Refused, "sealed.other_content", "the document inside does not have the commitment the envelope names").On("commitment", "equals:root")
	if err := canonical.Decode(plaintext, &document); err != nil {
		return commitment.Document{}, otherContent
	}
	if root, err := document.Root(); err != nil || root != envelope.Commitment {
		return commitment.Document{}, otherContent
	}
	return document, nil
}
