package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/key/softhsm"
	"github.com/hutong-gov/hutong/gateway/offline"
	"github.com/hutong-gov/hutong/gateway/offline/offlinetest"
)

// desk is an agency's own machine: its key, and what a gateway has prepared for it.
type desk struct {
	*testing.T
	dir      string
	admin    offlinetest.Identity
	prepared stage
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, dir: t.TempDir(), admin: offlinetest.NewIdentity(t, "hall", "admin", time.Now().Add(time.Hour))}
	d.prepared = d.propose("licence")
	d.file("key.pem", d.admin.PEM(t))
	d.json("prepared.json", d.prepared)
	return d
}

func (d *desk) propose(code string) stage {
	d.Helper()
	creator, err := offline.CreatorOf("ServicesMSP", d.admin.Certificate)
	require.NoError(d, err)
	request, err := json.Marshal(map[string]string{"code": code, "note": "a\u202eb"})
	require.NoError(d, err)
	_, u, err := offline.Propose(creator, "government", "certificate", "type:Publish", kernel.Command{IdempotencyKey: "k1", Request: request})
	require.NoError(d, err)
	return stage{Proposal: u.Bytes, Digest: hex.EncodeToString(u.Digest)}
}

func (d *desk) endorse(prepared stage) stage {
	d.Helper()
	peer := offlinetest.NewIdentity(d, "", "", time.Now().Add(time.Hour))
	raw := offlinetest.Endorse(d, peer, prepared.Proposal, nil)
	t, err := offline.ReadTransaction(raw)
	require.NoError(d, err)
	return stage{Transaction: raw, Digest: hex.EncodeToString(t.Digest())}
}

func (d *desk) file(name string, content []byte) string {
	path := filepath.Join(d.dir, name)
	require.NoError(d, os.WriteFile(path, content, 0o600))
	return path
}

func (d *desk) json(name string, v any) string {
	raw, err := json.Marshal(v)
	require.NoError(d, err)
	return d.file(name, raw)
}

// sign runs the command; says is what is typed.
func (d *desk) sign(says string, args ...string) (body signed, words string, err error) {
	out, told := &buffer{}, &buffer{}
	c := command()
	c.SetArgs(append([]string{"sign"}, args...))
	c.SetOut(out)
	c.SetErr(told)
	c.SetIn(strings.NewReader(says))
	if err = c.ExecuteContext(d.Context()); err == nil {
		require.NoError(d, json.Unmarshal([]byte(out.String()), &body))
	} else {
		require.Empty(d, out.String(), "nothing is handed out")
	}
	return body, told.String(), err
}

func TestSigningOnAnAgencysOwnMachine(t *testing.T) {
	d := newDesk(t)
	keyFile := filepath.Join(d.dir, "key.pem")
	body, words, err := d.sign("yes\n", "proposal", filepath.Join(d.dir, "prepared.json"), "--key", keyFile)
	require.NoError(t, err)
	require.Equal(t, d.prepared.Proposal, body.Proposal)
	p, err := offline.ReadProposal(body.Proposal)
	require.NoError(t, err)
	_, err = p.Creator.Verified(p.Digest(), body.Signature)
	require.NoError(t, err)
	for _, part := range []string{"type:Publish of contract certificate", p.Tx, "services.hall, admin of ServicesMSP", `"code": "licence"`, d.prepared.Digest} {
		require.Contains(t, words, part)
	}
	require.NotContains(t, words, "\u202e", "what turns text around on a terminal is not shown")

	endorsed := d.endorse(d.prepared)
	body, words, err = d.sign("", "transaction", d.json("endorsed.json", endorsed), "--proposal", filepath.Join(d.dir, "prepared.json"), "--key", keyFile, "--yes")
	require.NoError(t, err)
	_, err = p.Creator.Verified(must(hex.DecodeString(endorsed.Digest)), body.Signature)
	require.NoError(t, err)
	require.Contains(t, words, "record licence becomes published, version 1")
	require.Contains(t, words, "of MarketMSP")

	u, err := p.AskStatus()
	require.NoError(t, err)
	body, words, err = d.sign("", "status", d.json("status.json", stage{Status: u.Bytes, StatusDigest: hex.EncodeToString(u.Digest)}), "--key", keyFile, "--yes")
	require.NoError(t, err)
	_, err = p.Creator.Verified(u.Digest, body.Signature)
	require.NoError(t, err)
	require.Contains(t, words, "what became of transaction "+p.Tx)
}

// TestNothingIsSigned: every way in which what is shown and what would be signed can differ, and every way of saying no.
func TestNothingIsSigned(t *testing.T) {
	d := newDesk(t)
	keyFile, prepared := filepath.Join(d.dir, "key.pem"), filepath.Join(d.dir, "prepared.json")
	other, endorsed := d.propose("other"), d.endorse(d.prepared)
	stranger := offlinetest.NewIdentity(t, "hall", "admin", time.Now().Add(time.Hour))
	wrongDigest := d.prepared
	wrongDigest.Digest = other.Digest
	wrongTransactionDigest := endorsed
	wrongTransactionDigest.Digest = other.Digest
	cut := d.prepared
	cut.Proposal = cut.Proposal[:len(cut.Proposal)-1]
	for _, c := range []struct {
		name, says string
		args       []string
		want       string
	}{
		{"nobody says yes", "", []string{"proposal", prepared, "--key", keyFile}, "nothing was signed"},
		{"somebody says no", "no\n", []string{"proposal", prepared, "--key", keyFile}, "nothing was signed"},
		{"another digest", "yes\n", []string{"proposal", d.json("a.json", wrongDigest), "--key", keyFile}, "the digest is not that of the bytes"},
		{"bytes that are cut", "yes\n", []string{"proposal", d.json("b.json", cut), "--key", keyFile}, "offline.form"},
		{"a transaction as a proposal", "yes\n", []string{"proposal", d.json("c.json", endorsed), "--key", keyFile}, "offline.form"},
		{"another key", "yes\n", []string{"proposal", prepared, "--key", d.file("stranger.pem", stranger.PEM(t))}, "not that of the certificate"},
		{"no key", "yes\n", []string{"proposal", prepared}, "say where the key is"},
		{"two keys", "yes\n", []string{"proposal", prepared, "--key", keyFile, "--pkcs11-token", "x"}, "give the key once"},
		{"a key file that is none", "yes\n", []string{"proposal", prepared, "--key", prepared}, "cannot be read"},
		{"a transaction of another proposal", "yes\n", []string{"transaction", d.json("d.json", d.endorse(other)), "--proposal", prepared, "--key", keyFile}, "offline.changed"},
		{"another digest of the transaction", "yes\n", []string{"transaction", d.json("e.json", wrongTransactionDigest), "--proposal", prepared, "--key", keyFile}, "the digest is not that of the bytes"},
		{"no approved proposal", "yes\n", []string{"transaction", d.json("f.json", endorsed), "--key", keyFile}, "required flag"},
		{"no answer", "yes\n", []string{"proposal", d.file("g.json", []byte("hello")), "--key", keyFile}, "not a gateway's answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := d.sign(c.says, c.args...)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestSigningInHardware: the same, with a key that leaves its token never.
func TestSigningInHardware(t *testing.T) {
	token := softhsm.New(t)
	d := newDesk(t)
	token.Import(d.admin.PEM(t), "hall-admin", "0a")
	prepared := filepath.Join(d.dir, "prepared.json")
	body, words, err := d.sign("yes\n", "proposal", prepared, "--pkcs11-module", token.Module, "--pkcs11-token", token.PKCS11.Token, "--pkcs11-id", "0a", "--pin-file", token.PINFile)
	require.NoError(t, err)
	require.Contains(t, words, "services.hall, admin of ServicesMSP")
	p, err := offline.ReadProposal(body.Proposal)
	require.NoError(t, err)
	_, err = p.Creator.Verified(p.Digest(), body.Signature)
	require.NoError(t, err)
	stranger := offlinetest.NewIdentity(t, "hall", "admin", time.Now().Add(time.Hour))
	token.Import(stranger.PEM(t), "stranger", "0b")
	_, _, err = d.sign("yes\n", "proposal", prepared, "--pkcs11-module", token.Module, "--pkcs11-token", token.PKCS11.Token, "--pkcs11-label", "stranger", "--pin-file", token.PINFile)
	require.ErrorContains(t, err, "not the certificate's")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
