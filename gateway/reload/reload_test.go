package reload_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/reload"
)

// puts counts replacements, so that each has a modification time of its own on file systems with coarse clocks too.
var puts atomic.Int64

// put replaces a file as a careful administrator does: written beside it and renamed.
func put(t *testing.T, path string, text []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", text, 0o600))
	at := time.Now().Add(time.Duration(puts.Add(1)) * time.Second)
	require.NoError(t, os.Chtimes(path+".new", at, at))
	require.NoError(t, os.Rename(path+".new", path))
}

func pair(t *testing.T, name string, life time.Duration) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(life), IsCA: true, BasicConstraintsValid: true,
	}, &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}}, &private.PublicKey, private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func newSet(t *testing.T) (*reload.Set, *prometheus.Registry, *bytes.Buffer) {
	t.Helper()
	registry, log := prometheus.NewRegistry(), new(bytes.Buffer)
	set, err := reload.NewSet(slog.New(slog.NewTextHandler(log, nil)), registry)
	require.NoError(t, err)
	return set, registry, log
}

func TestValueFollowsItsFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "motd")
	put(t, file, []byte("one"))
	set, registry, log := newSet(t)
	reads, heard := 0, []string{}
	v, err := reload.Add(set, "motd", func() (string, error) {
		reads++
		text, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(text), "bad") {
			err = errors.New("not sound")
		}
		return string(text), err
	}, []string{file}, reload.After(func(s string) { heard = append(heard, s) }))
	require.NoError(t, err)
	set.Look()
	set.Look()
	require.Equal(t, 1, reads, "files that stay are not read again")
	put(t, file, []byte("two"))
	require.Equal(t, "one", v.Get())
	set.Look()
	require.Equal(t, "two", v.Get())
	put(t, file, []byte("bad"))
	set.Look()
	set.Look()
	require.Equal(t, "two", v.Get(), "what is not sound changes nothing")
	require.Equal(t, 1, strings.Count(log.String(), "not sound;"), "and is said once")
	require.NoError(t, os.Remove(file))
	set.Look()
	require.Equal(t, "two", v.Get())
	put(t, file, []byte("two"))
	set.Look()
	put(t, file, []byte("three"))
	set.Look()
	require.Equal(t, "three", v.Get())
	require.Equal(t, []string{"two", "two", "three"}, heard)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP hutong_reload_failing 1 while replaced files are not sound and the old ones stay in use, by setting.
# TYPE hutong_reload_failing gauge
hutong_reload_failing{name="motd"} 0
# HELP hutong_reloads_total Replaced files that were taken into use (done) or were not sound (failed), by setting.
# TYPE hutong_reloads_total counter
hutong_reloads_total{name="motd",result="done"} 3
hutong_reloads_total{name="motd",result="failed"} 2
`)))
}

func TestFolderThatIsSwappedByALink(t *testing.T) {
	// as Kubernetes mounts secrets: file → ..data/file, ..data → a folder that is replaced as a whole
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		put(t, filepath.Join(dir, name, "file"), []byte(name))
	}
	link := filepath.Join(dir, "data")
	require.NoError(t, os.Symlink("a", link))
	set, _, _ := newSet(t)
	v, err := reload.Add(set, "folder", func() (string, error) {
		text, err := os.ReadFile(filepath.Join(link, "file"))
		return string(text), err
	}, []string{link})
	require.NoError(t, err)
	require.NoError(t, os.Symlink("b", link+".new"))
	require.NoError(t, os.Rename(link+".new", link))
	set.Look()
	require.Equal(t, "b", v.Get())
	put(t, filepath.Join(dir, "b", "file"), []byte("c"))
	set.Look()
	require.Equal(t, "c", v.Get(), "a file in a folder counts")
}

func TestFirstReadingMustSucceed(t *testing.T) {
	set, _, _ := newSet(t)
	_, err := reload.Certificate(set, "tls", "/nonexistent", "/nonexistent")
	require.ErrorIs(t, err, os.ErrNotExist)
	set.Look()
}

func TestListenerTakesARenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text, private := pair(t, "first", time.Hour)
	put(t, certificate, text)
	put(t, key, private)
	set, registry, _ := newSet(t)
	v, err := reload.Certificate(set, "tls", certificate, key)
	require.NoError(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", reload.Server(v))
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = c.(*tls.Conn).Handshake(); c.Close() }()
		}
	}()
	shown := func(version uint16) (string, error) {
		// who is there is what the test asks; whether to trust them is not
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", listener.Addr().String(),
			&tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if err != nil {
			return "", err
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
	}
	require.InDelta(t, time.Hour.Seconds(), expires(t, registry), 10)
	second, secondKey := pair(t, "second", 2*time.Hour)
	put(t, certificate, second)
	set.Look()
	name, err := shown(tls.VersionTLS13)
	require.NoError(t, err)
	require.Equal(t, "first", name, "the new certificate's key is not there yet")
	put(t, key, secondKey)
	set.Look()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		name, err = shown(version)
		require.NoError(t, err)
		require.Equal(t, "second", name)
	}
	require.InDelta(t, 2*time.Hour.Seconds(), expires(t, registry), 10)
	_, err = shown(tls.VersionTLS11)
	require.Error(t, err)
}

// TestClientTakesReplacedRoots: a server with a certificate under another root is refused until the root is there.
func TestClientTakesReplacedRoots(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roots.pem")
	first, _ := pair(t, "first", time.Hour)
	second, key := pair(t, "second", time.Hour)
	put(t, file, first)
	set, _, _ := newSet(t)
	roots, err := reload.Add(set, "peers.tls_root", func() (*x509.CertPool, error) { return reload.Roots(file) }, []string{file})
	require.NoError(t, err)
	own, err := tls.X509KeyPair(second, key)
	require.NoError(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = c.(*tls.Conn).Handshake(); c.Close() }()
		}
	}()
	client := reload.Credentials(roots, "localhost").Clone()
	greet := func() error {
		raw, err := net.DialTimeout("tcp", listener.Addr().String(), 5*time.Second)
		require.NoError(t, err)
		defer raw.Close()
		_, _, err = client.ClientHandshake(t.Context(), "localhost", raw)
		return err
	}
	require.ErrorContains(t, greet(), "unknown authority")
	put(t, file, second)
	set.Look()
	require.NoError(t, greet())
}

func expires(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "hutong_certificate_expires_seconds" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	require.Fail(t, "no metric")
	return 0
}
