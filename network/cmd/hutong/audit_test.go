package main

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/statement"
	"github.com/hutong-gov/hutong/network/statement/statementtest"
)

// An exported log is verified with the certificates alone, years after they have expired.
func TestAuditLog(t *testing.T) {
	at := time.Date(2020, 3, 2, 9, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		t.Helper()
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, content, 0o600))
		return file
	}
	var peers []statementtest.Organisation
	for _, msp := range []string{"ServicesMSP", "PlanningMSP", "MarketMSP"} {
		o := statementtest.New(msp, "peer", at.AddDate(0, -1, 0), at.AddDate(0, 1, 0))
		peers = append(peers, o)
		write("public/"+msp+"/ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Root.Raw}))
	}
	export := func(name string, log exchange.Log, by []statementtest.Organisation, entries ...exchange.Entry) string {
		answer, err := json.Marshal(log)
		require.NoError(t, err)
		s, err := statement.Read(statementtest.Endorse(statementtest.Answer{
			Channel: "city", Chaincode: exchange.Name, Function: exchange.LogGet, Request: []byte(`{"id":"p"}`), Payload: answer, At: at,
		}, by...))
		require.NoError(t, err)
		raw, err := json.Marshal(audit.LogFile{Statement: s, Entries: entries})
		require.NoError(t, err)
		return write(name, raw)
	}
	empty := export("empty.json", exchange.Log{Subject: "p"}, peers)
	two := export("two.json", exchange.Log{Subject: "p"}, peers[:2])
	one := export("one.json", exchange.Log{Subject: "p"}, peers[:1])
	head := export("head.json", exchange.Log{Subject: "p", Count: 3, Root: "00"}, peers)
	forged := export("forged.json", exchange.Log{Subject: "p", Count: 1, Root: "00"}, peers, exchange.Entry{Number: 1, Subject: "p"})
	for _, c := range []struct {
		says string // of the error; empty: it is proved
		args []string
	}{
		{"", []string{empty}},
		{"", []string{two}},
		{"1 organisations signed, 2 are needed", []string{one}},
		{"2 organisations signed, 3 are needed", []string{two, "--needed", "3"}},
		{"", []string{one, "--needed", "1"}},
		{"the channel city, not other", []string{empty, "--channel", "other"}},
		{"not have the whole log", []string{head}},
		{"", []string{head, "--part"}},
		{"not those of the log", []string{forged}},
		{"no exported log", []string{write("gibberish.json", []byte("?"))}},
		{"no such file", []string{filepath.Join(dir, "absent.json")}},
	} {
		out := &buffer{}
		err := run(t.Context(), out, append([]string{"audit", "log", "--certificates", filepath.Join(dir, "public"), "--channel", "city"}, c.args...)...)
		if c.says != "" {
			require.ErrorContains(t, err, c.says)
			continue
		}
		require.NoError(t, err, c.args)
		require.Contains(t, out.String(), "Proved")
	}
}
