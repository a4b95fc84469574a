package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestACatalogueIsCheckedBeforeAnythingElse: what is wrong with the files or the command line is said without a network.
func TestACatalogueIsCheckedBeforeAnythingElse(t *testing.T) {
	folder := t.TempDir()
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "agencies.yaml"), []byte(text), 0o600))
	}
	out := &buffer{}
	require.ErrorContains(t, run(t.Context(), out, "catalogue", "load", filepath.Join(folder, "nothing")), "agencies.yaml")
	write("agencies:\n  - {id: planning.parks, nmae: {zh: 园林, en: Parks}}\n")
	require.ErrorContains(t, run(t.Context(), out, "catalogue", "load", folder), `agencies.yaml: entry 0 (planning.parks): json: unknown field "nmae"`)
	write("agencies:\n  - {id: planning.parks, name: {zh: 园林, en: Parks}}\n")
	require.ErrorContains(t, run(t.Context(), out, "catalogue", "load", folder, "--gateway", "https://gateway.example"), "agency")
	t.Setenv(tokenVariable, "")
	require.ErrorContains(t, run(t.Context(), out, "catalogue", "load", folder, "--gateway", "https://gateway.example", "--agency", "planning.parks"), tokenVariable)
	require.Empty(t, out.String())

	require.NoError(t, run(t.Context(), out, "catalogue", "check", folder))
	require.Equal(t, "agencies                  1\nnothing is wrong with it\n", out.String())
	write("agencies:\n  - {id: planning.parks, name: {zh: 园林, en: Parks}}\n  - {id: planning.parks, name: {zh: 园林, en: Parks}}\n")
	require.ErrorContains(t, run(t.Context(), out, "catalogue", "check", folder), "agencies[1], planning.parks: is listed twice")
	require.NoError(t, run(t.Context(), out, "catalogue", "check"))
}
