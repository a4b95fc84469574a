package block

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A transaction is a dozen messages inside each other. Decoding every layer copies all that is in it once a layer, so the
// layers that only wrap are opened here in place, and their contents keep pointing into the block. What is read must be
// what the generated code, and so Fabric, reads: of a repeated singular field the last one counts, a message in pieces is
// put together from pieces that are each whole, a field of another wire type is unknown and skipped.

var (
	errWire = errors.New("broken encoding")
	errText = errors.New("text that is not UTF-8")
)

// part is a field that is wanted of a message; one of the others says which form it has.
type part struct {
	number protowire.Number
	bytes  *[]byte   // bytes, or an encoded message in them
	inside *message  // an embedded message, of which parts are wanted
	pieces *[][]byte // a repeated embedded message, or the pieces of a single one
	text   *string
}

// message is an embedded message; found says whether it is there, be it empty.
type message struct {
	parts []part
	found bool
}

// open reads the parts of a message.
func open(raw []byte, parts ...part) error {
	for len(raw) > 0 {
		number, form, n := protowire.ConsumeTag(raw)
		if n < 0 || number > protowire.MaxValidNumber {
			return errWire
		}
		raw = raw[n:]
		wanted := find(parts, number)
		if wanted == nil || form != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, form, raw); n < 0 {
				return errWire
			}
			raw = raw[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(raw)
		if n < 0 {
			return errWire
		}
		raw = raw[n:]
		if err := wanted.take(value[:len(value):len(value)]); err != nil { // whoever appends gets a copy
			return err
		}
	}
	return nil
}

func find(parts []part, number protowire.Number) *part {
	for i := range parts {
		if parts[i].number == number {
			return &parts[i]
		}
	}
	return nil
}

func (p *part) take(value []byte) error {
	switch {
	case p.bytes != nil:
		*p.bytes = value
	case p.inside != nil:
		p.inside.found = true
		return open(value, p.inside.parts...)
	case p.pieces != nil:
		*p.pieces = append(*p.pieces, value)
	case !utf8.Valid(value):
		return errText
	default:
		*p.text = string(value)
	}
	return nil
}

// join decodes a single message from its pieces.
func join(pieces [][]byte, into proto.Message) error {
	for _, piece := range pieces {
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(piece, into); err != nil {
			return err
		}
	}
	return nil
}
