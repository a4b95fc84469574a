// Package softhsm gives tests a token of SoftHSM2: a hardware security module in software, behind the real PKCS#11
// interface. Without SoftHSM, or in a program built without cgo, tests that need it are skipped; where the environment's
// HUTONG_REQUIRE names softhsm, its absence is a failure.
package softhsm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/key"
)

const (
	tokenLabel = "hutong-test"
	pin        = "4711-user"
)

// libraries are where systems install the module.
var libraries = []string{
	"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
}

// Token is a token of its own, in the test's folder.
type Token struct {
	config.PKCS11
	t    testing.TB
	util string
}

// New makes a token. It sets SOFTHSM2_CONF for the rest of the test, so tests with tokens do not run in parallel.
func New(t testing.TB) *Token {
	t.Helper()
	util, err := exec.LookPath("softhsm2-util")
	i := slices.IndexFunc(libraries, func(path string) bool { _, err := os.Stat(path); return err == nil })
	switch {
	case !key.Supported:
		absent(t, "this test was built without PKCS#11: CGO_ENABLED=1 builds it with")
	case err != nil || i < 0:
		absent(t, "no SoftHSM on this machine: install the package softhsm2")
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tokens"), 0o700))
	settings := filepath.Join(dir, "softhsm2.conf")
	require.NoError(t, os.WriteFile(settings, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", settings)
	k := &Token{t: t, util: util, PKCS11: config.PKCS11{Module: libraries[i], Token: tokenLabel, PINFile: filepath.Join(dir, "pin")}}
	require.NoError(t, os.WriteFile(k.PINFile, []byte(pin+"\n"), 0o600))
	k.run("--init-token", "--free", "--label", tokenLabel, "--so-pin", "4711-officer", "--pin", pin)
	return k
}

// Import puts a private key (PKCS#8, PEM) into the token.
func (k *Token) Import(pem []byte, label, id string) {
	k.t.Helper()
	file := filepath.Join(k.t.TempDir(), "key.pem")
	require.NoError(k.t, os.WriteFile(file, pem, 0o600))
	k.run("--import", file, "--token", tokenLabel, "--label", label, "--id", id, "--pin", pin)
}

func (k *Token) run(args ...string) {
	k.t.Helper()
	out, err := exec.Command(k.util, args...).CombinedOutput()
	require.NoError(k.t, err, string(out))
}

func absent(t testing.TB, why string) {
	t.Helper()
	required := strings.FieldsFunc(os.Getenv("HUTONG_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' })
	if slices.Contains(required, "softhsm") {
		t.Fatal(why + "; HUTONG_REQUIRE names softhsm, so it is not left out")
	}
	t.Skip(why)
}
