package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// Stream seals what is too large for an envelope, in chunks: HPKE's secret export (RFC 9180 §5.3) gives a key that only the
// recipient can derive from the encapsulated one, and AES-256-GCM seals each chunk under it. Number and end of the stream are
// in the nonce (the STREAM construction: Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015, §7), what the stream belongs to in
// the additional data. So a chunk opens only in its place, in its stream, and the last only as the last; and any of them can
// be opened without those before, so that a transfer goes on where it broke off.
type Stream struct {
	// Key is the encapsulated key, base64url; the recipient needs it.
	Key string

	aead    cipher.AEAD
	belongs []byte
}

// StreamInfo binds the export to this use of it.
const StreamInfo = "hutong/stream/v1"

// MaxChunks bounds a stream: numbers stand in four bytes of the nonce.
const MaxChunks = 1 << 31

// NewStream begins a stream to an agency's registered exchange key. belongs says what it is part of.
func NewStream(key signed.Key, belongs string) (*Stream, error) {
	public, err := recipient(key)
	if err != nil {
		return nil, err
	}
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(Info))
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	return newStream(enc, sender.Export, belongs)
}

// OpenStream reads a stream with an agency's private exchange key. Fault: sealed.cannot_open.
func OpenStream(encapsulated string, key *ecdh.PrivateKey, belongs string) (*Stream, error) {
	enc, err := base64.RawURLEncoding.Strict().DecodeString(encapsulated)
	if err != nil {
		return nil, errClosed
	}
	private, err := hpke.NewDHKEMPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	receiver, err := hpke.NewRecipient(enc, private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(Info))
	if err != nil {
		return nil, errClosed
	}
	return newStream(enc, receiver.Export, belongs)
}

func newStream(enc []byte, export func(string, int) ([]byte, error), belongs string) (*Stream, error) {
	secret, err := export(StreamInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	return &Stream{Key: base64.RawURLEncoding.EncodeToString(enc), aead: aead, belongs: []byte(belongs)}, nil
}

// ID names a stream, by its encapsulated key.
func ID(encapsulated string) string {
	sum := sha256.Sum256([]byte(encapsulated))
	return hex.EncodeToString(sum[:])
}

// Seal seals a chunk. The caller numbers chunks from 0 and seals each number once.
func (s *Stream) Seal(number int, last bool, chunk []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nonce(number, last), chunk, s.belongs))
}

// Open opens a chunk in its place. Fault: sealed.chunk, for a chunk that is changed, cut short, of another stream or
// from another place.
func (s *Stream) Open(number int, last bool, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || number < 0 || number >= MaxChunks {
		return nil, errChunk
	}
	chunk, err := s.aead.Open(nil, nonce(number, last), raw, s.belongs)
	if err != nil {
		return nil, errChunk
	}
	return chunk, nil
}

// errChunk is the one answer to whatever is wrong with a chunk.
var errChunk = fault.New(fault.Refused, "sealed.chunk", "the chunk is not the one of this place in this stream, or was changed").On("sealed", "opens_in_its_place")

// nonce is seven bytes of nothing, the number, and whether it is the last: a key is used for one stream only.
func nonce(number int, last bool) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint32(n[7:], uint32(number))
	if last {
		n[11] = 1
	}
	return n
}
