package main

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// page is the how-to page's blocks in one language, without their indentation.
func page(t *testing.T, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/how-to/connect-a-department.md")
	require.NoError(t, err)
	var block []string
	open, indent := "", 0 // the fence we are behind
	for line := range strings.Lines(string(text)) {
		at := strings.Index(line, "```")
		switch {
		case at >= 0 && open == "":
			open, indent, block = strings.TrimSpace(line), at, nil
		case at >= 0:
			if open == "```"+language {
				blocks = append(blocks, strings.Join(block, ""))
			}
			open = ""
		case open != "":
			block = append(block, strings.TrimPrefix(line, strings.Repeat(" ", indent)))
		}
	}
	return blocks
}

// department follows the page as far as the definition: database, catalogue, definition.
func department(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "parks.db"))
	require.NoError(t, err)
	_, err = db.Exec(page(t, "sql")[0])
	require.NoError(t, err)
	require.NoError(t, db.Close())
	blocks := page(t, "yaml")
	require.Len(t, blocks, 4)
	data := os.DirFS("../../catalogue/data")
	require.NoError(t, fs.WalkDir(data, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(data, path)
		if err != nil {
			return err
		}
		if path == "datasets.yaml" {
			text = []byte(strings.Replace(string(text), "datasets:\n", "datasets:\n"+blocks[0], 1))
		}
		to := filepath.Join(dir, "catalogue", path)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
		return os.WriteFile(to, text, 0o600)
	}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "park-permit.yaml"), []byte(blocks[1]), 0o600))
	return dir
}

// TestADepartmentIsConnectedAsThePageSays follows docs/how-to/connect-a-department.md to the end.
func TestADepartmentIsConnectedAsThePageSays(t *testing.T) {
	dir := department(t)
	args := strings.Fields(page(t, "")[0])[1:]
	for i, arg := range args {
		if strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, "/") {
			args[i] = filepath.Join(dir, arg)
		}
	}
	out := &buffer{}
	require.NoError(t, run(t.Context(), out, args...))
	for _, want := range []string{
		`SELECT "permit"."permit_no", "permit"."kind", "permit"."valid_to", "holder"."full_name" FROM "permit" LEFT JOIN "holder" ON "holder"."holder_no" = "permit"."holder_no" WHERE "permit"."permit_no" = ? LIMIT 2`,
		"permit_number  permit.permit_no  string  P-0042", "kind           permit.kind       string  market", "valid_until    permit.valid_to   date    2027-12-31",
		"*** (personal)", "the file is opened read-only", "The record keeps the dataset's JSON Schema.",
	} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "周敏华")
	out = &buffer{}
	require.NoError(t, run(t.Context(), out, append(args, "--show", "--field", "holder_name")...))
	require.Contains(t, out.String(), "周敏华")
	require.NotContains(t, out.String(), "P-0042", "only the field asked for is read")
}

func TestATrialSaysWhatIsWrong(t *testing.T) {
	dir := department(t)
	file := filepath.Join(dir, "park-permit.yaml")
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	db, err := sql.Open("sqlite", filepath.Join(dir, "parks.db"))
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO permit VALUES ('P-0043', 8, 2, '20271231')`) // of nobody
	require.NoError(t, err)
	require.NoError(t, db.Close())
	for name, c := range map[string]struct {
		from, to string
		args     []string
		says     string
	}{
		"no such column":                         {"permit.valid_to", "permit.until", nil, "until"},
		"a field left out":                       {"     kind: ", "     # kind: ", nil, "fields: kind is a field of the dataset and is not connected"},
		"a field too many":                       {"fields:\n", "fields:\n  note: {column: permit.kind}\n", nil, "fields: note is no field of the dataset"},
		"another dataset":                        {"park-permit\n", "boats\n", nil, "is not in the catalogue"},
		"no such record":                         {"", "", []string{"--selector", "permit_number=P-1"}, "record.missing"},
		"a selector that is none":                {"", "", []string{"--selector", "kind=2"}, "must be field=value of the dataset's selector: permit_number"},
		"a value of another type":                {"column: permit.valid_to", "column: permit.kind", []string{"--selector", "permit_number=P-0042"}, "connector.type"},
		"a null, as a derived schema lets it be": {"column: holder.full_name", "column: holder.id_no", []string{"--selector", "permit_number=P-0043"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(string(whole), strings.TrimPrefix(c.from, "   "), strings.TrimPrefix(c.to, "   "), 1)
			require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
			err := run(t.Context(), &buffer{}, append([]string{"connector", "try", file, "--catalogue", filepath.Join(dir, "catalogue")}, c.args...)...)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
}
