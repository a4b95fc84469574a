package rest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/rest/shape"
)

// TestDescriptionsAreThoseOfTheSource collects the comments of every type and field that the table's requests and answers
// are made of.
func TestDescriptionsAreThoseOfTheSource(t *testing.T) {
	wanted := map[string]bool{}
	for _, s := range newNames(Routes(nil)).shapes {
		wanted[shape.Source(s.Type)] = true
		for _, m := range s.Members {
			wanted[m.Source] = true
		}
	}
	found := map[string]string{}
	for _, root := range []string{"../../chaincode", "../../gateway", "../../network"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			return comments(path, wanted, found)
		}))
	}
	raw, err := json.MarshalIndent(found, "", "  ")
	require.NoError(t, err)
	raw = append(raw, '\n')
	if *update {
		require.NoError(t, os.WriteFile("descriptions.json", raw, 0o644))
		return
	}
	require.Equal(t, string(raw), string(descriptionsText), "run go generate ./gateway/rest")
	require.Greater(t, len(found), 100)
}

// comments reads one file.
func comments(path string, wanted map[string]bool, found map[string]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, declared := range file.Decls {
		general, ok := declared.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE {
			continue
		}
		for _, spec := range general.Specs {
			named := spec.(*ast.TypeSpec)
			name := file.Name.Name + "." + named.Name.Name
			if len(general.Specs) == 1 && wanted[name] {
				set(found, name, named.Name.Name, general.Doc)
			}
			structure, ok := named.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range structure.Fields.List {
				for _, id := range f.Names {
					if wanted[name+"."+id.Name] {
						set(found, name+"."+id.Name, id.Name, f.Doc, f.Comment)
					}
				}
			}
		}
	}
	return nil
}

// openings are what follows a Go name at the head of its comment and is not needed where the name is not shown.
var openings = []string{"is ", "are ", "says ", "holds "}

// set words a comment as a description: without the Go name it begins with, on one line.
func set(found map[string]string, key, name string, groups ...*ast.CommentGroup) {
	for _, group := range groups {
		text := strings.Join(strings.Fields(group.Text()), " ")
		if text == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(text, name+" "); ok {
			if i := slices.IndexFunc(openings, func(o string) bool { return strings.HasPrefix(rest, o) }); i >= 0 {
				rest = strings.TrimPrefix(rest, openings[i])
			}
			text = rest
		}
		found[key] = title(text)
		return
	}
}
