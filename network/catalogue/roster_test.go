package catalogue_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/app/apptest"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/catalogue"
)

func TestTheRosterIsTheCitys(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	require.Len(t, c.Roster.Departments, 53)
	require.Len(t, c.Roster.Districts, 16)
	c.Roster.Districts = append(c.Roster.Districts, c.Roster.Departments[0])
	require.ErrorContains(t, c.Validate(), "is listed twice")
}

func TestTheRosterIsLoadedOnce(t *testing.T) {
	ctx := context.Background()
	city := apptest.New(t)
	c, err := catalogue.Default()
	require.NoError(t, err)
	said := 0
	first, err := c.LoadRoster(ctx, city.Admin, func(string, ...any) { said++ })
	require.NoError(t, err)
	require.Equal(t, []int{69, 0, 1}, []int{first.Written, first.Present, said})
	again, err := c.LoadRoster(ctx, city.Admin, nil)
	require.NoError(t, err)
	require.Equal(t, []int{0, 69}, []int{again.Written, again.Present})

	hall, err := city.Admin(ctx, "services.hall")
	require.NoError(t, err)
	districts, err := client.Do[app.Page[exchange.Listing]](ctx, hall, "GET", "/v1/roster?kind=district&text=haidian", nil)
	require.NoError(t, err)
	require.Len(t, districts.Items, 1)
	require.Equal(t, exchange.Text{Zh: "北京市海淀区人民政府", En: "Haidian District"}, districts.Items[0].Name)
}
