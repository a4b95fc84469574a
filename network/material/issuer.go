package material

import (
	"context"
	"crypto"
)

// Unit is the organisational unit in a certificate's subject. Fabric tells
// node kinds apart by it (NodeOUs), and Fabric CA calls it the identity type.
type Unit string

// The four units Fabric knows.
const (
	UnitClient  Unit = "client"
	UnitPeer    Unit = "peer"
	UnitAdmin   Unit = "admin"
	UnitOrderer Unit = "orderer"
)

// Enrolment asks for a signing certificate.
type Enrolment struct {
	// Name is unique inside the organisation.
	Name string
	Unit Unit
	// Attributes go into the certificate's attribute extension.
	Attributes map[string]string
}

// TLSEnrolment asks for a TLS certificate, for server and client use.
type TLSEnrolment struct {
	Name string
	Unit Unit
	// Hosts are DNS names and IP addresses; none for a client.
	Hosts []string
}

// Roots are an organisation's two root certificates, in PEM.
type Roots struct{ Signing, TLS []byte }

// Issuer is the certificate authority of one organisation. The key pair is
// made by whoever enrols and never leaves it; an issuer sees the public key,
// or a request signed by the key where its protocol wants one.
//
// Enrolling a name that was enrolled before issues a further certificate: it
// happens after a crash between writing a key and writing its certificate.
type Issuer interface {
	Roots(ctx context.Context) (Roots, error)
	Enrol(ctx context.Context, e Enrolment, key crypto.Signer) (certificate []byte, err error)
	EnrolTLS(ctx context.Context, e TLSEnrolment, key crypto.Signer) (certificate []byte, err error)
}
