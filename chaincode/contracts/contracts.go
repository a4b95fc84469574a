// Package contracts lists the contracts of the product. A new contract is added here and nowhere else: the server, the
// catalogue and the tests that hold for every contract take them from this list.
package contracts

import (
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	certificate "github.com/hutong-gov/hutong/chaincode/certificate/contract"
	collaboration "github.com/hutong-gov/hutong/chaincode/collaboration/contract"
	exchange "github.com/hutong-gov/hutong/chaincode/exchange/contract"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

//go:generate go run ../cmd/catalogue --out ../../docs/reference/ledger.md

// makers build the contracts, in the order documents list them.
var makers = []func() *kernel.Contract{exchange.New, collaboration.New, certificate.New}

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
