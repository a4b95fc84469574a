package story_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/test/story"
	"github.com/hutong-gov/hutong/test/story/search"
)

// TestToldInMemory tells the whole story in a city without Fabric; package e2e tells it on a real network.
func TestToldInMemory(t *testing.T) {
	ctx := context.Background()
	city := apptest.New(t)
	options := story.Options{World: city.World, Keys: t.TempDir()}
	for range 2 { // again and again
		var out bytes.Buffer
		report, err := story.Tell(ctx, &out, city, options)
		require.NoError(t, err, out.String())
		report.Print(&out)
		t.Log(out.String())
		require.GreaterOrEqual(t, float64(report.Saved), 0.4*float64(report.Required))
		require.Equal(t, "citizen1", report.Citizen)
		personal, _ := city.World.Personal()
		found := search.New(personal).Find(out.Bytes())
		var texts []string
		for _, at := range found {
			texts = append(texts, personal[at])
		}
		require.Equal(t, []string{"citizen1"}, texts, "nothing but the account that it says signs in")
	}
}
