package state

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Collection is a Map without its type: what the catalogue of keys, the projection and the auditor need to know.
type Collection interface {
	Name() string
	KeyParts() []string
	Describe() string
	RecordType() reflect.Type
	// Read decodes a stored value and says what it may be looked up by.
	Read(value []byte) (head Head, index Index, err error)
}

func (m Map[T]) Name() string             { return m.Noun }
func (m Map[T]) KeyParts() []string       { return m.Parts }
func (m Map[T]) Describe() string         { return m.Doc }
func (m Map[T]) RecordType() reflect.Type { return reflect.TypeFor[T]() }

// Read implements Collection. A record without a Head gives an empty one.
func (m Map[T]) Read(value []byte) (head Head, index Index, err error) {
	var record T
	if err := json.Unmarshal(value, &record); err != nil {
		return head, index, fmt.Errorf("decode %s: %w", m.Noun, err)
	}
	if h, ok := any(&record).(interface{ Header() *Head }); ok {
		head = *h.Header()
	}
	if m.Index != nil {
		index = m.Index(record)
	}
	return head, index, nil
}

// A page token is the last key of a page, encoded. It is checked against the list it is used with.
func encodeToken(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

func decodeToken(token, prefix string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || !utf8.Valid(raw) || !strings.HasPrefix(string(raw), prefix) {
		return "", fault.Field("page_token", "from_previous_page", "use the next_page_token of the same list, or none")
	}
	return string(raw), nil
}
