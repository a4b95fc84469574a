package bench

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkVerify verifies for seconds; `make bench-verify` holds it to how many.
func TestNetworkVerify(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	n, err := story.Own(ctx, t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, n.Up(ctx))
	v, err := Verify(ctx, n, VerifyOptions{Subjects: 60, Records: 4, Together: 5, Clients: 60, Readers: 8, Rounds: 1, Duration: 3 * time.Second, Keys: filepath.Join(t.TempDir(), "devices")})
	require.NoError(t, err)
	var text strings.Builder
	err = v.Print(&text, false)
	t.Log("\n" + text.String())
	require.NoError(t, err)
	require.GreaterOrEqual(t, v.Recorded, v.Done)
	require.Positive(t, v.Own[0].Count)
}
