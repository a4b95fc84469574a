package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/ledger"
	readmodel "github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/audit"
)

func TestOnARealNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	c := build(t, nil)
	require.NoError(t, c.ledger.EndorseEverywhere(t.Context(), exchange.Name, collaboration.Name, certificate.Name))
	for _, step := range []struct {
		name string
		run  func(*city)
	}{
		{"a write is committed and can be read", writeAndRead},
		{"the same again is the first receipt, and no transaction", replay},
		{"other content under the key is a conflict", conflict},
		{"a batch has an outcome for each command", batch},
		{"writes that collide are tried again", collide},
		{"who asks another gateway's identity is told so", notServed},
		{"queries answer, or say what is missing", evaluate},
		{"what belongs to an agency changes only with its organisation's peer", ownersEndorse},
		{"a restarted gateway goes on", restart},
		{"a renewed certificate is taken into use, and nothing under way is lost", renewed},
		{"a key in a hardware security module signs", inHardware},
		{"without orderers nothing is claimed", orderersGone},
		{"without the peer nothing is claimed, and everything acknowledged is there once", peerGone},
		{"the chain of hashes is whole", chainIsWhole},
	} {
		passed := t.Run(step.name, func(sub *testing.T) {
			c.T = sub
			defer func() { c.T = t }()
			step.run(c)
		})
		if !passed {
			return
		}
	}
}

func writeAndRead(c *city) {
	outcome := c.submit("register", exchange.Name, exchange.AgencyRegister, agency(c, "hall"))
	require.Equal(c, ledger.Committed, outcome.State)
	require.Equal(c, "services.hall", outcome.Receipt.ID)
	require.Equal(c, exchange.Registered, outcome.Receipt.Status)
	require.Equal(c, outcome.Tx, outcome.Receipt.Tx)
	require.False(c, outcome.Receipt.Replayed)

	store := c.projection.Store()
	require.NoError(c, store.WaitBlock(c.Context(), outcome.Block))
	record, found, err := store.Get(c.Context(), "agency", "services.hall")
	require.NoError(c, err)
	require.True(c, found)
	require.Equal(c, outcome.Tx, record.Tx)
	require.Equal(c, outcome.Block, record.Block)
	tx, found, err := store.Transaction(c.Context(), outcome.Tx)
	require.NoError(c, err)
	require.True(c, found)
	require.Equal(c, []string{"VALID", "services.hall", "admin", exchange.AgencyRegister}, []string{tx.Code, tx.Agency, tx.Role, tx.Function})
	require.Len(c, tx.Endorsers, 2, "as many as the policy asks for, and no more")
	require.Equal(c, c.config.MSP, tx.Endorsers[0])
	changes, _, err := store.Changes(c.Context(), readmodel.ChangeQuery{Type: exchange.EventAgencyRegistered})
	require.NoError(c, err)
	require.Len(c, changes, 1)
}

func replay(c *city) {
	request := certificateType("replayed")
	first := c.submit("t-1", certificate.Name, certificate.TypePublish, request)
	require.Equal(c, ledger.Committed, first.State)
	before := c.height()
	again := c.submit("t-1", certificate.Name, certificate.TypePublish, request)
	require.Equal(c, ledger.Committed, again.State)
	require.True(c, again.Receipt.Replayed)
	require.Equal(c, first.Tx, again.Tx)
	require.Equal(c, first.Block, again.Block)
	require.Equal(c, first.Receipt.At, again.Receipt.At)
	require.Equal(c, before, c.height(), "nothing was ordered")
}

func conflict(c *city) {
	before := c.height()
	outcome := c.submit("t-1", certificate.Name, certificate.TypePublish, func() certificate.PublishType {
		other := certificateType("replayed")
		other.ValidDays++
		return other
	}())
	require.Equal(c, ledger.Rejected, outcome.State)
	require.Equal(c, fault.Conflict, outcome.Fault.Kind)
	require.Equal(c, "idempotency_key", outcome.Fault.Field)
	require.Empty(c, outcome.Tx)
	require.Equal(c, before, c.height())
}

func batch(c *city) {
	var b kernel.Batch
	wrong := certificateType("batch-wrong")
	wrong.Code = "Not A Code"
	for i, request := range []certificate.PublishType{certificateType("batch-1"), wrong, certificateType("batch-2"), certificateType("replayed")} {
		key := fmt.Sprintf("b-%d", i)
		if i == 3 {
			key = "t-1" // done before
		}
		b.Commands = append(b.Commands, kernel.BatchCommand{Function: certificate.TypePublish, Command: command(c, key, request)})
	}
	outcomes, err := c.ledger.SubmitBatch(c.Context(), hallAdmin, certificate.Name, b)
	require.NoError(c, err)
	require.Equal(c, []ledger.State{ledger.Committed, ledger.Rejected, ledger.Committed, ledger.Committed},
		[]ledger.State{outcomes[0].State, outcomes[1].State, outcomes[2].State, outcomes[3].State})
	require.Equal(c, outcomes[0].Tx, outcomes[2].Tx, "one transaction")
	require.Contains(c, outcomes[1].Fault.Field, "code")
	require.True(c, outcomes[3].Receipt.Replayed)
	require.NotEqual(c, outcomes[0].Tx, outcomes[3].Tx)

	before := c.height()
	again, err := c.ledger.SubmitBatch(c.Context(), hallAdmin, certificate.Name, b)
	require.NoError(c, err)
	require.Equal(c, before, c.height(), "nothing new, nothing ordered")
	require.Equal(c, outcomes[0].Tx, again[0].Tx)
	require.Equal(c, outcomes[0].Block, again[0].Block)
	require.Equal(c, ledger.Rejected, again[1].State)
}

// collide lets many writes change one record at once: each reads it first, so all but one of a block lose.
func collide(c *city) {
	const writers = 6
	before := c.retries()
	outcomes := make([]ledger.Outcome, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			outcome, err := c.ledger.Submit(c.Context(), hallAdmin, exchange.Name, exchange.AgencyAssign,
				command(c, fmt.Sprintf("assign-%d", i), exchange.AssignDuties{Agency: "services.hall", Duties: []string{exchange.DutyPortal}}))
			if err != nil {
				outcome.Fault = fault.From(err)
			}
			outcomes[i] = outcome
		})
	}
	all.Wait()
	versions, lost := map[int]bool{}, 0
	for _, o := range outcomes {
		if o.State == ledger.Committed {
			versions[o.Receipt.Version] = true
			continue
		}
		lost++ // every try collided: told so, and nothing written
		require.Equal(c, ledger.Rejected, o.State, "%v", o.Fault)
		require.Contains(c, []string{ledger.ReasonContention, ledger.ReasonDisagreed}, o.Fault.Reason)
	}
	require.Len(c, versions, writers-lost, "no update is lost: every committed write made a version of its own")
	require.Greater(c, len(versions), 1)
	require.Greater(c, c.retries(), before)
	var agency exchange.Agency
	require.NoError(c, c.ledger.Evaluate(c.Context(), hallAdmin, exchange.Name, "agency:Get", kernel.ByID{ID: "services.hall"}, &agency))
	require.Equal(c, 1+len(versions), agency.Version)
}

func notServed(c *city) {
	_, err := c.ledger.Submit(c.Context(), ledger.Signer{Agency: "market.tax", Role: access.Agency}, exchange.Name, exchange.UseRequest, command(c, "k", struct{}{}))
	var f *fault.Fault
	require.ErrorAs(c, err, &f)
	require.Equal(c, ledger.ReasonNotServed, f.Reason)
}

func evaluate(c *city) {
	var page struct {
		Items []certificate.Type `json:"items"`
	}
	require.NoError(c, c.ledger.Evaluate(c.Context(), policeAdmin, certificate.Name, "type:List", kernel.Listing{}, &page))
	require.Len(c, page.Items, 3)
	err := c.ledger.Evaluate(c.Context(), policeAdmin, certificate.Name, "type:Get", kernel.ByID{ID: "nothing"}, nil)
	var f *fault.Fault
	require.ErrorAs(c, err, &f)
	require.Equal(c, fault.Missing, f.Kind)
	ended, cancel := context.WithCancel(c.Context())
	cancel()
	require.ErrorIs(c, c.ledger.Evaluate(ended, policeAdmin, certificate.Name, "type:List", kernel.Listing{}, &page), context.Canceled)
}

func restart(c *city) {
	c.stop()
	c.start()
	_, found, err := c.projection.Store().Get(c.Context(), "agency", "services.hall")
	require.NoError(c, err)
	require.True(c, found)
	require.Equal(c, ledger.Committed, c.submit("after-restart", certificate.Name, certificate.TypePublish, certificateType("after-restart")).State)
}

func orderersGone(c *city) {
	for _, org := range []string{"services", "planning", "market"} {
		c.kill(c.pid(org + "-orderer0"))
	}
	request, before := certificateType("no-orderer"), c.height()
	outcome, err := c.ledger.Submit(c.Context(), hallAdmin, certificate.Name, certificate.TypePublish, command(c, "no-orderer", request))
	if err == nil { // some orderer may have had it: unknown, never committed
		require.Equal(c, ledger.Unknown, outcome.State)
		require.NotEmpty(c, outcome.Tx)
		_, found, err := c.ledger.Look(c.Context(), outcome.Tx)
		require.NoError(c, err)
		require.False(c, found)
	} else {
		var unreachable *ledger.UnreachableError
		require.ErrorAs(c, err, &unreachable)
		require.Equal(c, ledger.Ordering, unreachable.Stage)
	}
	require.Equal(c, before, c.height())
	require.NoError(c, c.ledger.Evaluate(c.Context(), hallAdmin, exchange.Name, "agency:Get", kernel.ByID{ID: "services.hall"}, nil), "reading goes on")
	require.NoError(c, c.network.Up(c.Context()))
	c.eventually("the same request is committed once there are orderers again", func() bool {
		outcome, err := c.ledger.Submit(c.Context(), hallAdmin, certificate.Name, certificate.TypePublish, command(c, "no-orderer", request))
		return err == nil && outcome.State == ledger.Committed
	})
}

// peerGone kills the own peer once some of many writes are acknowledged, brings it back and repeats every write.
func peerGone(c *city) {
	const writers, acknowledged = 40, 10
	pid, answers := c.pid("services-peer0"), make(chan struct{}, writers)
	outcomes, failures := make([]ledger.Outcome, writers), make([]error, writers)
	request := func(i int) certificate.PublishType { return certificateType(fmt.Sprintf("storm-%d", i)) }
	key := func(i int) string { return fmt.Sprintf("storm-%d", i) }
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			time.Sleep(time.Duration(i) * 25 * time.Millisecond)
			outcomes[i], failures[i] = c.ledger.Submit(c.Context(), hallAdmin, certificate.Name, certificate.TypePublish, command(c, key(i), request(i)))
			answers <- struct{}{}
		})
	}
	for range acknowledged {
		<-answers
	}
	c.kill(pid)
	all.Wait()
	require.Error(c, c.follower.Ready(c.Context(), 1000, time.Minute))
	var unreachable *ledger.UnreachableError
	require.ErrorAs(c, c.ledger.Evaluate(c.Context(), hallAdmin, exchange.Name, "agency:Get", kernel.ByID{ID: "services.hall"}, nil), &unreachable)
	counts := map[string]int{}
	for i, err := range failures {
		if err == nil {
			counts[string(outcomes[i].State)]++
			require.NotEqual(c, ledger.Rejected, outcomes[i].State, "%v", outcomes[i].Fault)
			continue
		}
		counts["unsent"]++
		require.True(c, errors.As(err, &unreachable), "%v", err)
	}
	c.Log("while the peer was killed: ", counts)
	require.Positive(c, counts["committed"])
	require.Positive(c, counts["unsent"])

	require.NoError(c, c.network.Up(c.Context()))
	c.eventually("the stream is taken up again", func() bool { return c.follower.Ready(c.Context(), 0, time.Minute) == nil })
	for i := range writers {
		var again ledger.Outcome
		c.eventually("the request can be repeated", func() (done bool) {
			outcome, err := c.ledger.Submit(c.Context(), hallAdmin, certificate.Name, certificate.TypePublish, command(c, key(i), request(i)))
			again = outcome
			return err == nil && outcome.State == ledger.Committed
		})
		switch {
		case failures[i] != nil:
			require.False(c, again.Receipt.Replayed, "what was said not to be sent is not on the ledger")
		case outcomes[i].State == ledger.Committed:
			require.True(c, again.Receipt.Replayed, "what was acknowledged is on the ledger")
			require.Equal(c, outcomes[i].Tx, again.Tx)
		case again.Receipt.Replayed:
			require.Equal(c, outcomes[i].Tx, again.Tx, "what was unknown was committed, as itself")
		}
		store := c.projection.Store()
		require.NoError(c, store.WaitBlock(c.Context(), again.Block))
		past, _, err := store.History(c.Context(), "type", request(i).Code, 0, "")
		require.NoError(c, err)
		require.Len(c, past, 1, "once")
	}
}

func chainIsWhole(c *city) {
	tip := c.height()
	report, err := audit.Check(c.Context(), c.ledger, 0, tip, nil)
	require.NoError(c, err)
	require.True(c, report.Intact(), "%v", report.Failure)
	require.Equal(c, tip+1, report.Blocks)
	last, err := c.ledger.Tip(c.Context())
	require.NoError(c, err)
	require.Equal(c, fmt.Sprintf("%x", last.Hash), report.LastHash, "as the peer itself has it")
	require.NoError(c, c.projection.Store().WaitBlock(c.Context(), tip))
	hash, _, err := c.projection.Store().HashAt(c.Context(), tip)
	require.NoError(c, err)
	require.Equal(c, last.Hash, hash)
	raw, err := c.ledger.Block(c.Context(), tip)
	require.NoError(c, err)
	require.Equal(c, tip, raw.GetHeader().GetNumber())
}
