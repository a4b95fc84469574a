package kernel_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheRecipeQuotesCodeThatRuns: every Go snippet of the recipe stands in example_test.go, which compiles and passes.
func TestTheRecipeQuotesCodeThatRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/how-to/add-a-transaction.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(page, -1)
	require.GreaterOrEqual(t, len(snippets), 4)
	for _, snippet := range snippets {
		require.Contains(t, string(source), string(snippet[1]))
	}
}
