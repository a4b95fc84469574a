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
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// Files the departments' databases are kept in.
const (
	PoliceFile  = "police.db"
	HousingFile = "housing.db"
)

const (
	folderMode fs.FileMode = 0o700
	fileMode   fs.FileMode = 0o600
)

// Public security's own tables, in its own words.
const policeSchema = `
CREATE TABLE household (household_no INTEGER PRIMARY KEY, address TEXT NOT NULL);
CREATE TABLE resident (
	id_no TEXT PRIMARY KEY, name_zh TEXT NOT NULL, name_en TEXT NOT NULL, sex TEXT NOT NULL, birth_date TEXT NOT NULL,
	household_no INTEGER NOT NULL REFERENCES household, fingerprint_ref TEXT NOT NULL,
	account TEXT UNIQUE -- at the identity provider, for those who have one
);`

// The housing authority's own tables, in its own words.
const housingSchema = `
CREATE TABLE owner (owner_no INTEGER PRIMARY KEY, id_no TEXT NOT NULL UNIQUE, full_name TEXT NOT NULL);
CREATE TABLE premises (
	prem_no TEXT PRIMARY KEY, address TEXT NOT NULL, use_code INTEGER NOT NULL, floor_area_m2 REAL NOT NULL,
	owner_no INTEGER NOT NULL REFERENCES owner, registered_on TEXT NOT NULL, mortgaged TEXT NOT NULL
);`

// made says which world a database holds, so that writing the same again does nothing.
const made = `CREATE TABLE made_of (seed INTEGER, people INTEGER, premises INTEGER, layout INTEGER);`

// layout is counted up when the tables change.
const layout = 2

var useCodes = map[string]int{"commercial": 1, "residential": 2, "industrial": 3}

// Write makes the databases in a folder, unless they are there with this world in them.
func (w World) Write(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	if err := w.file(ctx, filepath.Join(dir, PoliceFile), policeSchema, w.police); err != nil {
		return fmt.Errorf("departments: %w", err)
	}
	if err := w.file(ctx, filepath.Join(dir, HousingFile), housingSchema, w.housing); err != nil {
		return fmt.Errorf("departments: %w", err)
	}
	return nil
}

func (w World) file(ctx context.Context, path, schema string, fill func(context.Context, *sql.Tx) error) error {
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
	err = w.in(ctx, db, schema, fill)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

func (w World) in(ctx context.Context, db *sql.DB, schema string, fill func(context.Context, *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	if _, err := tx.ExecContext(ctx, schema+made); err != nil {
		return err
	}
	if err := fill(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO made_of VALUES (?, ?, ?, ?)`, int64(w.Seed), len(w.People), len(w.Premises), layout); err != nil {
		return err
	}
	return tx.Commit()
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

func (w World) police(ctx context.Context, tx *sql.Tx) error {
	household, err := tx.PrepareContext(ctx, `INSERT INTO household VALUES (?, ?)`)
	if err != nil {
		return err
	}
	resident, err := tx.PrepareContext(ctx, `INSERT INTO resident VALUES (?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''))`)
	if err != nil {
		return err
	}
	for i, p := range w.People {
		if _, err := household.ExecContext(ctx, i+1, p.Address); err != nil {
			return err
		}
		sex := "M"
		if p.Female {
			sex = "F"
		}
		if _, err := resident.ExecContext(ctx, p.IDNumber, p.Zh, p.En, sex, p.Born.Format("20060102"), i+1, fmt.Sprintf("FP-%07d", i), p.User); err != nil {
			return err
		}
	}
	return nil
}

func (w World) housing(ctx context.Context, tx *sql.Tx) error {
	owner, err := tx.PrepareContext(ctx, `INSERT INTO owner VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	premises, err := tx.PrepareContext(ctx, `INSERT INTO premises VALUES (?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	numbers := map[string]int{}
	for i, p := range w.People {
		numbers[p.IDNumber] = i + 1
		if _, err := owner.ExecContext(ctx, i+1, p.IDNumber, p.Zh); err != nil {
			return err
		}
	}
	for _, b := range w.Premises {
		mortgaged := "N"
		if b.Mortgage {
			mortgaged = "Y"
		}
		if _, err := premises.ExecContext(ctx, b.Number, b.Address, useCodes[b.Use], float64(b.Area), numbers[b.Owner], b.Since.Format(time.DateOnly), mortgaged); err != nil {
			return err
		}
	}
	return nil
}

//go:embed connectors
var connectors embed.FS

// Connect writes the connector of a department's dataset into its gateway's folder of connectors. name is the definition
// ("identity" or "premises"), databases the folder Write wrote to, which must stay where it is seen from there.
func Connect(name, folder, databases string) error {
	text, err := connectors.ReadFile("connectors/" + name + ".yaml")
	if err != nil {
		return fmt.Errorf("departments: there is no connector %q", name)
	}
	relative, err := filepath.Rel(folder, databases)
	if err != nil {
		return fmt.Errorf("departments: %w", err)
	}
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return fmt.Errorf("departments: %w", err)
	}
	path := filepath.Join(folder, name+".yaml")
	whole := append([]byte("# Where the database is; what follows maps it to the dataset.\nsource: {sqlite: "+fmt.Sprintf("%q", filepath.ToSlash(filepath.Join(relative, files[name])))+"}\n\n"), text...)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(whole) {
		return nil // a file that does not change does not restart its reader
	}
	return os.WriteFile(path, whole, fileMode)
}

var files = map[string]string{"identity": PoliceFile, "premises": HousingFile}
