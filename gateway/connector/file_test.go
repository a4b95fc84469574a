package connector

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

var drawing = exchange.FieldSpec{Name: "drawing", Type: exchange.FileType}

// withDrawing is the definition with a file in it.
var withDrawing = strings.NewReplacer(`  owner: {column: owner.name}`, `  drawing: {column: premises.drawing}`, "holder: owner.account\n", "")

// reads holds a set to a file's size and parts, whatever the database.
func reads(t *testing.T, set *Set, content []byte) {
	t.Helper()
	q := ask("F1", drawing, text("premises_number"))
	got, err := set.Fetch(t.Context(), q)
	require.NoError(t, err)
	require.EqualValues(t, len(content), got.Values["drawing"], "its size in place of its bytes")
	var whole []byte
	for offset := 0; offset < len(content); offset += 1000 {
		part, err := set.Part(t.Context(), q, drawing, int64(offset), 1000)
		require.NoError(t, err)
		require.LessOrEqual(t, len(part), 1000)
		whole = append(whole, part...)
	}
	require.True(t, bytes.Equal(content, whole))
	behind, err := set.Part(t.Context(), q, drawing, int64(len(content)), 1000)
	require.NoError(t, err)
	require.Empty(t, behind)

	got, err = set.Fetch(t.Context(), ask("F2", drawing))
	require.NoError(t, err)
	require.Nil(t, got.Values["drawing"], "there is none")
	_, err = set.Part(t.Context(), ask("F9", drawing), drawing, 0, 10)
	require.Equal(t, "record.missing", fault.From(err).Reason)
}

// content has every byte, and an odd length.
func content() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return bytes.Repeat(all, 17)[:4321]
}

func TestAFileIsReadInParts(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "housing.db"))
	require.NoError(t, err)
	_, err = db.Exec(tables + `ALTER TABLE premises ADD COLUMN drawing BLOB; INSERT INTO premises (prem_no) VALUES ('F2'), ('F3');`)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO premises (prem_no, drawing) VALUES ('F1', ?)`, content())
	require.NoError(t, err)
	_, err = db.Exec(`UPDATE premises SET drawing = 'text' WHERE prem_no = 'F3'`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "premises.yaml"), []byte(withDrawing.Replace(good)), 0o600))
	set, err := Open(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, set.Close()) })
	reads(t, set, content())
	_, err = set.Part(t.Context(), ask("F3", drawing), drawing, 0, 10)
	require.Equal(t, "connector.type", fault.From(err).Reason, "text has characters, not bytes")
}

func TestPostgreSQLFile(t *testing.T) {
	d := newShared(t)
	d.do(t, `ALTER TABLE housing.premises ADD COLUMN drawing BYTEA; INSERT INTO housing.premises (prem_no) VALUES ('F2')`)
	_, err := d.admin.Exec(t.Context(), `INSERT INTO housing.premises (prem_no, drawing) VALUES ('F1', $1)`, content())
	require.NoError(t, err)
	set, err := d.open(t, "clerk", "  owner: {column: owner.name}", "  drawing: {column: premises.drawing}", "holder: owner.account\n", "")
	require.NoError(t, err)
	reads(t, set, content())
}
