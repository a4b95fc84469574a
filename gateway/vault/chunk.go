package vault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/hutong-gov/hutong/gateway/database"
)

// Chunk is a part of a file on its way from provider to consumer.
type Chunk struct {
	Stream string // that it belongs to
	Number int    // in the stream, from 0
	Use    string
	Sealed string // base64url
}

// PutChunk stores a chunk and returns when it is on disk. One that is there already stays as it is.
func (v *Vault) PutChunk(ctx context.Context, c Chunk) error {
	err := v.db.Atomically(ctx, func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO chunk (stream, number, use_id, sealed) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, c.Stream, c.Number, c.Use, c.Sealed)
		return err
	})
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

// Chunk finds a chunk.
func (v *Vault) Chunk(ctx context.Context, stream string, number int) (c Chunk, found bool, err error) {
	c.Stream, c.Number = stream, number
	row := v.db.QueryRow(ctx, `SELECT use_id, sealed FROM chunk WHERE stream = ? AND number = ?`, stream, number)
	switch err := row.Scan(&c.Use, &c.Sealed); {
	case errors.Is(err, sql.ErrNoRows):
		return Chunk{}, false, nil
	case err != nil:
		return Chunk{}, false, fmt.Errorf("vault: %w", err)
	}
	return c, true, nil
}

// Remove removes what is kept under a commitment, whomever it is sealed to, and the chunks of a use.
func (v *Vault) Remove(ctx context.Context, commitment, use string) error {
	err := v.db.Atomically(ctx, func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM sealed WHERE commitment = ?`, commitment); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM chunk WHERE use_id = ?`, use)
		return err
	})
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}
