package credential

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

func TestPseudonym(t *testing.T) {
	p, err := NewPseudonyms(bytes.Repeat([]byte{7}, PseudonymKeyBytes))
	require.NoError(t, err)
	one := p.Of("https://idp.example", "citizen1")
	// echo -n 'https://idp.example|citizen1' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707… -binary | base32 | cut -c1-26
	require.Equal(t, "ttbiwjts73hwgmxbm2atenqq7k", one)
	require.NoError(t, exchange.CheckSubject("subject", one), "contracts must take it")
	require.Equal(t, one, p.Of("https://idp.example", "citizen1"))
	require.NotEqual(t, one, p.Of("https://idp.example", "citizen2"))
	require.NotEqual(t, one, p.Of("https://other.example", "citizen1"))
	other, err := NewPseudonyms(bytes.Repeat([]byte{8}, PseudonymKeyBytes))
	require.NoError(t, err)
	require.NotEqual(t, one, other.Of("https://idp.example", "citizen1"))
}

func TestLoadPseudonyms(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"good", strings.Repeat("0a", 32) + "\n", ""},
		{"short", strings.Repeat("0a", 31), "must be 32 bytes"},
		{"not hexadecimal", strings.Repeat("zz", 32), "hexadecimal"},
		{"empty", "", "must be 32 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
			_, err := LoadPseudonyms(path)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			if c.text != "" {
				require.NotContains(t, err.Error(), c.text, "the key is a secret")
			}
		})
	}
	_, err := LoadPseudonyms(filepath.Join(t.TempDir(), "absent"))
	require.ErrorContains(t, err, "pseudonym_key")
}
