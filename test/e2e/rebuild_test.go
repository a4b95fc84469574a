package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/test/story"
)

// TestNetworkProjectionRebuilt builds a gateway's tables anew from block 0 with the command that an operator uses: they are
// what they were, table for table, and the gateway goes on with them. Where the tables are SQLite's, the command is refused
// while the gateway runs.
func TestNetworkProjectionRebuilt(t *testing.T) {
	ctx, c := real(t)
	person, _, err := story.SignIn(ctx, c, "citizen3", c.keys)
	require.NoError(t, err)
	s := &storm{city: c, subject: person.Me.Pseudonym, acknowledged: map[string]app.Issued{}}
	for _, key := range []string{"rebuilt.1", "rebuilt.2"} {
		s.submit(ctx, t, key, nil)
	}
	s.projectionWhole(ctx, t)
	settings, err := c.network.GatewayConfig("market")
	require.NoError(t, err)
	hutong := program(ctx, t)
	projection := func(verb string, flags ...string) (string, error) {
		command := exec.CommandContext(ctx, hutong, append([]string{"projection", verb, "--gateway", "market", "--state", c.network.Options.State}, flags...)...)
		var out, words bytes.Buffer
		command.Stdout, command.Stderr = &out, &words
		err := command.Run()
		if err != nil {
			return words.String(), err
		}
		return out.String(), nil
	}

	if !settings.Kept().Shared() {
		words, err := projection("rebuild")
		require.Error(t, err)
		require.Contains(t, words, "stop the gateway first")
		kill(t, c, "market-gateway")
	}
	before, err := projection("digest")
	require.NoError(t, err, before)
	out, err := projection("rebuild")
	require.NoError(t, err, out)
	require.Contains(t, out, "built from block 0")
	require.NotContains(t, out, "differs")
	require.Len(t, regexp.MustCompile(`(?m)^\w+ .* [0-9a-f]{64} +identical *$`).FindAllString(out, -1), len(digests(before)))
	after, err := projection("digest")
	require.NoError(t, err, after)
	require.Equal(t, digests(before), digests(after))
	for _, table := range []string{"blocks ", "transactions ", "records ", "revisions ", "changes "} {
		require.Contains(t, "\n"+strings.Join(digests(after), "\n"), "\n"+table)
	}

	require.NoError(t, c.network.Up(ctx))
	s.submit(ctx, t, "rebuilt.3", nil)
	s.projectionWhole(ctx, t)
}

// digests are the lines of tables of what `projection digest` says.
func digests(out string) (tables []string) {
	for line := range strings.Lines(out) {
		if regexp.MustCompile(`^\w+ +\d+ +[0-9a-f]{64}\s*$`).MatchString(line) {
			tables = append(tables, strings.Join(strings.Fields(line), " "))
		}
	}
	return tables
}

// program builds the command line.
func program(ctx context.Context, t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hutong")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/hutong-gov/hutong/network/cmd/hutong").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}
