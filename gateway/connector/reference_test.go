package connector

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheReferenceNamesEveryMember holds docs/reference/connectors.md to the definition's types.
func TestTheReferenceNamesEveryMember(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/connectors.md")
	require.NoError(t, err)
	var look func(reflect.Type)
	look = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			look(of.Elem())
		case reflect.Struct:
			for field := range of.Fields() {
				name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
				require.NotEmpty(t, name, field.Name)
				require.True(t, strings.Contains(string(page), "`"+name+"`") || strings.Contains(string(page), "`"+name+":"), "%s.%s", of.Name(), name)
				look(field.Type)
			}
		}
	}
	look(reflect.TypeFor[Definition]())
}
