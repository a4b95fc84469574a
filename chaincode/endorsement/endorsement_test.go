package endorsement_test

import (
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/endorsement"
)

func owned(t require.TestingT, chaincode *common.SignaturePolicyEnvelope, owner string) *common.SignaturePolicyEnvelope {
	raw, err := endorsement.ForOwner(chaincode, owner)
	require.NoError(t, err)
	if raw == nil {
		return nil
	}
	var policy common.SignaturePolicyEnvelope
	require.NoError(t, proto.Unmarshal(raw, &policy))
	return &policy
}

func met(t require.TestingT, policy *common.SignaturePolicyEnvelope, signers ...string) bool {
	ok, err := endorsement.Met(policy, signers)
	require.NoError(t, err)
	return ok
}

func TestOfTheDefaultNetwork(t *testing.T) {
	policy := owned(t, endorsement.OutOf(2, "ServicesMSP", "PlanningMSP", "MarketMSP"), "PlanningMSP")
	for _, line := range []struct {
		signers []string
		met     bool
	}{
		{[]string{"PlanningMSP", "ServicesMSP"}, true},
		{[]string{"MarketMSP", "PlanningMSP"}, true},
		{[]string{"ServicesMSP", "PlanningMSP", "MarketMSP"}, true},
		{[]string{"ServicesMSP", "MarketMSP"}, false},
		{[]string{"ServicesMSP", "MarketMSP", "AuditMSP"}, false},
		{[]string{"PlanningMSP"}, false},
		{[]string{"PlanningMSP", "AuditMSP"}, false},
		{nil, false},
	} {
		require.Equal(t, line.met, met(t, policy, line.signers...), "%v", line.signers)
	}
}

func TestWhatIsLeftToTheChaincode(t *testing.T) {
	two := endorsement.OutOf(2, "ServicesMSP", "PlanningMSP", "MarketMSP")
	require.Nil(t, owned(t, two, "AuditMSP"), "its peers endorse nothing")
	require.Nil(t, owned(t, nil, "PlanningMSP"), "no policy of signatures")
	twice := proto.Clone(two).(*common.SignaturePolicyEnvelope)
	twice.Rule.GetNOutOf().Rules = append(twice.Rule.GetNOutOf().Rules, twice.Rule.GetNOutOf().Rules[1])
	require.Nil(t, owned(t, twice, "PlanningMSP"), "may mean two of its peers")
	require.NotNil(t, owned(t, twice, "MarketMSP"))
	_, err := endorsement.ForOwner(&common.SignaturePolicyEnvelope{Identities: []*msp.MSPPrincipal{{PrincipalClassification: msp.MSPPrincipal_IDENTITY}}}, "PlanningMSP")
	require.Error(t, err)
}

// Over policies of any shape that name each organisation at most once: the owner's policy is met by exactly those signers
// who include the owner and meet the chaincode's.
func TestOwnersPolicyIsTheChaincodesWithTheOwner(t *testing.T) {
	orgs := []string{"AMSP", "BMSP", "CMSP", "DMSP", "EMSP"}
	rapid.Check(t, func(t *rapid.T) {
		policy := endorsement.OutOf(1, orgs...)
		left := rapid.Permutation([]int32{0, 1, 2, 3, 4}).Draw(t, "order")
		var rule func(depth int) *common.SignaturePolicy
		rule = func(depth int) *common.SignaturePolicy {
			if depth == 0 || len(left) < 2 || rapid.Bool().Draw(t, "leaf") {
				if len(left) == 0 {
					return nil
				}
				identity := left[0]
				left = left[1:]
				return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: identity}}
			}
			var rules []*common.SignaturePolicy
			for range rapid.IntRange(1, 3).Draw(t, "rules") {
				if r := rule(depth - 1); r != nil {
					rules = append(rules, r)
				}
			}
			n := rapid.IntRange(1, len(rules)).Draw(t, "n")
			return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: int32(n), Rules: rules}}}
		}
		policy.Rule = rule(3)
		owner := rapid.SampledFrom(orgs).Draw(t, "owner")
		keys := owned(t, policy, owner)
		for set := range 1 << len(orgs) {
			var signers []string
			for i, org := range orgs {
				if set>>i&1 == 1 {
					signers = append(signers, org)
				}
			}
			if keys == nil {
				continue // the rule does not ask for the owner
			}
			require.Equal(t, slices.Contains(signers, owner) && met(t, policy, signers...), met(t, keys, signers...), "%v of %v, owner %s", signers, policy, owner)
		}
	})
}

func TestDefinitions(t *testing.T) {
	want := endorsement.OutOf(2, "ServicesMSP", "PlanningMSP", "MarketMSP")
	answer := func(policy *peer.ApplicationPolicy) []byte {
		parameter, err := proto.Marshal(policy)
		require.NoError(t, err)
		raw, err := proto.Marshal(&lifecycle.QueryChaincodeDefinitionResult{Sequence: 1, ValidationParameter: parameter})
		require.NoError(t, err)
		return raw
	}
	got, err := endorsement.Of(answer(&peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_SignaturePolicy{SignaturePolicy: want}}))
	require.NoError(t, err)
	require.True(t, proto.Equal(want, got))
	got, err = endorsement.Of(answer(&peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_ChannelConfigPolicyReference{ChannelConfigPolicyReference: "/Channel/Application/Endorsement"}}))
	require.NoError(t, err)
	require.Nil(t, got)
	_, err = endorsement.Of([]byte("not a definition"))
	require.Error(t, err)
	query, err := endorsement.Query("exchange")
	require.NoError(t, err)
	var asked lifecycle.QueryChaincodeDefinitionArgs
	require.NoError(t, proto.Unmarshal(query, &asked))
	require.Equal(t, "exchange", asked.GetName())
}
