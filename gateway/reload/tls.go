package reload

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc/credentials"
)

// Certificate keeps a TLS certificate and its key, PEM files.
func Certificate(s *Set, name, certificate, key string) (*Value[*tls.Certificate], error) {
	return Add(s, name, func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		return &pair, err
	}, []string{certificate, key}, Expires(func(c *tls.Certificate) time.Time { return c.Leaf.NotAfter }))
}

// Server is a listener's TLS configuration with a certificate that may be replaced: TLS 1.2 and 1.3, the cipher suites and
// curves that the Go release holds for safe.
func Server(certificate *Value[*tls.Certificate]) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate.Get(), nil },
	}
}

// Asking is a listener's TLS configuration that asks callers for a certificate of certain authorities, which may be replaced.
// A caller may do without; one that is shown must be good.
func Asking(base *tls.Config, authorities *Value[*x509.CertPool]) *tls.Config {
	asking := base.Clone()
	asking.NextProtos = []string{"h2", "http/1.1"} // the server adds them to the configuration it is given, not to those made of it
	asking.ClientAuth = tls.VerifyClientCertIfGiven
	made := asking.Clone()
	made.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		this := asking.Clone()
		this.ClientCAs = authorities.Get()
		return this, nil
	}
	return made
}

// Roots reads a pool of PEM certificates; no file means the system's roots.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in it", file)
	}
	return pool, nil
}

// Credentials are a gRPC client's: each connection is checked against the roots as they are when it is made. serverName is
// expected in the server's certificate.
func Credentials(roots *Value[*x509.CertPool], serverName string) credentials.TransportCredentials {
	return &current{TransportCredentials: secure(roots.Get(), serverName), roots: roots, serverName: serverName}
}

func secure(roots *x509.CertPool, serverName string) credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS12})
}

// current are credentials that hand every handshake to credentials with the roots of the moment.
type current struct {
	credentials.TransportCredentials
	roots      *Value[*x509.CertPool]
	serverName string
}

// ClientHandshake implements credentials.TransportCredentials.
func (c *current) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return secure(c.roots.Get(), c.serverName).ClientHandshake(ctx, authority, raw)
}

// Clone implements credentials.TransportCredentials.
func (c *current) Clone() credentials.TransportCredentials { return Credentials(c.roots, c.serverName) }
