package authority

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"github.com/hutong-gov/hutong/network/material"
)

// rootAffiliation asks for no affiliation: which agency somebody speaks for is
// an attribute, and an affiliation would become a further organisational unit.
const rootAffiliation = "."

// Issuer enrols at an organisation's Fabric CA. It implements material.Issuer.
type Issuer struct {
	domain       string
	secret       string
	signing, tls *desk
}

// desk is where the registrar works at one authority. The registrar enrols when
// it is needed first.
type desk struct {
	*client
	registrar *signer
}

// Issuer opens the authority, which runs.
func (a *Authority) Issuer() (*Issuer, error) {
	secret, err := material.ReadSecret(a.secretFile())
	if err != nil {
		return nil, err
	}
	signing, err := a.client(signingCA)
	if err != nil {
		return nil, err
	}
	tls, err := a.client(tlsCA)
	if err != nil {
		return nil, err
	}
	return &Issuer{domain: a.org.Domain, secret: secret, signing: &desk{client: signing}, tls: &desk{client: tls}}, nil
}

// Roots asks for the two root certificates.
func (i *Issuer) Roots(ctx context.Context) (material.Roots, error) {
	signing, err := i.signing.root(ctx)
	if err != nil {
		return material.Roots{}, err
	}
	tls, err := i.tls.root(ctx)
	return material.Roots{Signing: signing, TLS: tls}, err
}

func (c *client) root(ctx context.Context) ([]byte, error) {
	info, err := c.info(ctx)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(info.CAChain)
}

// Enrol registers a name with its attributes and gives its signing certificate.
func (i *Issuer) Enrol(ctx context.Context, e material.Enrolment, key crypto.Signer) ([]byte, error) {
	r := registration{ID: e.Name, Type: string(e.Unit), Affiliation: rootAffiliation}
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		r.Attributes = append(r.Attributes, attribute{Name: name, Value: e.Attributes[name], ECert: true})
	}
	return i.enrol(ctx, i.signing, r, x509.CertificateRequest{}, defaultProfile, key)
}

// EnrolTLS registers a name and gives its TLS certificate.
func (i *Issuer) EnrolTLS(ctx context.Context, e material.TLSEnrolment, key crypto.Signer) ([]byte, error) {
	request, profile := x509.CertificateRequest{}, defaultProfile
	if len(e.Hosts) > 0 {
		profile = serverProfile
	}
	for _, host := range e.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			request.IPAddresses = append(request.IPAddresses, ip)
		} else {
			request.DNSNames = append(request.DNSNames, host)
		}
	}
	r := registration{ID: e.Name, Type: string(e.Unit), Affiliation: rootAffiliation}
	return i.enrol(ctx, i.tls, r, request, profile, key)
}

func (i *Issuer) enrol(ctx context.Context, d *desk, r registration, request x509.CertificateRequest, profile string, key crypto.Signer) ([]byte, error) {
	if err := i.staff(ctx, d); err != nil {
		return nil, fmt.Errorf("enrol the registrar at %s: %w", d.ca, err)
	}
	// Nobody else ever learns the secret, and it is good for one enrolment.
	r.Secret = rand.Text()
	if err := d.register(ctx, *d.registrar, r); err != nil {
		return nil, fmt.Errorf("register at %s: %w", d.ca, err)
	}
	return i.certify(ctx, d.client, r.ID, r.Secret, request, profile, key)
}

// staff enrols the registrar if that has not been done yet.
func (i *Issuer) staff(ctx context.Context, d *desk) error {
	if d.registrar != nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	certificate, err := i.certify(ctx, d.client, registrarName, i.secret, x509.CertificateRequest{}, defaultProfile, key)
	if err != nil {
		return err
	}
	d.registrar = &signer{certificate: certificate, key: key}
	return nil
}

// certify proves the possession of a key and gets its certificate.
func (i *Issuer) certify(ctx context.Context, c *client, name, secret string, request x509.CertificateRequest, profile string, key crypto.Signer) ([]byte, error) {
	// The organisational unit is not ours to ask for: the authority writes
	// the type that the name was registered with.
	request.Subject = pkix.Name{CommonName: name, Organization: []string{i.domain}}
	der, err := x509.CreateCertificateRequest(rand.Reader, &request, key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	certificate, err := c.enrol(ctx, name, secret, enrolment{Request: string(text), Profile: profile})
	if err != nil {
		return nil, err
	}
	return certificate, certifies(certificate, key.Public())
}

// certifies makes sure that a certificate is one of this key.
func certifies(text []byte, key crypto.PublicKey) error {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return errors.New("the Fabric CA answered with something that is not a certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("certificate from Fabric CA: %w", err)
	}
	if public, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key) {
		return errors.New("the Fabric CA answered with a certificate of another key")
	}
	return nil
}
