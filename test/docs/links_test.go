// Package docs_test keeps the documentation honest: links lead somewhere, and commands that a page tells one to run exist.
package docs_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	target  = regexp.MustCompile("(?m)(?:`|^)make ([a-z][a-z-]*)") // in code, not in prose
	route   = regexp.MustCompile("`(GET|POST|PUT|DELETE) (/v1/[^ `]+)`")
	fence   = regexp.MustCompile("(?s)```.*?```")
)

// pages lists every Markdown file of the project.
func pages(t *testing.T) []string {
	files := []string{filepath.Join(root, "README.md")}
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			files = append(files, path)
		}
		return err
	}))
	return files
}

func read(t *testing.T, file string) string {
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(raw)
}

// anchor is what a heading is linked by on code hosts: lower case, punctuation dropped, spaces to hyphens.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r > 127:
			b.WriteRune(r)
		case r == ' ':
			b.WriteRune('-')
		}
	}
	return b.String()
}

func TestLinksLeadSomewhere(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			file, fragment, _ := strings.Cut(m[1], "#")
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: link to %s leads nowhere", page, m[1])
				continue
			}
			if fragment == "" || filepath.Ext(to) != ".md" {
				continue
			}
			anchors := heading.FindAllStringSubmatch(read(t, to), -1)
			if !slices.ContainsFunc(anchors, func(h []string) bool { return anchor(h[1]) == fragment }) {
				t.Errorf("%s: %s has no heading for %s", page, to, m[1])
			}
		}
	}
	require.Greater(t, found, 20, "the test found hardly any links: it does not read them right")
}

func TestMakeTargetsExist(t *testing.T) {
	makefile := read(t, filepath.Join(root, "Makefile"))
	found := 0
	for _, page := range pages(t) {
		for _, m := range target.FindAllStringSubmatch(read(t, page), -1) {
			found++
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(makefile) {
				t.Errorf("%s: the Makefile has no target %s", page, m[1])
			}
		}
	}
	require.Greater(t, found, 5, "the test found hardly any targets: it does not read them right")
}

func TestEveryPageIsReached(t *testing.T) {
	all := pages(t)
	reached := map[string]bool{all[0]: true}
	for queue := all[:1]; len(queue) > 0; queue = queue[1:] {
		for _, m := range link.FindAllStringSubmatch(read(t, queue[0]), -1) {
			file, _, _ := strings.Cut(m[1], "#")
			to := filepath.Join(filepath.Dir(queue[0]), file)
			if file != "" && filepath.Ext(to) == ".md" && !reached[to] && slices.Contains(all, to) {
				reached[to] = true
				queue = append(queue, to)
			}
		}
	}
	for _, page := range all {
		require.True(t, reached[page], "no way from the README to %s", page)
	}
}

func TestRoutesExist(t *testing.T) {
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, filepath.Join(root, "gateway/rest/testdata/openapi.json"))), &document))
	found := 0
	for _, page := range pages(t) {
		for _, m := range route.FindAllStringSubmatch(read(t, page), -1) {
			found++
			path, _, _ := strings.Cut(m[2], "?")
			if _, ok := document.Paths[path][strings.ToLower(m[1])]; !ok {
				t.Errorf("%s: there is no route %s %s", page, m[1], path)
			}
		}
	}
	require.Greater(t, found, 10, "the test found hardly any routes: it does not read them right")
}
