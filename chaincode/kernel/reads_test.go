package kernel_test

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// withShelves opens n shelves for each of two agencies.
func withShelves(t *testing.T, n int) *ledgertest.Ledger {
	t.Helper()
	l := newLedger()
	for _, agency := range []string{tax, law} {
		var commands []kernel.BatchCommand
		for i := range n {
			commands = append(commands, command("shelf:Open", fmt.Sprint("k", i), open{Code: fmt.Sprintf("s%03d", i)}))
		}
		_, err := l.As(agency, access.Admin).Batch(commands)
		require.NoError(t, err)
	}
	return l
}

func TestListTurnsPages(t *testing.T) {
	const each = 130 // more than a peer sends at once, in each of two lists
	l := withShelves(t, each)
	client := l.As("audit.office", access.Auditor)
	for _, c := range []struct {
		under string
		size  int
		want  int
	}{{"", 0, 2 * each}, {tax, 7, each}, {tax + "/s005", 0, 1}, {"market", 0, 0}, {law, state.MaxPageSize, each}, {"", 101, 2 * each}, {"", each, 2 * each}, {"", 1, 2 * each}} {
		t.Run(fmt.Sprint(c.under, " by ", c.size), func(t *testing.T) {
			var all []string
			request := kernel.Listing{Under: c.under, PageSize: c.size}
			for pages := 0; ; pages++ {
				require.Less(t, pages, 3*each)
				var page state.Page[shelf]
				require.NoError(t, client.Query("shelf:List", request, &page))
				for _, s := range page.Items {
					all = append(all, s.ID)
				}
				size := c.size
				if size == 0 {
					size = state.DefaultPageSize
				}
				require.LessOrEqual(t, len(page.Items), size)
				if page.Next == "" {
					break
				}
				require.Len(t, page.Items, size, "only the last page may be short")
				request.PageToken = page.Next
			}
			require.Len(t, all, c.want)
			require.IsIncreasing(t, append([]string{""}, all...))
		})
	}
}

func TestListRefuses(t *testing.T) {
	l := withShelves(t, 3)
	client := l.As(tax, access.Agency)
	var page state.Page[shelf]
	require.NoError(t, client.Query("shelf:List", kernel.Listing{Under: law, PageSize: 1}, &page))
	for _, c := range []struct {
		name    string
		request kernel.Listing
		field   string
	}{
		{"too large a page", kernel.Listing{PageSize: state.MaxPageSize + 1}, "page_size"},
		{"a negative page", kernel.Listing{PageSize: -1}, "page_size"},
		{"no token", kernel.Listing{PageToken: "?"}, "page_token"},
		{"a token of another list", kernel.Listing{Under: tax, PageToken: page.Next}, "page_token"},
		{"a token that is not Unicode", kernel.Listing{Under: law, PageToken: base64.RawURLEncoding.EncodeToString([]byte(state.Key("shelf", law) + "\xff"))}, "page_token"},
		{"a token into another collection", kernel.Listing{PageToken: base64.RawURLEncoding.EncodeToString([]byte(state.Key("note", "a")))}, "page_token"},
		{"an empty part", kernel.Listing{Under: tax + "//a"}, "id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireFault(t, client.Query("shelf:List", c.request, &page), fault.Invalid, "request.invalid", c.field)
		})
	}
	t.Run("a token of the wider list serves the narrower", func(t *testing.T) {
		require.NoError(t, client.Query("shelf:List", kernel.Listing{PageToken: page.Next}, &page))
	})
}

func TestGetByAnIDOfParts(t *testing.T) {
	l := withShelves(t, 1)
	client := l.As(tax, access.Agency)
	var s shelf
	require.NoError(t, client.Query("shelf:Get", kernel.ByID{ID: law + "/s000"}, &s))
	require.Equal(t, law+"/s000", s.ID)
	for _, id := range []string{law, "s000", law + "/s000/x"} {
		requireFault(t, client.Query("shelf:Get", kernel.ByID{ID: id}, &s), fault.Missing, "shelf.missing", "id")
		requireFault(t, client.Query("shelf:History", kernel.ByID{ID: id}, &s), fault.Missing, "shelf.missing", "id")
	}
	for _, id := range []string{"/s000", law + "/", "a\u0000b/c", "a\nb/c", "a/\U0010FFFF"} {
		requireFault(t, client.Query("shelf:Get", kernel.ByID{ID: id}, &s), fault.Invalid, "request.invalid", "id")
	}
}
