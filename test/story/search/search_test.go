package search

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var texts = []string{"110199198804170025", "周敏华", "Zhou Minhua", "海淀区槐树胡同12号301室"}

func TestATextIsFoundHoweverItIsWritten(t *testing.T) {
	f := New(texts)
	for i, text := range texts {
		for pad := range 7 {
			before, after := strings.Repeat("x", pad), strings.Repeat("y", 6-pad)
			whole := []byte(before + text + after)
			for name, data := range map[string]string{
				"plain":      string(whole),
				"hex":        hex.EncodeToString(whole),
				"HEX":        strings.ToUpper(hex.EncodeToString(whole)),
				"base64":     base64.StdEncoding.EncodeToString(whole),
				"base64url":  base64.RawURLEncoding.EncodeToString(whole),
				"JSON":       jsonASCII(string(whole)),
				"at the end": before + text,
			} {
				require.Equal(t, []int{i}, f.Find([]byte(data)), "%s %s with %d before", name, text, pad)
			}
		}
	}
	require.ElementsMatch(t, []int{0, 1, 2, 3}, f.Find([]byte(strings.Join(texts, "\x00")+strings.Join(texts, " "))))
}

func TestNothingElseIsFound(t *testing.T) {
	f := New(texts)
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	require.Empty(t, f.Find(data))
	require.Empty(t, f.Find(nil))
	require.Empty(t, f.Find([]byte("11019919880417002")), "one character less")
	require.Empty(t, f.Find([]byte("110199198804170026")), "another last character")
	require.Empty(t, f.Find([]byte(base64.StdEncoding.EncodeToString([]byte("x110199198804180025y")))))
}

func TestATextTooShortToSearchForIsNotAccepted(t *testing.T) {
	require.Panics(t, func() { New([]string{"short"}) })
}

func jsonASCII(s string) string {
	raw, _ := json.Marshal(s)
	var b strings.Builder
	for _, r := range string(raw) {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
