package offline_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/offline"
	"github.com/hutong-gov/hutong/gateway/offline/offlinetest"
)

var year = time.Now().Add(365 * 24 * time.Hour)

// fixture is a proposal of the hall's administrator and its transaction, endorsed by one peer.
type fixture struct {
	admin, peer offlinetest.Identity
	proposal    []byte
	transaction []byte
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{admin: offlinetest.NewIdentity(t, "hall", "admin", year), peer: offlinetest.NewIdentity(t, "", "", year)}
	creator, err := offline.CreatorOf("ServicesMSP", f.admin.Certificate)
	require.NoError(t, err)
	tx, unsigned, err := offline.Propose(creator, "government", "certificate", "type:Publish",
		kernel.Command{IdempotencyKey: "k1", Staff: "S1", Request: json.RawMessage(`{"code":"licence"}`)})
	require.NoError(t, err)
	require.Len(t, tx, 64)
	f.proposal = unsigned.Bytes
	f.transaction = offlinetest.Endorse(t, f.peer, f.proposal, nil)
	return f
}

func marshal(t *testing.T, m proto.Message) []byte { return offlinetest.Marshal(t, m) }

func reason(err error) string {
	if err == nil {
		return ""
	}
	f := fault.From(err)
	return f.Reason + " " + f.Field + " " + f.Rule
}

func TestWhatIsRead(t *testing.T) {
	f := newFixture(t)
	p, err := offline.ReadProposal(f.proposal)
	require.NoError(t, err)
	require.Equal(t, []string{"government", "certificate", "type:Publish", "k1", "S1", `{"code":"licence"}`, "services.hall"},
		[]string{p.Channel, p.Chaincode, p.Function, p.Command.IdempotencyKey, p.Command.Staff, string(p.Command.Request), p.Creator.Agency})
	require.WithinDuration(t, time.Now(), p.At, time.Minute)
	require.NoError(t, p.Creator.Is("services.hall", access.Admin))

	var proposed gateway.ProposedTransaction
	require.NoError(t, proto.Unmarshal(f.proposal, &proposed))
	sum := sha256.Sum256(proposed.GetProposal().GetProposalBytes())
	require.Equal(t, sum[:], p.Digest(), "what Fabric's clients and peers hash")

	tx, err := offline.ReadTransaction(f.transaction)
	require.NoError(t, err)
	require.NoError(t, tx.Carries(p))
	require.Equal(t, p.Tx, tx.Tx)
	require.Equal(t, "licence", tx.Receipt.ID)
	require.Equal(t, "MarketMSP", tx.Endorsers[0].MSP)

	unsigned, err := p.AskStatus()
	require.NoError(t, err)
	s, err := offline.ReadStatus(unsigned.Bytes)
	require.NoError(t, err)
	require.Equal(t, []string{p.Tx, p.Channel, p.Creator.Agency}, []string{s.Tx, s.Channel, s.Creator.Agency})
	require.Equal(t, unsigned.Digest, s.Digest())
}

// TestProposalsRefused: whatever a proposal has beside one command in the house's form, nobody is shown it as that command.
func TestProposalsRefused(t *testing.T) {
	f := newFixture(t)
	type parts struct {
		proposed *gateway.ProposedTransaction
		proposal *peer.Proposal
		header   *common.Header
		channel  *common.ChannelHeader
		payload  *peer.ChaincodeProposalPayload
		call     *peer.ChaincodeInvocationSpec
	}
	for name, c := range map[string]struct {
		change func(*parts)
		want   string
	}{
		"unchanged":                {func(*parts) {}, ""},
		"signed already":           {func(p *parts) { p.proposed.Proposal.Signature = []byte("x") }, "offline.form proposal unsigned_proposal"},
		"endorsers chosen":         {func(p *parts) { p.proposed.EndorsingOrganizations = []string{"MarketMSP"} }, "offline.form proposal unsigned_proposal"},
		"another id outside":       {func(p *parts) { p.proposed.TransactionId = "0" }, "offline.form proposal transaction_id"},
		"another id inside":        {func(p *parts) { p.channel.TxId = "0" }, "offline.form proposal transaction_id"},
		"extension":                {func(p *parts) { p.proposal.Extension = []byte("x") }, "offline.form proposal proposal"},
		"no chaincode call":        {func(p *parts) { p.channel.Type = int32(common.HeaderType_CONFIG_UPDATE) }, "offline.form proposal chaincode_call"},
		"epoch":                    {func(p *parts) { p.channel.Epoch = 1 }, "offline.form proposal chaincode_call"},
		"no time":                  {func(p *parts) { p.channel.Timestamp = nil }, "offline.form proposal chaincode_call"},
		"transient data":           {func(p *parts) { p.payload.TransientMap = map[string][]byte{"a": nil} }, "offline.form proposal chaincode_call"},
		"another chaincode inside": {func(p *parts) { p.call.ChaincodeSpec.ChaincodeId.Name = "_lifecycle" }, "offline.form proposal chaincode"},
		"a chaincode's version":    {func(p *parts) { p.call.ChaincodeSpec.ChaincodeId.Version = "1" }, "offline.form proposal chaincode"},
		"init":                     {func(p *parts) { p.call.ChaincodeSpec.Input.IsInit = true }, "offline.form proposal one_command"},
		"a third argument":         {func(p *parts) { p.call.ChaincodeSpec.Input.Args = append(p.call.ChaincodeSpec.Input.Args, nil) }, "offline.form proposal one_command"},
		"decorations":              {func(p *parts) { p.call.ChaincodeSpec.Input.Decorations = map[string][]byte{"a": nil} }, "offline.form proposal one_command"},
		"no command":               {func(p *parts) { p.call.ChaincodeSpec.Input.Args[1] = []byte(`{"id":"x"}`) }, "request.invalid proposal.id unknown_field"},
		"a field nobody knows": {func(p *parts) {
			p.call.ChaincodeSpec.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
		}, "offline.form proposal chaincode_call"},
		"a field nobody knows outside": {func(p *parts) {
			p.proposed.Proposal.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
		}, "offline.form proposal unsigned_proposal"},
	} {
		t.Run(name, func(t *testing.T) {
			p := parts{new(gateway.ProposedTransaction), new(peer.Proposal), new(common.Header), new(common.ChannelHeader), new(peer.ChaincodeProposalPayload), new(peer.ChaincodeInvocationSpec)}
			require.NoError(t, proto.Unmarshal(f.proposal, p.proposed))
			require.NoError(t, proto.Unmarshal(p.proposed.GetProposal().GetProposalBytes(), p.proposal))
			require.NoError(t, proto.Unmarshal(p.proposal.GetHeader(), p.header))
			require.NoError(t, proto.Unmarshal(p.header.GetChannelHeader(), p.channel))
			require.NoError(t, proto.Unmarshal(p.proposal.GetPayload(), p.payload))
			require.NoError(t, proto.Unmarshal(p.payload.GetInput(), p.call))
			c.change(&p)
			p.payload.Input = marshal(t, p.call)
			p.proposal.Payload = marshal(t, p.payload)
			p.header.ChannelHeader = marshal(t, p.channel)
			p.proposal.Header = marshal(t, p.header)
			p.proposed.Proposal.ProposalBytes = marshal(t, p.proposal)
			_, err := offline.ReadProposal(marshal(t, p.proposed))
			require.Equal(t, c.want, reason(err))
		})
	}
	for name, raw := range map[string][]byte{"nothing": nil, "no message": []byte("\xff"), "cut": f.proposal[:len(f.proposal)-1], "another order": slices.Concat(f.proposal, f.proposal)} {
		t.Run(name, func(t *testing.T) {
			_, err := offline.ReadProposal(raw)
			require.ErrorIs(t, err, offline.ErrForm)
		})
	}
}

func TestTransactionsRefused(t *testing.T) {
	f := newFixture(t)
	p, err := offline.ReadProposal(f.proposal)
	require.NoError(t, err)
	// reopen changes a transaction that is endorsed.
	reopen := func(change func(*common.Payload, *peer.Transaction, *peer.ChaincodeActionPayload)) []byte {
		var prepared gateway.PreparedTransaction
		var payload common.Payload
		var transaction peer.Transaction
		var call peer.ChaincodeActionPayload
		require.NoError(t, proto.Unmarshal(f.transaction, &prepared))
		require.NoError(t, proto.Unmarshal(prepared.GetEnvelope().GetPayload(), &payload))
		require.NoError(t, proto.Unmarshal(payload.GetData(), &transaction))
		require.NoError(t, proto.Unmarshal(transaction.Actions[0].GetPayload(), &call))
		change(&payload, &transaction, &call)
		transaction.Actions[0].Payload = marshal(t, &call)
		payload.Data = marshal(t, &transaction)
		prepared.Envelope.Payload = marshal(t, &payload)
		return marshal(t, &prepared)
	}
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"unchanged": {reopen(func(*common.Payload, *peer.Transaction, *peer.ChaincodeActionPayload) {}), ""},
		"two actions": {reopen(func(_ *common.Payload, x *peer.Transaction, _ *peer.ChaincodeActionPayload) {
			x.Actions = append(x.Actions, x.Actions[0])
		}), "offline.form transaction one_action"},
		"another answer": {reopen(func(_ *common.Payload, _ *peer.Transaction, call *peer.ChaincodeActionPayload) {
			var response peer.ProposalResponsePayload
			require.NoError(t, proto.Unmarshal(call.Action.ProposalResponsePayload, &response))
			response.Extension = marshal(t, &peer.ChaincodeAction{ChaincodeId: &peer.ChaincodeID{Name: "certificate"}, Response: &peer.Response{Status: 200, Payload: []byte(`{"id":"other"}`)}})
			call.Action.ProposalResponsePayload = marshal(t, &response)
		}), "offline.changed transaction endorsed"},
		"nobody endorsed": {reopen(func(_ *common.Payload, _ *peer.Transaction, call *peer.ChaincodeActionPayload) {
			call.Action.Endorsements = nil
		}), "offline.changed transaction endorsed"},
		"another's signature": {reopen(func(_ *common.Payload, _ *peer.Transaction, call *peer.ChaincodeActionPayload) {
			call.Action.Endorsements[0].Signature = f.admin.Sign(t, p.Digest())
		}), "offline.changed transaction endorsed"},
		"another command in the call": {reopen(func(_ *common.Payload, _ *peer.Transaction, call *peer.ChaincodeActionPayload) {
			input := marshal(t, &peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{ChaincodeId: &peer.ChaincodeID{Name: "certificate"},
				Input: &peer.ChaincodeInput{Args: [][]byte{[]byte("type:Publish"), []byte(`{"idempotency_key":"k1","request":{"code":"other"}}`)}}}})
			call.ChaincodeProposalPayload = marshal(t, &peer.ChaincodeProposalPayload{Input: input})
		}), "offline.changed transaction answers_proposal"},
		"an answer to another proposal":  {offlinetest.Endorse(t, f.peer, f.proposal, func(r *peer.ProposalResponsePayload, _ *peer.ChaincodeAction) { r.ProposalHash = []byte("x") }), "offline.changed transaction answers_proposal"},
		"an answer of another chaincode": {offlinetest.Endorse(t, f.peer, f.proposal, func(_ *peer.ProposalResponsePayload, a *peer.ChaincodeAction) { a.ChaincodeId.Name = "exchange" }), "offline.changed transaction answers_proposal"},
		"no receipt":                     {offlinetest.Endorse(t, f.peer, f.proposal, func(_ *peer.ProposalResponsePayload, a *peer.ChaincodeAction) { a.Response.Payload = []byte("{}") }), "offline.form transaction receipt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := offline.ReadTransaction(c.raw)
			require.Equal(t, c.want, reason(err))
		})
	}
	t.Run("another proposal than the one approved", func(t *testing.T) {
		creator, err := offline.CreatorOf("ServicesMSP", f.admin.Certificate)
		require.NoError(t, err)
		_, other, err := offline.Propose(creator, "government", "certificate", "type:Publish", kernel.Command{IdempotencyKey: "k1", Staff: "S1", Request: json.RawMessage(`{"code":"other"}`)})
		require.NoError(t, err)
		tx, err := offline.ReadTransaction(offlinetest.Endorse(t, f.peer, other.Bytes, nil))
		require.NoError(t, err)
		require.ErrorIs(t, tx.Carries(p), offline.ErrChanged)
	})
}

func TestCreators(t *testing.T) {
	good, old := offlinetest.NewIdentity(t, "hall", "admin", year), offlinetest.NewIdentity(t, "hall", "admin", time.Now().Add(-time.Minute))
	for name, c := range map[string]struct{ text, want string }{
		"good":               {good.Certificate, ""},
		"with an empty line": {good.Certificate + "\n", ""},
		"expired":            {old.Certificate, "offline.certificate certificate valid_now"},
		"nothing":            {"", "offline.certificate certificate one_certificate"},
		"no certificate":     {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "offline.certificate certificate x509"},
		"a chain":            {good.Certificate + old.Certificate, "offline.certificate certificate one_certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := offline.CreatorOf("ServicesMSP", c.text)
			require.Equal(t, c.want, reason(err))
		})
	}
	creator, err := offline.CreatorOf("ServicesMSP", good.Certificate)
	require.NoError(t, err)
	require.Equal(t, "offline.creator creator.msp own_organisation", reason(creator.Is("market.tax", access.Admin)))
	require.Equal(t, "offline.creator creator.agency own_agency", reason(creator.Is("services.police", access.Admin)))
	require.Equal(t, "offline.creator creator.role equals:agency", reason(creator.Is("services.hall", access.Agency)))

	digest := sha256.Sum256([]byte("x"))
	signature := good.Sign(t, digest[:])
	verified, err := creator.Verified(digest[:], signature)
	require.NoError(t, err)
	require.Equal(t, signature, verified)
	var pair struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(signature, &pair)
	require.NoError(t, err)
	pair.S.Sub(elliptic.P256().Params().N, pair.S)
	high, err := asn1.Marshal(pair)
	require.NoError(t, err)
	lowered, err := creator.Verified(digest[:], high)
	require.NoError(t, err, "a signer that knows nothing of low S is served all the same")
	require.Equal(t, signature, lowered)
	_, err = creator.Verified(digest[:], old.Sign(t, digest[:]))
	require.Equal(t, "offline.signature signature signed_by_creator", reason(err))
	_, err = creator.Verified(digest[:], []byte("no signature"))
	require.Equal(t, "offline.signature signature ecdsa_asn1", reason(err))
}

// FuzzRead: whatever bytes come, they are refused or read, and what is read is written the same again.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x0a\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := offline.ReadProposal(raw); err == nil {
			require.NotEmpty(t, p.Function)
		}
		if tx, err := offline.ReadTransaction(raw); err == nil {
			require.NotEmpty(t, tx.Endorsers)
		}
		_, _ = offline.ReadStatus(raw)
	})
}
