package app

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// TestScopedKeys: each owner's key is another on the ledger, and keeps the time that the caller's key began with.
func TestScopedKeys(t *testing.T) {
	ordered := uuid.Must(uuid.NewV7()).String()
	seen := map[string]bool{}
	for _, c := range []struct {
		owner, key string
		version    uuid.Version
	}{{"a", ordered, 7}, {"b", ordered, 7}, {"a", "plain", 8}, {"b", "plain", 8}, {"a", uuid.NewString(), 8}} {
		made := scoped(c.owner, c.key)
		require.Equal(t, made, scoped(c.owner, c.key))
		require.False(t, seen[made])
		seen[made] = true
		u, err := uuid.Parse(made)
		require.NoError(t, err)
		require.Equal(t, c.version, u.Version())
		require.Equal(t, uuid.RFC4122, u.Variant())
		if c.version == 7 {
			require.Equal(t, ordered[:13], made[:13])
			require.Len(t, kernel.ID("market.tax", "f", made), 30)
		}
	}
}
