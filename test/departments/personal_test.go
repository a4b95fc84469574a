package departments

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/test/story/search"
)

// TestWhatIsPersonalIsSearchedForInAllDepartments: of every department something that only it has, and each thing is found in the
// departments' own databases by the search that must find it nowhere else.
func TestWhatIsPersonalIsSearchedForInAllDepartments(t *testing.T) {
	w := Generate()
	texts, left := w.Personal()
	require.Greater(t, len(texts), 30_000)
	require.Greater(t, left, 1000)
	searched := func(text string) bool { _, found := slices.BinarySearch(texts, text); return found }
	for i, p := range w.People {
		require.True(t, searched(p.IDNumber))
		require.True(t, searched(p.Address))
		require.True(t, searched(fingerprint(i)))
	}
	for _, m := range w.Marriages {
		require.True(t, searched(m.Number))
	}
	for _, b := range w.Premises {
		require.True(t, searched(b.Number) && searched(b.Address))
	}
	for _, d := range w.Deeds {
		require.True(t, searched(d.Number))
	}
	for _, e := range w.Enterprises {
		require.True(t, searched(e.Code))
	}
	for _, d := range w.Disabled {
		require.True(t, searched(d.Number()))
	}
	for _, d := range w.Declarations {
		require.True(t, searched(d.Number))
	}
	for text, want := range map[string]bool{
		w.People[0].Zh: true, w.People[0].En: true, // three characters; two words
		w.Enterprises[0].Scope:              false,                      // shared by hundreds
		"1130":                              false,                      // a kind
		w.People[0].Born.Format("20060102"): false, "2012/01/01": false, // days
	} {
		require.Equal(t, want, searched(text), text)
	}

	dir := t.TempDir()
	require.NoError(t, w.Write(context.Background(), dir))
	begin := time.Now()
	finder := search.New(texts)
	t.Logf("%d texts, %d left; a finder in %v", len(texts), left, time.Since(begin))
	found, where := map[int]bool{}, map[string]int{}
	for _, d := range databases {
		data, err := os.ReadFile(filepath.Join(dir, d.file))
		require.NoError(t, err)
		for _, text := range finder.Find(data) {
			found[text] = true
			where[d.file]++
		}
	}
	require.Len(t, found, len(texts), "the search finds all there is")
	require.Len(t, where, len(databases), "in every department's database")
}
