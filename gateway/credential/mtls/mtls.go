// Package mtls tells those who answer a request which certificate the caller's connection was made with, so that an access
// token can be held to it (RFC 8705, certificate-bound access tokens). Whether the certificate is good is decided by the
// listener; here it is only named, by its thumbprint.
package mtls

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
)

// Claim is the member of the claim cnf that names a certificate: base64url of the SHA-256 of its DER form.
const Claim = "x5t#S256"

// Of is a certificate's thumbprint as the claim has it.
func Of(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

type presented struct{}

// Handler notes the certificate of each request's connection.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			r = r.WithContext(context.WithValue(r.Context(), presented{}, Of(r.TLS.PeerCertificates[0])))
		}
		next.ServeHTTP(w, r)
	})
}

// Thumbprint of the connection's certificate; empty if it has none.
func Thumbprint(ctx context.Context) string {
	text, _ := ctx.Value(presented{}).(string)
	return text
}
