//go:build cgo

package key_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/key"
	"github.com/hutong-gov/hutong/gateway/key/softhsm"
)

func TestKeysInAToken(t *testing.T) {
	token := softhsm.New(t)
	private, text := newKey(t)
	other, otherText := newKey(t)
	token.Import(text, "hall", "01")
	token.Import(otherText, "police", "02")

	settings := token.PKCS11
	settings.Label = "hall"
	hsm, err := key.OpenHSM(settings, private.Public())
	require.NoError(t, err)
	defer func() { require.NoError(t, hsm.Close()) }()
	byID := token.PKCS11
	byID.ID = "02"
	second, err := key.OpenHSM(byID, other.Public())
	require.NoError(t, err, "two keys of one token share its sessions")

	sign, err := key.Digests(hsm)
	require.NoError(t, err)
	check := func() error {
		digest := sha256.Sum256([]byte("a proposal"))
		signature, err := sign(digest[:])
		if err == nil {
			require.True(t, ecdsa.VerifyASN1(&private.PublicKey, digest[:], signature))
		}
		return err
	}
	require.NoError(t, check())

	t.Run("by many at once", func(t *testing.T) {
		var all sync.WaitGroup
		failures := make([]error, 64)
		for i := range failures {
			all.Go(func() { failures[i] = check() })
		}
		all.Wait()
		for _, err := range failures {
			require.NoError(t, err)
		}
		require.LessOrEqual(t, key.OpenSessions(hsm), key.MaxSessions)
	})
	t.Run("sessions that are lost are made again", func(t *testing.T) {
		require.NoError(t, key.LoseSessions(hsm))
		require.NoError(t, check())
		require.NoError(t, second.Trial())
	})
	t.Run("a module that ended is begun again", func(t *testing.T) {
		require.NoError(t, key.EndModule(hsm))
		require.NoError(t, check())
		require.NoError(t, second.Trial())
	})
	t.Run("while many sign", func(t *testing.T) {
		var all sync.WaitGroup
		failures := make([]error, 32)
		for i := range failures {
			all.Go(func() {
				if i == 8 {
					failures[i] = key.LoseSessions(hsm)
					return
				}
				failures[i] = check()
			})
		}
		all.Wait()
		for _, err := range failures {
			require.NoError(t, err)
		}
	})
	t.Run("a wrong PIN is said, and the right one helps", func(t *testing.T) {
		require.NoError(t, os.WriteFile(token.PINFile, []byte("0000-wrong"), 0o600))
		require.NoError(t, key.LoseSessions(hsm))
		require.ErrorContains(t, check(), "log in to the token")
		require.NoError(t, os.WriteFile(token.PINFile, []byte("4711-user"), 0o600))
		require.NoError(t, check())
	})
	require.NoError(t, second.Close())
	require.NoError(t, check(), "closing one key leaves the other")

	for name, c := range map[string]struct {
		change func(*softhsm.Token)
		want   string
	}{
		"no module":     {func(k *softhsm.Token) { k.Module = "/nowhere.so" }, "cannot be loaded"},
		"no such token": {func(k *softhsm.Token) { k.PKCS11.Token = "other" }, "no slot has a token of that label"},
		"no such key":   {func(k *softhsm.Token) { k.Label = "nobody" }, "no EC private key"},
		"not one key":   {func(k *softhsm.Token) { k.Label = "" }, "several EC private keys"},
		"another's key": {func(k *softhsm.Token) { k.Label = "police" }, "not the certificate's"},
		"label, not id": {func(k *softhsm.Token) { k.Label, k.ID = "hall", "02" }, "no EC private key"},
		"no PIN":        {func(k *softhsm.Token) { k.Label, k.PINFile = "hall", "/nowhere" }, "pin_file"},
		"id is not hex": {func(k *softhsm.Token) { k.ID = "x" }, "hexadecimal"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := *token
			changed.Label = "hall"
			c.change(&changed)
			_, err := key.OpenHSM(changed.PKCS11, private.Public())
			require.ErrorContains(t, err, c.want)
		})
	}
}
