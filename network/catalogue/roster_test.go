package catalogue_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
