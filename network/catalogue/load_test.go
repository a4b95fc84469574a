package catalogue_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/catalogue"
)

func TestLoadingTwiceWritesNothingTheSecondTime(t *testing.T) {
	ctx := context.Background()
	city := apptest.New(t)
	c, err := catalogue.Default()
	require.NoError(t, err)
	var said int
	first, err := c.Load(ctx, city.Admin, func(string, ...any) { said++ })
	require.NoError(t, err)
	require.Positive(t, first.Written)
	require.Equal(t, first.Written, said)
	height := city.Ledger.Height()

	second, err := c.Load(ctx, city.Admin, nil)
	require.NoError(t, err)
	require.Zero(t, second.Written)
	require.Zero(t, second.Block)
	require.Equal(t, height, city.Ledger.Height())
}

// TestALoadThatBreaksOffGoesOn stops the load at each of its writes in turn; the next load finishes it and repeats nothing.
func TestALoadThatBreaksOffGoesOn(t *testing.T) {
	ctx := context.Background()
	c, err := catalogue.Default()
	require.NoError(t, err)
	whole := apptest.New(t)
	complete, err := c.Load(ctx, whole.Admin, nil)
	require.NoError(t, err)

	city := apptest.New(t)
	stop := errors.New("the door is shut")
	written := 0
	for broken := 0; ; broken++ {
		require.LessOrEqual(t, broken, complete.Written)
		knocks := 0
		result, err := c.Load(ctx, func(ctx context.Context, agency string) (*client.Client, error) {
			if knocks++; knocks > 4*(broken+1) {
				return nil, stop
			}
			return city.Admin(ctx, agency)
		}, nil)
		written += result.Written
		if err == nil {
			break
		}
		require.ErrorIs(t, err, stop)
	}
	require.Equal(t, complete.Written, written)
	require.Equal(t, whole.Ledger.Height(), city.Ledger.Height())
}

func TestWhatTheLedgerHasOtherwiseIsNotChangedSilently(t *testing.T) {
	ctx := context.Background()
	city := apptest.New(t)
	c, err := catalogue.Default()
	require.NoError(t, err)
	_, err = c.Load(ctx, city.Admin, nil)
	require.NoError(t, err)
	height := city.Ledger.Height()
	for says, change := range map[string]func(c *catalogue.Catalogue){
		"dataset services.police/identity":  func(c *catalogue.Catalogue) { c.Datasets[0].ConsentRequired = false },
		"certificate type business-licence": func(c *catalogue.Catalogue) { c.Types[0].ValidDays = 1 },
		"count the edition up":              func(c *catalogue.Catalogue) { c.Services[0].Visits = 1 },
	} {
		changed, err := catalogue.Default()
		require.NoError(t, err)
		change(&changed)
		_, err = changed.Load(ctx, city.Admin, nil)
		require.ErrorContains(t, err, says)
		require.Equal(t, height, city.Ledger.Height())
	}
}
