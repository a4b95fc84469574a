package app

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// Files are too large for a document. The provider reads one in chunks, seals each to the consumer and keeps it; what the
// document says of the file, its digest among it, is committed to on the ledger. The consumer gets chunk after chunk, keeps
// those that open in their place, and acknowledges when all of them together have the digest. Neither holds more than a chunk.

// belongs is what a file's stream is bound to.
func belongs(use exchange.Use, field string) string { return use.ID + "/" + field }

// sealFiles replaces the sizes of a record's files by what a document says of files.
func (a *App) sealFiles(ctx context.Context, use exchange.Use, q connector.Query, values map[string]any) error {
	for _, spec := range q.Fields {
		size, is := values[spec.Name].(int64)
		if spec.Type != exchange.FileType || !is { // null: there is none
			continue
		}
		file, err := a.sealFile(ctx, use, q, spec, size)
		if err != nil {
			return err
		}
		values[spec.Name] = file
	}
	return nil
}

// sealFile reads a file of a department and keeps its chunks, sealed to the consumer.
func (a *App) sealFile(ctx context.Context, use exchange.Use, q connector.Query, spec exchange.FieldSpec, size int64) (file exchange.File, err error) {
	if size > exchange.MaxFileBytes {
		return file, fault.New(fault.Limit, "file.too_large", "the department's file is larger than the exchange carries").On("fields."+spec.Name, fmt.Sprintf("max_bytes:%d", exchange.MaxFileBytes))
	}
	consumer, err := get[exchange.Agency](ctx, a, "agency", use.Consumer, "use")
	if err != nil {
		return file, err
	}
	stream, err := seal.NewStream(consumer.ExchangeKey, belongs(use, spec.Name))
	if err != nil {
		return file, err
	}
	file = exchange.File{Size: size, Key: stream.Key}
	digest, id := sha256.New(), seal.ID(stream.Key)
	for n := range file.Chunks() {
		offset, length := file.Chunk(n)
		part, err := a.Connectors.Part(ctx, q, spec, offset, length)
		if err != nil {
			return file, err
		}
		if len(part) != length {
			return file, fault.New(fault.Internal, "file.changed", "the department's file changed while it was read; ask again").On("fields."+spec.Name, "stable")
		}
		digest.Write(part)
		sealed := stream.Seal(n, n == file.Chunks()-1, part)
		if err := a.Vault.PutChunk(ctx, vault.Chunk{Stream: id, Number: n, Use: use.ID, Sealed: sealed}); err != nil {
			return file, err
		}
	}
	file.SHA256 = hex.EncodeToString(digest.Sum(nil))
	return file, nil
}

// filesOf are the files of a document, by field.
func (a *App) filesOf(ctx context.Context, use exchange.Use, document commitment.Document) (map[string]exchange.File, error) {
	dataset, err := get[exchange.Dataset](ctx, a, "dataset", use.Dataset, "use")
	if err != nil {
		return nil, err
	}
	files := map[string]exchange.File{}
	for _, f := range document.Fields {
		at := slices.IndexFunc(dataset.Fields, func(s exchange.FieldSpec) bool { return s.Name == f.Name && s.Type == exchange.FileType })
		if at < 0 || string(f.Value) == "null" {
			continue
		}
		var file exchange.File
		if err := canonical.Decode(f.Value, &file); err != nil || file.Size < 0 || file.Size > exchange.MaxFileBytes {
			return nil, fault.New(fault.Refused, "sealed.other_content", "what was delivered does not describe its file; do not use it, and tell the provider").On("fields."+f.Name, "type:file")
		}
		files[f.Name] = file
	}
	return files, nil
}

// collect gets the files of a delivery that was opened. What came before it broke off is not asked for again.
func (a *App) collect(ctx context.Context, use exchange.Use, document commitment.Document) error {
	files, err := a.filesOf(ctx, use, document)
	if err != nil {
		return err
	}
	for name, file := range files {
		if err := a.collectFile(ctx, use, name, file); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) collectFile(ctx context.Context, use exchange.Use, name string, file exchange.File) error {
	digest := sha256.New()
	for n := range file.Chunks() {
		chunk, err := a.chunk(ctx, use, name, file, n)
		if err != nil {
			return err
		}
		digest.Write(chunk)
	}
	if hex.EncodeToString(digest.Sum(nil)) != file.SHA256 {
		return fault.New(fault.Refused, "file.other_content", "the file that came is not the one that was committed to; do not use it, and tell the provider").On("fields."+name, "sha256")
	}
	return nil
}

// chunk is a chunk of a delivered file, opened: from the vault, or from the provider and then kept.
func (a *App) chunk(ctx context.Context, use exchange.Use, name string, file exchange.File, number int) ([]byte, error) {
	key, held := a.Keys[use.Consumer]
	if !held {
		return nil, notServed("this gateway does not hold the agency's exchange key; GET /v1/agencies says which gateway does")
	}
	stream, err := seal.OpenStream(file.Key, key, belongs(use, name))
	if err != nil {
		return nil, err
	}
	id := seal.ID(file.Key)
	kept, found, err := a.Vault.Chunk(ctx, id, number)
	if err != nil {
		return nil, err
	}
	if !found {
		if a.serves(use.Provider) {
			return nil, errNoChunk
		}
		got, err := a.Peers.Chunk(ctx, access.MSPOf(use.Provider), use.ID, id, number)
		if err != nil {
			return nil, err
		}
		kept = vault.Chunk{Stream: id, Number: number, Use: use.ID, Sealed: got.Sealed}
	}
	opened, err := stream.Open(number, number == file.Chunks()-1, kept.Sealed)
	if err != nil {
		return nil, err
	}
	if _, length := file.Chunk(number); len(opened) != length {
		return nil, fault.New(fault.Refused, "file.other_content", "a chunk does not have its length; do not use the file, and tell the provider").On("fields."+name, "chunk_bytes")
	}
	if !found {
		err = a.Vault.PutChunk(ctx, kept)
	}
	return opened, err
}

var errNoChunk = fault.New(fault.Missing, "file.chunk_missing", "no such chunk of a file is kept").On("number", "kept")

// SealedChunk is a chunk of a file as it travels.
type SealedChunk struct {
	Sealed string `json:"sealed" doc:"base64url; opens with the consumer's key, in its place in its stream."`
}

// ChunkOf is GET /v1/uses/{id}/chunks/{stream}/{number}.
type ChunkOf struct {
	ID     string `path:"id" json:"-"`
	Stream string `path:"stream" json:"-" pattern:"^[0-9a-f]{64}$"`
	Number int    `path:"number" json:"-" min:"0" max:"1000000"`
}

// Chunk hands out a sealed chunk of a file that was delivered, to whoever asks: only the consumer can open it.
func (a *App) Chunk(ctx context.Context, _ Actor, req ChunkOf) (SealedChunk, error) {
	use, err := a.useNow(ctx, req.ID)
	if err != nil {
		return SealedChunk{}, err
	}
	switch {
	case use.Purged != "":
		return SealedChunk{}, a.purged(ctx, use)
	case use.Delivery == "":
		return SealedChunk{}, exchange.ErrNotDelivered.On("id", "status:"+exchange.Delivered)
	}
	c, found, err := a.Vault.Chunk(ctx, req.Stream, req.Number)
	if err == nil && (!found || c.Use != use.ID) {
		err = errNoChunk
	}
	if err != nil {
		return SealedChunk{}, err
	}
	return SealedChunk{c.Sealed}, nil
}

// FileChunk is a chunk of a file, opened for the officer of the consumer.
type FileChunk struct {
	Number int    `json:"number" doc:"From 0."`
	Chunks int    `json:"chunks" doc:"How many the file has."`
	Size   int64  `json:"size_bytes" doc:"Of the whole file."`
	SHA256 string `json:"sha256" doc:"Of the whole file; it is part of what was committed to."`
	Data   string `json:"data" doc:"The chunk, in base64 (RFC 4648 §4)."`
}

// fileChunk opens a chunk of a file of a payload.
func (a *App) fileChunk(ctx context.Context, p Payload, field string, number int) (*FileChunk, error) {
	files, err := a.filesOf(ctx, p.Use, p.Document)
	if err != nil {
		return nil, err
	}
	file, found := files[field]
	if !found || number >= file.Chunks() {
		return nil, errNoChunk
	}
	chunk, err := a.chunk(ctx, p.Use, field, file, number)
	if err != nil {
		return nil, err
	}
	return &FileChunk{
		Number: number, Chunks: file.Chunks(), Size: file.Size, SHA256: file.SHA256, Data: base64.StdEncoding.EncodeToString(chunk),
	}, nil
}
