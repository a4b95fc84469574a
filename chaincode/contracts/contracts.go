// Package contracts lists the contracts of the product. A new contract is added here and nowhere else: the server, the
// catalogue and the tests that hold for every contract take them from this list.
package contracts

import (
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// makers build the contracts, in the order documents list them.
var makers = []func() *kernel.Contract{}

// All builds every contract.
func All() []*kernel.Contract {
	all := make([]*kernel.Contract, len(makers))
	for i, build := range makers {
		all[i] = build()
	}
	return all
}

// Chaincodes builds every contract, by name, for a server.
func Chaincodes() map[string]shim.Chaincode {
	all := map[string]shim.Chaincode{}
	for _, c := range All() {
		all[c.Name] = c
	}
	return all
}
