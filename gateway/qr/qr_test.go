package qr

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/color"
	_ "image/png"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// scan reads a picture with a decoder that shares nothing with the encoder.
func scan(t require.TestingT, picture image.Image) string {
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	require.NoError(t, err)
	found, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	require.NoError(t, err)
	return found.GetText()
}

// drawn makes a picture of an SVG of ours: its squares, eight pixels a module.
func drawn(t require.TestingT, text string) image.Image {
	require.NoError(t, xml.Unmarshal([]byte(text), new(struct{})), "it is XML")
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	size := number(regexp.MustCompile(`viewBox="0 0 (\d+) `).FindStringSubmatch(text)[1])
	const scale = 8
	picture := image.NewGray(image.Rect(0, 0, size*scale, size*scale))
	for i := range picture.Pix {
		picture.Pix[i] = 255
	}
	for _, run := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(text, -1) {
		require.Equal(t, run[3], run[4])
		for x := number(run[1]) * scale; x < (number(run[1])+number(run[3]))*scale; x++ {
			for y := number(run[2]) * scale; y < (number(run[2])+1)*scale; y++ {
				picture.SetGray(x, y, color.Gray{})
			}
		}
	}
	return picture
}

// What is drawn is what a scanner reads, in both forms.
func TestWhatIsDrawnIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`hutong-code/1/[0-9a-hjkmnp-tv-z]{26}/[0-9]{8}/[A-Za-z0-9_-]{43}`).Draw(t, "ticket")
		picture, err := Draw(text)
		require.NoError(t, err)
		png, _, err := image.Decode(bytes.NewReader(picture.PNG))
		require.NoError(t, err)
		require.Equal(t, text, scan(t, png))
		require.Equal(t, text, scan(t, drawn(t, picture.SVG)))
	})
}

func TestWhatIsNotDrawn(t *testing.T) {
	for _, text := range []string{"", strings.Repeat("x", MaxText+1)} {
		_, err := Draw(text)
		require.Error(t, err)
	}
}
