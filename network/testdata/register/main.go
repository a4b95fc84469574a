// Command register is the smallest chaincode a network test needs: it keeps
// values under keys, and tells whom it takes its caller for. It is served as
// every chaincode server is.
package main

import (
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/serve"
)

type register struct{}

func (register) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke answers `put KEY VALUE`, `get KEY` and `who`.
func (register) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	function, args := stub.GetFunctionAndParameters()
	switch {
	case function == "put" && len(args) == 2:
		if err := stub.PutState(args[0], []byte(args[1])); err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(nil)
	case function == "get" && len(args) == 1:
		value, err := stub.GetState(args[0])
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(value)
	case function == "who" && len(args) == 0:
		caller, err := access.FromStub(stub)
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success([]byte(caller.MSP + " " + caller.Agency + " " + string(caller.Role)))
	default:
		return shim.Error("say put KEY VALUE, get KEY or who")
	}
}

func main() {
	os.Exit(serve.Main("register", os.Args[1:], os.Stdout, os.Stderr, map[string]shim.Chaincode{"register": register{}, "register2": register{}}))
}
