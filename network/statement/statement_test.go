package statement_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network/statement"
	"github.com/hutong-gov/hutong/network/statement/statementtest"
)

var (
	at    = time.Date(2026, 3, 2, 9, 0, 0, 123000000, time.UTC)
	until = at.AddDate(0, 1, 0) // long ago, where this is tested

	services = statementtest.New("ServicesMSP", "peer", at.AddDate(0, -1, 0), until)
	planning = statementtest.New("PlanningMSP", "peer", at.AddDate(0, -1, 0), until)
	market   = statementtest.New("MarketMSP", "peer", at.AddDate(0, -1, 0), until)
	audit    = statementtest.New("AuditMSP", "peer", at.AddDate(0, -1, 0), until)
)

func trust(needed int) statement.Trust {
	t := statement.Trust{Channel: "hutong", Roots: map[string][]*x509.Certificate{}, Needed: needed}
	for _, o := range []statementtest.Organisation{services, planning, market, audit} {
		t.Roots[o.MSP] = []*x509.Certificate{o.Root}
	}
	return t
}

func answer() statementtest.Answer {
	return statementtest.Answer{Channel: "hutong", Chaincode: "exchange", Function: "log:Get", Request: []byte(`{"pseudonym":"p"}`), Payload: []byte(`{"count":7}`), At: at, Block: 41}
}

func read(t *testing.T, signed []byte) statement.Statement {
	t.Helper()
	s, err := statement.Read(signed)
	require.NoError(t, err)
	return s
}

// A statement is verified long after the certificates have expired.
func TestVerify(t *testing.T) {
	s := read(t, statementtest.Endorse(answer(), services, planning, market))
	require.NoError(t, s.Verify(trust(3)))
	require.Equal(t, statement.Statement{
		Channel: "hutong", Chaincode: "exchange", Function: "log:Get", Request: json.RawMessage(`{"pseudonym":"p"}`), Answer: json.RawMessage(`{"count":7}`),
		At: at, Block: 41, Organisations: []string{"MarketMSP", "PlanningMSP", "ServicesMSP"}, Signed: s.Signed,
	}, s)
	raw, err := json.MarshalIndent(s, "", "  ")
	require.NoError(t, err)
	var again statement.Statement
	require.NoError(t, json.Unmarshal(raw, &again))
	require.NoError(t, again.Verify(trust(3)), "as a document, indented")
	require.NoError(t, s.Verify(trust(1)))
	require.ErrorIs(t, s.Verify(trust(4)), statement.ErrUnsound)
	require.ErrorIs(t, s.Verify(trust(0)), statement.ErrUnsound)
}

func TestWhatDoesNotHold(t *testing.T) {
	edited := func(edit func(*statementtest.Parts)) func() statement.Statement {
		return func() statement.Statement {
			a := answer()
			a.Edit = edit
			s, _ := statement.Read(statementtest.Endorse(a, services, planning, market))
			s.Signed = statementtest.Endorse(a, services, planning, market)
			return s
		}
	}
	told := func(tell func(*statement.Statement)) func() statement.Statement {
		return func() statement.Statement {
			s := read(t, statementtest.Endorse(answer(), services, planning, market))
			tell(&s)
			return s
		}
	}
	by := func(organisations ...statementtest.Organisation) func() statement.Statement {
		return func() statement.Statement { return read(t, statementtest.Endorse(answer(), organisations...)) }
	}
	for name, c := range map[string]struct {
		statement func() statement.Statement
		says      string
	}{
		"another answer told":    {told(func(s *statement.Statement) { s.Answer = json.RawMessage(`{"count":6}`) }), "not what was signed"},
		"another request told":   {told(func(s *statement.Statement) { s.Request = json.RawMessage(`{"pseudonym":"q"}`) }), "not what was signed"},
		"another time told":      {told(func(s *statement.Statement) { s.At = s.At.Add(time.Second) }), "not what was signed"},
		"another block told":     {told(func(s *statement.Statement) { s.Block++ }), "not what was signed"},
		"a signer more told":     {told(func(s *statement.Statement) { s.Organisations = append(s.Organisations, "ZMSP") }), "not what was signed"},
		"an answer changed":      {told(change([]byte(`{"count":7}`), []byte(`{"count":6}`))), "not of this answer"},
		"a request changed":      {told(change([]byte(`{"pseudonym":"p"}`), []byte(`{"pseudonym":"q"}`))), "another proposal"},
		"nothing":                {told(func(s *statement.Statement) { *s = statement.Statement{} }), "cannot be read"},
		"not a payload":          {told(func(s *statement.Statement) { s.Signed = []byte("{}") }), "cannot be read"},
		"too large":              {told(func(s *statement.Statement) { s.Signed = make([]byte, statement.MaxBytes+1) }), "larger"},
		"another channel":        {edited(func(p *statementtest.Parts) { p.Channel.ChannelId = "other" }), "channel other"},
		"a configuration":        {edited(func(p *statementtest.Parts) { p.Channel.Type = 1 }), "no call"},
		"no time":                {edited(func(p *statementtest.Parts) { p.Channel.Timestamp = nil }), "no time"},
		"another chaincode":      {edited(func(p *statementtest.Parts) { p.Action.ChaincodeId.Name = "own" }), "another chaincode"},
		"a refusal":              {edited(func(p *statementtest.Parts) { p.Action.Response = &peer.Response{Status: 404, Payload: []byte(`{}`)} }), "refused"},
		"an answer that is none": {edited(func(p *statementtest.Parts) { p.Action.Response.Payload = []byte("yes") }), "form"},
		"a write":                {edited(func(p *statementtest.Parts) { p.Set.Writes = []*kvrwset.KVWrite{{Key: "key"}} }), "writes"},
		"too few":                {by(services, planning), "2 organisations signed"},
		"one three times":        {by(services, services, services), "1 organisations signed"},
		"a stranger":             {by(services, planning, statementtest.New("MayorMSP", "peer", at, until)), "no organisation"},
		"another root":           {by(services, planning, statementtest.New("MarketMSP", "peer", at.AddDate(0, -1, 0), until)), "certificate of a peer"},
		"before its certificate": {func() statement.Statement {
			a := answer()
			a.At = at.AddDate(0, -2, 0)
			return read(t, statementtest.Endorse(a, services, planning, market))
		}, "certificate of a peer"},
		"after its certificate": {func() statement.Statement {
			a := answer()
			a.At = until.AddDate(0, 1, 0)
			return read(t, statementtest.Endorse(a, services, planning, market))
		}, "certificate of a peer"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.statement().Verify(trust(3))
			require.ErrorIs(t, err, statement.ErrUnsound)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// Only peers speak for an organisation: an officer's certificate is of the same root.
func TestAnOfficerIsNoPeer(t *testing.T) {
	officer := statementtest.New("MarketMSP", "client", at.AddDate(0, -1, 0), until)
	with := trust(1)
	with.Roots["MarketMSP"] = []*x509.Certificate{officer.Root}
	require.ErrorContains(t, read(t, statementtest.Endorse(answer(), officer)).Verify(with), "no peer")
}

// change replaces bytes of the signed part and takes the statement from it again, as a forger would.
func change(old, by []byte) func(*statement.Statement) {
	return func(s *statement.Statement) {
		forged := bytes.ReplaceAll(s.Signed, old, by)
		if read, err := statement.Read(forged); err == nil {
			*s = read
		}
		s.Signed = forged
	}
}

func TestCertificates(t *testing.T) {
	folder := t.TempDir()
	_, err := statement.Certificates(folder)
	require.ErrorContains(t, err, "ca.pem")
	require.NoError(t, os.Mkdir(filepath.Join(folder, services.MSP), 0o755))
	file := filepath.Join(folder, services.MSP, "ca.pem")
	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	_, err = statement.Certificates(folder)
	require.ErrorContains(t, err, "no certificate")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: services.Root.Raw}), 0o600))
	all, err := statement.Certificates(folder)
	require.NoError(t, err)
	require.True(t, all[services.MSP][0].Equal(services.Root))
	require.Equal(t, 3, statement.Majority(4))
}
