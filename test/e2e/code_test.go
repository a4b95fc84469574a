package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkOneCodeAtTwoWindows has a citizen show one code at the windows of two agencies at once, several times: one of them
// gets a consent, by the QR code as by the digits, which the citizens' gateway is asked about.
func TestNetworkOneCodeAtTwoWindows(t *testing.T) {
	ctx, c := real(t)
	person, _, err := story.SignIn(ctx, c, "citizen3", c.keys)
	require.NoError(t, err)
	applied := apply(ctx, t, c, person)
	var windows []story.Officer
	for _, agency := range []string{"market.regulation", "market.tax"} {
		officer, err := story.NewOfficer(ctx, c, agency)
		require.NoError(t, err)
		windows = append(windows, officer)
	}
	_, err = api.Of(windows[0].Client).Case(ctx, api.CaseByID{ID: applied.ID, MinBlock: lastBlock(applied)}) // the market's gateway has it
	require.NoError(t, err)
	for _, entry := range []struct {
		name    string
		request func(exchange.CodeTicket) api.RedeemCode
	}{
		{"picture", func(shown exchange.CodeTicket) api.RedeemCode {
			return api.RedeemCode{Case: applied.ID, Ticket: shown.Text()}
		}},
		{"digits", func(shown exchange.CodeTicket) api.RedeemCode {
			return api.RedeemCode{Case: applied.ID, Digits: shown.Digits}
		}},
	} {
		t.Run(entry.name, func(t *testing.T) {
			for range 3 {
				shown := giveCode(ctx, t, person, windows[0])
				request := entry.request(shown)
				if request.Digits != "" { // a guess is counted, and makes nothing
					guess := request
					guess.Digits = otherDigits(guess.Digits)
					_, err := api.Of(windows[0].Client).RedeemCode(ctx, guess)
					require.Equal(t, "exchange.code_wrong", client.Reason(err))
				}
				answers, reasons := make([]api.RedeemedCode, len(windows)), make([]string, len(windows))
				var both errgroup.Group
				for i, window := range windows {
					both.Go(func() error {
						answer, err := api.Of(window.Client).RedeemCode(ctx, request)
						if answers[i] = answer; err != nil {
							reasons[i] = client.Reason(err)
						}
						return nil
					})
				}
				require.NoError(t, both.Wait())
				winner := 0
				if reasons[0] != "" {
					winner = 1
				}
				require.Empty(t, reasons[winner], "one of the two gets it: %q", reasons)
				require.Contains(t, []string{"exchange.code_redeemed", "code.missing", "code.other_attempt"}, reasons[1-winner])
				require.Len(t, answers[winner].Consents, 1)

				mine, err := api.Of(person.Client).Codes(ctx, api.Codes{MinBlock: answers[winner].Block})
				require.NoError(t, err)
				require.Equal(t, shown.Code, mine.Items[0].ID, "the newest")
				require.Equal(t, exchange.Redeemed, mine.Items[0].Status)
				require.Equal(t, []string{answers[winner].Consents[0].Consent}, mine.Items[0].Consents)
				given := 0
				consents, err := api.Of(person.Client).Consents(ctx, api.Consents{PageSize: 200, MinBlock: answers[winner].Block})
				require.NoError(t, err)
				for _, consent := range consents.Items {
					if consent.Code == shown.Code {
						given++
						require.Equal(t, windows[winner].Agency, consent.Terms.Consumer)
					}
				}
				require.Equal(t, 1, given)
			}
		})
	}
}

// giveCode makes a code as the citizen's browser does, and waits until the windows' gateway has it.
func giveCode(ctx context.Context, t *testing.T, person story.Person, window story.Officer) exchange.CodeTicket {
	t.Helper()
	drafted, err := api.Of(person.Client).DraftCode(ctx, api.DraftCode{
		Datasets: []exchange.CodeDataset{{Dataset: "planning.housing/premises", Fields: []string{"floor_area_m2", "permitted_use"}}}, Purpose: story.Service,
	})
	require.NoError(t, err)
	shown := exchange.CodeTicket{Salt: drafted.Salt}
	shown.Digits, err = exchange.NewDigits()
	require.NoError(t, err)
	terms := drafted.Terms
	terms.Hash, err = exchange.HashCode(drafted.Salt, terms.Channel, terms.Subject, shown.Digits)
	require.NoError(t, err)
	jws, err := person.Sign(exchange.CodeKind, terms)
	require.NoError(t, err)
	receipt, err := api.Of(person.Client).GiveCode(ctx, api.GiveCode{Code: jws})
	require.NoError(t, err)
	shown.Code = receipt.ID
	_, err = api.Of(window.Client).Tasks(ctx, api.Tasks{MinBlock: receipt.Block})
	require.NoError(t, err)
	return shown
}

// otherDigits are as many, and not the same.
func otherDigits(digits string) string {
	other := []byte(digits)
	other[0] = '0' + (other[0]-'0'+1)%10
	return string(other)
}
