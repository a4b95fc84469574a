package signed_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

type consent struct {
	Case  string `json:"case"`
	Uses  int    `json:"uses"`
	Extra string `json:"extra,omitempty"`
}

const kind = "consent+jws"

func newKey(t *testing.T) (*ecdsa.PrivateKey, signed.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := signed.KeyOf(&private.PublicKey)
	require.NoError(t, err)
	return private, public
}

func encode(raw string) string { return base64.RawURLEncoding.EncodeToString([]byte(raw)) }

// compact signs a header and a payload as they are: what a client that does not use this package may send.
func compact(t *testing.T, private *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	require.NoError(t, err)
	size := (private.Curve.Params().BitSize + 7) / 8
	signature := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	return input + "." + encode(string(signature))
}

func TestSignAndOpen(t *testing.T) {
	private, public := newKey(t)
	jws, err := signed.Sign(private, kind, consent{"c1", 2, ""})
	require.NoError(t, err)
	pieces := strings.Split(jws, ".")
	require.Len(t, pieces, 3)
	require.Equal(t, encode(`{"alg":"ES256","typ":"consent+jws"}`), pieces[0])
	require.Equal(t, encode(`{"case":"c1","uses":2}`), pieces[1], "the payload is canonical")
	var opened, peeked consent
	require.NoError(t, signed.Open(jws, "jws", kind, public, &opened))
	require.NoError(t, signed.Peek(jws, "jws", kind, &peeked))
	require.Equal(t, consent{"c1", 2, ""}, opened)
	require.Equal(t, opened, peeked)
	require.NoError(t, signed.Open(compact(t, private, `{"typ":"consent+jws","alg":"ES256"}`, `{"uses":2,"case":"c1"}`), "jws", kind, public, &opened),
		"a client of another make")
}

func TestOpenRefuses(t *testing.T) {
	const header, payload = `{"alg":"ES256","typ":"consent+jws"}`, `{"case":"c1","uses":2}`
	private, public := newKey(t)
	stranger, _ := newKey(t)
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	good := compact(t, private, header, payload)
	pieces := strings.Split(good, ".")
	mac := hmac.New(sha256.New, []byte(public.X+public.Y))
	mac.Write([]byte(encode(`{"alg":"HS256","typ":"consent+jws"}`) + "." + pieces[1]))
	zero := encode(strings.Repeat("\x00", 64))

	for _, c := range []struct {
		name, jws, reason, field string
	}{
		{"good", good, "", ""},
		{"another's signature", compact(t, stranger, header, payload), "signature.forged", "jws"},
		{"other content under a good signature", pieces[0] + "." + encode(`{"case":"c1","uses":9}`) + "." + pieces[2], "signature.forged", "jws"},
		{"a signature of zeros", pieces[0] + "." + pieces[1] + "." + zero, "signature.forged", "jws"},
		{"a signature with one bit changed", good[:len(good)-10] + flip(good[len(good)-10]) + good[len(good)-9:], "signature.forged", "jws"},
		{"another kind", compact(t, private, `{"alg":"ES256","typ":"application+jws"}`, payload), "signature.kind", "jws.typ"},
		{"no kind", compact(t, private, `{"alg":"ES256"}`, payload), "signature.malformed", "jws"},
		{"alg none", encode(`{"alg":"none","typ":"consent+jws"}`) + "." + pieces[1] + ".", "signature.malformed", "jws"},
		{"alg none with a signature", encode(`{"alg":"none","typ":"consent+jws"}`) + "." + pieces[1] + "." + pieces[2], "signature.malformed", "jws"},
		{"alg HS256 keyed with the public key", encode(`{"alg":"HS256","typ":"consent+jws"}`) + "." + pieces[1] + "." + encode(string(mac.Sum(nil))), "signature.malformed", "jws"},
		{"alg ES384", compact(t, wide, `{"alg":"ES384","typ":"consent+jws"}`, payload), "signature.malformed", "jws"},
		{"a signature on another curve", compact(t, wide, header, payload), "signature.malformed", "jws"},
		{"a key in the header", compact(t, stranger, `{"alg":"ES256","jwk":{"crv":"P-256","kty":"EC","x":"`+public.X+`","y":"`+public.Y+`"},"typ":"consent+jws"}`, payload), "signature.malformed", "jws"},
		{"a key id in the header", compact(t, private, `{"alg":"ES256","kid":"1","typ":"consent+jws"}`, payload), "signature.malformed", "jws"},
		{"a critical extension", compact(t, private, `{"alg":"ES256","b64":false,"crit":["b64"],"typ":"consent+jws"}`, payload), "signature.malformed", "jws"},
		{"alg twice", compact(t, private, `{"alg":"none","alg":"ES256","typ":"consent+jws"}`, payload), "signature.malformed", "jws"},
		{"JSON serialization", `{"payload":"` + pieces[1] + `","protected":"` + pieces[0] + `","signature":"` + pieces[2] + `"}`, "signature.malformed", "jws"},
		{"detached payload", pieces[0] + ".." + pieces[2], "", ""},
		{"no signature", pieces[0] + "." + pieces[1] + ".", "signature.malformed", "jws"},
		{"two parts", pieces[0] + "." + pieces[1], "signature.malformed", "jws"},
		{"four parts", good + ".x", "signature.malformed", "jws"},
		{"nothing", "", "signature.malformed", "jws"},
		{"padded base64", pieces[0] + "=." + pieces[1] + "." + pieces[2], "signature.malformed", "jws"},
		{"padded signature", good + "==", "signature.malformed", "jws"},
		{"line break at the end", good + "\n", "signature.malformed", "jws"},
		{"line break inside", pieces[0] + "." + pieces[1][:4] + "\n" + pieces[1][4:] + "." + pieces[2], "signature.malformed", "jws"},
		{"signature in ordinary base64", pieces[0] + "." + pieces[1] + "." + strings.Repeat("+/", 43), "signature.malformed", "jws"},
		{"too large", pieces[0] + "." + strings.Repeat("A", signed.MaxBytes) + "." + pieces[2], "request.too_large", "jws"},
		{"unknown member in the payload", compact(t, private, header, `{"case":"c1","more":1,"uses":2}`), "request.invalid", "jws.more"},
		{"wrong type in the payload", compact(t, private, header, `{"case":"c1","uses":"2"}`), "request.invalid", "jws.uses"},
		{"duplicate name in the payload", compact(t, private, header, `{"case":"c1","case":"c2","uses":2}`), "request.invalid", "jws.case"},
		{"payload that is no JSON", compact(t, private, header, `hello`), "request.invalid", "jws"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got consent
			err := signed.Open(c.jws, "jws", kind, public, &got)
			if c.name == "detached payload" { // an empty payload is not what was signed
				require.Equal(t, "signature.forged", fault.From(err).Reason)
				return
			}
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			f := fault.From(err)
			require.NotNil(t, f)
			require.Equal(t, [2]string{c.reason, c.field}, [2]string{f.Reason, f.Field}, f.Error())
			require.NotEqual(t, fault.Internal, f.Kind)
			if f.Reason != "request.invalid" {
				require.Equal(t, consent{}, got, "nothing is decoded before the signature is verified")
			}
		})
	}
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestKeysRefused(t *testing.T) {
	_, good := newKey(t)
	raw, err := base64.RawURLEncoding.DecodeString(good.Y)
	require.NoError(t, err)
	raw[31] ^= 1
	for _, c := range []struct {
		name        string
		change      func(*signed.Key)
		field, rule string
	}{
		{"RSA", func(k *signed.Key) { k.Kty = "RSA" }, "key.kty", "equals:EC"},
		{"no type", func(k *signed.Key) { k.Kty = "" }, "key.kty", "equals:EC"},
		{"another curve", func(k *signed.Key) { k.Crv = "P-384" }, "key.crv", "equals:P-256"},
		{"short x", func(k *signed.Key) { k.X = k.X[:40] }, "key.x", "base64url_bytes:32"},
		{"no x", func(k *signed.Key) { k.X = "" }, "key.x", "base64url_bytes:32"},
		{"padded x", func(k *signed.Key) { k.X += "=" }, "key.x", "base64url_bytes:32"},
		{"x on two lines", func(k *signed.Key) { k.X += "\n" }, "key.x", "base64url_bytes:32"},
		{"long y", func(k *signed.Key) { k.Y += "AAAA" }, "key.y", "base64url_bytes:32"},
		{"not on the curve", func(k *signed.Key) { k.Y = base64.RawURLEncoding.EncodeToString(raw) }, "key.x", "on_curve"},
		{"the point of zeros", func(k *signed.Key) { k.X, k.Y = strings.Repeat("A", 43), strings.Repeat("A", 43) }, "key.x", "on_curve"},
		{"beyond the field", func(k *signed.Key) { k.X = base64.RawURLEncoding.EncodeToString(elliptic.P256().Params().P.Bytes()) }, "key.x", "on_curve"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := good
			c.change(&key)
			_, err := key.Public()
			f := fault.From(err)
			require.NotNil(t, f)
			require.Equal(t, [2]string{c.field, c.rule}, [2]string{f.Field, f.Rule})
			private, _ := newKey(t)
			jws, err := signed.Sign(private, kind, consent{})
			require.NoError(t, err)
			require.Equal(t, f, signed.Open(jws, "jws", kind, key, &consent{}))
		})
	}
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, err = signed.KeyOf(&wide.PublicKey)
	require.Equal(t, "equals:P-256", fault.From(err).Rule)
}

// TestKeysAreJWKs: what we take for a key and its thumbprint is what others do.
func TestKeysAreJWKs(t *testing.T) {
	for range 20 { // coordinates with leading zeros keep their length
		private, public := newKey(t)
		back, err := public.Public()
		require.NoError(t, err)
		require.True(t, private.PublicKey.Equal(back))
		theirs, err := jwk.ParseKey(fmt.Appendf(nil, `{"kty":%q,"crv":%q,"x":%q,"y":%q}`, public.Kty, public.Crv, public.X, public.Y))
		require.NoError(t, err)
		thumbprint, err := theirs.Thumbprint(crypto.SHA256)
		require.NoError(t, err)
		require.Equal(t, base64.RawURLEncoding.EncodeToString(thumbprint), public.Thumbprint())
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), 1)) // its public key is the base point
	require.NoError(t, err)
	public, err := signed.KeyOf(&key.PublicKey)
	require.NoError(t, err)
	require.Equal(t, signed.Key{Kty: "EC", Crv: "P-256", X: "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", Y: "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}, public)
}
