package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const patience = 5 * time.Second

// sleeper is a process that ends when asked to.
func sleeper(name string) Spec {
	return Spec{Name: name, Kind: "test", Path: "/bin/sleep", Args: []string{"60"}}
}

func begin(t *testing.T, table *Table, specs ...Spec) []string {
	t.Helper()
	started, err := table.Begin(t.Context(), specs)
	require.NoError(t, err)
	t.Cleanup(func() {
		records, err := table.Records()
		require.NoError(t, err)
		require.NoError(t, table.Stop(context.Background(), records))
	})
	return started
}

func TestStartStop(t *testing.T) {
	table := NewTable(t.TempDir())
	require.Equal(t, []string{"a", "b"}, begin(t, table, sleeper("a"), sleeper("b")))
	require.Empty(t, begin(t, table, sleeper("a"), sleeper("b")), "what runs is left alone")
	a, err := table.Record("a")
	require.NoError(t, err)
	require.True(t, a.Alive())
	group, err := syscall.Getpgid(a.PID)
	require.NoError(t, err)
	require.Equal(t, a.PID, group, "a group of its own, so that no Ctrl-C reaches it")

	records, err := table.Records()
	require.NoError(t, err)
	require.Len(t, records, 2)
	require.NoError(t, table.Stop(t.Context(), records))
	require.False(t, a.Alive())
	records, err = table.Records()
	require.NoError(t, err)
	require.Empty(t, records)
}

func TestDeadIsStartedAgain(t *testing.T) {
	table := NewTable(t.TempDir())
	begin(t, table, sleeper("a"), sleeper("b"))
	a, err := table.Record("a")
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(a.PID, syscall.SIGKILL))
	require.Eventually(t, func() bool { return !a.Alive() }, patience, time.Millisecond)
	require.Equal(t, []string{"a"}, begin(t, table, sleeper("a"), sleeper("b")))
}

// TestStubbornIsKilled ends a process that does not listen to being asked.
func TestStubbornIsKilled(t *testing.T) {
	table := NewTable(t.TempDir())
	table.patience = 300 * time.Millisecond
	marker := filepath.Join(t.TempDir(), "deaf")
	begin(t, table, Spec{Name: "deaf", Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; : > '" + marker + "'; while :; do sleep 0.1; done"}})
	require.Eventually(t, func() bool { _, err := os.Stat(marker); return err == nil }, patience, time.Millisecond)
	r, err := table.Record("deaf")
	require.NoError(t, err)
	began := time.Now()
	require.NoError(t, table.Stop(t.Context(), []Record{r}))
	require.False(t, r.Alive())
	require.GreaterOrEqual(t, time.Since(began), table.patience)
}

// TestReusedPidIsNotSignalled writes a record as a crash and a pid given out
// again would leave it: the pid runs, but is not the process recorded.
func TestReusedPidIsNotSignalled(t *testing.T) {
	stranger := exec.Command("/bin/sleep", "60")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, stranger.Start())
	ended := make(chan error, 1)
	go func() { ended <- stranger.Wait() }()
	defer func() { _ = stranger.Process.Kill(); <-ended }()

	// A system tells the moment of a start to a hundredth of a second or,
	// at worst, to a second; a pid comes round again much later than that.
	time.Sleep(1100 * time.Millisecond)
	table := NewTable(t.TempDir())
	begin(t, table, sleeper("a"))
	r, err := table.Record("a")
	require.NoError(t, err)
	own := r.PID
	r.PID = stranger.Process.Pid
	require.False(t, r.Alive(), "another process has the pid")
	require.NoError(t, r.signal(syscall.SIGKILL))
	require.NoError(t, table.Stop(t.Context(), []Record{r}))
	select {
	case err := <-ended:
		t.Fatalf("a process that is not ours was ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, syscall.Kill(own, syscall.SIGKILL))
}

func TestUncollectedIsNotAlive(t *testing.T) {
	command := exec.Command("/bin/sleep", "0")
	require.NoError(t, command.Start())
	defer func() { _ = command.Wait() }()
	require.Eventually(t, func() bool { _, err := birth(command.Process.Pid); return err != nil }, patience, time.Millisecond)
}

func TestBusyPortIsNamedBeforeAnythingStarts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	second := sleeper("second")
	second.Ports = []Port{{Number: port, Purpose: "service"}}
	table := NewTable(t.TempDir())
	_, err = table.Begin(t.Context(), []Spec{sleeper("first"), second})
	require.ErrorContains(t, err, "port")
	for _, part := range []string{"second needs for its service", "is held by", "--base-port"} {
		require.ErrorContains(t, err, part)
	}
	if runtime.GOOS == "linux" {
		require.ErrorContains(t, err, fmt.Sprintf("process %d (", os.Getpid()))
	}
	records, err := table.Records()
	require.NoError(t, err)
	require.Empty(t, records)
}

func TestMissingBinaryIsNamed(t *testing.T) {
	table := NewTable(t.TempDir())
	spec := sleeper("a")
	spec.Path = "/nowhere/peer"
	_, err := table.Begin(t.Context(), []Spec{spec})
	require.ErrorContains(t, err, "the binary /nowhere/peer is missing")
}

// TestChangedIsStartedAnew: a process with another configuration or other
// arguments is stopped and started; one with another PATH is not.
func TestChangedIsStartedAnew(t *testing.T) {
	table := NewTable(t.TempDir())
	spec := sleeper("a")
	file := filepath.Join(t.TempDir(), "folder", "config")
	spec.Configs = []Config{{Path: file, Content: []byte("one")}}
	spec.Env = []string{"PATH=/bin", "COLOUR=red"}
	require.Len(t, begin(t, table, spec), 1)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "one", string(text))
	first, err := table.Record("a")
	require.NoError(t, err)

	spec.Env = []string{"PATH=/usr/bin", "COLOUR=red"}
	require.Empty(t, begin(t, table, spec))

	for _, change := range []func(){
		func() { spec.Configs = []Config{{Path: file, Content: []byte("two")}} },
		func() { spec.Env = []string{"PATH=/bin", "COLOUR=blue"} },
		func() { spec.Args = []string{"61"} },
	} {
		change()
		require.Equal(t, []string{"a"}, begin(t, table, spec))
		require.Empty(t, begin(t, table, spec))
	}
	require.False(t, first.Alive())
	text, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "two", string(text))
}

func TestAwaitTellsTheEndOfTheLog(t *testing.T) {
	table := NewTable(t.TempDir())
	spec := Spec{
		Name: "a", Path: "/bin/sh", Args: []string{"-c", "sleep 0.2; echo the disk is full >&2; exit 1"},
		Ready: func(context.Context) error { return errors.New("nobody there") },
	}
	begin(t, table, spec)
	err := table.Await(t.Context(), []Spec{spec, sleeper("never started")})
	require.Error(t, err)
	err = table.Await(t.Context(), []Spec{spec})
	require.ErrorContains(t, err, "a ended while starting")
	require.ErrorContains(t, err, "the disk is full")
}

func TestOneLauncherAtATime(t *testing.T) {
	state := t.TempDir()
	release, err := Lock(state)
	require.NoError(t, err)
	_, err = Lock(state)
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, "wait until it has finished")
	release()
	release, err = Lock(state)
	require.NoError(t, err)
	release()
}

func TestLargeLogIsSetAside(t *testing.T) {
	table := NewTable(t.TempDir())
	require.NoError(t, os.MkdirAll(filepath.Dir(table.Log("a")), folderMode))
	file, err := os.Create(table.Log("a"))
	require.NoError(t, err)
	require.NoError(t, file.Truncate(maxLogBytes+1))
	require.NoError(t, file.Close())
	begin(t, table, sleeper("a"))
	info, err := os.Stat(table.Log("a") + ".1")
	require.NoError(t, err)
	require.EqualValues(t, maxLogBytes+1, info.Size())
}

func TestUsageOfOneself(t *testing.T) {
	memory, err := Memory(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, memory, int64(1<<20))
	for deadline := time.Now().Add(50 * time.Millisecond); time.Now().Before(deadline); {
	}
	used, err := CPU(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, used, 10*time.Millisecond)
}
