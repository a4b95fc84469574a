// Command baseline is the smallest chaincode there can be: what a plain Fabric chaincode costs, for the benchmark to
// compare with. It is configured as the product's own server is; its one contract is called baseline.
//
//	Create ID VALUE [ID VALUE …]   GetState, refuse if present, PutState, for each pair
package main

import (
	"os"
	"slices"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hutong-gov/hutong/chaincode/serve"
)

// chaincode is bare: no kernel, no JSON, no authorisation.
type chaincode struct{}

func (chaincode) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (chaincode) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	function, arguments := stub.GetFunctionAndParameters()
	if function != "Create" || len(arguments) == 0 || len(arguments)%2 != 0 {
		return shim.Error("call Create with pairs of an id and a value")
	}
	for pair := range slices.Chunk(arguments, 2) {
		present, err := stub.GetState(pair[0])
		if err != nil {
			return shim.Error(err.Error())
		}
		if present != nil {
			return shim.Error("the id is taken")
		}
		if err := stub.PutState(pair[0], []byte(pair[1])); err != nil {
			return shim.Error(err.Error())
		}
	}
	return shim.Success(nil)
}

func main() {
	os.Exit(serve.Main("baseline", os.Args[1:], os.Stdout, os.Stderr, map[string]shim.Chaincode{"baseline": chaincode{}}))
}
