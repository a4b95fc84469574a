package exchange

// FileType is the type of a field whose values are files: too large for a document, so the document says what the file is, and
// the gateways hand it to each other in chunks. Only datasets have such fields.
const FileType = "file"

// Limits of a file.
const (
	ChunkBytes   = 512 << 10 // of a chunk; the last may be shorter
	MaxFileBytes = 64 << 20
)

// File is the value of such a field in a delivered document. The document's commitment covers it, and its digest the file.
type File struct {
	SHA256 string `json:"sha256"` // lower-case hexadecimal, of the whole file
	Size   int64  `json:"size_bytes"`
	Key    string `json:"key"` // base64url: the encapsulated key (RFC 9180 §4.1) that the chunks are sealed under
}

// Chunks is how many chunks a file has. An empty file has one, which is empty.
func (f File) Chunks() int { return int(max(1, (f.Size+ChunkBytes-1)/ChunkBytes)) }

// Chunk is where a chunk begins and how long it is.
func (f File) Chunk(number int) (offset int64, length int) {
	offset = int64(number) * ChunkBytes
	return offset, int(min(ChunkBytes, f.Size-offset))
}
