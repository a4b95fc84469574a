package feed

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hutong-gov/hutong/gateway/store"
)

// Cursor is a place in the feed: between what was given and what comes next. It is written
//
//	{block}-{position}-{n}   after the n-th change of the transaction at that position of the block
//	{block}                  after everything in the block
//	start                    before everything
type Cursor = store.Cursor

// Start is before everything.
var Start = Cursor{Position: -1, N: -1}

// CursorPattern is what a cursor looks like.
const CursorPattern = `(start|[0-9]{1,15}(-[0-9]{1,9}-[0-9]{1,9})?)`

// End is after everything in a block.
func End(block uint64) Cursor { return Cursor{Block: block, Position: math.MaxInt32, N: math.MaxInt32} }

// Text writes a cursor.
func Text(c Cursor) string {
	switch c {
	case Start:
		return "start"
	case End(c.Block):
		return strconv.FormatUint(c.Block, 10)
	}
	return fmt.Sprintf("%d-%d-%d", c.Block, c.Position, c.N)
}

// Parse reads what Text writes; ok is false for anything else.
func Parse(text string) (c Cursor, ok bool) {
	if text == "start" {
		return Start, true
	}
	block, place, within := strings.Cut(text, "-")
	var err error
	if c.Block, err = strconv.ParseUint(block, 10, 63); err != nil {
		return Start, false
	}
	c = End(c.Block)
	if within {
		position, n, _ := strings.Cut(place, "-")
		p, err1 := strconv.ParseUint(position, 10, 31)
		k, err2 := strconv.ParseUint(n, 10, 31)
		if err1 != nil || err2 != nil {
			return Start, false
		}
		c.Position, c.N = int(p), int(k)
	}
	return c, Text(c) == text
}

// before says whether a cursor is before another.
func before(a, b Cursor) bool {
	switch {
	case a.Block != b.Block:
		return a.Block < b.Block
	case a.Position != b.Position:
		return a.Position < b.Position
	}
	return a.N < b.N
}
