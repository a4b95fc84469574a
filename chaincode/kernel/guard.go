package kernel

import (
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/endorsement"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Guard leaves later changes of a record to transactions that the peers of its owner's organisation have endorsed too, as
// package endorsement says. The transaction that makes the record is judged by the chaincode's own policy: there is no key
// yet that could have one. Guard a record each time its owner changes it, so that it follows the chaincode's definition.
func Guard[T any](tx *Tx, m state.Map[T], owner string, parts ...string) error {
	if err := tx.readPolicy(); err != nil {
		return err
	}
	policy, err := endorsement.ForOwner(tx.policy, access.MSPOf(owner))
	if err != nil || policy == nil {
		return err
	}
	return m.Guard(tx.Store, policy, parts...)
}

// readPolicy reads the running chaincode's endorsement policy from its definition, once a transaction.
func (tx *Tx) readPolicy() error {
	if tx.policy != nil {
		return nil
	}
	query, err := endorsement.Query(tx.contract)
	if err != nil {
		return err
	}
	response := tx.stub.InvokeChaincode(endorsement.Lifecycle, [][]byte{[]byte(endorsement.QueryDefinition), query}, "")
	if response.GetStatus() >= shim.ERRORTHRESHOLD {
		return fault.New(fault.Internal, "ledger.failed", "the chaincode's definition could not be read")
	}
	if tx.policy, err = endorsement.Of(response.GetPayload()); err != nil {
		return fault.New(fault.Internal, "ledger.failed", "the chaincode's definition could not be read")
	}
	return nil
}
