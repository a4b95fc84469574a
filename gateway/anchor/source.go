package anchor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// Formats of a file.
const (
	CSV    = "csv"    // RFC 4180, UTF-8, the first line names the fields
	NDJSON = "ndjson" // a JSON object a line
)

// file is one file of a source, as it was when the job began.
type file struct {
	Path   string `json:"path"` // absolute, or relative to the job's folder
	Format string `json:"format"`
	Size   int64  `json:"size_bytes"`
	SHA256 string `json:"sha256"`
}

// manifest names a source by what is in it: where it lies and what it is called does not matter.
type manifest struct {
	Dataset string       `json:"dataset"`
	Files   []listedFile `json:"files"`
}

type listedFile struct {
	Format string `json:"format"`
	Size   int64  `json:"size_bytes"`
	SHA256 string `json:"sha256"`
}

// sourceOf is the SHA-256 of the manifest's canonical form.
func sourceOf(dataset string, files []file) (string, error) {
	m := manifest{Dataset: dataset}
	for _, f := range files {
		m.Files = append(m.Files, listedFile{f.Format, f.Size, f.SHA256})
	}
	return canonical.Digest(m)
}

// formatOf is what a file is by its name.
func formatOf(path, said string) (string, error) {
	if said == "" {
		said = strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	}
	switch said {
	case CSV:
		return CSV, nil
	case NDJSON, "jsonl":
		return NDJSON, nil
	}
	return "", fault.Field("format", "one_of:csv,ndjson", "say what the file is, or name it .csv or .ndjson")
}

// look hashes a file. It tells how many bytes were read.
func look(ctx context.Context, path, format string, told func(int64)) (file, error) {
	f := file{Path: path, Format: format}
	in, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer in.Close()
	sum := sha256.New()
	f.Size, err = io.Copy(sum, &reading{ctx: ctx, from: in, told: told})
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return f, err
}

// reading reads until ctx ends, and tells how much.
type reading struct {
	ctx  context.Context
	from io.Reader
	told func(int64)
}

func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	r.told(int64(n))
	return n, err
}

// row is one row as it was read.
type row struct {
	file   int
	line   int   // where it begins
	end    int64 // of the file: the row behind it begins there
	header []string
	cells  []string // of CSV
	raw    []byte   // of NDJSON
	rule   string   // what is wrong with it already
}

// reader gives a file's rows in order, from an offset that was a row's end, and io.EOF after the last. It hashes what it
// reads, so that a file that changed meanwhile shows.
type reader struct {
	index int
	about file
	in    *os.File
	sum   hash.Hash
	base  int64 // offset where reading began
	lines int   // before it
	most  int64 // that may be read now
	taken int64 // that was
	told  func(int64)
	rows  func() (row, error)
}

// openAt opens a file at an offset. What is before it is hashed and its lines are counted.
func openAt(ctx context.Context, index int, about file, offset int64, s shape, told func(int64)) (r *reader, err error) {
	in, err := os.Open(about.Path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.Close())
		}
	}()
	r = &reader{index: index, about: about, in: in, sum: sha256.New(), told: told}
	header, first, err := r.header(s)
	if err != nil {
		return nil, err
	}
	offset = max(offset, first)
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	n, err := io.CopyN(io.MultiWriter(r.sum, (*lines)(&r.lines)), &reading{ctx: ctx, from: in, told: told}, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if n < offset {
		return nil, ErrChanged
	}
	r.base, r.taken = offset, offset
	r.allow(offset)
	if about.Format == CSV {
		r.rows = r.csv(header)
	} else {
		r.rows = r.ndjson()
	}
	return r, nil
}

// lines counts the lines that are written to it.
type lines int

func (l *lines) Write(p []byte) (int, error) {
	*l += lines(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

var mark = []byte("\xef\xbb\xbf") // that some programs put before UTF-8

// header reads what stands before the first row: a byte order mark, and CSV's line of names.
func (r *reader) header(s shape) (names []string, end int64, err error) {
	start := make([]byte, len(mark))
	n, err := io.ReadFull(r.in, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, err
	}
	if bytes.Equal(start[:n], mark) {
		end = int64(len(mark))
	}
	if r.about.Format != CSV {
		return nil, end, nil
	}
	if _, err := r.in.Seek(end, io.SeekStart); err != nil {
		return nil, 0, err
	}
	c := csv.NewReader(io.LimitReader(r.in, MaxRowBytes))
	names, err = c.Read()
	if err != nil {
		return nil, 0, ErrHeader
	}
	return names, end + c.InputOffset(), s.header(names)
}

// slack is what buffers read ahead.
const slack = 64 << 10

// allow lets rows behind an offset be read, and no more: a quote that is not closed shall not take the whole file into
// memory.
func (r *reader) allow(offset int64) { r.most = offset + MaxRowBytes + slack }

// Read implements io.Reader for what takes rows apart.
func (r *reader) Read(p []byte) (int, error) {
	if r.taken >= r.most {
		return 0, ErrRow
	}
	n, err := r.in.Read(p[:min(int64(len(p)), r.most-r.taken)])
	r.sum.Write(p[:n])
	r.taken += int64(n)
	r.told(int64(n))
	return n, err
}

func (r *reader) csv(header []string) func() (row, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = len(header)
	return func() (row, error) {
		cells, err := c.Read()
		at := row{file: r.index, header: header, cells: cells, end: r.base + c.InputOffset()}
		var broken *csv.ParseError
		switch {
		case err == nil:
			line, _ := c.FieldPos(0)
			at.line = r.lines + line
		case errors.As(err, &broken):
			at.line, at.rule = r.lines+broken.StartLine, RuleForm
			if errors.Is(err, csv.ErrFieldCount) {
				at.rule = RuleColumns
			}
		default:
			return at, err
		}
		r.allow(at.end)
		return at, nil
	}
}

func (r *reader) ndjson() func() (row, error) {
	in := bufio.NewReaderSize(r, MaxRowBytes)
	at, line := r.base, r.lines
	return func() (row, error) {
		for {
			text, err := in.ReadSlice('\n')
			long := false
			for errors.Is(err, bufio.ErrBufferFull) { // what is too long is read and left
				at, long = at+int64(len(text)), true
				r.allow(at)
				text, err = in.ReadSlice('\n')
			}
			if len(text) == 0 || err != nil && !errors.Is(err, io.EOF) {
				if err == nil || long && errors.Is(err, io.EOF) {
					err = io.EOF
				}
				if !long {
					return row{}, err
				}
			}
			at += int64(len(text))
			line++
			r.allow(at)
			found := row{file: r.index, line: line, end: at}
			switch trimmed := bytes.TrimSpace(text); {
			case long:
				found.rule = RuleRowLength
			case len(trimmed) == 0:
				continue
			default:
				found.raw = bytes.Clone(trimmed)
			}
			return found, nil
		}
	}
}

// finish checks that everything that was read is what the source was when the job began.
func (r *reader) finish() error {
	if n, err := io.Copy(r.sum, r.in); err != nil || n > 0 || hex.EncodeToString(r.sum.Sum(nil)) != r.about.SHA256 {
		return errors.Join(fmt.Errorf("file %d: %w", r.index+1, ErrChanged), err)
	}
	return nil
}

func (r *reader) Close() error { return r.in.Close() }
