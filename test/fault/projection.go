package fault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/block"
)

// projectionFile is where a gateway keeps its read model, in its data folder.
const projectionFile = "projection.db"

// foldedAtOnce is how many blocks are applied together when a read model is made anew.
const foldedAtOnce = 64

// SameProjection folds blocks anew and compares every table with a gateway's own, which must have caught up. It gives the
// tables that differ.
func SameProjection(ctx context.Context, n *network.Network, organisation string, blocks []block.Block) (differ []string, err error) {
	dir, err := os.MkdirTemp("", "hutong-fold-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fresh := filepath.Join(dir, projectionFile)
	p, err := projection.Open(ctx, fresh, 1, projection.Contracts())
	if err != nil {
		return nil, err
	}
	for portion := range slices.Chunk(blocks, foldedAtOnce) {
		if err := p.Apply(ctx, portion); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	if err := p.Close(); err != nil {
		return nil, err
	}
	return differing(ctx, fresh, filepath.Join(n.Options.State, "data", organisation+"-gateway", projectionFile))
}

// differing attaches one database to the other and looks for rows that only one of them has.
func differing(ctx context.Context, fresh, own string) (differ []string, err error) {
	db, err := sql.Open("sqlite", "file:"+fresh+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // what is attached, is to one connection
	if _, err := db.ExecContext(ctx, `ATTACH DATABASE ? AS own`, "file:"+own+"?mode=ro"); err != nil {
		return nil, err
	}
	var names string
	if err := db.QueryRowContext(ctx, `SELECT group_concat(name) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%'`).Scan(&names); err != nil {
		return nil, err
	}
	for _, table := range strings.Split(names, ",") {
		var missing, added int
		query := fmt.Sprintf(`SELECT (SELECT count(*) FROM (SELECT * FROM main.%[1]s EXCEPT SELECT * FROM own.%[1]s)),
			(SELECT count(*) FROM (SELECT * FROM own.%[1]s EXCEPT SELECT * FROM main.%[1]s))`, table)
		if err := db.QueryRowContext(ctx, query).Scan(&missing, &added); err != nil {
			return nil, err
		}
		if missing != 0 || added != 0 {
			differ = append(differ, fmt.Sprintf("%s: table %s lacks %d rows and has %d of its own", own, table, missing, added))
		}
	}
	return differ, nil
}
