package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/block"
)

// foldedAtOnce is how many blocks are applied together when a read model is made anew.
const foldedAtOnce = 64

// SameProjection folds blocks anew and compares every table with a gateway's own, which must have caught up. It gives the
// tables that differ.
func SameProjection(ctx context.Context, n *network.Network, organisation string, blocks []block.Block) (differ []string, err error) {
	settings, err := n.GatewayConfig(organisation)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hutong-fold-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := projection.Open(ctx, database.Settings{Folder: dir}, 1, projection.Contracts())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	for portion := range slices.Chunk(blocks, foldedAtOnce) {
		if err := p.Apply(ctx, portion); err != nil {
			return nil, err
		}
	}
	own, err := store.Look(ctx, settings.Kept())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	return differing(ctx, p.Store(), own)
}

// differing compares the tables of two stores.
func differing(ctx context.Context, fresh, own *store.Store) (differ []string, err error) {
	_, _, want, err := fresh.Digests(ctx)
	if err != nil {
		return nil, err
	}
	at, _, got, err := own.Digests(ctx)
	if err != nil {
		return nil, err
	}
	for i, w := range want {
		if w != got[i] {
			differ = append(differ, fmt.Sprintf("%s: table %s at block %d has %d rows with another digest than the %d of a fold anew", own.Name(), w.Table, at.Number, got[i].Rows, w.Rows))
		}
	}
	return differ, nil
}
