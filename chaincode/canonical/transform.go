package canonical

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Every command and record passes here several times on every endorser, so this reads the text once and writes as it
// reads; only an object whose members are out of order is written twice. The tests hold it to github.com/gowebpki/jcs.

// transformer reads JSON and writes its canonical form.
type transformer struct {
	in       []byte
	at       int
	out      []byte
	depth    int // of the value being read
	maxDepth int
}

func transform(raw []byte, maxDepth int) ([]byte, error) {
	t := transformer{in: raw, out: make([]byte, 0, len(raw)), maxDepth: maxDepth}
	if err := t.value(); err != nil {
		return nil, err.fault()
	}
	if t.space(); t.at < len(t.in) {
		return nil, fault.Field("", "single_document", "send one JSON document")
	}
	return t.out, nil
}

// broken is a broken rule of form. The path is put together on the way out, so that a good document costs nothing.
type broken struct {
	path, rule, detail string
}

func (b *broken) fault() error { return fault.Field(safeName(b.path), b.rule, b.detail) }

// under puts the place of a value before the path. A member's name ends with no dot, an index follows directly.
func (b *broken) under(place string) *broken {
	switch {
	case b.path == "" || b.path[0] == '[':
		b.path = place + b.path
	default:
		b.path = place + "." + b.path
	}
	return b
}

func malformed() *broken {
	return &broken{rule: "json", detail: "send one well-formed JSON document (RFC 8259)"}
}

func (t *transformer) space() {
	for t.at < len(t.in) {
		switch t.in[t.at] {
		case ' ', '\t', '\n', '\r':
			t.at++
		default:
			return
		}
	}
}

// next skips space and gives the byte there, 0 at the end.
func (t *transformer) next() byte {
	t.space()
	if t.at == len(t.in) {
		return 0
	}
	return t.in[t.at]
}

func (t *transformer) value() *broken {
	if t.depth > t.maxDepth {
		return &broken{rule: fmt.Sprintf("max_depth:%d", t.maxDepth), detail: "nest less deeply"}
	}
	switch c := t.next(); {
	case c == '{':
		return t.object()
	case c == '[':
		return t.array()
	case c == '"':
		_, err := t.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return t.number()
	}
	for _, literal := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(t.in[t.at:], []byte(literal)) {
			t.at += len(literal)
			t.out = append(t.out, literal...)
			return nil
		}
	}
	return malformed()
}

func (t *transformer) array() *broken {
	t.at++
	t.depth++
	t.out = append(t.out, '[')
	for i := 0; ; i++ {
		c := t.next()
		if c == ']' {
			break
		}
		if i > 0 {
			if c != ',' {
				return malformed()
			}
			t.at++
			t.out = append(t.out, ',')
		}
		if err := t.value(); err != nil {
			return err.under(fmt.Sprintf("[%d]", i))
		}
	}
	t.at++
	t.depth--
	t.out = append(t.out, ']')
	return nil
}

// member is one member of an object: its name, and where its canonical form stands in the output.
type member struct {
	name     []byte
	from, to int
}

func (t *transformer) object() *broken {
	t.at++
	t.depth++
	t.out = append(t.out, '{')
	var room [12]member // most objects need no allocation
	members, sorted := room[:0], true
	for i := 0; ; i++ {
		c := t.next()
		if c == '}' {
			break
		}
		if i > 0 {
			if c != ',' {
				return malformed()
			}
			t.at++
			t.out = append(t.out, ',')
			c = t.next()
		}
		if c != '"' {
			return malformed()
		}
		m := member{from: len(t.out)}
		var err *broken
		if m.name, err = t.text(); err != nil {
			return err
		}
		if t.next() != ':' {
			return malformed()
		}
		t.at++
		t.out = append(t.out, ':')
		if err := t.value(); err != nil {
			return err.under(string(m.name))
		}
		m.to = len(t.out)
		sorted = sorted && (i == 0 || compareUTF16(members[i-1].name, m.name) < 0)
		members = append(members, m)
	}
	t.at++
	t.depth--
	if !sorted {
		if err := t.reorder(members); err != nil {
			return err
		}
	}
	t.out = append(t.out, '}')
	return nil
}

// reorder puts an object's members, the last things written, in order.
func (t *transformer) reorder(members []member) *broken {
	slices.SortFunc(members, func(a, b member) int { return compareUTF16(a.name, b.name) })
	start := len(t.out)
	for i, m := range members {
		if i > 0 {
			if bytes.Equal(m.name, members[i-1].name) {
				return (&broken{rule: "unique_name", detail: "name each member once"}).under(string(m.name))
			}
			t.out = append(t.out, ',')
		}
		t.out = append(t.out, t.out[m.from:m.to]...)
	}
	length := len(t.out) - start
	copy(t.out[start-length:], t.out[start:])
	t.out = t.out[:start]
	return nil
}

// compareUTF16 orders names as RFC 8785 §3.2.3 does: by UTF-16 code units. That differs from the order of code points only
// where one name has a surrogate pair.
func compareUTF16(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		if a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		r, n := utf8.DecodeRune(a)
		s, m := utf8.DecodeRune(b)
		if r != s {
			if (r > 0xFFFF) != (s > 0xFFFF) {
				r, s = firstUnit(r), firstUnit(s)
			}
			return int(r) - int(s)
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

func firstUnit(r rune) rune {
	if r > 0xFFFF {
		return 0xD800 + (r-0x10000)>>10
	}
	return r
}

// maxEchoedName bounds a member name repeated in a fault; a longer or odd one may be data, and is not repeated.
const maxEchoedName = 120

func safeName(name string) string {
	if len(name) > maxEchoedName {
		return ""
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r == '.', r == '_', r == '-', r == '[', r == ']':
		default:
			return ""
		}
	}
	return name
}
