package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yaronf/httpsign"

	"github.com/hutong-gov/hutong/gateway/webhook/receive"
)

func newKey(t testing.TB) (*Key, *ecdsa.PrivateKey) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := NewKey(private)
	require.NoError(t, err)
	return key, private
}

// keySet is the answer of GET /v1/signing-keys.
func keySet(t testing.TB, keys ...*Key) []byte {
	t.Helper()
	set := map[string][]PublicKey{}
	for _, k := range keys {
		set["keys"] = append(set["keys"], k.Public())
	}
	raw, err := json.Marshal(set)
	require.NoError(t, err)
	return raw
}

const address = "https://portal.example:8443/hooks/hutong?of=us"

func delivery(t testing.TB, k *Key) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, strings.NewReader(`{"id":"17-0-0"}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(deliveryHeader, "h.17-0-0")
	require.NoError(t, k.sign(r))
	return r
}

// arrives is a request as a server gets it.
func arrives(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	require.NoError(t, r.Write(&wire))
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	require.NoError(t, err)
	return got
}

// TestSignatureByHand builds the signature base of RFC 9421, section 2.5, without the library that signs, and verifies the
// signature with the standard library.
func TestSignatureByHand(t *testing.T) {
	key, private := newKey(t)
	r := delivery(t, key)
	digest := sha256.Sum256([]byte(`{"id":"17-0-0"}`))
	require.Equal(t, "sha-256=:"+base64.StdEncoding.EncodeToString(digest[:])+":", r.Header.Get("Content-Digest"))
	parameters, found := strings.CutPrefix(r.Header.Get("Signature-Input"), "hutong=")
	require.True(t, found)
	require.Regexp(t, `^\("@method" "@target-uri" "content-digest" "content-type" "hutong-delivery"\);created=\d+;alg="ecdsa-p256-sha256";keyid="`+key.public.ID+`"$`, ordered(parameters))
	base := fmt.Sprintf("\"@method\": POST\n\"@target-uri\": %s\n\"content-digest\": %s\n\"content-type\": application/json\n\"hutong-delivery\": h.17-0-0\n\"@signature-params\": %s",
		address, r.Header.Get("Content-Digest"), parameters)
	text := strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Signature"), "hutong=:"), ":")
	signature, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	require.Len(t, signature, 64, "r and s, as section 3.3.4 has it")
	sum := sha256.Sum256([]byte(base))
	require.True(t, ecdsa.Verify(&private.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])))
}

// ordered puts the parameters of a signature in one order: the library's own may change.
func ordered(parameters string) string {
	parts := strings.Split(parameters, ";")
	for _, name := range []string{"created", "alg", "keyid"} {
		for i, p := range parts[1:] {
			if strings.HasPrefix(p, name+"=") {
				parts = append(append(append([]string{}, parts[:i+1]...), parts[i+2:]...), p)
			}
		}
	}
	return strings.Join(parts, ";")
}

// TestVectorOfRFC9421 verifies the RFC's own message signed with ECDSA on P-256 (appendix B.2.4) with the library in use.
func TestVectorOfRFC9421(t *testing.T) {
	message := strings.ReplaceAll(`HTTP/1.1 200 OK
Date: Tue, 20 Apr 2021 02:07:56 GMT
Content-Type: application/json
Content-Digest: sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
Content-Length: 23
Signature-Input: sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"
Signature: sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:

{"message": "good dog"}`, "\n", "\r\n")
	block, _ := pem.Decode([]byte(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----`))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
	verifier, err := httpsign.NewP256Verifier(*parsed.(*ecdsa.PublicKey), httpsign.NewVerifyConfig().SetVerifyCreated(false).SetKeyID("test-key-ecc-p256"),
		httpsign.Headers("@status", "content-type", "content-digest", "content-length"))
	require.NoError(t, err)
	for changed, want := range map[string]bool{"": true, "good dog": true, "200": false, "application/json": false, "wNmS": false} {
		text := message
		if changed != "" && changed != "good dog" { // the body is covered by its digest, which is looked at on its own
			text = strings.Replace(message, changed, strings.Repeat("3", len(changed)), 1)
		}
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
		if err != nil {
			continue
		}
		require.Equal(t, want, httpsign.VerifyResponse("sig-b24", *verifier, response, nil) == nil, changed)
	}
	for body, want := range map[string]bool{`{"message": "good dog"}`: true, `{"message": "good cat"}`: false} {
		reader := io.NopCloser(strings.NewReader(body))
		err := httpsign.ValidateContentDigestHeader([]string{"sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"}, &reader, []string{httpsign.DigestSha512})
		require.Equal(t, want, err == nil)
	}
}

// TestAReceiverRefusesWhatWasTamperedWith changes a delivery on its way.
func TestAReceiverRefusesWhatWasTamperedWith(t *testing.T) {
	key, _ := newKey(t)
	other, _ := newKey(t)
	receiver, err := receive.New(address, keySet(t, other, key))
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		change func(r *http.Request) *http.Request
		good   bool
	}{
		{"nothing", func(r *http.Request) *http.Request { return r }, true},
		{"sent on by a proxy under another name", func(r *http.Request) *http.Request { r.Host = "10.0.0.7"; return r }, true},
		{"the body", func(r *http.Request) *http.Request {
			r.Body = io.NopCloser(strings.NewReader(`{"id":"17-0-1"}`))
			return r
		}, false},
		{"the body, and its digest", func(r *http.Request) *http.Request {
			r.Body = io.NopCloser(strings.NewReader(`{"id":"17-0-1"}`))
			digest, err := httpsign.GenerateContentDigestHeader(&r.Body, []string{httpsign.DigestSha256})
			require.NoError(t, err)
			r.Header.Set("Content-Digest", digest)
			return r
		}, false},
		{"the digest is not there", func(r *http.Request) *http.Request { r.Header.Del("Content-Digest"); return r }, false},
		{"the delivery's id", func(r *http.Request) *http.Request { r.Header.Set("Hutong-Delivery", "h.17-0-1"); return r }, false},
		{"the method", func(r *http.Request) *http.Request { r.Method = "PUT"; return r }, false},
		{"the signature", func(r *http.Request) *http.Request {
			r.Header.Set("Signature", "hutong=:"+strings.Repeat("A", 86)+"==:")
			return r
		}, false},
		{"no signature", func(r *http.Request) *http.Request { r.Header.Del("Signature"); return r }, false},
		{"when it was signed", func(r *http.Request) *http.Request {
			r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), "created=", "created=1", 1))
			return r
		}, false},
		{"what is covered", func(r *http.Request) *http.Request {
			r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), ` "content-digest"`, "", 1))
			return r
		}, false},
		{"the key", func(r *http.Request) *http.Request {
			r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), key.public.ID, other.public.ID, 1))
			return r
		}, false},
		{"an unknown key", func(r *http.Request) *http.Request {
			r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), key.public.ID, "unknown", 1))
			return r
		}, false},
		{"a body without end", func(r *http.Request) *http.Request {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", receive.MaxBodyBytes+1)))
			return r
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := receiver.Open(c.change(arrives(t, delivery(t, key))))
			require.Equal(t, c.good, err == nil, err)
			if c.good {
				require.Equal(t, receive.Delivery{ID: "h.17-0-0", Body: []byte(`{"id":"17-0-0"}`)}, got)
			}
		})
	}
	elsewhere, err := receive.New("https://other.example/hooks", keySet(t, key))
	require.NoError(t, err)
	_, err = elsewhere.Open(arrives(t, delivery(t, key)))
	require.Error(t, err, "what was signed for one address is not taken at another")
	for address, keys := range map[string]string{"": string(keySet(t, key)), "https://x": `{"keys":[]}`, "https://y": `no keys`} {
		_, err := receive.New(address, []byte(keys))
		require.Error(t, err)
	}
}

func TestKeysAreRead(t *testing.T) {
	_, private := newKey(t)
	write := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "key.pem")
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
		return file
	}
	key, err := LoadKey(write(private))
	require.NoError(t, err)
	again, err := NewKey(private)
	require.NoError(t, err)
	require.Equal(t, again.Public(), key.Public())
	wrong, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, err = LoadKey(write(wrong))
	require.ErrorContains(t, err, "ECDSA")
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, err = LoadKey(write(large))
	require.ErrorContains(t, err, "P-256")
	_, err = LoadKey("absent")
	require.Error(t, err)
}
