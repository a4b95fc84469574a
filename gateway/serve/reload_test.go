package serve

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCertificateIsReplacedWhileItRuns puts another gateway's certificate in the place of the own one, first without its
// key: new connections get it once both are there, and both listeners go on answering all the time.
func TestCertificateIsReplacedWhileItRuns(t *testing.T) {
	w := newWorld(t)
	c := w.config(0)
	r := w.run(c)
	shown := func() *x509.Certificate {
		connection, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", strings.TrimPrefix(r.url, "https://"), &tls.Config{RootCAs: w.roots})
		require.NoError(t, err)
		defer connection.Close()
		return connection.ConnectionState().PeerCertificates[0]
	}
	first := shown()
	other := w.layout.Organisation(w.topology.Organisations[2]).Gateway().TLS()
	replace := func(path, by string) {
		text, err := os.ReadFile(by)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+".new", text, 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	replace(c.TLS.Cert, other.Certificate())
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "are not sound") }, 10*time.Second, 20*time.Millisecond)
	require.True(t, first.Equal(shown()), "a certificate without its key is not used")
	replace(c.TLS.Key, other.Key())
	require.Eventually(t, func() bool { return !first.Equal(shown()) }, 10*time.Second, 100*time.Millisecond)
	status, _ := w.get(r.url + "/healthz")
	require.Equal(t, 200, status)
}
