package departments

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

const (
	folderMode fs.FileMode = 0o700
	fileMode   fs.FileMode = 0o600
)

// made says which world a database holds, so that writing the same again does nothing.
const made = `CREATE TABLE made_of (seed INTEGER, people INTEGER, premises INTEGER, layout INTEGER);`

// layout is counted up when the tables change.
const layout = 3

// Write makes the databases in a folder, unless they are there with this world in them.
func (w World) Write(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	for _, d := range databases {
		if err := w.file(ctx, filepath.Join(dir, d.file), d); err != nil {
			return fmt.Errorf("departments: %s: %w", d.file, err)
		}
	}
	return nil
}

// Fill makes one department's tables ("regulation", …) in an empty PostgreSQL database.
func (w World) Fill(ctx context.Context, db *sql.DB, department string) error {
	d, ok := databases[department]
	if !ok {
		return fmt.Errorf("departments: there is no %q", department)
	}
	return w.in(ctx, db, d, func(i int) string { return "$" + strconv.Itoa(i) })
}

func (w World) file(ctx context.Context, path string, d database) error {
	if w.isIn(ctx, path) {
		return nil
	}
	draft := path + ".new" // renamed when complete: a reader sees a whole database or none
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(draft, nil, fileMode); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", draft)
	if err != nil {
		return err
	}
	err = w.in(ctx, db, d, func(int) string { return "?" })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// in makes tables and fills them in one transaction. mark is how the database marks the i-th value.
func (w World) in(ctx context.Context, db *sql.DB, d database, mark func(i int) string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	if _, err := tx.ExecContext(ctx, d.schema+made); err != nil {
		return err
	}
	all := append(d.tables[:len(d.tables):len(d.tables)], table{"made_of", func(w World) [][]any {
		return [][]any{{int64(w.Seed), len(w.People), len(w.Premises), layout}}
	}})
	for _, t := range all {
		if err := insert(ctx, tx, t.name, t.rows(w), mark); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return tx.Commit()
}

func insert(ctx context.Context, tx *sql.Tx, name string, rows [][]any, mark func(i int) string) error {
	if len(rows) == 0 {
		return nil
	}
	marks := make([]string, len(rows[0]))
	for i := range marks {
		marks[i] = mark(i + 1)
	}
	one, err := tx.PrepareContext(ctx, "INSERT INTO "+name+" VALUES ("+strings.Join(marks, ", ")+")")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := one.ExecContext(ctx, row...); err != nil {
			return errors.Join(err, one.Close())
		}
	}
	return one.Close()
}

func (w World) isIn(ctx context.Context, path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return false
	}
	defer func() { _ = db.Close() }()
	var seed int64
	var people, premises, l int
	err = db.QueryRowContext(ctx, `SELECT seed, people, premises, layout FROM made_of`).Scan(&seed, &people, &premises, &l)
	return err == nil && uint64(seed) == w.Seed && people == len(w.People) && premises == len(w.Premises) && l == layout
}

func fingerprint(i int) string { return fmt.Sprintf("FP-%07d", i) }

func letter(yes bool) string {
	if yes {
		return "Y"
	}
	return "N"
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

//go:embed connectors
var connectors embed.FS

// files are the databases of the connectors there are, by the connector's name.
var files = map[string]string{
	"identity": PoliceFile, "household": PoliceFile, "marriage": CivilFile, "premises": HousingFile, "deed": HousingFile, "enterprise": RegulationFile,
	"taxpayer": TaxFile, "insurance": SocialFile, "disability": DisabledFile, "declaration": CustomsFile,
}

// Connect writes the connector of a department's dataset into its gateway's folder of connectors. name is the definition
// ("identity", "premises", …), databases the folder Write wrote to, which must stay where it is seen from there.
func Connect(name, folder, databases string) error {
	relative, err := filepath.Rel(folder, databases)
	if err != nil {
		return fmt.Errorf("departments: %w", err)
	}
	return ConnectTo(name, folder, "{sqlite: "+fmt.Sprintf("%q", filepath.ToSlash(filepath.Join(relative, files[name])))+"}")
}

// ConnectTo is Connect with another source, in YAML.
func ConnectTo(name, folder, source string) error {
	text, err := connectors.ReadFile("connectors/" + name + ".yaml")
	if err != nil {
		return fmt.Errorf("departments: there is no connector %q", name)
	}
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return fmt.Errorf("departments: %w", err)
	}
	path := filepath.Join(folder, name+".yaml")
	whole := append([]byte("# Where the database is; what follows maps it to the dataset.\nsource: "+source+"\n\n"), text...)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(whole) {
		return nil // a file that does not change does not restart its reader
	}
	return os.WriteFile(path, whole, fileMode)
}
