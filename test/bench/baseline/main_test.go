package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// TestCreate: the baseline does what it is measured for, one read and one write, and no more.
func TestCreate(t *testing.T) {
	l := ledgertest.New()
	l.Install("baseline", chaincode{})
	client := l.As("market.tax", access.Agency)
	create := func(args ...string) error {
		raw := [][]byte{}
		for _, arg := range args {
			raw = append(raw, []byte(arg))
		}
		_, err := client.Invoke("baseline", raw...)
		return err
	}
	require.NoError(t, create("Create", "a", "1"))
	require.Equal(t, "1", string(l.Value("baseline", "a")))
	require.ErrorContains(t, create("Create", "a", "2"), "the id is taken")
	require.ErrorContains(t, create("Create", "a"), "call Create")
	require.ErrorContains(t, create("Delete", "a", "2"), "call Create")
	require.ErrorContains(t, create("Create", "b", "1", "a", "2"), "the id is taken")
	require.ErrorContains(t, create("Create", "b", "1", "c"), "call Create")
	require.ErrorContains(t, create("Create"), "call Create")
	require.Equal(t, []string{"a"}, l.Keys("baseline"))
	require.NoError(t, create("Create", "x", "1", "y", "2"))
	require.Equal(t, []string{"a", "x", "y"}, l.Keys("baseline"))
	one, err := client.EndorseRaw("baseline", []byte("Create"), []byte("b"), []byte("1"))
	require.NoError(t, err)
	require.NoError(t, create("Create", "b", "2"))
	require.ErrorIs(t, one.Commit(), &ledgertest.CommitError{Code: ledgertest.MVCCConflict})
}
