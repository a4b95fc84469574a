package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/test/browser/chrome"
)

// Widths of the windows that pages are looked at in, in CSS pixels: a desk and a telephone.
const (
	desk      = 1280
	telephone = 390
	height    = 900
)

// tallest picture that is taken, in CSS pixels.
const tallest = 1800

// Patience with the browser: for one step, and for a whole test.
const (
	stepPatience = 20 * time.Second
	testPatience = 2 * time.Minute
)

// start starts the browser.
func (v *visited) start(ctx context.Context, program string) (*chrome.Browser, error) {
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	pins, err := v.pins(ctx)
	if err != nil {
		return nil, err
	}
	return chrome.Start(ctx, program,
		// It sees our own pages only, and containers often do not let it make its sandbox.
		"--no-sandbox",
		// Chromium keeps its own list of roots, and the network's are not on it. Exactly the two keys that were checked
		// against the network's root are accepted; any other certificate is refused as ever.
		"--ignore-certificate-errors-spki-list="+strings.Join(pins, ","),
		// Whatever tried to leave this machine would find no address.
		"--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
	)
}

// pins are the digests of the public keys of the gateway and the provider, having checked their certificates against the
// root of the organisation that runs both.
func (v *visited) pins(ctx context.Context) ([]string, error) {
	file, err := v.network.TLSRoot(organisation)
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		return nil, errors.New(file + " has no certificate")
	}
	var pins []string
	for _, address := range []string{v.gateway, v.provider} {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
		connection, err := dialer.DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return nil, err
		}
		key := connection.(*tls.Conn).ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo
		if err := connection.Close(); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(key)
		pins = append(pins, base64.StdEncoding.EncodeToString(sum[:]))
	}
	return pins, nil
}

// visitor is somebody with a tab of their own; all that happens in it is on record.
type visitor struct {
	*testing.T
	*visited
	*record
	ctx context.Context
	tab *chrome.Tab
}

// visit gives a test a visitor at a desk, and skips the test where there is no browser.
func visit(t *testing.T) *visitor {
	t.Helper()
	if site == nil {
		t.Skip(absence)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	t.Cleanup(cancel)
	v := &visitor{T: t, visited: site, record: &record{}, ctx: ctx}
	tab, err := site.browser.Open(ctx, v.heard)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, tab.Close(context.WithoutCancel(ctx)))
	})
	v.tab = tab
	for _, domain := range []string{"Page", "Network", "Log", "Runtime", "Audits"} {
		v.devtools(domain+".enable", nil)
	}
	v.width(desk)
	return v
}

// step runs one thing in the browser; the test ends if it fails, with what the page complained of.
func (v *visitor) step(run func(context.Context) error) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, stepPatience)
	defer cancel()
	if err := run(ctx); err != nil {
		require.NoError(v, err, "the page's complaints: %s", strings.Join(v.complaints(), "\n"))
	}
}

// devtools calls a method of the browser's protocol.
func (v *visitor) devtools(method string, params chrome.Object) {
	v.Helper()
	v.step(func(ctx context.Context) error { return v.tab.Call(ctx, method, params, nil) })
}

func (v *visitor) goTo(address string) {
	v.Helper()
	v.step(func(ctx context.Context) error { return v.tab.Go(ctx, address) })
}

func (v *visitor) click(selector string) {
	v.Helper()
	v.step(func(ctx context.Context) error { return v.tab.Click(ctx, selector) })
}

func (v *visitor) press(key chrome.Key) {
	v.Helper()
	v.step(func(ctx context.Context) error { return v.tab.Press(ctx, key) })
}

func (v *visitor) write(text string) {
	v.Helper()
	v.step(func(ctx context.Context) error { return v.tab.Type(ctx, text) })
}

// until waits for an expression to hold in the page.
func (v *visitor) until(expression string) {
	v.Helper()
	v.step(func(ctx context.Context) error { return v.tab.Until(ctx, expression) })
}

// seen waits for an element to be on the page and shown.
func (v *visitor) seen(selector string) {
	v.Helper()
	v.until(`document.querySelector("` + selector + `")?.checkVisibility()`)
}

func (v *visitor) run(expression string) {
	v.Helper()
	v.step(func(ctx context.Context) error { return v.tab.Eval(ctx, expression, nil) })
}

// text of the first element that a selector finds, as it is shown.
func (v *visitor) text(selector string) string {
	v.Helper()
	return strings.TrimSpace(eval[string](v, `document.querySelector("`+selector+`").innerText`))
}

// eval gives the value of an expression in the page.
func eval[T any](v *visitor, expression string) T {
	v.Helper()
	var value T
	v.step(func(ctx context.Context) error { return v.tab.Eval(ctx, expression, &value) })
	return value
}

// width makes the window as wide as that.
func (v *visitor) width(pixels int) {
	v.Helper()
	v.devtools("Emulation.setDeviceMetricsOverride", chrome.Object{"width": pixels, "height": height, "deviceScaleFactor": 1, "mobile": pixels < 600})
}

// scheme makes the visitor prefer light or dark.
func (v *visitor) scheme(name string) {
	v.Helper()
	v.devtools("Emulation.setEmulatedMedia", chrome.Object{"features": []chrome.Object{{"name": "prefers-color-scheme", "value": name}}})
}

// picture leaves a picture of the page for people to look at, where the environment asks for it.
func (v *visitor) picture(name string) {
	v.Helper()
	folder := os.Getenv("HUTONG_SCREENSHOTS")
	if folder == "" {
		return
	}
	v.step(func(ctx context.Context) error {
		png, err := v.tab.Picture(ctx, tallest)
		if err != nil {
			return err
		}
		return errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644))
	})
}
