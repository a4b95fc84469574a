package rest

import (
	"cmp"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// TestReasonsAreThoseOfTheSource collects every fault.New and fault.Field in the contracts and the gateway.
func TestReasonsAreThoseOfTheSource(t *testing.T) {
	found := map[string]Reason{
		"request.invalid": {"request.invalid", fault.Invalid, "correct the field the problem names so that it keeps the rule"}, // fault.Field
	}
	for _, root := range []string{"../../chaincode", "../../gateway"} {
		require.NoError(t, filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			return collect(dir, found)
		}))
	}
	var list []Reason
	for _, r := range found {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Reason) int { return cmp.Compare(a.Reason, b.Reason) })
	raw, err := json.MarshalIndent(list, "", "  ")
	require.NoError(t, err)
	raw = append(raw, '\n')
	if *update {
		require.NoError(t, os.WriteFile("reasons.json", raw, 0o644))
		return
	}
	require.Equal(t, string(raw), string(reasonsText), "run go generate ./gateway/rest")
}

// collect reads the faults of one folder's files.
func collect(dir string, found map[string]Reason) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	constants := map[string]string{}
	var parsed []*ast.File
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						if text, ok := literal(spec.Values[i], nil); ok {
							constants[name.Name] = text
						}
					}
				}
			}
			return true
		})
	}
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			callee, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || callee.Sel.Name != "New" {
				return true
			}
			if on, ok := callee.X.(*ast.Ident); !ok || on.Name != "fault" {
				return true
			}
			kind, ok := call.Args[0].(*ast.SelectorExpr)
			if !ok {
				return true
			}
			reason, ok := literal(call.Args[1], constants)
			if !ok {
				return true
			}
			detail, _ := literal(call.Args[2], constants)
			add(found, Reason{reason, kinds[kind.Sel.Name], detail})
			return true
		})
	}
	return nil
}

var kinds = map[string]fault.Kind{
	"Invalid": fault.Invalid, "Denied": fault.Denied, "Missing": fault.Missing, "Conflict": fault.Conflict,
	"Refused": fault.Refused, "Limit": fault.Limit, "Internal": fault.Internal,
}

// add keeps, of a reason that is given in several places, the shortest detail, the first in alphabetical order of these: the
// catalogue does not depend on the order of files, and says what is true at all the places.
func add(found map[string]Reason, r Reason) {
	old, ok := found[r.Reason]
	shorter := cmp.Or(cmp.Compare(len(r.Detail), len(old.Detail)), cmp.Compare(r.Detail, old.Detail)) < 0
	if !ok || old.Detail == "" || r.Detail != "" && shorter {
		found[r.Reason] = r
	}
}

// literal evaluates a string literal, a concatenation of such, or a constant. What is not known at the head of a reason,
// as in noun+".missing", becomes an asterisk.
func literal(e ast.Expr, constants map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		text, ok := constants[e.Name]
		return text, ok
	case *ast.SelectorExpr:
		text, ok := constants[e.Sel.Name]
		return text, ok
	case *ast.BinaryExpr:
		right, ok := literal(e.Y, constants)
		if !ok || e.Op != token.ADD {
			return "", false
		}
		if left, ok := literal(e.X, constants); ok {
			return left + right, true
		}
		if strings.HasPrefix(right, ".") {
			return "*" + right, true
		}
	}
	return "", false
}

func TestEveryReasonHasAKindAndADetail(t *testing.T) {
	require.Greater(t, len(catalogue), 80)
	for _, r := range catalogue {
		require.NotEmpty(t, r.Kind, r.Reason)
		require.Regexp(t, `^(\*|[a-z_]+)\.[a-z_]+$`, r.Reason)
		if strings.HasPrefix(r.Reason, "*.") {
			continue // worded at each place
		}
		require.NotEmpty(t, r.Detail, r.Reason)
	}
	for reason := range special {
		_, ok := ReasonOf(reason)
		require.True(t, ok, "the status of %s is told apart, and nothing answers it", reason)
	}
}

func TestReasonOf(t *testing.T) {
	r, ok := ReasonOf("certificate.missing")
	require.True(t, ok)
	require.Equal(t, Reason{"certificate.missing", fault.Missing, r.Detail}, r)
	_, ok = ReasonOf("certificate.no_such_thing")
	require.False(t, ok)
}
