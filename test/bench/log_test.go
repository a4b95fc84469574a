package bench

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkLog makes, reads and proves a log of twelve hundred uses. `make bench-log` makes one of a hundred thousand.
func TestNetworkLog(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	command := filepath.Join(dir, "hutong")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", command, "github.com/hutong-gov/hutong/network/cmd/hutong").CombinedOutput()
	require.NoError(t, err, string(out))
	n, err := story.Own(ctx, dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Down(context.Background(), network.Purge)) })
	require.NoError(t, n.Up(ctx))
	l, err := Log(ctx, n, LogOptions{Uses: 1200, Pages: 20, Folder: dir, Command: command})
	require.NoError(t, err)
	var text strings.Builder
	err = l.Print(&text)
	t.Log("\n" + text.String())
	require.NoError(t, err)
}

// TestLogsAreHeldToTheirLines: each thing that does not hold is an error.
func TestLogsAreHeldToTheirLines(t *testing.T) {
	sound := func() Logged {
		return Logged{Uses: 2, Load: time.Second, Kinds: []string{"newest"}, Pages: map[string][]time.Duration{"newest": {time.Millisecond}}, Complete: true, ForgedFound: true}
	}
	l := sound()
	require.NoError(t, l.Print(new(strings.Builder)))
	for name, change := range map[string]func(*Logged){
		"log_page_newest": func(l *Logged) { l.Pages["newest"][0] = MaxLogPageP95 },
		"log_proved":      func(l *Logged) { l.Complete = false },
		"log_forgery":     func(l *Logged) { l.ForgedFound = false },
	} {
		l := sound()
		change(&l)
		require.ErrorContains(t, l.Print(new(strings.Builder)), name)
	}
}
