package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/catalogue"
)

// surveys is how many datasets the catalogue of the test has: more than are written at a time.
const surveys = 200

// TestNetworkALoadIsKilledAndGoesOn kills `hutong catalogue load` in the middle; the agency's own administrator, with nothing but
// a token, finishes it.
func TestNetworkALoadIsKilledAndGoesOn(t *testing.T) {
	ctx, c := real(t)
	hutong, folder, token := program(ctx, t), parksCatalogue(t), filepath.Join(t.TempDir(), "token")
	root, err := c.network.TLSRoot("planning")
	require.NoError(t, err)
	address, err := c.network.GatewayURL("planning")
	require.NoError(t, err)
	here := []string{"catalogue", "load", folder, "--state", c.network.Options.State}
	alone := []string{"catalogue", "load", folder, "--agency", "planning.parks", "--gateway", address, "--root", root, "--token-file", token}
	run := func(args ...string) string {
		out, err := exec.CommandContext(ctx, hutong, args...).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}

	load := exec.CommandContext(ctx, hutong, append(here, "--verbose")...)
	said, err := load.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, load.Start())
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "publish dataset") {
	}
	require.NoError(t, load.Process.Kill())
	require.Error(t, load.Wait(), "it was killed before it was done")

	left := regexp.MustCompile(`(?m)^(\d+) writes are left to make; nothing was written$`).FindStringSubmatch(run(append(here, "--dry-run")...))
	require.NotNil(t, left)
	missing, err := strconv.Atoi(left[1])
	require.NoError(t, err)
	require.Positive(t, missing)
	require.Less(t, missing, surveys)

	provider, err := c.network.TLSRoot("services")
	require.NoError(t, err)
	pem, err := os.ReadFile(provider)
	require.NoError(t, err)
	roots, err := client.Roots(pem)
	require.NoError(t, err)
	source, err := client.SignIn(ctx, c.network.Topology.IdentityProviderURL(), roots, "admin.parks")
	require.NoError(t, err)
	text, err := source.Token(ctx)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(token, []byte(text), 0o600))
	out := run(alone...)
	require.Regexp(t, fmt.Sprintf(`(?m)^datasets +%d entries +\d+ written`, surveys), out)
	require.Contains(t, out, "loaded in ")
	for _, args := range [][]string{alone, here} {
		require.Contains(t, run(args...), "all of it is there already; nothing was changed")
	}
}

// parksCatalogue writes a catalogue of one department's many datasets.
func parksCatalogue(t *testing.T) string {
	t.Helper()
	built, err := catalogue.Default()
	require.NoError(t, err)
	type entry struct {
		Owner string `json:"owner"`
		exchange.PublishDataset
	}
	var entries []entry
	for i := range surveys {
		e := entry{Owner: "planning.parks"}
		e.Code = fmt.Sprintf("survey-%d", i)
		e.Content = exchange.Content{
			Name: exchange.Text{Zh: "绿化普查", En: "Survey of green spaces"}, Classification: exchange.Open, Selector: []string{"plot"},
			Fields: []exchange.FieldSpec{{Name: "plot", Title: exchange.Text{Zh: "图斑", En: "Plot"}, Type: "string"}},
		}
		entries = append(entries, e)
	}
	folder := t.TempDir()
	for name, content := range map[string]any{
		"agencies.json": map[string]any{"agencies": built.Agencies[:1], "publishers": []string{"planning.parks"}},
		"roster.json":   built.Roster,
		"datasets.json": map[string]any{"datasets": entries},
	} {
		raw, err := json.Marshal(content)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), raw, 0o600))
	}
	return folder
}
