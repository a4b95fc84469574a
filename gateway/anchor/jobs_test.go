package anchor

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// settled waits until a dataset's job does not run any more.
func settled(t *testing.T, jobs *Jobs) Job {
	for {
		job, changed, err := jobs.Job(dataset)
		require.NoError(t, err)
		if changed == nil {
			return job
		}
		<-changed
	}
}

func TestJobs(t *testing.T) {
	folder := t.TempDir()
	inbox := filepath.Join(folder, "inbox")
	require.NoError(t, os.MkdirAll(filepath.Join(inbox, "market.customs", "may"), 0o700))
	path, good := csvFile(t, filepath.Join(inbox, "market.customs", "may"), 5000)
	start := func() *Jobs {
		jobs, err := NewJobs(filepath.Join(folder, "archive"), inbox, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		return jobs
	}
	jobs, ledger := start(), &journal{path: filepath.Join(folder, "ledger")}
	_, _, err := jobs.Job(dataset)
	require.ErrorIs(t, err, ErrNoJob)
	for _, name := range []string{"../../ledger", "/etc/passwd", "may", "absent.csv"} {
		_, err := jobs.Files("market.customs", []string{name})
		require.ErrorIs(t, err, ErrNoFile, name)
	}
	files, err := jobs.Files("market.customs", []string{"may/clearance.csv"})
	require.NoError(t, err)
	require.Equal(t, []string{path}, files)

	request := Request{Dataset: dataset, Files: files, BatchSize: 256}
	require.NoError(t, jobs.Start(silent{ledger}, customs, request)) // which does not get further than the first batch
	require.NoError(t, jobs.Start(ledger, customs, request), "the same again is the same job")
	require.ErrorIs(t, jobs.Start(ledger, customs, Request{Dataset: dataset, Files: files, Format: CSV}), ErrBusy)
	require.Eventually(t, func() bool {
		job, _, err := jobs.Job(dataset)
		require.NoError(t, err)
		return job.Batches > 0
	}, 10*time.Second, time.Millisecond)
	job, err := jobs.Stop(t.Context(), dataset)
	require.NoError(t, err)
	require.Equal(t, Stopped, job.State)
	require.Nil(t, job.Failure)

	require.NoError(t, jobs.Start(silent{ledger}, customs, Request{Dataset: dataset, Files: files, BatchSize: 256, Patience: time.Millisecond}))
	job = settled(t, jobs)
	require.Equal(t, Failed, job.State)
	require.Equal(t, "anchor.ledger_unreachable", job.Failure.Reason)
	require.NoError(t, jobs.Close()) // the gateway stops

	jobs = start()
	list, err := jobs.List("market.customs", 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, Stopped, list[0].State)
	require.Positive(t, list[0].Batches)
	require.NoError(t, jobs.Start(ledger, customs, request))
	job = settled(t, jobs)
	require.Equal(t, [2]any{Done, good}, [2]any{job.State, job.Records})
	require.NotNil(t, job.Finished)
	list, err = jobs.List("market.customs", 10)
	require.NoError(t, err)
	require.Equal(t, []Job{job}, list)
	_, err = jobs.Proof(t.Context(), dataset, keyed(0))
	require.NoError(t, err)
	require.NoError(t, jobs.Close())
}
