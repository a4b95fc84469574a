// Package search looks for texts in bytes of any origin: blocks, logs, database files. A text is found however it is
// written down: plain, with JSON escapes, in hexadecimal digits, or inside base64 of either alphabet at any offset, as
// in the payload of a JWS.
package search

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// keyBytes is the length of what needles are looked up by. Shorter needles cannot be searched for.
const keyBytes = 6

// Finder searches for a fixed set of texts. Safe for concurrent use.
type Finder struct {
	first []uint64                    // bit set of a hash of the first four bytes of all needles: skips nearly everything
	table map[[keyBytes]byte][]needle // by their first bytes
}

type needle struct {
	bytes string
	text  int
}

// New makes a finder. It panics on a text that is too short to be searched for: a test would silently find nothing.
func New(texts []string) *Finder {
	f := &Finder{first: make([]uint64, 1<<firstBits/64), table: map[[keyBytes]byte][]needle{}}
	for i, text := range texts {
		for _, form := range forms(text) {
			if len(form) < keyBytes {
				panic(fmt.Sprintf("search: text %d is too short", i))
			}
			key := [keyBytes]byte([]byte(form[:keyBytes]))
			at := hash(key[0], key[1], key[2], key[3])
			f.first[at/64] |= 1 << (at % 64)
			f.table[key] = append(f.table[key], needle{form, i})
		}
	}
	return f
}

// firstBits is how long the hash is: with a few hundred thousand needles one byte in fifty of anything else passes.
const firstBits = 24

// hash is multiplicative (Knuth, The Art of Computer Programming, vol. 3, 6.4).
func hash(a, b, c, d byte) uint32 {
	return (uint32(a) | uint32(b)<<8 | uint32(c)<<16 | uint32(d)<<24) * 2654435769 >> (32 - firstBits)
}

// Find answers the numbers of the texts that are in data, each once.
func (f *Finder) Find(data []byte) []int {
	var found []int
	seen := map[int]bool{}
	for i := 0; i+keyBytes <= len(data); i++ {
		at := hash(data[i], data[i+1], data[i+2], data[i+3])
		if f.first[at/64]&(1<<(at%64)) == 0 {
			continue
		}
		for _, n := range f.table[[keyBytes]byte(data[i:i+keyBytes])] {
			if !seen[n.text] && len(data)-i >= len(n.bytes) && string(data[i:i+len(n.bytes)]) == n.bytes {
				seen[n.text] = true
				found = append(found, n.text)
			}
		}
	}
	return found
}

// forms are the ways a text may be written down.
func forms(text string) []string {
	all := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	if escaped := escape(text); escaped != text {
		all = append(all, escaped)
	}
	for offset := range 3 {
		all = append(all, inBase64(text, offset, base64.RawStdEncoding), inBase64(text, offset, base64.RawURLEncoding))
	}
	return all
}

// inBase64 is the part of an encoding that depends on the text alone, if the text begins at the given offset modulo 3.
func inBase64(text string, offset int, encoding *base64.Encoding) string {
	encoded := encoding.EncodeToString(append(make([]byte, offset), text...))
	begin := (offset*8 + 5) / 6         // characters that carry bits of what stands before
	end := (offset + len(text)) * 8 / 6 // and without the last, if it carries bits of what comes after
	return encoded[begin:end]
}

// escape writes what is not ASCII as JSON escapes.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\u%04x`, r) // the texts have nothing beyond the basic plane
	}
	return b.String()
}
