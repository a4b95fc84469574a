package ledgertest

import (
	"maps"
	"slices"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/endorsement"
)

// Endorsers are the organisations whose peers endorse, and Enough how many of them a transaction needs.
var Endorsers = []string{"ServicesMSP", "PlanningMSP", "MarketMSP"}

const Enough = 2

// policy is the chaincodes' endorsement policy.
func policy() *common.SignaturePolicyEnvelope { return endorsement.OutOf(Enough, Endorsers...) }

// lifecycle answers for the system chaincode _lifecycle the one question contracts ask it.
func (l *Ledger) lifecycle(args [][]byte) *peer.Response {
	var query lifecycle.QueryChaincodeDefinitionArgs
	if len(args) != 2 || string(args[0]) != endorsement.QueryDefinition || proto.Unmarshal(args[1], &query) != nil {
		return shim.Error("lifecycle scc operations require exactly two arguments")
	}
	if _, defined := l.chaincodes[query.GetName()]; !defined {
		return &peer.Response{Status: 404, Message: "namespace " + query.GetName() + " is not defined"}
	}
	application := &peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_SignaturePolicy{SignaturePolicy: policy()}}
	definition := &lifecycle.QueryChaincodeDefinitionResult{Sequence: 1, Version: "1", ValidationParameter: must(proto.Marshal(application))}
	return shim.Success(must(proto.Marshal(definition)))
}

// endorsed says whether a transaction's endorsers meet the policy of every key it writes.
func (l *Ledger) endorsed(tx *Tx) bool {
	written := slices.Concat(slices.Collect(maps.Keys(tx.simulation.writes)), slices.Collect(maps.Keys(tx.simulation.policies)))
	for _, joined := range written {
		asked := policy()
		if own := l.state.public[joined].policy; len(own) > 0 {
			asked = &common.SignaturePolicyEnvelope{}
			if proto.Unmarshal(own, asked) != nil {
				return false
			}
		}
		if !must(endorsement.Met(asked, tx.endorsers)) {
			return false
		}
	}
	return len(written) > 0 || must(endorsement.Met(policy(), tx.endorsers))
}
