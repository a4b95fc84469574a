package canonical

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// check walks the text once for what the standard library accepts silently. Its error is a fault.
func check(raw []byte, maxDepth int) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	c := checker{dec, maxDepth}
	if err := c.value("", 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.Field("", "single_document", "send one JSON document")
	}
	return nil
}

type checker struct {
	dec      *json.Decoder
	maxDepth int
}

func (c checker) value(path string, depth int) error {
	if depth > c.maxDepth {
		return fault.Field(safeName(path), fmt.Sprintf("max_depth:%d", c.maxDepth), "nest less deeply")
	}
	token, err := c.dec.Token()
	if err != nil {
		return notJSON()
	}
	switch t := token.(type) {
	case json.Number:
		if changesSilently(string(t)) {
			return fault.Field(safeName(path), "safe_integer", "send integers beyond 2^53-1 as strings")
		}
	case json.Delim:
		if t == '[' {
			err = c.array(path, depth)
		} else {
			err = c.object(path, depth)
		}
		if err != nil {
			return err
		}
		if _, err := c.dec.Token(); err != nil { // the closing delimiter
			return notJSON()
		}
	}
	return nil
}

func (c checker) array(path string, depth int) error {
	for i := 0; c.dec.More(); i++ {
		if err := c.value(fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c checker) object(path string, depth int) error {
	seen := map[string]bool{}
	for c.dec.More() {
		token, err := c.dec.Token()
		if err != nil {
			return notJSON()
		}
		name, _ := token.(string)
		child := join(path, name)
		if seen[name] {
			return fault.Field(safeName(child), "unique_name", "name each member once")
		}
		seen[name] = true
		if err := c.value(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// changesSilently says whether a number is an integer that a double does not hold as written, or too large for one.
// Fractions are rounded as everywhere in JSON; RFC 8785's own vectors do.
func changesSilently(number string) bool {
	value, err := strconv.ParseFloat(number, 64)
	if err != nil { // out of range; the decoder has checked the form
		return true
	}
	if math.Abs(value) <= MaxSafeInteger {
		return false
	}
	if !strings.ContainsAny(number, ".eE") {
		return true
	}
	return digits(number) != digits(strconv.FormatFloat(value, 'e', -1, 64))
}

// digits are a number's significant digits.
func digits(number string) string {
	mantissa, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(number, "-")), "e")
	return strings.Trim(strings.Replace(mantissa, ".", "", 1), "0")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func notJSON() *fault.Fault {
	return fault.Field("", "json", "send one well-formed JSON document (RFC 8259)")
}

// maxEchoedName bounds a member name repeated in a fault; a longer or odd one may be data, and is not repeated.
const maxEchoedName = 120

func safeName(name string) string {
	if len(name) > maxEchoedName {
		return ""
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-[]", r):
		default:
			return ""
		}
	}
	return name
}
