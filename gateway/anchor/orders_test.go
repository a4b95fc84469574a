package anchor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

var customs = By{Agency: "market.customs", Role: "officer", Staff: "C1"}

// jobsIn opens a gateway's jobs with an archive in a folder.
func jobsIn(t *testing.T, folder string) *Jobs {
	t.Helper()
	jobs, err := NewJobs(filepath.Join(folder, "archive"), "", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return jobs
}

// with gives a ledger to the jobs that are resumed, and collects their orders.
func with(ledger Ledger, orders *[]*Order) func(*Order) (Ledger, Extract, error) {
	return func(o *Order) (Ledger, Extract, error) {
		*orders = append(*orders, o)
		return ledger, nil, nil
	}
}

// TestAJobGoesOnAfterTheGatewayWasKilled: nobody starts it again, and it comes to its end for whom it was started.
func TestAJobGoesOnAfterTheGatewayWasKilled(t *testing.T) {
	if folder := os.Getenv("ANCHOR_JOBS"); folder != "" { // in a process that is killed: the ledger takes two batches
		jobs, ledger := jobsIn(t, folder), &journal{path: filepath.Join(folder, "ledger")}
		require.NoError(t, jobs.Start(two{ledger}, customs, Request{Dataset: dataset, Files: []string{filepath.Join(folder, "clearance.csv")}, BatchSize: 256}))
		time.Sleep(time.Minute)
		return
	}
	folder := t.TempDir()
	_, good := csvFile(t, folder, 5000)
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	process.Env = append(os.Environ(), "ANCHOR_JOBS="+folder)
	require.NoError(t, process.Start())
	ledger := &journal{path: filepath.Join(folder, "ledger")}
	require.Eventually(t, func() bool { return len(ledger.all()) == 2 }, 20*time.Second, time.Millisecond)
	require.NoError(t, process.Process.Signal(syscall.SIGKILL))
	require.Error(t, process.Wait())

	jobs := jobsIn(t, folder)
	var orders []*Order
	require.NoError(t, jobs.Resume(with(ledger, &orders)))
	require.Len(t, orders, 1)
	require.Equal(t, customs, orders[0].By)
	job := settled(t, jobs)
	require.Equal(t, [3]any{Done, good, 1}, [3]any{job.State, job.Records, job.Resumed})
	require.NoError(t, jobs.Close())

	orders = nil
	jobs = jobsIn(t, folder)
	require.NoError(t, jobs.Resume(with(ledger, &orders)))
	require.Empty(t, orders, "it has come to its end")
	require.NoError(t, jobs.Close())
}

// two is a ledger that takes two batches and is out of reach for the third.
type two struct{ *journal }

func (l two) Anchor(ctx context.Context, key string, r exchange.CreateAnchor) (Receipt, error) {
	if r.Position > 2 {
		return Receipt{}, Temporary{errors.New("connection refused")}
	}
	return l.journal.Anchor(ctx, key, r)
}

// TestWhichJobsGoOn: one that ended with its gateway does; one that somebody stopped, that failed, or that gateways die of
// does not.
func TestWhichJobsGoOn(t *testing.T) {
	folder := t.TempDir()
	path, _ := csvFile(t, folder, 2000)
	ledger := &journal{path: filepath.Join(folder, "ledger")}
	request := Request{Dataset: dataset, Files: []string{path}, BatchSize: 256}
	var orders []*Order
	resumed := func(ledger Ledger) (*Jobs, int) {
		t.Helper()
		orders = nil
		jobs := jobsIn(t, folder)
		require.NoError(t, jobs.Resume(with(ledger, &orders)))
		return jobs, len(orders)
	}
	state := func(jobs *Jobs) Job {
		job, _, err := jobs.Job(dataset)
		require.NoError(t, err)
		return job
	}
	begun := func(jobs *Jobs) {
		t.Helper()
		require.Eventually(t, func() bool { return state(jobs).Batches > 0 }, 10*time.Second, time.Millisecond)
	}

	jobs := jobsIn(t, folder)
	require.NoError(t, jobs.Start(silent{ledger}, customs, request))
	begun(jobs)
	for range 2 * MaxLost { // gateways that are stopped are none that die
		require.NoError(t, jobs.Close())
		var n int
		jobs, n = resumed(silent{ledger})
		require.Equal(t, 1, n)
		require.Equal(t, Running, state(jobs).State)
	}
	require.Equal(t, 2*MaxLost, state(jobs).Resumed)
	job, err := jobs.Stop(t.Context(), dataset)
	require.NoError(t, err)
	require.Equal(t, Stopped, job.State)
	require.NoError(t, jobs.Close())
	jobs, n := resumed(ledger)
	require.Zero(t, n, "somebody stopped it")

	require.NoError(t, jobs.keepOrder(request.order(customs)))
	job, err = jobs.Stop(t.Context(), dataset)
	require.NoError(t, err)
	require.Equal(t, Stopped, job.State)
	require.NoError(t, jobs.Close())
	jobs, n = resumed(ledger)
	require.Zero(t, n, "somebody stopped it before it was resumed")

	request.Patience = time.Millisecond
	require.NoError(t, jobs.Start(silent{ledger}, customs, request))
	require.Equal(t, Failed, settled(t, jobs).State)
	require.NoError(t, jobs.Close())
	jobs, n = resumed(ledger)
	require.Zero(t, n, "it has failed, and somebody was told")

	// What is left behind by processes that die: the order as it was when the job began.
	order := request.order(customs)
	for range MaxLost {
		require.NoError(t, jobs.Close())
		require.NoError(t, jobs.keepOrder(order))
		jobs, n = resumed(silent{ledger})
		require.Equal(t, 1, n)
		require.Equal(t, Running, state(jobs).State)
		begun(jobs)
		order.Lost, order.Resumed = orders[0].Lost, orders[0].Resumed
	}
	require.NoError(t, jobs.Close())
	require.NoError(t, jobs.keepOrder(order))
	jobs, n = resumed(ledger)
	require.Equal(t, 1, n)
	job = state(jobs)
	require.Equal(t, [2]string{Failed, "anchor.interrupted"}, [2]string{job.State, job.Failure.Reason})
	require.Positive(t, job.Batches, "it is seen how far it came")
	require.NoError(t, jobs.Close())
	jobs, n = resumed(ledger)
	require.Zero(t, n)
	require.NoError(t, jobs.Start(ledger, customs, request), "somebody has seen to it")
	require.Equal(t, Done, settled(t, jobs).State)
	require.NoError(t, jobs.Close())
}
