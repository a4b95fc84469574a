package network_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/process"
)

// TestStatusIsDocumented: programs read `hutong status --json`, so every field
// and every state of a process stands in the page that describes it.
func TestStatusIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/how-to/run-a-network.md")
	require.NoError(t, err)
	_, page, found := strings.Cut(string(text), "### Status for programs")
	require.True(t, found)
	page, _, found = strings.Cut(page, "\n## ")
	require.True(t, found)
	for prefix, shape := range map[string]reflect.Type{
		"": reflect.TypeFor[network.Status](), ".": reflect.TypeFor[network.ProcessStatus](), "port": reflect.TypeFor[process.Port](),
	} {
		for i := range shape.NumField() {
			name, _, _ := strings.Cut(shape.Field(i).Tag.Get("json"), ",")
			require.NotEmpty(t, name, shape.Field(i).Name)
			switch prefix {
			case ".":
				require.Regexp(t, "`(processes\\[\\])?\\."+name+"`", page)
			default:
				require.Contains(t, page, "`"+name+"`")
			}
		}
	}
	for _, state := range []network.State{network.Ready, network.Running, network.Dead, network.Absent} {
		require.Contains(t, page, "`"+string(state)+"`")
	}
}
