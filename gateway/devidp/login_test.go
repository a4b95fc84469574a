package devidp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesAreMarkedByScript(t *testing.T) {
	for _, c := range []struct {
		name string
		want []part
	}{
		{"Zhou Minhua 周敏华", []part{{"Zhou Minhua ", false}, {"周敏华", true}}},
		{"周敏华 Zhou Minhua", []part{{"周敏华 ", true}, {"Zhou Minhua", false}}},
		{"周敏华", []part{{"周敏华", true}}},
		{"Taxation, officer", []part{{"Taxation, officer", false}}},
	} {
		require.Equal(t, c.want, partsOf(c.name))
	}
}

// TestEveryUserIsListed makes sure that no role is left out of the groups.
func TestEveryUserIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, g := range groupsOf(DefaultUsers()) {
		for _, u := range g.Users {
			listed[u.ID] = true
			require.Equal(t, u.Name, joined(u.Names))
		}
	}
	for _, u := range DefaultUsers() {
		require.True(t, listed[u.ID], u.ID)
	}
	for _, role := range userRoles {
		require.Len(t, groupsOf([]User{{ID: "one", Name: "One", Role: role}}), 1, role)
	}
}

func joined(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}
