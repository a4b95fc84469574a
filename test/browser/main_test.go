// Package browser opens the pages of a real network in a real browser: the gateway's page to try the API and the development
// provider's sign-in page. It does what a visitor does, by mouse and by keyboard, and looks at what no other test sees:
// errors on the console, violations of the content policy, requests to other hosts, contrast, names and landmarks, the
// width of a telephone.
//
// Without Chromium the tests are skipped; where the environment's HUTONG_REQUIRE names chromium, its absence is a failure.
// With HUTONG_SCREENSHOTS=FOLDER every page that is looked at is left there as a picture.
package browser

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/browser/chrome"
	"github.com/hutong-gov/hutong/test/story"
)

// site is what the tests visit; nil where there is none, and absence says why.
var (
	site    *visited
	absence string
)

type visited struct {
	network  *network.Network
	browser  *chrome.Browser // the only one; every test has a tab
	gateway  string          // https://127.0.0.1:…
	provider string
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if testing.Short() {
		absence = "needs a real network, which -short leaves out"
		return m.Run(), nil
	}
	ctx := context.Background()
	program, found := chromium(ctx)
	if !found {
		absence = "no Chromium on this machine: install the package chromium, or Google Chrome, to run the tests in a browser"
		if required("chromium") {
			return 1, errors.New(absence + "; HUTONG_REQUIRE names chromium, so they are not left out")
		}
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "hutong-browser-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n, err := up(ctx, dir)
	if n != nil {
		defer func() { err = errors.Join(err, n.Down(ctx, network.Purge)) }()
	}
	if err != nil {
		return 1, err
	}
	site = &visited{network: n, provider: n.Topology.IdentityProviderURL()}
	if site.gateway, err = n.GatewayURL(organisation); err != nil {
		return 1, err
	}
	if site.browser, err = site.start(ctx, program); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, site.browser.Close()) }()
	return m.Run(), nil
}

// organisation whose gateway is visited: the citizens' door.
const organisation = "services"

// required says whether the environment insists on a program that tests otherwise do without.
func required(program string) bool {
	return slices.Contains(strings.FieldsFunc(os.Getenv("HUTONG_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' }), program)
}

// chromium finds the browser. Some systems ship a command of that name that only says what to install: what cannot tell its
// version is not taken for a browser.
func chromium(ctx context.Context) (path string, found bool) {
	ctx, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}
	if runtime.GOOS == "darwin" {
		names = append(names, "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium")
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(ctx, path, "--version").Run() == nil {
			return path, true
		}
	}
	return "", false
}

// up builds the product as it is and brings a network of its own up.
func up(ctx context.Context, dir string) (*network.Network, error) {
	n, err := story.Own(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	return n, n.Up(ctx)
}
