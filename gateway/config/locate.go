package config

import (
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// Error is a rule that a configuration breaks.
type Error struct {
	Line  int    // in the text, from 1; where the field is missing, that of what it belongs to; 0 for the file
	Field string // "peers[0].endpoint", "directory[0].url"
	Text  string // the field and its rule
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return "config: " + e.Text
	}
	return fmt.Sprintf("config: line %d: %s", e.Line, e.Text)
}

// fieldForm is how the text of every rule begins.
var fieldForm = regexp.MustCompile(`^config: ([a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*)`)

// locate finds the line of the field that a rule's text begins with.
func locate(text []byte, broken error) error {
	match := fieldForm.FindStringSubmatch(broken.Error())
	if match == nil {
		return broken
	}
	e := &Error{Field: match[1], Text: strings.TrimPrefix(broken.Error(), "config: ")}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return e
	}
	for field := e.Field; field != ""; field = parent(field) {
		path, err := yaml.PathString("$." + field)
		if err != nil {
			return e
		}
		if node, err := path.FilterFile(file); err == nil && node != nil {
			e.Line = node.GetToken().Position.Line
			return e
		}
	}
	return e
}

// parent of "a.b[0].c" is "a.b[0]", of that "a.b", then "a", then nothing.
func parent(field string) string { return field[:max(0, strings.LastIndexAny(field, ".["))] }

// hidden stands for a secret that is not shown.
const hidden = "(hidden)"

// password finds the one form of secret that a setting may hold besides an address's user part: key=value connection
// strings. All other secrets are in files of their own.
var password = regexp.MustCompile(`(?i)(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)`)

// Shown writes the whole configuration with its defaults, as it is in force: the form that Parse reads, without secrets.
func (c *Config) Shown() ([]byte, error) {
	text, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	var copied Config
	if err := yaml.Unmarshal(text, &copied); err != nil {
		return nil, err
	}
	hide(reflect.ValueOf(&copied).Elem())
	return copied.Marshal()
}

// hide takes passwords out of every string.
func hide(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			hide(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			hide(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			hide(v.Index(i))
		}
	case reflect.String:
		s := password.ReplaceAllString(v.String(), "${1}"+hidden)
		if u, err := url.Parse(s); err == nil && u.User != nil {
			if _, has := u.User.Password(); has {
				u.User = url.UserPassword(u.User.Username(), "hidden")
				s = u.String()
			}
		}
		if v.CanSet() {
			v.SetString(s)
		}
	}
}
