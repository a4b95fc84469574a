package key_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/key"
)

func newKey(t *testing.T) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return private, encode(t, private)
}

func encode(t *testing.T, private any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// high is a signer that always gives the higher S, as half of all signers do half of the time.
type high struct{ *ecdsa.PrivateKey }

func (h high) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, h.PrivateKey, digest)
	if order := h.Params().N; s.Cmp(new(big.Int).Rsh(order, 1)) <= 0 {
		s.Sub(order, s)
	}
	raw, wrong := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err == nil {
		err = wrong
	}
	return raw, err
}

func TestSignaturesAreAsFabricTakesThem(t *testing.T) {
	private, text := newKey(t)
	path := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	file, err := key.File(path)
	require.NoError(t, err)
	require.True(t, key.Fits(file, private.Public()))
	digest := sha256.Sum256([]byte("a proposal"))
	for name, signer := range map[string]crypto.Signer{"a file": file, "high S": high{private}} {
		sign, err := key.Digests(signer)
		require.NoError(t, err)
		for range 50 {
			signature, err := sign(digest[:])
			require.NoError(t, err)
			require.True(t, ecdsa.VerifyASN1(&private.PublicKey, digest[:], signature), name)
			var pair struct{ R, S *big.Int }
			_, err = asn1.Unmarshal(signature, &pair)
			require.NoError(t, err)
			require.LessOrEqual(t, pair.S.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)), 0, name)
		}
	}
	for _, wrong := range [][]byte{nil, []byte("x"), {0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x01}} {
		_, err := key.LowS(&private.PublicKey, wrong)
		require.Error(t, err)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	_, other, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key.pem")
	for name, text := range map[string][]byte{"no PEM": []byte("secret words"), "another kind": encode(t, other)} {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		_, err := key.File(path)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err = key.Digests(other)
	require.Error(t, err)
}

func TestWithoutCGO(t *testing.T) {
	if key.Supported {
		t.Skip("built with PKCS#11")
	}
	private, _ := newKey(t)
	_, err := key.OpenHSM(config.PKCS11{}, private.Public())
	require.ErrorContains(t, err, "CGO_ENABLED=1 make build")
}
