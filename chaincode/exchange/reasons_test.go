package exchange_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// Every reason that is defined is on the reference page, and the page names no other.
func TestReasonsAreDocumented(t *testing.T) {
	form := regexp.MustCompile(`exchange\.[a-z]+_[a-z_]+`)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var source []byte
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		source = append(source, text...)
	}
	reference, err := os.ReadFile(page)
	require.NoError(t, err)
	require.ElementsMatch(t, unique(form.FindAllString(string(source), -1)), unique(form.FindAllString(string(reference), -1)))
}

func unique(list []string) []string {
	seen := map[string]bool{}
	var once []string
	for _, s := range list {
		if !seen[s] {
			seen[s], once = true, append(once, s)
		}
	}
	return once
}

func TestEventsAreDocumentedOnce(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+\.[a-z]+\.v1$`)
	seen := map[string]bool{}
	for _, e := range exchange.Events {
		require.Regexp(t, form, e.Type)
		require.NotEmpty(t, e.Doc)
		require.False(t, seen[e.Type], e.Type)
		seen[e.Type] = true
	}
}

func TestIndexes(t *testing.T) {
	consent := given()
	require.Equal(t, tax, exchange.Agencies.Index(agency(tax)).Agency)
	require.Equal(t, housing+"/premises", exchange.Datasets.Index(premises()).Kind)
	require.Equal(t, housing, exchange.Grants.Index(granted()).Agency)
	require.Equal(t, tax, exchange.Grants.Index(granted()).Peer)
	require.Equal(t, alice, exchange.Subjects.Index(subject(alice)).Subject)
	require.Equal(t, alice, exchange.Keys.Index(exchange.Key{Subject: alice}).Subject)
	require.Equal(t, housing, exchange.Consents.Index(consent).Agency)
	require.Equal(t, caseID, exchange.Consents.Index(consent).Case)
	require.Equal(t, tax, exchange.Uses.Index(used(1)).Peer)
	require.Equal(t, alice, exchange.Uses.Index(used(1)).Subject)
	require.Equal(t, alice, exchange.Logs.Index(exchange.Log{Subject: alice}).Subject)
	require.Equal(t, housing, exchange.Anchors.Index(anchor()).Agency)
	require.Equal(t, housing+"/premises", exchange.AllSeries.Index(exchange.Series{Dataset: housing + "/premises"}).Kind)
}
