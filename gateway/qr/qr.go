// Package qr draws QR codes (ISO/IEC 18004) for people to show and scanners to read, at error correction level M: a scratched
// display is read, and the picture stays coarse enough for a telephone held at an arm's length.
package qr

import (
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"
)

// MaxText bounds what is drawn, in bytes: more would be too fine to scan from a telephone.
const MaxText = 256

// modulePixels is the side of one module of a PNG picture.
const modulePixels = 6

// Picture is a QR code in the forms a page or a printer takes.
type Picture struct {
	SVG string // scales; black on white, with the quiet zone
	PNG []byte
}

// Draw draws a text.
func Draw(text string) (p Picture, err error) {
	if text == "" || len(text) > MaxText {
		return p, fmt.Errorf("qr: a text has 1 to %d bytes", MaxText)
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return p, fmt.Errorf("qr: %w", err)
	}
	if p.PNG, err = code.PNG(-modulePixels); err != nil {
		return p, fmt.Errorf("qr: %w", err)
	}
	p.SVG = svg(code.Bitmap())
	return p, nil
}

// svg draws runs of dark modules.
func svg(rows [][]bool) string {
	var path strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="%s"/></svg>`,
		len(rows), len(rows), len(rows), len(rows), path.String())
}
