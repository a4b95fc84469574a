package contract_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/collaboration/contract"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// The reference page names every function, event and permanent reason there is.
func TestReferencePageIsComplete(t *testing.T) {
	page, err := os.ReadFile("../../../docs/reference/collaboration.md")
	require.NoError(t, err)
	source, err := os.ReadFile("../reasons.go")
	require.NoError(t, err)
	var names []string
	for _, reason := range regexp.MustCompile(`"(collaboration\.[a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		names = append(names, reason[1])
	}
	require.NotEmpty(t, names)
	c := contract.New()
	for _, e := range c.Events {
		names = append(names, e.Type)
	}
	generic := regexp.MustCompile(`:(Get|List|History)$`) // every collection has these
	for _, f := range c.Rows() {
		if !generic.MatchString(f.Name) && f.Name != kernel.DescribeFunction {
			names = append(names, f.Name)
		}
	}
	for _, name := range names {
		require.Contains(t, string(page), "`"+name+"`")
	}
}
