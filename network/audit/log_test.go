package audit_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/statement"
	"github.com/hutong-gov/hutong/network/statement/statementtest"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

var (
	stated     = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	signatory  = statementtest.New("ServicesMSP", "peer", stated.AddDate(0, -1, 0), stated.AddDate(0, 1, 0))
	signatory2 = statementtest.New("MarketMSP", "peer", stated.AddDate(0, -1, 0), stated.AddDate(0, 1, 0))
	trusted    = statement.Trust{Channel: "hutong", Needed: 2, Roots: map[string][]*x509.Certificate{
		signatory.MSP: {signatory.Root}, signatory2.MSP: {signatory2.Root},
	}}
)

// theLog is a log of count entries, built here and not by the code under test.
func theLog(t *testing.T, count int) ([]exchange.Entry, exchange.Log) {
	t.Helper()
	entries := make([]exchange.Entry, count)
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for i := range entries {
		entries[i] = exchange.Entry{Number: i + 1, Use: fmt.Sprintf("use-%d", i+1), Subject: "p", Dataset: "services.police/identity", Fields: []string{"name"}, At: stated}
		leaf, err := entries[i].Leaf()
		require.NoError(t, err)
		require.NoError(t, tree.Append(leaf, nil))
	}
	root, err := tree.GetRootHash(nil)
	require.NoError(t, err)
	return entries, exchange.Log{Subject: "p", Count: count, Root: fmt.Sprintf("%x", root)}
}

func stateOf(t *testing.T, log exchange.Log, edit ...func(*statementtest.Answer)) statement.Statement {
	t.Helper()
	raw, err := json.Marshal(log)
	require.NoError(t, err)
	a := statementtest.Answer{Channel: "hutong", Chaincode: exchange.Name, Function: exchange.LogGet, Request: []byte(`{"pseudonym":"p"}`), Payload: raw, At: stated}
	for _, e := range edit {
		e(&a)
	}
	s, err := statement.Read(statementtest.Endorse(a, signatory, signatory2))
	require.NoError(t, err)
	return s
}

func TestCheckLog(t *testing.T) {
	entries, log := theLog(t, 6)
	whole := audit.LogFile{Statement: stateOf(t, log), Entries: entries}
	report, err := audit.CheckLog(trusted, whole)
	require.NoError(t, err)
	require.Equal(t, audit.LogReport{Subject: "p", Count: 6, At: stated, Organisations: []string{"MarketMSP", "ServicesMSP"}, Proved: 6}, report)

	// In parts, of which the first was stated when there were four.
	earlier, shorter := theLog(t, 4)
	four := audit.LogFile{Statement: stateOf(t, shorter), Entries: earlier}
	leaf := func(n int) string {
		raw, err := entries[n-1].Leaf()
		require.NoError(t, err)
		return fmt.Sprintf("%x", raw)
	}
	last := audit.LogFile{Statement: stateOf(t, log), Entries: entries[4:], Proof: exchange.LogProof{Before: []string{shorter.Root}}}
	report, err = audit.CheckLog(trusted, four, last)
	require.NoError(t, err)
	require.Zero(t, report.Missing)
	require.Equal(t, 6, report.Count)
	report, err = audit.CheckLog(trusted, last)
	require.NoError(t, err)
	require.Equal(t, 1, report.Missing)
	require.Equal(t, 2, report.Proved)
	head := audit.LogFile{Statement: stateOf(t, log)}
	report, err = audit.CheckLog(trusted, head, four)
	require.NoError(t, err)
	require.Equal(t, 5, report.Missing, "the latest head counts")

	_, none := theLog(t, 0)
	none.Root = ""
	report, err = audit.CheckLog(trusted, audit.LogFile{Statement: stateOf(t, none)})
	require.NoError(t, err)
	require.Equal(t, 0, report.Count+report.Missing+report.Proved, "nobody has used it")

	other := log
	other.Subject = "q"
	for name, files := range map[string][]audit.LogFile{
		"no file":               nil,
		"an entry left out":     {{Statement: whole.Statement, Entries: entries[:5]}},
		"an entry changed":      {{Statement: whole.Statement, Entries: append([]exchange.Entry{{Number: 1, Subject: "p"}}, entries[1:]...)}},
		"a forged proof":        {{Statement: whole.Statement, Entries: entries[:5], Proof: exchange.LogProof{After: []string{leaf(1)}}}},
		"another subject's":     {whole, {Statement: stateOf(t, other)}},
		"of another chaincode":  {{Statement: stateOf(t, log, func(a *statementtest.Answer) { a.Chaincode = "own" }), Entries: entries}},
		"of another function":   {{Statement: stateOf(t, log, func(a *statementtest.Answer) { a.Function = "log:History" }), Entries: entries}},
		"of another channel":    {{Statement: stateOf(t, log, func(a *statementtest.Answer) { a.Channel = "own" }), Entries: entries}},
		"an answer of no log":   {{Statement: stateOf(t, log, func(a *statementtest.Answer) { a.Payload = []byte(`[]`) }), Entries: entries}},
		"a statement of nobody": {{Entries: entries}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := audit.CheckLog(trusted, files...)
			require.ErrorIs(t, err, audit.ErrLog)
		})
	}
}
