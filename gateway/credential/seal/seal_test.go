package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

const agency = "market.regulation"

func newKey(t *testing.T) (*ecdh.PrivateKey, signed.Key) {
	t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	public, err := Public(private)
	require.NoError(t, err)
	return private, public
}

func someDocument(t *testing.T) commitment.Document {
	t.Helper()
	document, err := commitment.New(map[string]any{"premises_number": "P-1", "area": 42, "let": true})
	require.NoError(t, err)
	return document
}

func TestWhatIsSealedOpensOnlyForItsRecipientAndCommitment(t *testing.T) {
	private, public := newKey(t)
	other, _ := newKey(t)
	document := someDocument(t)
	envelope, err := Document(document, agency, public)
	require.NoError(t, err)
	root, err := document.Root()
	require.NoError(t, err)
	require.Equal(t, root, envelope.Commitment)
	require.Equal(t, agency, envelope.To)

	opened, err := Open(envelope, private)
	require.NoError(t, err)
	require.Equal(t, document, opened)

	elsewhere := someDocument(t) // same values, other salts: another commitment
	elsewhereRoot, err := elsewhere.Root()
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		change func(e *Envelope)
		key    *ecdh.PrivateKey
		reason string
	}{
		{"another key", func(*Envelope) {}, other, "sealed.cannot_open"},
		{"another commitment", func(e *Envelope) { e.Commitment = elsewhereRoot }, private, "sealed.cannot_open"},
		{"no commitment", func(e *Envelope) { e.Commitment = "" }, private, "sealed.cannot_open"},
		{"a flipped bit of the ciphertext", func(e *Envelope) { e.Sealed = flip(t, e.Sealed, -1) }, private, "sealed.cannot_open"},
		{"a flipped bit of the encapsulated key", func(e *Envelope) { e.Sealed = flip(t, e.Sealed, 10) }, private, "sealed.cannot_open"},
		{"cut short", func(e *Envelope) { e.Sealed = e.Sealed[:60] }, private, "sealed.cannot_open"},
		{"not base64url", func(e *Envelope) { e.Sealed = "!" + e.Sealed[1:] }, private, "sealed.cannot_open"},
		{"nothing", func(e *Envelope) { e.Sealed = "" }, private, "sealed.cannot_open"},
		{"too long", func(e *Envelope) { e.Sealed = strings.Repeat("A", MaxSealedLength+1) }, private, "request.too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := envelope
			c.change(&changed)
			_, err := Open(changed, c.key)
			require.Equal(t, c.reason, reason(t, err))
		})
	}
}

func TestAnEnvelopeWhoseContentIsNotWhatItClaimsIsRefused(t *testing.T) {
	private, public := newKey(t)
	document := someDocument(t)
	root, err := document.Root()
	require.NoError(t, err)
	for name, plaintext := range map[string][]byte{
		"another document":  encoded(t, someDocument(t)),
		"an unknown member": []byte(`{"fields":[],"more":1}`),
		"not JSON":          []byte("hello"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(Envelope{Commitment: root, To: agency, Sealed: sealByHand(t, public, root, plaintext)}, private)
			require.Equal(t, "sealed.other_content", reason(t, err))
		})
	}
	// The same writer with the right content is accepted: the cases above fail for what they say they fail for.
	opened, err := Open(Envelope{Commitment: root, To: agency, Sealed: sealByHand(t, public, root, encoded(t, document))}, private)
	require.NoError(t, err)
	require.Equal(t, document, opened)
}

// TestAgainstTheStandardWrittenOut opens what the package sealed with RFC 9180's base mode written out from the text (§4.1,
// §5.1), and so shows that the suite, the info and the additional data are what the documentation says.
func TestAgainstTheStandardWrittenOut(t *testing.T) {
	private, public := newKey(t)
	document := someDocument(t)
	envelope, err := Document(document, agency, public)
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(envelope.Sealed)
	require.NoError(t, err)
	key, nonce := schedule(t, private, raw[:65])
	plaintext, err := aead(t, key).Open(nil, nonce, raw[65:], []byte(envelope.Commitment))
	require.NoError(t, err)
	require.JSONEq(t, string(encoded(t, document)), string(plaintext))
}

// TestGolden opens an envelope made by the first release: what vaults hold must open for as long as it is kept.
func TestGolden(t *testing.T) {
	private, err := LoadKey(filepath.Join("testdata", "golden.key.pem"))
	require.NoError(t, err)
	var golden struct {
		Envelope Envelope            `json:"envelope"`
		Document commitment.Document `json:"document"`
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &golden))
	opened, err := Open(golden.Envelope, private)
	require.NoError(t, err)
	require.Equal(t, golden.Document, opened)
}

func TestADocumentTooLargeIsNotSealed(t *testing.T) {
	_, public := newKey(t)
	document, err := commitment.New(map[string]any{"text": strings.Repeat("x", MaxPlaintextBytes)})
	require.NoError(t, err)
	_, err = Document(document, agency, public)
	require.Equal(t, "request.too_large", reason(t, err))
}

func TestAKeyThatIsNoKeyIsNotSealedTo(t *testing.T) {
	_, public := newKey(t)
	public.Y = public.X
	_, err := Document(someDocument(t), agency, public)
	require.Equal(t, "request.invalid", reason(t, err))
}

func TestLoadKey(t *testing.T) {
	dir := t.TempDir()
	write := func(name, kind string, key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	loaded, err := LoadKey(write("p256", "PRIVATE KEY", signing))
	require.NoError(t, err)
	want, err := signing.ECDH()
	require.NoError(t, err)
	require.True(t, loaded.Equal(want))

	larger, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	montgomery, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("no key"), 0o600))
	for name, path := range map[string]string{
		"P-384": write("p384", "PRIVATE KEY", larger), "X25519": write("x25519", "PRIVATE KEY", montgomery),
		"other block": write("block", "EC PRIVATE KEY", signing), "text": text, "absent": filepath.Join(dir, "absent"),
	} {
		_, err := LoadKey(path)
		require.ErrorContains(t, err, path, name)
	}
}

func reason(t *testing.T, err error) string {
	t.Helper()
	var f *fault.Fault
	require.True(t, errors.As(err, &f), "want a fault, got %v", err)
	return f.Reason
}

func flip(t *testing.T, sealed string, at int) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	require.NoError(t, err)
	raw[(at+len(raw))%len(raw)] ^= 1
	return base64.RawURLEncoding.EncodeToString(raw)
}

func encoded(t *testing.T, document commitment.Document) []byte {
	t.Helper()
	raw, err := json.Marshal(document)
	require.NoError(t, err)
	return raw
}

// sealByHand is a sender that follows the standard and lies about the content.
func sealByHand(t *testing.T, public signed.Key, root string, plaintext []byte) string {
	t.Helper()
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	recipientKey, err := public.Public()
	require.NoError(t, err)
	point, err := recipientKey.ECDH()
	require.NoError(t, err)
	shared, err := ephemeral.ECDH(point)
	require.NoError(t, err)
	enc := ephemeral.PublicKey().Bytes()
	key, nonce := expand(t, shared, enc, point.Bytes())
	return base64.RawURLEncoding.EncodeToString(append(enc, aead(t, key).Seal(nil, nonce, plaintext, []byte(root))...))
}

func schedule(t *testing.T, private *ecdh.PrivateKey, enc []byte) (key, nonce []byte) {
	t.Helper()
	point, err := ecdh.P256().NewPublicKey(enc)
	require.NoError(t, err)
	shared, err := private.ECDH(point)
	require.NoError(t, err)
	return expand(t, shared, enc, private.PublicKey().Bytes())
}

// expand is RFC 9180: ExtractAndExpand (§4.1) and KeySchedule in base mode (§5.1).
func expand(t *testing.T, dh, enc, recipientPoint []byte) (key, nonce []byte) {
	t.Helper()
	kem := []byte("KEM\x00\x10")                    // DHKEM(P-256, HKDF-SHA256)
	suite := []byte("HPKE\x00\x10\x00\x01\x00\x02") // and HKDF-SHA256, AES-256-GCM
	context := append(append([]byte{}, enc...), recipientPoint...)
	prk := extract(t, kem, nil, "eae_prk", dh)
	shared := expandLabel(t, kem, prk, "shared_secret", context, 32)
	schedule := append([]byte{0}, extract(t, suite, nil, "psk_id_hash", nil)...)
	schedule = append(schedule, extract(t, suite, nil, "info_hash", []byte(Info))...)
	secret := extract(t, suite, shared, "secret", nil)
	return expandLabel(t, suite, secret, "key", schedule, 32), expandLabel(t, suite, secret, "base_nonce", schedule, 12)
}

func extract(t *testing.T, suite, salt []byte, label string, ikm []byte) []byte {
	t.Helper()
	labeled := append(append(append([]byte("HPKE-v1"), suite...), label...), ikm...)
	prk, err := hkdf.Extract(sha256.New, labeled, salt)
	require.NoError(t, err)
	return prk
}

func expandLabel(t *testing.T, suite, prk []byte, label string, info []byte, size int) []byte {
	t.Helper()
	labeled := binary.BigEndian.AppendUint16(nil, uint16(size))
	labeled = append(append(append(append(labeled, "HPKE-v1"...), suite...), label...), info...)
	out, err := hkdf.Expand(sha256.New, prk, string(labeled), size)
	require.NoError(t, err)
	return out
}

func aead(t *testing.T, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return gcm
}
