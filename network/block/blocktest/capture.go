package blocktest

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// maxCaptured bounds a captured block.
const maxCaptured = 1 << 20

// Save writes the chain to a file: gzip over, for each block, its length as four bytes, big-endian, and the block as a
// protocol buffer. Blocks of a real peer are captured by copying them to a chain first.
func (c *Chain) Save(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(f)
	for _, b := range c.blocks {
		raw := marshal(b)
		_, err1 := zipped.Write(binary.BigEndian.AppendUint32(nil, uint32(len(raw))))
		_, err2 := zipped.Write(raw)
		err = errors.Join(err, err1, err2)
	}
	return errors.Join(err, zipped.Close(), f.Close())
}

// Load reads a file that Save wrote.
func Load(file string) (*Chain, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c := new(Chain)
	for {
		var size uint32
		err := binary.Read(unzipped, binary.BigEndian, &size)
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		raw := make([]byte, min(size, maxCaptured))
		if err == nil {
			_, err = io.ReadFull(unzipped, raw)
		}
		b := new(common.Block)
		if err := errors.Join(err, proto.Unmarshal(raw, b)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		c.Copy(b)
	}
}
