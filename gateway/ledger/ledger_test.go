package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/network/block"
)

var revoked = fault.New(fault.Refused, "certificate.already_revoked", "it is revoked already")

const dialFailure = `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:7: connect: connection refused"`

func chaincodeSays(f *fault.Fault) string {
	return fmt.Sprintf("chaincode response %d, %s", f.Status(), f.Wire())
}

// TestWhatBecomesOfAWrite pairs what can go wrong at each stage with the word for it, and with how often each stage ran.
func TestWhatBecomesOfAWrite(t *testing.T) {
	const tries = 3 // MaxRetries + 1
	always := func(err error) func(int) error { return func(int) error { return err } }
	code := func(codes ...block.Code) func(int) block.Code {
		return func(n int) block.Code { return codes[min(n, len(codes))-1] }
	}
	for _, c := range []struct {
		name                string
		arrange             func(*fakePeer)
		state               State
		reason              string // of the fault
		unsent              Stage
		endorsed, submitted int
	}{
		{"committed", func(*fakePeer) {}, Committed, "", "", 1, 1},

		{"own peer refuses", func(f *fakePeer) {
			f.endorse = always(rpc(codes.Aborted, "failed to endorse transaction, see attached details for more info", said("ServicesMSP", chaincodeSays(revoked))))
		}, Rejected, revoked.Reason, "", 1, 0},
		{"own peer and another refuse", func(f *fakePeer) {
			f.endorse = always(rpc(codes.Aborted, "failed", said("MarketMSP", chaincodeSays(fault.New(fault.Missing, "x.missing", ""))), said("ServicesMSP", chaincodeSays(revoked))))
		}, Rejected, revoked.Reason, "", 1, 0},
		{"something is over, as the command says when it is asked again", func(f *fakePeer) {
			late := fault.New(fault.Refused, kernel.ReasonOutOfTime, "it is over")
			f.endorse = func(n int) error {
				if n == 1 {
					return rpc(codes.Aborted, "failed", said("ServicesMSP", chaincodeSays(late)))
				}
				return rpc(codes.Aborted, "failed", said("ServicesMSP", chaincodeSays(revoked)))
			}
		}, Rejected, revoked.Reason, "", 2, 0},
		{"the own peer's clock is ahead", func(f *fakePeer) {
			f.endorse = always(rpc(codes.Aborted, "failed", said("ServicesMSP", chaincodeSays(fault.New(fault.Refused, kernel.ReasonOutOfTime, "it is over")))))
		}, Rejected, kernel.ReasonOutOfTime, "", tries, 0},
		{"another peer refuses, for it is behind", func(f *fakePeer) {
			f.endorse = func(n int) error {
				if n == 1 {
					return rpc(codes.Aborted, "failed to collect enough transaction endorsements", said("MarketMSP", chaincodeSays(revoked)))
				}
				return nil
			}
		}, Committed, "", "", 2, 1},
		{"another peer goes on refusing", func(f *fakePeer) {
			f.endorse = always(rpc(codes.Aborted, "failed to collect enough transaction endorsements", said("MarketMSP", chaincodeSays(revoked))))
		}, Rejected, revoked.Reason, "", tries, 0},
		{"results differ once", func(f *fakePeer) {
			f.endorse = func(n int) error {
				if n == 1 {
					return rpc(codes.Aborted, "failed to collect enough transaction endorsements", said("MarketMSP", "ProposalResponsePayloads do not match"))
				}
				return nil
			}
		}, Committed, "", "", 2, 1},
		{"results go on differing", func(f *fakePeer) {
			f.endorse = always(rpc(codes.Aborted, "failed to collect enough transaction endorsements", said("MarketMSP", "ProposalResponsePayloads do not match")))
		}, Rejected, ReasonDisagreed, "", tries, 0},
		{"endorsers are not there", func(f *fakePeer) {
			f.endorse = always(rpc(codes.FailedPrecondition, "no combination of peers can be derived which satisfy the endorsement policy"))
		}, "", "", Endorsing, 1, 0},
		{"the peer is overloaded", func(f *fakePeer) { f.endorse = always(rpc(codes.ResourceExhausted, "too many requests")) }, "", "", Endorsing, 1, 0},
		{"the contract answers gibberish", func(f *fakePeer) { f.answer = []byte(`{"idd":7}`) }, Rejected, ReasonUnreadable, "", 1, 0},

		{"the orderer refuses", func(f *fakePeer) {
			f.submit = always(rpc(codes.Aborted, "received unsuccessful response from orderer: status=FORBIDDEN"))
		}, Rejected, ReasonUnorderable, "", 1, 1},
		{"no orderer is known", func(f *fakePeer) { f.submit = always(rpc(codes.Unavailable, "no orderer nodes available")) }, "", "", Ordering, 1, 1},
		{"no orderer can be reached", func(f *fakePeer) {
			f.submit = always(rpc(codes.Unavailable, "no orderers could successfully process transaction", said("", dialFailure), said("", dialFailure)))
		}, "", "", Ordering, 1, 1},
		{"the peer turns the call away", func(f *fakePeer) { f.submit = always(rpc(codes.ResourceExhausted, "too many requests")) }, "", "", Ordering, 1, 1},
		{"an orderer hung up, and has it", func(f *fakePeer) {
			f.took = always(rpc(codes.Unavailable, "no orderers could successfully process transaction", said("", dialFailure), said("", "EOF")))
		}, Committed, "", "", 1, 1},
		{"an orderer hung up, and has it not", func(f *fakePeer) {
			f.silent, f.took = true, always(rpc(codes.Unavailable, "no orderers could successfully process transaction", said("", "EOF")))
		}, Unknown, "", "", 1, 1},
		{"the answer of the peer was lost", func(f *fakePeer) {
			f.silent, f.took = true, always(rpc(codes.Unavailable, "error reading from server: EOF"))
		}, Unknown, "", "", 1, 1},
		{"sending took too long", func(f *fakePeer) {
			f.silent, f.took = true, always(rpc(codes.DeadlineExceeded, "submit timeout expired"))
		}, Unknown, "", "", 1, 1},

		{"lost a race, then won", func(f *fakePeer) { f.code = code(block.MVCCConflict, block.Valid) }, Committed, "", "", 2, 2},
		{"lost a phantom race, then won", func(f *fakePeer) { f.code = code(block.PhantomRead, block.Valid) }, Committed, "", "", 2, 2},
		{"lost every race", func(f *fakePeer) { f.code = code(block.MVCCConflict) }, Rejected, ReasonContention, "", tries, tries},
		{"invalid for another reason", func(f *fakePeer) { f.code = code("ENDORSEMENT_POLICY_FAILURE") }, Rejected, ReasonInvalid, "", 1, 1},
		{"no block comes", func(f *fakePeer) { f.silent = true }, Unknown, "", "", 1, 1},
		{"no block comes, but the peer knows", func(f *fakePeer) {
			f.silent, f.status = true, func(string) (uint64, error) { return 7, nil }
		}, Committed, "", "", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, fake := newLedger(t, config.Limits{CommitTimeout: config.Duration(200 * time.Millisecond), MaxRetries: tries - 1})
			c.arrange(fake)
			outcome, err := l.Submit(context.Background(), signer, "certificate", "certificate:Revoke", kernel.Command{IdempotencyKey: "k", Request: json.RawMessage(`{}`)})
			endorsed, submitted, _ := fake.counts()
			require.Equal(t, []int{c.endorsed, c.submitted}, []int{endorsed, submitted})
			if c.unsent != "" {
				var unreachable *UnreachableError
				require.ErrorAs(t, err, &unreachable)
				require.Equal(t, c.unsent, unreachable.Stage)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.state, outcome.State, "%v", outcome.Fault)
			switch c.state {
			case Committed:
				require.Equal(t, "r1", outcome.Receipt.ID)
				require.NotEmpty(t, outcome.Tx)
				require.NotZero(t, outcome.Block)
				require.Nil(t, outcome.Fault)
			case Rejected:
				require.Equal(t, c.reason, outcome.Fault.Reason)
				require.Equal(t, outcome.Block > 0, outcome.Tx != "", "a transaction is named only if it can be looked up")
			case Unknown:
				require.NotEmpty(t, outcome.Tx)
				require.Zero(t, outcome.Receipt)
				require.Nil(t, outcome.Fault)
			}
		})
	}
}

func TestLostStreamAsksThePeer(t *testing.T) {
	for _, name := range []string{"before", "while waiting"} {
		t.Run(name, func(t *testing.T) {
			l, fake := newLedger(t, config.Limits{})
			fake.silent, fake.status = true, func(string) (uint64, error) { return 12, nil }
			lose := func() { fake.commits.SetLive(false) }
			if name == "before" {
				lose()
			} else {
				time.AfterFunc(50*time.Millisecond, lose)
			}
			outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{})
			require.NoError(t, err)
			require.Equal(t, Committed, outcome.State)
			require.EqualValues(t, 12, outcome.Block)
			_, _, asked := fake.counts()
			require.Equal(t, 1, asked)
		})
	}
}

// An orderer that dies takes with it what it told nobody of: the write is handed over again, soon where another has
// overtaken it.
func TestALostTransactionIsHandedOverAgain(t *testing.T) {
	for _, table := range []struct {
		name            string
		others          bool
		answer          error // of the peer, the first time
		earliest, until time.Duration
	}{
		{"the peer does not know who has it", false, rpc(codes.Unavailable, "no orderers could successfully process transaction", said("", "EOF")), missedEvery, unheardPatience},
		{"overtaken by another", true, nil, overtakenBy, unheardPatience},
		{"nothing is heard of any", false, nil, unheardPatience, 2 * unheardPatience},
	} {
		t.Run(table.name, func(t *testing.T) {
			t.Parallel()
			l, fake := newLedger(t, config.Limits{CommitTimeout: config.Duration(time.Minute)})
			fake.submit = func(n int) error { fake.silent = n == 1; return nil }
			fake.took = func(n int) error {
				if n == 1 {
					return table.answer
				}
				return nil
			}
			began, ended := time.Now(), make(chan time.Duration, 1)
			go func() {
				outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: "lost"})
				assert.NoError(t, err)
				assert.Equal(t, Committed, outcome.State)
				ended <- time.Since(began)
			}()
			others := 0
			for table.others && len(ended) == 0 {
				time.Sleep(overtakenBy / 4)
				_, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: fmt.Sprint("other", others)})
				require.NoError(t, err)
				others++
			}
			took := <-ended
			require.GreaterOrEqual(t, took, table.earliest)
			require.Less(t, took, table.until)
			endorsed, submitted, _ := fake.counts()
			require.Equal(t, 1+others, endorsed, "it is the same transaction")
			require.Equal(t, 2+others, submitted)
		})
	}
}

func TestStreamThatComesBackStillCounts(t *testing.T) {
	l, fake := newLedger(t, config.Limits{})
	fake.silent, fake.status = true, func(string) (uint64, error) { return 0, rpc(codes.Unavailable, "not now") }
	fake.commits.SetLive(false)
	fake.sent = make(chan string, 1)
	go func() {
		tx := <-fake.sent
		for asked := 0; asked == 0; _, _, asked = fake.counts() {
			time.Sleep(time.Millisecond)
		}
		fake.commits.SetLive(true)
		fake.commits.Resolve(3, []block.Outcome{{ID: tx, Code: block.Valid}})
	}()
	outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{})
	require.NoError(t, err)
	require.Equal(t, Committed, outcome.State)
	require.EqualValues(t, 3, outcome.Block)
}

func TestCallerWhoGivesUp(t *testing.T) {
	t.Run("before anything is sent", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{})
		ctx, cancel := context.WithCancel(context.Background())
		fake.endorse = func(int) error { cancel(); time.Sleep(20 * time.Millisecond); return nil }
		_, err := l.Submit(ctx, signer, "exchange", "f:F", kernel.Command{})
		require.ErrorIs(t, err, context.Canceled)
		_, submitted, _ := fake.counts()
		require.Zero(t, submitted)
	})
	t.Run("while it is being sent", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{})
		ctx, cancel := context.WithCancel(context.Background())
		fake.silent = true
		fake.submit = func(int) error { cancel(); time.Sleep(20 * time.Millisecond); return nil }
		outcome, err := l.Submit(ctx, signer, "exchange", "f:F", kernel.Command{})
		require.NoError(t, err)
		require.Equal(t, Unknown, outcome.State)
		require.NotEmpty(t, outcome.Tx)
	})
	t.Run("between two tries", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{MaxRetries: 1000})
		ctx, cancel := context.WithCancel(context.Background())
		fake.code = func(int) block.Code { return block.MVCCConflict }
		fake.took = func(int) error { cancel(); return nil }
		outcome, err := l.Submit(ctx, signer, "exchange", "f:F", kernel.Command{})
		require.NoError(t, err)
		require.Contains(t, []State{Unknown, Rejected}, outcome.State, "what the caller can look up was not committed")
		time.Sleep(3 * firstPause)
		_, submitted, _ := fake.counts()
		require.Equal(t, 1, submitted, "it is not sent again under another name")
	})
}

func TestReplayIsNotOrdered(t *testing.T) {
	l, fake := newLedger(t, config.Limits{})
	fake.answer = []byte(`{"id":"r1","status":"open","version":1,"at":"2026-03-01T08:00:00Z","tx_id":"first","replayed":true}`)
	fake.status = func(tx string) (uint64, error) {
		if tx != "first" {
			return 0, errors.New("another transaction was asked for")
		}
		return 5, nil
	}
	outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{})
	require.NoError(t, err)
	require.Equal(t, Committed, outcome.State)
	require.Equal(t, "first", outcome.Tx)
	require.EqualValues(t, 5, outcome.Block)
	_, submitted, _ := fake.counts()
	require.Zero(t, submitted)
}

func TestBatch(t *testing.T) {
	receipt := `{"receipt":{"id":"%s","status":"open","version":1,"at":"2026-03-01T08:00:00Z","tx_id":"t"}}`
	mixed := []byte(`{"outcomes":[` + fmt.Sprintf(receipt, "a") + `,{"fault":` + revoked.Wire() + `},` + fmt.Sprintf(receipt, "c") + `]}`)
	submit := func(l *Ledger) ([]Outcome, error) {
		return l.SubmitBatch(context.Background(), signer, "certificate", kernel.Batch{Commands: make([]kernel.BatchCommand, 3)})
	}
	states := func(outcomes []Outcome) (all []State) {
		for _, o := range outcomes {
			all = append(all, o.State)
		}
		return all
	}
	t.Run("each command has its own", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{})
		fake.answer = mixed
		outcomes, err := submit(l)
		require.NoError(t, err)
		require.Equal(t, []State{Committed, Rejected, Committed}, states(outcomes))
		require.ErrorIs(t, outcomes[1].Fault, revoked)
	})
	t.Run("unknown together", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{CommitTimeout: config.Duration(50 * time.Millisecond)})
		fake.answer, fake.silent = mixed, true
		outcomes, err := submit(l)
		require.NoError(t, err)
		require.Equal(t, []State{Unknown, Unknown, Unknown}, states(outcomes))
	})
	t.Run("rejected together", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{})
		fake.endorse = func(int) error { return rpc(codes.Aborted, "failed", said("ServicesMSP", chaincodeSays(revoked))) }
		outcomes, err := submit(l)
		require.NoError(t, err)
		require.Equal(t, []State{Rejected, Rejected, Rejected}, states(outcomes))
	})
	t.Run("all refused is not ordered", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{})
		one := `{"fault":` + revoked.Wire() + `}`
		fake.answer = []byte(`{"outcomes":[` + one + `,` + one + `,` + one + `]}`)
		outcomes, err := submit(l)
		require.NoError(t, err)
		require.Equal(t, []State{Rejected, Rejected, Rejected}, states(outcomes))
		require.Empty(t, outcomes[0].Tx)
		_, submitted, _ := fake.counts()
		require.Zero(t, submitted)
	})
	t.Run("an answer too few", func(t *testing.T) {
		l, fake := newLedger(t, config.Limits{})
		fake.answer = []byte(`{"outcomes":[]}`)
		outcomes, err := submit(l)
		require.NoError(t, err)
		require.Equal(t, ReasonUnreadable, outcomes[0].Fault.Reason)
	})
}

func TestEvaluate(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer string
		err    error
		reason string
		unsent bool
	}{
		{name: "answered", answer: `{"n":7}`},
		{name: "a fault in the message", err: rpc(codes.Unknown, "evaluate call to endorser returned error: "+chaincodeSays(revoked)), reason: revoked.Reason},
		{name: "a fault in the details", err: rpc(codes.Unknown, "evaluate call failed", said("ServicesMSP", chaincodeSays(revoked))), reason: revoked.Reason},
		{name: "gibberish", answer: `[`, reason: ReasonUnreadable},
		{name: "not there", err: rpc(codes.Unavailable, "no peers"), unsent: true},
		{name: "too slow", err: rpc(codes.DeadlineExceeded, "evaluate timeout expired"), unsent: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, fake := newLedger(t, config.Limits{})
			fake.evaluate = func() ([]byte, error) { return []byte(c.answer), c.err }
			var answer struct{ N int }
			err := l.Evaluate(context.Background(), signer, "certificate", "certificate:Get", kernel.ByID{ID: "x"}, &answer)
			var f *fault.Fault
			var unreachable *UnreachableError
			switch {
			case c.reason != "":
				require.ErrorAs(t, err, &f)
				require.Equal(t, c.reason, f.Reason)
			case c.unsent:
				require.ErrorAs(t, err, &unreachable)
			default:
				require.NoError(t, err)
				require.Equal(t, 7, answer.N)
			}
		})
	}
}

func TestPeerThatIsNotThere(t *testing.T) {
	l := newLedgerAt(t, config.Limits{}, follow.NewCommits(), "127.0.0.1:1")
	_, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{})
	var unreachable *UnreachableError
	require.ErrorAs(t, err, &unreachable)
	require.Equal(t, Endorsing, unreachable.Stage)
	_, _, err = l.Look(context.Background(), "tx")
	require.ErrorAs(t, err, &unreachable)
	_, err = l.Tip(context.Background())
	require.ErrorAs(t, err, &unreachable)
	for _, err := range l.Blocks(context.Background(), 0, NoEnd) {
		require.Error(t, err)
	}
}

func TestSeats(t *testing.T) {
	for _, limits := range []config.Limits{{MaxInFlight: 2}, {MaxInFlight: 100, MaxInFlightBytes: 300}} {
		l, fake := newLedger(t, limits)
		fake.silent, fake.sent = true, make(chan string, 10)
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() {
				outcome, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: fmt.Sprint(i), Request: json.RawMessage(`{"text":"` + strings.Repeat("x", 80) + `"}`)})
				require.NoError(t, err)
				require.Equal(t, Committed, outcome.State)
			})
		}
		require.Eventually(t, func() bool { return l.commands.Load() == 2 }, time.Second, time.Millisecond)
		_, err := l.Submit(context.Background(), signer, "exchange", "f:F", kernel.Command{IdempotencyKey: "k", Request: json.RawMessage(`{"text":"` + strings.Repeat("x", 80) + `"}`)})
		var f *fault.Fault
		require.ErrorAs(t, err, &f)
		require.Equal(t, ReasonBusy, f.Reason, "at once: what waits is in memory")
		go func() {
			for n := uint64(1); ; n++ {
				fake.commits.Resolve(n, []block.Outcome{{ID: <-fake.sent, Code: block.Valid}})
			}
		}()
		all.Wait()
		require.Zero(t, l.commands.Load())
		require.Zero(t, l.bytes.Load())
	}
}

func TestNotServed(t *testing.T) {
	l, _ := newLedger(t, config.Limits{})
	_, err := l.Submit(context.Background(), Signer{Agency: "market.tax", Role: "agency"}, "exchange", "f:F", kernel.Command{})
	var f *fault.Fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, ReasonNotServed, f.Reason)
	require.ErrorAs(t, l.Evaluate(context.Background(), Signer{}, "exchange", "f:F", kernel.Nothing{}, nil), &f)
}

func TestLook(t *testing.T) {
	l, fake := newLedger(t, config.Limits{})
	fake.status = func(string) (uint64, error) { return 9, nil }
	commit, found, err := l.Look(context.Background(), "tx")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, follow.Commit{Tx: "tx", Block: 9, Code: block.Valid}, commit)
	fake.mu.Lock()
	fake.status = nil // the peer waits for a transaction it does not know
	fake.mu.Unlock()
	_, found, err = l.Look(context.Background(), "tx")
	require.NoError(t, err)
	require.False(t, found)
}

func TestEndorseEverywhere(t *testing.T) {
	l, fake := newLedger(t, config.Limits{})
	require.NoError(t, l.EndorseEverywhere(context.Background(), "exchange", "certificate"))
	require.Equal(t, []string{"ServicesMSP", "MarketMSP"}, fake.orgs)
	fake.endorse = func(n int) error {
		return rpc(codes.Aborted, "failed to collect enough transaction endorsements", said("MarketMSP", dialFailure))
	}
	require.ErrorContains(t, l.EndorseEverywhere(context.Background(), "exchange"), "exchange: not every organisation endorses")
}

func TestBlocks(t *testing.T) {
	l, fake := newLedger(t, config.Limits{})
	send := func(stream peer.Deliver_DeliverServer, n uint64) error {
		return stream.Send(&peer.DeliverResponse{Type: &peer.DeliverResponse_Block{Block: &common.Block{Header: &common.BlockHeader{Number: n}}}})
	}
	collect := func(to uint64) (numbers []uint64, last error) {
		for b, err := range l.Blocks(context.Background(), 0, to) {
			if err != nil {
				last = err
				continue
			}
			numbers = append(numbers, b.GetHeader().GetNumber())
		}
		return numbers, last
	}
	fake.deliver = func(stream peer.Deliver_DeliverServer) error {
		for n := range uint64(math.MaxUint32) {
			if err := send(stream, n); err != nil {
				return err
			}
		}
		return nil
	}
	numbers, err := collect(3)
	require.NoError(t, err)
	require.Equal(t, []uint64{0, 1, 2, 3}, numbers)

	fake.deliver = func(stream peer.Deliver_DeliverServer) error {
		return stream.Send(&peer.DeliverResponse{Type: &peer.DeliverResponse_Status{Status: common.Status_FORBIDDEN}})
	}
	_, err = collect(3)
	require.ErrorContains(t, err, "FORBIDDEN")

	fake.deliver = func(stream peer.Deliver_DeliverServer) error { return send(stream, 0) }
	numbers, err = collect(3)
	require.ErrorContains(t, err, "ended the block stream")
	require.Equal(t, []uint64{0}, numbers)
}
