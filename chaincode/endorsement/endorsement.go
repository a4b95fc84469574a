// Package endorsement makes the endorsement policies of single keys. A record that belongs to an organisation is changed
// only by a transaction that this organisation's peer has endorsed, besides as many others as the chaincode's own policy asks
// for: two organisations that conspire can endorse what the rules forbid, but not for what is a third's.
//
//	chaincode   OutOf(2, Services, Planning, Market)
//	a record of Planning   AND(Planning, OutOf(1, Services, Market))
//
// A key's policy replaces the chaincode's for that key, so it must ask for everything the other did. Who endorses is read
// from the chaincode's definition on the ledger, which the organisations approved: every endorser reads the same, and there
// is no second list to keep in step.
package endorsement

import (
	"errors"
	"fmt"
	"maps"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	"google.golang.org/protobuf/proto"
)

// The system chaincode that has the definitions, and its function.
const (
	Lifecycle       = "_lifecycle"
	QueryDefinition = "QueryChaincodeDefinition"
)

// Query is the argument that asks for a chaincode's definition.
func Query(chaincode string) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(&lifecycle.QueryChaincodeDefinitionArgs{Name: chaincode})
}

// Of reads a chaincode's endorsement policy from what the lifecycle answers to Query. nil: the definition refers to a policy
// of the channel's configuration, which names no organisations.
func Of(answer []byte) (*common.SignaturePolicyEnvelope, error) {
	var definition lifecycle.QueryChaincodeDefinitionResult
	if err := proto.Unmarshal(answer, &definition); err != nil {
		return nil, fmt.Errorf("chaincode definition: %w", err)
	}
	var policy peer.ApplicationPolicy
	if err := proto.Unmarshal(definition.GetValidationParameter(), &policy); err != nil {
		return nil, fmt.Errorf("chaincode's endorsement policy: %w", err)
	}
	return policy.GetSignaturePolicy(), nil
}

// ForOwner gives the policy of a record that belongs to an organisation, by the chaincode's policy: the owner's peer and
// whoever else is needed, in the form in which Fabric keeps it with the key. nil where the record is left to the chaincode's
// policy: there is none of signatures, or it does not name the owner, whose peers then endorse nothing, or it names the owner
// more than once and so may mean two peers.
func ForOwner(chaincode *common.SignaturePolicyEnvelope, owner string) ([]byte, error) {
	at, found := 0, 0
	for i, identity := range chaincode.GetIdentities() {
		org, err := organisation(identity)
		if err != nil {
			return nil, err
		}
		if org == owner {
			at, found = i, found+1
		}
	}
	if found != 1 || count(chaincode.GetRule(), int32(at)) != 1 {
		return nil, nil
	}
	rule := signedBy(int32(at))
	if rest := without(chaincode.GetRule(), int32(at)); rest != nil {
		rule = outOf(2, rule, rest)
	}
	policy := &common.SignaturePolicyEnvelope{Version: chaincode.GetVersion(), Rule: rule, Identities: chaincode.GetIdentities()}
	return proto.MarshalOptions{Deterministic: true}.Marshal(policy)
}

// without is what a rule still asks for once an identity has signed; nil: nothing.
func without(rule *common.SignaturePolicy, identity int32) *common.SignaturePolicy {
	some := rule.GetNOutOf()
	if some == nil {
		if rule.GetSignedBy() == identity {
			return nil
		}
		return rule
	}
	n, rest := some.GetN(), []*common.SignaturePolicy{}
	for _, r := range some.GetRules() {
		if still := without(r, identity); still != nil {
			rest = append(rest, still)
		} else {
			n--
		}
	}
	if n <= 0 {
		return nil
	}
	return outOf(n, rest...)
}

// count says how often a rule asks for an identity.
func count(rule *common.SignaturePolicy, identity int32) int {
	some := rule.GetNOutOf()
	if some == nil {
		if rule.GetSignedBy() == identity {
			return 1
		}
		return 0
	}
	n := 0
	for _, r := range some.GetRules() {
		n += count(r, identity)
	}
	return n
}

func signedBy(identity int32) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: identity}}
}

func outOf(n int32, rules ...*common.SignaturePolicy) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: rules}}}
}

// organisation is the MSP whose peer a principal asks for.
func organisation(principal *msp.MSPPrincipal) (string, error) {
	var role msp.MSPRole
	if principal.GetPrincipalClassification() != msp.MSPPrincipal_ROLE {
		return "", errors.New("endorsement policy: an identity is not a role of an organisation")
	}
	if err := proto.Unmarshal(principal.GetPrincipal(), &role); err != nil {
		return "", fmt.Errorf("endorsement policy: %w", err)
	}
	return role.GetMspIdentifier(), nil
}

// OutOf is the policy that asks for n of the organisations' peers.
func OutOf(n int, msps ...string) *common.SignaturePolicyEnvelope {
	policy := &common.SignaturePolicyEnvelope{}
	var rules []*common.SignaturePolicy
	for i, id := range msps {
		principal, err := proto.MarshalOptions{Deterministic: true}.Marshal(&msp.MSPRole{MspIdentifier: id, Role: msp.MSPRole_PEER})
		if err != nil {
			panic(err) // two plain members
		}
		policy.Identities = append(policy.Identities, &msp.MSPPrincipal{PrincipalClassification: msp.MSPPrincipal_ROLE, Principal: principal})
		rules = append(rules, signedBy(int32(i)))
	}
	policy.Rule = outOf(int32(n), rules...)
	return policy
}

// Met says whether peers of these organisations, one of each, meet a policy, as Fabric judges it: a signature counts once.
func Met(policy *common.SignaturePolicyEnvelope, msps []string) (bool, error) {
	orgs := make([]string, len(policy.GetIdentities()))
	for i, identity := range policy.GetIdentities() {
		var err error
		if orgs[i], err = organisation(identity); err != nil {
			return false, err
		}
	}
	unused := map[string]bool{}
	for _, id := range msps {
		unused[id] = true
	}
	return met(policy.GetRule(), orgs, unused), nil
}

// met judges a rule and takes the signatures it counts out of unused.
func met(rule *common.SignaturePolicy, orgs []string, unused map[string]bool) bool {
	some := rule.GetNOutOf()
	if some == nil {
		at := int(rule.GetSignedBy())
		if at < 0 || at >= len(orgs) || !unused[orgs[at]] {
			return false
		}
		delete(unused, orgs[at])
		return true
	}
	n := int32(0)
	for _, r := range some.GetRules() {
		if left := maps.Clone(unused); met(r, orgs, left) {
			n++
			maps.DeleteFunc(unused, func(org string, _ bool) bool { return !left[org] })
		}
	}
	return n >= some.GetN()
}
