package canonical

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// text reads a string and writes it with the escapes of RFC 8785 §3.2.2.2 only. It answers what the string says, which
// may be part of the input.
func (t *transformer) text() (said []byte, err *broken) {
	t.at++
	start := t.at
	for t.at < len(t.in) {
		c := t.in[t.at]
		switch {
		case c == '"':
			said = t.in[start:t.at]
			t.out = append(t.out, '"')
			t.out = append(t.out, said...)
			t.out = append(t.out, '"')
			t.at++
			return said, nil
		case c == '\\':
			return t.escaped(start)
		case c < ' ':
			return nil, malformed()
		case c < utf8.RuneSelf:
			t.at++
		default:
			r, size := utf8.DecodeRune(t.in[t.at:])
			if r == utf8.RuneError && size == 1 {
				return nil, malformed()
			}
			t.at += size
		}
	}
	return nil, malformed()
}

// escaped reads a string that has escapes, from its start.
func (t *transformer) escaped(start int) (said []byte, err *broken) {
	said = append(said, t.in[start:t.at]...)
	for t.at < len(t.in) {
		c := t.in[t.at]
		switch {
		case c == '"':
			t.at++
			t.out = appendText(t.out, said)
			return said, nil
		case c == '\\':
			r, ok := t.escape()
			if !ok {
				return nil, malformed()
			}
			said = utf8.AppendRune(said, r)
		case c < ' ':
			return nil, malformed()
		default:
			r, size := utf8.DecodeRune(t.in[t.at:])
			if r == utf8.RuneError && size == 1 {
				return nil, malformed()
			}
			said = append(said, t.in[t.at:t.at+size]...)
			t.at += size
		}
	}
	return nil, malformed()
}

const (
	escapes = `"\/bfnrt`
	meant   = "\"\\/\b\f\n\r\t"
)

// escape reads one escape sequence, or the two of a surrogate pair. A surrogate alone is no text.
func (t *transformer) escape() (rune, bool) {
	if t.at+1 >= len(t.in) {
		return 0, false
	}
	c := t.in[t.at+1]
	if c != 'u' {
		t.at += 2
		i := bytes.IndexByte([]byte(escapes), c)
		if i < 0 {
			return 0, false
		}
		return rune(meant[i]), true
	}
	r, ok := t.unit()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	low, ok := t.unit()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

// unit reads one escaped UTF-16 code unit: a backslash, u and four hexadecimal digits.
func (t *transformer) unit() (rune, bool) {
	if t.at+6 > len(t.in) || t.in[t.at] != '\\' || t.in[t.at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range t.in[t.at+2 : t.at+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	t.at += 6
	return r, true
}

// appendText writes a string.
func appendText(out, said []byte) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for _, c := range said {
		switch {
		case c == '"', c == '\\':
			out = append(out, '\\', c)
		case c >= ' ':
			out = append(out, c)
		default:
			if i := bytes.IndexByte([]byte(meant), c); i >= 0 {
				out = append(out, '\\', escapes[i])
			} else {
				out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
	}
	return append(out, '"')
}

// plainDigits is how long an integer may be that is surely safe and written as it stands.
const plainDigits = 15

// number reads a number and writes it as ECMAScript does (RFC 8785 §3.2.2.3).
func (t *transformer) number() *broken {
	start := t.at
	if t.in[t.at] == '-' {
		t.at++
	}
	whole := t.at
	if !t.digits() || t.at-whole > 1 && t.in[whole] == '0' {
		return malformed()
	}
	integer := true
	if t.at < len(t.in) && t.in[t.at] == '.' {
		integer = false
		t.at++
		if !t.digits() {
			return malformed()
		}
	}
	if t.at < len(t.in) && (t.in[t.at] == 'e' || t.in[t.at] == 'E') {
		integer = false
		t.at++
		if t.at < len(t.in) && (t.in[t.at] == '+' || t.in[t.at] == '-') {
			t.at++
		}
		if !t.digits() {
			return malformed()
		}
	}
	written := t.in[start:t.at]
	if integer && t.at-whole <= plainDigits && string(written) != "-0" {
		t.out = append(t.out, written...)
		return nil
	}
	unsafe := &broken{rule: "safe_integer", detail: "send integers beyond 2^53-1 as strings"}
	value, err := strconv.ParseFloat(string(written), 64)
	if err != nil || changesSilently(written, integer, value) {
		return unsafe
	}
	canon, err := jcs.NumberToJSON(value)
	if err != nil {
		return unsafe
	}
	t.out = append(t.out, canon...)
	return nil
}

// digits reads digits; false if there is none.
func (t *transformer) digits() bool {
	start := t.at
	for t.at < len(t.in) && t.in[t.at] >= '0' && t.in[t.at] <= '9' {
		t.at++
	}
	return t.at > start
}

// changesSilently says whether a number is an integer that a double does not hold as written. Fractions are rounded as
// everywhere in JSON; RFC 8785's own vectors do.
func changesSilently(written []byte, integer bool, value float64) bool {
	if math.Abs(value) <= MaxSafeInteger {
		return false
	}
	return integer || significant(written) != significant(strconv.AppendFloat(nil, value, 'e', -1, 64))
}

// significant are a number's digits without the zeros around them.
func significant(number []byte) string {
	if i := bytes.IndexAny(number, "eE"); i >= 0 {
		number = number[:i]
	}
	number = bytes.TrimPrefix(number, []byte("-"))
	return string(bytes.Trim(bytes.Replace(number, []byte("."), nil, 1), "0"))
}
