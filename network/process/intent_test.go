package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary plays two parts of its own when these are set: a launcher
// that is killed in the middle of a start, and the process it starts.
const (
	launcherVariable = "HUTONG_TEST_LAUNCHER"
	listenerVariable = "HUTONG_TEST_LISTENER"
)

func TestMain(m *testing.M) {
	if port := os.Getenv(listenerVariable); port != "" {
		listen(port)
	}
	if state := os.Getenv(launcherVariable); state != "" {
		killedLauncher(state, os.Args[1], os.Args[2])
	}
	os.Exit(m.Run())
}

func listen(port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	for {
		if _, err := listener.Accept(); err != nil {
			panic(err)
		}
	}
}

// listener is a process that holds a port.
func listener(port int) Spec {
	return Spec{
		Name: "listener", Kind: "test", Path: os.Args[0], Env: []string{listenerVariable + "=" + strconv.Itoa(port)},
		Ports: []Port{{Number: port, Purpose: "service"}},
	}
}

// killedLauncher starts a listener and is killed at a moment of the start.
func killedLauncher(state, port, moment string) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	release, err := Lock(state)
	must(err)
	defer release()
	number, err := strconv.Atoi(port)
	must(err)
	table, spec := NewTable(state), listener(number)
	r, err := table.intend(spec)
	must(err)
	if moment != "intended" {
		r.PID, err = table.spawn(spec, r.Mark)
		must(err)
	}
	if moment == "recorded" {
		r.Birth, err = birth(r.PID)
		must(err)
		must(table.record(r))
	}
	must(syscall.Kill(os.Getpid(), syscall.SIGKILL))
	select {}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestKilledLauncher kills a launcher between each two steps of a start: the
// next one knows every process that runs, starts none twice, and ends it.
func TestKilledLauncher(t *testing.T) {
	for _, test := range []struct {
		moment  string
		runs    bool
		adopted []string
	}{
		{"intended", false, nil},
		{"started", true, []string{"listener"}},
		{"recorded", true, nil},
	} {
		t.Run(test.moment, func(t *testing.T) {
			state, port := t.TempDir(), freePort(t)
			launcher := exec.Command(os.Args[0], strconv.Itoa(port), test.moment)
			launcher.Env = append(os.Environ(), launcherVariable+"="+state)
			out, err := launcher.CombinedOutput()
			require.ErrorContains(t, err, "signal: killed", string(out))
			if test.runs {
				require.Eventually(t, func() bool { return Busy(port) }, patience, time.Millisecond)
			}

			release, err := Lock(state)
			require.NoError(t, err)
			defer release()
			table := NewTable(state)
			adopted, err := table.Adopt()
			require.NoError(t, err)
			require.Equal(t, test.adopted, adopted)
			require.NoFileExists(t, table.intent("listener"))
			started := begin(t, table, listener(port))
			if test.runs {
				require.Empty(t, started, "what runs is ours already")
			} else {
				require.Equal(t, []string{"listener"}, started)
			}
			r, err := table.Record("listener")
			require.NoError(t, err)
			require.True(t, r.Alive())
			require.NoError(t, table.Stop(t.Context(), []Record{r}))
			require.False(t, Busy(port))
		})
	}
}

// TestStrangerIsNotAdopted: the same program with the same arguments at our
// port, but nothing that we started.
func TestStrangerIsNotAdopted(t *testing.T) {
	table, port := NewTable(t.TempDir()), freePort(t)
	spec := listener(port)
	_, err := table.intend(spec)
	require.NoError(t, err)
	stranger := exec.Command(spec.Path)
	stranger.Env = append(spec.Env, markVariable+"=another")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, stranger.Start())
	ended := make(chan error, 1)
	go func() { ended <- stranger.Wait() }()
	defer func() { _ = stranger.Process.Kill(); <-ended }()
	require.Eventually(t, func() bool { return Busy(port) }, patience, time.Millisecond)

	adopted, err := table.Adopt()
	require.NoError(t, err)
	require.Empty(t, adopted)
	_, err = table.Begin(t.Context(), []Spec{spec})
	require.ErrorContains(t, err, fmt.Sprintf("port %d, which listener needs", port))
}

// TestFilesAreClosed: what a process writes without a thought for its mode is
// closed to other users.
func TestFilesAreClosed(t *testing.T) {
	mask := func() int { m := syscall.Umask(0); syscall.Umask(m); return m }
	before := mask()
	table, file := NewTable(t.TempDir()), filepath.Join(t.TempDir(), "ledger")
	begin(t, table, Spec{Name: "writer", Path: "/bin/sh", Args: []string{"-c", ": > '" + file + "'; sleep 60"}})
	require.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil }, patience, time.Millisecond)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, before, mask(), "the launcher's own mask is as it was")
}
