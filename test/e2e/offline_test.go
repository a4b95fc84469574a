package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/key"
	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/offline"
	"github.com/hutong-gov/hutong/network/material"
)

// ownKey is an agency's key that no gateway has, with its certificate.
type ownKey struct {
	private     *ecdsa.PrivateKey
	certificate string
}

// enrol makes a key and has the organisation's CA certify it for an agency in a role; another organisation's CA, if that is
// wanted.
func (c *testCity) enrol(ctx context.Context, t *testing.T, organisation, agency, role string) ownKey {
	t.Helper()
	org, ok := c.network.Topology.Organisation(organisation)
	require.True(t, ok)
	issuer, err := material.NewLocal(c.network.Layout, org)
	require.NoError(t, err)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	text, err := issuer.Enrol(ctx, material.Enrolment{Name: agency + "-" + role + "-own", Unit: material.UnitClient,
		Attributes: map[string]string{"agency": agency, "role": role}}, private)
	require.NoError(t, err)
	return ownKey{private, string(text)}
}

func (k ownKey) sign(t *testing.T, digest string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(digest)
	require.NoError(t, err)
	sign, err := key.Digests(k.private)
	require.NoError(t, err)
	signature, err := sign(raw)
	require.NoError(t, err)
	return signature
}

func licence(code string) certificate.PublishType {
	return certificate.PublishType{Code: code, Name: exchange.Text{Zh: "执照", En: "Licence"}, ValidDays: 365,
		Fields: []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "号", En: "Number"}, Type: "string"}}}
}

// stages is one write that goes through the stages by REST.
type stages struct {
	*client.Client
	key string
}

func stageOf[Res any](ctx context.Context, s stages, path string, body any) (Res, error) {
	return client.Do[Res](ctx, s.Client, http.MethodPost, "/v1/offline/"+path, body, client.Key(s.key))
}

func (k ownKey) propose(code string) object {
	return object{"chaincode": certificate.Name, "function": certificate.TypePublish, "certificate": k.certificate, "request": licence(code)}
}

// TestNetworkOfflineSigning: an agency whose key is nowhere near its gateway carries a write out, and nothing that is
// changed between the stages gets through.
func TestNetworkOfflineSigning(t *testing.T) {
	ctx, c := real(t)
	admin, err := c.Admin(ctx, "services.hall")
	require.NoError(t, err)
	own := c.enrol(ctx, t, "services", "hall", "admin")
	s := stages{admin, "offline-1"}

	prepared, err := stageOf[app.Proposal](ctx, s, "proposals", own.propose("offline-1"))
	require.NoError(t, err)
	proposal, err := offline.ReadProposal(prepared.Proposal)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(proposal.Digest()), prepared.Digest)
	endorsed, err := stageOf[app.Endorsement](ctx, s, "endorsements", object{"proposal": prepared.Proposal, "signature": own.sign(t, prepared.Digest)})
	require.NoError(t, err)
	require.Equal(t, []string{"offline-1", prepared.Tx}, []string{endorsed.Receipt.ID, endorsed.Receipt.Tx})
	require.Len(t, endorsed.Endorsers, 2)
	require.Zero(t, endorsed.Receipt.Block)

	ask := object{"status_request": endorsed.Status, "signature": own.sign(t, endorsed.StatusDigest)}
	before, err := stageOf[app.Transaction](ctx, s, "status", ask)
	require.NoError(t, err)
	require.Equal(t, ledger.Unknown, before.State, "endorsed is not written")

	submission := object{"transaction": endorsed.Transaction, "signature": own.sign(t, endorsed.Digest)}
	receipt, err := stageOf[app.Receipt](ctx, s, "submissions", submission)
	require.NoError(t, err)
	require.Equal(t, prepared.Tx, receipt.Tx)
	require.NotZero(t, receipt.Block)

	after, err := stageOf[app.Transaction](ctx, s, "status", ask)
	require.NoError(t, err)
	require.Equal(t, []any{ledger.Committed, receipt.Block}, []any{after.State, after.Block})
	again, err := stageOf[app.Receipt](ctx, s, "submissions", submission)
	require.NoError(t, err)
	require.Equal(t, receipt, again, "sent twice, it is done once")
	_, err = stageOf[app.Receipt](ctx, s, "submissions", object{"transaction": endorsed.Transaction, "signature": own.sign(t, prepared.Digest)})
	require.Equal(t, "offline.signature", client.Reason(err), "what is done is told to its signer only")

	t.Run("the whole again with the same key is the first receipt", func(t *testing.T) {
		prepared, err := stageOf[app.Proposal](ctx, s, "proposals", own.propose("offline-1"))
		require.NoError(t, err)
		endorsed, err := stageOf[app.Endorsement](ctx, s, "endorsements", object{"proposal": prepared.Proposal, "signature": own.sign(t, prepared.Digest)})
		require.NoError(t, err)
		require.True(t, endorsed.Receipt.Replayed)
		require.Equal(t, []any{receipt.Tx, receipt.Block}, []any{endorsed.Receipt.Tx, endorsed.Receipt.Block})
		require.Empty(t, endorsed.Transaction, "nothing to sign")
	})
	t.Run("what is changed on the way is refused", func(t *testing.T) { c.tamper(ctx, t, own) })
	t.Run("who may not is refused", func(t *testing.T) { c.strangers(ctx, t, own) })
	t.Run("hutong sign walks through all stages", func(t *testing.T) { c.signOnTheCommandLine(ctx, t, own) })
}

// tamper changes one thing at each stage.
func (c *testCity) tamper(ctx context.Context, t *testing.T, own ownKey) {
	admin, err := c.Admin(ctx, "services.hall")
	require.NoError(t, err)
	other := c.enrol(ctx, t, "services", "hall", "admin")
	s := stages{admin, "offline-2"}
	prepared, err := stageOf[app.Proposal](ctx, s, "proposals", own.propose("offline-2"))
	require.NoError(t, err)
	signature := own.sign(t, prepared.Digest)
	endorsed, err := stageOf[app.Endorsement](ctx, s, "endorsements", object{"proposal": prepared.Proposal, "signature": signature})
	require.NoError(t, err)

	// another request in the proposal, everything else as it was
	var proposed gateway.ProposedTransaction
	var inner peer.Proposal
	var payload peer.ChaincodeProposalPayload
	require.NoError(t, proto.Unmarshal(prepared.Proposal, &proposed))
	require.NoError(t, proto.Unmarshal(proposed.GetProposal().GetProposalBytes(), &inner))
	require.NoError(t, proto.Unmarshal(inner.GetPayload(), &payload))
	payload.Input = bytes.ReplaceAll(payload.GetInput(), []byte("offline-2"), []byte("offline-3"))
	inner.Payload = marshal(t, &payload)
	proposed.Proposal.ProposalBytes = marshal(t, &inner)
	otherRequest := marshal(t, &proposed)

	// another record written in the transaction, under the endorsers' old signatures
	var made gateway.PreparedTransaction
	require.NoError(t, proto.Unmarshal(endorsed.Transaction, &made))
	made.Envelope.Payload = bytes.ReplaceAll(made.GetEnvelope().GetPayload(), []byte("offline-2"), []byte("offline-4"))
	otherWrite := marshal(t, &made)
	// a header with another channel
	var whole common.Payload
	require.NoError(t, proto.Unmarshal(endorsed.Transaction, &made))
	require.NoError(t, proto.Unmarshal(made.GetEnvelope().GetPayload(), &whole))
	whole.Header.ChannelHeader = bytes.Replace(whole.Header.GetChannelHeader(), []byte("government"), []byte("govermment"), 1)
	made.Envelope.Payload = marshal(t, &whole)
	otherChannel := marshal(t, &made)

	before := c.height(ctx, t)
	for _, x := range []struct {
		name, path string
		key        string
		body       object
		reason     string
	}{
		{"another request in the proposal", "endorsements", "", object{"proposal": otherRequest, "signature": signature}, "offline.signature"},
		{"another's signature under the proposal", "endorsements", "", object{"proposal": prepared.Proposal, "signature": other.sign(t, prepared.Digest)}, "offline.signature"},
		{"a signature over something else", "endorsements", "", object{"proposal": prepared.Proposal, "signature": own.sign(t, endorsed.Digest)}, "offline.signature"},
		{"no proposal", "endorsements", "", object{"proposal": []byte("proposal"), "signature": signature}, "offline.form"},
		{"the transaction for the proposal", "endorsements", "", object{"proposal": endorsed.Transaction, "signature": signature}, "offline.form"},
		{"another idempotency key", "endorsements", "offline-other", object{"proposal": prepared.Proposal, "signature": signature}, "offline.foreign"},
		{"another write in the transaction", "submissions", "", object{"transaction": otherWrite, "signature": own.sign(t, endorsed.Digest)}, "offline.changed"},
		{"another channel in the transaction", "submissions", "", object{"transaction": otherChannel, "signature": own.sign(t, endorsed.Digest)}, "offline.changed"},
		{"another's signature under the transaction", "submissions", "", object{"transaction": endorsed.Transaction, "signature": other.sign(t, endorsed.Digest)}, "offline.signature"},
		{"the proposal's signature under the transaction", "submissions", "", object{"transaction": endorsed.Transaction, "signature": signature}, "offline.signature"},
		{"another idempotency key for the transaction", "submissions", "offline-other", object{"transaction": endorsed.Transaction, "signature": own.sign(t, endorsed.Digest)}, "offline.foreign"},
		{"another's question", "status", "", object{"status_request": endorsed.Status, "signature": other.sign(t, endorsed.StatusDigest)}, "offline.signature"},
	} {
		t.Run(x.name, func(t *testing.T) {
			with := s
			if x.key != "" {
				with.key = x.key
			}
			_, err := stageOf[json.RawMessage](ctx, with, x.path, x.body)
			problem := new(client.Problem)
			require.ErrorAs(t, err, &problem)
			require.Equal(t, x.reason, problem.Reason, "%v", problem)
		})
	}
	require.Equal(t, before, c.height(ctx, t), "nothing was written")
}

// strangers try what is not theirs.
func (c *testCity) strangers(ctx context.Context, t *testing.T, own ownKey) {
	admin, err := c.Admin(ctx, "services.hall")
	require.NoError(t, err)
	officer, err := c.SignIn(ctx, "services", "officer.hall")
	require.NoError(t, err)
	police, err := c.Admin(ctx, "services.police")
	require.NoError(t, err)
	read := own.propose("offline-5")
	read["function"] = "type:Get"
	system := own.propose("offline-5")
	system["chaincode"] = "_lifecycle"
	foreign := c.enrol(ctx, t, "market", "hall", "admin") // by another organisation's CA
	for _, x := range []struct {
		name   string
		who    *client.Client
		body   object
		reason string
	}{
		{"an officer with the administrator's certificate", officer, own.propose("offline-5"), "offline.creator"},
		{"another agency's administrator", police, own.propose("offline-5"), "offline.creator"},
		{"a function that reads", admin, read, "offline.function"},
		{"a chaincode that is not ours", admin, system, "request.invalid"},
		{"no certificate", admin, ownKey{certificate: "none"}.propose("offline-5"), "offline.certificate"},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := stageOf[app.Proposal](ctx, stages{x.who, "offline-5"}, "proposals", x.body)
			problem := new(client.Problem)
			require.ErrorAs(t, err, &problem)
			require.Equal(t, x.reason, problem.Reason, "%v", problem)
		})
	}
	t.Run("a certificate of another organisation's CA", func(t *testing.T) {
		s := stages{admin, "offline-6"}
		prepared, err := stageOf[app.Proposal](ctx, s, "proposals", foreign.propose("offline-6"))
		require.NoError(t, err)
		_, err = stageOf[app.Endorsement](ctx, s, "endorsements", object{"proposal": prepared.Proposal, "signature": foreign.sign(t, prepared.Digest)})
		problem := new(client.Problem)
		require.ErrorAs(t, err, &problem)
		require.Equal(t, "offline.untrusted", problem.Reason, "%v", problem)
	})
	t.Run("a request that breaks the contract's rule", func(t *testing.T) {
		s := stages{admin, "offline-7"}
		prepared, err := stageOf[app.Proposal](ctx, s, "proposals", own.propose("Not A Code"))
		require.NoError(t, err)
		_, err = stageOf[app.Endorsement](ctx, s, "endorsements", object{"proposal": prepared.Proposal, "signature": own.sign(t, prepared.Digest)})
		problem := new(client.Problem)
		require.ErrorAs(t, err, &problem)
		require.Equal(t, "request.invalid", problem.Reason)
		require.Equal(t, "request.code", problem.Field)
	})
}

// signOnTheCommandLine runs the program an agency runs.
func (c *testCity) signOnTheCommandLine(ctx context.Context, t *testing.T, own ownKey) {
	dir := t.TempDir()
	hutong := program(ctx, t)
	der, err := x509.MarshalPKCS8PrivateKey(own.private)
	require.NoError(t, err)
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	request, err := json.Marshal(licence("offline-8"))
	require.NoError(t, err)
	org, ok := c.network.Topology.Organisation("services")
	require.True(t, ok)
	tokens, err := client.NewProvider(c.network.Topology.IdentityProviderURL(), c.providerRoots(t)).SignIn(ctx, "admin.hall")
	require.NoError(t, err)
	token, err := tokens.Token(ctx)
	require.NoError(t, err)
	submit := func(answer string) (string, string, error) {
		command := exec.CommandContext(ctx, hutong, "sign", "submit", "--gateway", c.network.Topology.GatewayURL(org), "--root", c.network.Layout.Public(org).TLSRoot(),
			"--certificate", file("cert.pem", []byte(own.certificate)), "--key", file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
			"--chaincode", certificate.Name, "--function", certificate.TypePublish, "--request", file("request.json", request), "--idempotency-key", "offline-8", "--yes="+answer)
		command.Env = append(os.Environ(), "HUTONG_TOKEN="+token)
		var receipt, words bytes.Buffer
		command.Stdout, command.Stderr = &receipt, &words
		err := command.Run()
		return receipt.String(), words.String(), err
	}
	_, words, err := submit("false") // nobody says yes
	require.Error(t, err)
	require.Contains(t, words, "nothing was signed")
	receipt, words, err := submit("true")
	require.NoError(t, err, words)
	var r kernel.Receipt
	require.NoError(t, json.Unmarshal([]byte(receipt), &r))
	require.Equal(t, "offline-8", r.ID)
	for _, part := range []string{"Proposal    type:Publish of contract certificate", "services.hall, admin of ServicesMSP", `"code": "offline-8"`, "record offline-8 becomes", "Endorsed by", r.Tx} {
		require.Contains(t, words, part)
	}
	receipt, words, err = submit("true")
	require.NoError(t, err, words)
	require.Contains(t, receipt, `"replayed": true`)
}

func (c *testCity) providerRoots(t *testing.T) *x509.CertPool {
	text, err := os.ReadFile(c.network.Layout.Public(c.network.Topology.Organisations[0]).TLSRoot())
	require.NoError(t, err)
	roots, err := client.Roots(text)
	require.NoError(t, err)
	return roots
}

// height is that of the channel, at the auditor's gateway.
func (c *testCity) height(ctx context.Context, t *testing.T) uint64 {
	t.Helper()
	auditor, err := c.SignIn(ctx, "audit", "auditor")
	require.NoError(t, err)
	head, err := client.Do[struct {
		Height uint64 `json:"height"`
	}](ctx, auditor, http.MethodGet, "/v1/audit/channel", nil)
	require.NoError(t, err)
	return head.Height
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}
