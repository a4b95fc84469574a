package catalogue_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app/apptest"
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

	second, err := c.Load(ctx, city.Admin, func(f string, a ...any) { t.Logf(f, a...) })
	require.NoError(t, err)
	require.Zero(t, second.Written)
	require.Zero(t, second.Block)
	require.Positive(t, second.Present)
	require.Equal(t, height, city.Ledger.Height())
}
