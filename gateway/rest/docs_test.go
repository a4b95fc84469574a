package rest

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheAddressItselfLeadsToThePage(t *testing.T) {
	w := newWorld(t)
	answer := w.send("GET", "/", "", "")
	require.Equal(t, http.StatusFound, answer.Code)
	require.Equal(t, "/docs", answer.Header().Get("Location"))
	require.Equal(t, http.StatusMethodNotAllowed, w.send("POST", "/", "", "{}").Code)
}

// TestGroupsAreNamedInBothLanguages keeps the Chinese names in step with the table: none missing, none left over.
func TestGroupsAreNamedInBothLanguages(t *testing.T) {
	var tags []string
	for _, r := range Routes(nil) {
		tags = append(tags, r.Doc.Tag)
	}
	slices.Sort(tags)
	require.Equal(t, slices.Compact(tags), slices.Sorted(maps.Keys(chineseTags)))
}
