// Package signer is a subject's own key at work, for portals and programs that are written in Go: it makes the key, and signs
// what a subject says with it. The browser's counterpart is served by the citizens' gateway (/signer.js); both make the same
// bytes of the same terms.
//
//	s, err := signer.New(me.Channel, me.Pseudonym)
//	request, err := s.Registration()
//	_, err = gateway.RegisterKey(ctx, request)
//	jws, err := s.Consent(drafted.Consents[0])
//
// Invariants: the private key is in no answer and no error; a signer signs only in its own subject's name and for its own
// channel, so that terms of somebody else are not signed by mistake.
package signer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

// ErrOther says that the terms name another subject or channel than the signer's.
var ErrOther = errors.New("signer: the terms are another subject's, or for another channel")

// Signer signs for one subject on one channel.
type Signer struct {
	channel, subject string
	key              *ecdsa.PrivateKey
}

// New makes a signer with a new key.
func New(channel, subject string) (Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return Signer{channel, subject, key}, err
}

// Of makes a signer of a key that is there: ECDSA on P-256.
func Of(channel, subject string, key *ecdsa.PrivateKey) (Signer, error) {
	if _, err := signed.KeyOf(&key.PublicKey); err != nil {
		return Signer{}, err
	}
	return Signer{channel, subject, key}, nil
}

// Key is the public key, as it is registered.
func (s Signer) Key() signed.Key {
	public, err := signed.KeyOf(&s.key.PublicKey)
	if err != nil {
		panic("signer: a key that is not on P-256: " + err.Error()) // New and Of make no other
	}
	return public
}

// Private is the private key, for whoever keeps it.
func (s Signer) Private() *ecdsa.PrivateKey { return s.key }

// proof shows that the key is held.
func (s Signer) proof() (string, error) {
	return signed.Sign(s.key, exchange.RegistrationKind, exchange.Registration{Channel: s.channel, Subject: s.subject, Thumbprint: s.Key().Thumbprint()})
}

// Registration is the request that registers the key.
func (s Signer) Registration() (request api.RegisterKey, err error) {
	request.SigningKey = s.Key()
	request.Proof, err = s.proof()
	return request, err
}

// Rotation is the request that puts another signer's key in the place of this one's. The other is the same subject's.
func (s Signer) Rotation(next Signer) (request api.RotateKey, err error) {
	if next.subject != s.subject || next.channel != s.channel {
		return request, ErrOther
	}
	request.SigningKey = next.Key()
	if request.Proof, err = next.proof(); err != nil {
		return request, err
	}
	request.Authorisation, err = signed.Sign(s.key, exchange.RotationKind, exchange.Rotation{
		Channel: s.channel, Subject: s.subject, Thumbprint: s.Key().Thumbprint(), Successor: next.Key().Thumbprint(),
	})
	return request, err
}

// Recovery is the request by which an officer of the identity agency puts this signer's key in the place of one that is lost.
// reason is a code, such as "device_lost"; end says whether the consents in force end.
func (s Signer) Recovery(reason string, end bool) (request api.RecoverKey, err error) {
	request = api.RecoverKey{Pseudonym: s.subject, SigningKey: s.Key(), Reason: reason, EndConsents: end}
	request.Proof, err = s.proof()
	return request, err
}

// Consent signs the terms of a consent.
func (s Signer) Consent(terms exchange.ConsentTerms) (string, error) {
	if terms.Subject != s.subject || terms.Channel != s.channel {
		return "", ErrOther
	}
	if err := terms.Validate(); err != nil {
		return "", err
	}
	return signed.Sign(s.key, exchange.ConsentKind, terms)
}

// Revocation signs that a consent ends.
func (s Signer) Revocation(consent string) (string, error) {
	if err := exchange.CheckIdentifier("consent", consent); err != nil {
		return "", err
	}
	return signed.Sign(s.key, exchange.RevocationKind, exchange.Revocation{Channel: s.channel, Subject: s.subject, Consent: consent})
}

// Code makes the digits of a one-time code and signs the drafted terms with their hash. The ticket is what the subject shows
// at the window: its digits to say, its text to scan.
func (s Signer) Code(d api.DraftedCode) (jws string, ticket exchange.CodeTicket, err error) {
	terms := d.Terms
	if terms.Subject != s.subject || terms.Channel != s.channel {
		return "", ticket, ErrOther
	}
	ticket.Salt = d.Salt
	if ticket.Digits, err = exchange.NewDigits(); err != nil {
		return "", ticket, err
	}
	if terms.Hash, err = exchange.HashCode(d.Salt, s.channel, s.subject, ticket.Digits); err != nil {
		return "", ticket, err
	}
	if err := terms.Validate(); err != nil {
		return "", ticket, err
	}
	if ticket.Code, err = terms.ID(); err != nil {
		return "", ticket, err
	}
	jws, err = signed.Sign(s.key, exchange.CodeKind, terms)
	return jws, ticket, err
}

// Cancellation signs that a one-time code is taken back.
func (s Signer) Cancellation(code string) (string, error) {
	if err := exchange.CheckIdentifier("code", code); err != nil {
		return "", err
	}
	return signed.Sign(s.key, exchange.CancellationKind, exchange.Cancellation{Channel: s.channel, Subject: s.subject, Code: code})
}

// Sign signs any content of a kind, such as an application.
func (s Signer) Sign(kind string, content any) (string, error) {
	return signed.Sign(s.key, kind, content)
}

// Load reads a private key from a file (PKCS#8 PEM), or makes one there, readable by its owner only. Errors name the file,
// never its content.
func Load(path string) (*ecdsa.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s: not a PEM file", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: not a PKCS#8 key", path)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an EC key", path)
	}
	return key, nil
}

func create(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return key, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
