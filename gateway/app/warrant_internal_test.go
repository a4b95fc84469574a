package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// TestACrowdOfWarrantsIsOneQuestion: each has its own answer, and what comes while one is asked goes together.
func TestACrowdOfWarrantsIsOneQuestion(t *testing.T) {
	const crowd = 250
	var questions atomic.Int64
	hold, asked := make(chan struct{}), make(chan struct{}, 1)
	w := &warrants{ask: func(_ context.Context, uses []string) (answer exchange.Warrants, err error) {
		questions.Add(1)
		if uses[0] == "first" {
			asked <- struct{}{}
			<-hold
		}
		require.LessOrEqual(t, len(uses), exchange.MaxWarrants)
		for _, use := range uses {
			j := exchange.Judged{Warrant: &exchange.Warrant{Use: exchange.Use{Case: use}}}
			if use == "bad" {
				j = exchange.Judged{Fault: exchange.ErrConsentRevoked}
			}
			answer.Answers = append(answer.Answers, j)
		}
		return answer, nil
	}}
	var all sync.WaitGroup
	all.Go(func() {
		got, err := w.of(t.Context(), "first")
		require.NoError(t, err)
		require.Equal(t, "first", got.Use.Case)
	})
	<-asked
	for i := range crowd {
		all.Go(func() {
			use := fmt.Sprint("use-", i)
			got, err := w.of(t.Context(), use)
			require.NoError(t, err)
			require.Equal(t, use, got.Use.Case)
		})
	}
	all.Go(func() {
		_, err := w.of(t.Context(), "bad")
		require.ErrorIs(t, err, exchange.ErrConsentRevoked)
	})
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err := w.of(gone, "gone")
	require.ErrorIs(t, err, context.Canceled)
	waiting := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.waiting)
	}
	for waiting() < crowd+2 {
	}
	close(hold)
	all.Wait()
	require.EqualValues(t, 1+3, questions.Load(), "252 of at most 100 each")
}

func TestWarrantsThatCannotBeAsked(t *testing.T) {
	down := errors.New("the peer is down")
	w := &warrants{ask: func(context.Context, []string) (exchange.Warrants, error) { return exchange.Warrants{}, down }}
	for range 2 {
		_, err := w.of(t.Context(), "use")
		require.ErrorIs(t, err, down)
	}
	w.ask = func(context.Context, []string) (exchange.Warrants, error) { return exchange.Warrants{}, nil }
	_, err := w.of(t.Context(), "use")
	require.Equal(t, "ledger.failed", fault.From(err).Reason)
}
