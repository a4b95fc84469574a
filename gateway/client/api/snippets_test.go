package api_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSnippets: what the how-to page shows is what is compiled here.
func TestSnippets(t *testing.T) {
	source, err := os.ReadFile("portal_test.go")
	require.NoError(t, err)
	page, err := os.ReadFile("../../../docs/how-to/write-a-client.md")
	require.NoError(t, err)
	parts := strings.Split(string(source), "\n// snippet: ")[1:]
	require.Greater(t, len(parts), 5)
	for _, part := range parts {
		name, code, _ := strings.Cut(part, "\n")
		code, _, _ = strings.Cut(code, "\n// end of snippets")
		require.Contains(t, string(page), "```go\n"+strings.TrimSpace(code)+"\n```", "the page does not show the snippet %s as it is", name)
	}
	require.Equal(t, len(parts), strings.Count(string(page), "```go\n"), "a snippet of the page is compiled nowhere")
}
