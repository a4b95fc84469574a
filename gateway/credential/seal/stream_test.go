package seal

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAStreamOpensInItsPlaceOnly(t *testing.T) {
	private, public := newKey(t)
	other, _ := newKey(t)
	s, err := NewStream(public, "use-1/photo")
	require.NoError(t, err)
	content := make([]byte, 2500)
	_, err = rand.Read(content)
	require.NoError(t, err)
	chunks := [][]byte{content[:1000], content[1000:2000], content[2000:]}
	var sealed []string
	for i, c := range chunks {
		sealed = append(sealed, s.Seal(i, i == 2, c))
		require.NotContains(t, sealed[i], string(c))
	}
	opened, err := OpenStream(s.Key, private, "use-1/photo")
	require.NoError(t, err)
	for _, i := range []int{2, 0, 1} { // from any place: a transfer goes on where it broke off
		got, err := opened.Open(i, i == 2, sealed[i])
		require.NoError(t, err)
		require.True(t, bytes.Equal(chunks[i], got))
	}

	again, err := NewStream(public, "use-1/photo")
	require.NoError(t, err)
	elsewhere, err := OpenStream(s.Key, private, "use-2/photo")
	require.NoError(t, err)
	wrong, err := OpenStream(s.Key, other, "use-1/photo")
	require.NoError(t, err)
	for _, c := range []struct {
		name   string
		with   *Stream
		number int
		last   bool
		sealed string
	}{
		{"another place", opened, 1, false, sealed[0]},
		{"the end cut off", opened, 1, true, sealed[1]},
		{"an end that is not one", opened, 2, false, sealed[2]},
		{"of another stream", opened, 0, false, again.Seal(0, false, chunks[0])},
		{"of another use", elsewhere, 0, false, sealed[0]},
		{"another recipient", wrong, 0, false, sealed[0]},
		{"a flipped bit", opened, 0, false, flip(t, sealed[0], 5)},
		{"cut short", opened, 0, false, sealed[0][:len(sealed[0])-4]},
		{"nothing", opened, 0, false, ""},
		{"not base64url", opened, 0, false, "!"},
		{"a number that is none", opened, -1, false, sealed[0]},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.with.Open(c.number, c.last, c.sealed)
			require.Equal(t, "sealed.chunk", reason(t, err))
		})
	}
	_, err = OpenStream("!", private, "")
	require.Equal(t, "sealed.cannot_open", reason(t, err))
	require.Len(t, ID(s.Key), 64)
}
