package contracts

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/catalogue"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// TestTheReferencePageIsCurrent: keys, events and the authorisation table are reviewed as the API they are.
func TestTheReferencePageIsCurrent(t *testing.T) {
	var want bytes.Buffer
	require.NoError(t, catalogue.Write(&want, All()))
	got, err := os.ReadFile("../../docs/reference/ledger.md")
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got), "docs/reference/ledger.md is stale: run `make generate` and review the difference as a change of the API")
}

var (
	functionName = regexp.MustCompile(`^[a-z]+:[A-Z][A-Za-z]+$`)
	eventType    = regexp.MustCompile(`^[a-z]+\.[a-z_]+\.v[1-9][0-9]*$`)
	sentence     = regexp.MustCompile(`^[A-Z].*\.$`)
	noun         = regexp.MustCompile(`^[a-z]+$`)
)

// TestTables holds every row of every contract to what documents and clients rely on.
func TestTables(t *testing.T) {
	owner := map[string]string{}
	for _, c := range All() {
		t.Run(c.Name, func(t *testing.T) {
			require.Regexp(t, sentence, c.Doc)
			for _, f := range c.Rows() {
				require.Regexp(t, functionName, f.Name)
				require.Regexp(t, sentence, f.Doc, f.Name)
				require.NotEmpty(t, f.Rule.Scope, f.Name)
				require.Subset(t, access.AllRoles, f.Rule.Roles, f.Name)
				require.NotNil(t, f.Request, f.Name)
				if f.Kind != kernel.KindRead {
					require.NotContains(t, f.Rule.Roles, access.Auditor, "%s: an auditor writes nothing", f.Name)
				}
				if f.Name != kernel.DescribeFunction {
					require.Empty(t, owner[f.Name], "%s: a function belongs to one contract", f.Name)
					owner[f.Name] = c.Name
				}
			}
			var nouns []string
			for _, collection := range c.Collections {
				require.Regexp(t, noun, collection.Name())
				require.NotContains(t, nouns, collection.Name())
				require.NotEmpty(t, collection.KeyParts(), collection.Name())
				require.Regexp(t, sentence, collection.Describe(), collection.Name())
				nouns = append(nouns, collection.Name())
			}
			var types []string
			for _, e := range c.Events {
				require.Regexp(t, eventType, e.Type)
				require.NotContains(t, types, e.Type)
				require.Regexp(t, sentence, e.Doc, e.Type)
				types = append(types, e.Type)
			}
		})
	}
}

// TestMembersAreSnakeCase: of every request and record, all the way down.
func TestMembersAreSnakeCase(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] || !strings.Contains(typ.PkgPath(), "/chaincode/") {
				return
			}
			seen[typ] = true
			for _, f := range reflect.VisibleFields(typ) {
				if f.Anonymous || !f.IsExported() {
					continue
				}
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				require.Regexp(t, form, name, "%s.%s", typ, f.Name)
				walk(f.Type)
			}
		}
	}
	for _, c := range All() {
		for _, f := range c.Rows() {
			walk(f.Request)
		}
		for _, collection := range c.Collections {
			walk(collection.RecordType())
		}
	}
}

// TestNothingIsTooOddToRefuse sends odd requests to every function as every role: each is answered with a fault that says
// what is wrong, none breaks a contract, none is written.
func TestNothingIsTooOddToRefuse(t *testing.T) {
	requests := []string{
		`{}`, `null`, `[]`, `"x"`, `7`, `{"id":null}`, `{"surprise":1}`, `{"id":""}`, `{"id":"\u0000"}`, `{"id":"/"}`, `{"id":"` + strings.Repeat("x", 300) + `"}`,
		`{"jws":""}`, `{"jws":"a.b.c"}`, `{"page_size":-1}`, `{"page_token":"AA"}`, `{"under":"/"}`,
	}
	for _, c := range All() {
		l := ledgertest.New(All()...)
		for _, f := range c.Rows() {
			for _, role := range access.AllRoles {
				client := l.As("services.hall", role)
				for i, request := range requests {
					argument := request
					if f.Kind != kernel.KindRead {
						argument = fmt.Sprintf(`{"idempotency_key":"k%d","request":%s}`, i, request)
					}
					_, err := client.Invoke(c.Name, []byte(f.Name), []byte(argument))
					if err == nil {
						require.Equal(t, kernel.KindRead, f.Kind, "%s accepts %s", f.Name, request)
						continue
					}
					got := fault.From(err)
					require.NotEqual(t, fault.Internal, got.Kind, "%s as %s with %s: %v", f.Name, role, request, err)
					require.NotEmpty(t, got.Field, "%s as %s with %s: %v", f.Name, role, request, err)
					require.NotEmpty(t, got.Detail)
					if !slices.Contains(f.Rule.Roles, role) {
						require.Equal(t, fault.Denied, got.Kind, "%s as %s", f.Name, role)
					}
				}
			}
		}
		for _, each := range All() {
			require.Empty(t, l.Keys(each.Name))
		}
	}
}

// TestTransitionsNameWhatTheyChange: a gateway keeps commands on one record in order by what the request says.
func TestTransitionsNameWhatTheyChange(t *testing.T) {
	changer := reflect.TypeFor[kernel.Changer]()
	for _, c := range All() {
		for _, f := range c.Rows() {
			if f.Kind == kernel.KindTransition {
				require.True(t, f.Request.Implements(changer), "%s: %s has no method Changes", f.Name, f.Request)
			}
		}
	}
}
